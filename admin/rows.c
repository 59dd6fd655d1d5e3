#include "admin/rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/xmalloc.h"

#define KEYS_MAX	32

void
rows_keep(struct span json, void *arg)
{
	struct rows *rows = arg;

	rows->v = xreallocarray(rows->v, rows->n + 1, sizeof(*rows->v));
	rows->v[rows->n++] = xmemdup0(json.p, json.n);
}

void
rows_fini(struct rows *rows)
{
	while (rows->n > 0)
		free(rows->v[--rows->n]);
	free(rows->v);
}

void
rows_print_json(const struct rows *rows)
{
	size_t i;

	fputs("[", stdout);
	for (i = 0; i < rows->n; i++)
		printf("%s\n%s", i == 0 ? "" : ",", rows->v[i]);
	fputs(rows->n == 0 ? "]\n" : "\n]\n", stdout);
}

bool
row_get(const char *row, struct span want, struct span *value)
{
	struct span rest = span_str(row), key;

	while (json_next(&rest, &key, value))
		if (span_eq(key, want))
			return true;
	return false;
}

void
row_value_text(struct span value, struct buf *out)
{
	struct span rest = value, key, element;
	bool first = true;

	if (value.n == 0 || value.p[0] != '[') {
		json_text(value, out);
		return;
	}
	while (json_next(&rest, &key, &element)) {
		if (!first)
			buf_str(out, ", ");
		first = false;
		json_text(element, out);
	}
}

void
rows_print_table(const struct rows *rows, bool single)
{
	struct out_column column[KEYS_MAX];
	struct span keys[KEYS_MAX], rest, key, value, cells[KEYS_MAX];
	struct buf text[KEYS_MAX];
	struct out *o;
	size_t n = 0, i, k;

	for (i = 0; i < rows->n; i++) {
		rest = span_str(rows->v[i]);
		while (n < KEYS_MAX && json_next(&rest, &key, &value)) {
			for (k = 0; k < n && !span_eq(keys[k], key); k++)
				;
			if (k == n) {
				keys[n] = key;
				column[n++].kind = value.n > 0 &&
				    ascii_isdigit((unsigned char)value.p[0]) ?
				    OUT_NUMBER : OUT_TEXT;
			}
		}
	}
	for (k = 0; k < n; k++)
		column[k].name = xmemdup0(keys[k].p, keys[k].n);
	o = out_new(false, single, column, n);
	for (i = 0; i < rows->n; i++) {
		for (k = 0; k < n; k++) {
			buf_init(&text[k], 1024 * 1024);
			cells[k] = SPAN_NONE;
			if (row_get(rows->v[i], keys[k], &value)) {
				row_value_text(value, &text[k]);
				cells[k] = buf_span(&text[k]);
			}
		}
		out_row(o, cells);
		for (k = 0; k < n; k++)
			buf_fini(&text[k]);
	}
	out_end(&o);
	for (k = 0; k < n; k++)
		free((char *)(uintptr_t)column[k].name);
}

int
rows_ask(struct cli *cli, const char *via, const char *verb,
    const struct span *args, size_t n, uint64_t timeout_ms,
    struct rows *rows, struct ctl_answer *answer)
{
	struct err err = { 0 };
	struct span why;

	if (ctl_ask(cli->config.conf, via, verb, args, n, timeout_ms,
	    rows_keep, rows, answer, &err) != 0)
		return cli_fail(&err);
	why = span_trim(span_str(answer->error));
	if (answer->exit != 0)
		out_complain("postern: %.*s\n", SPAN_ARG(why.n > 0 ? why :
		    SPAN_LIT("it did not work")));
	return (int)answer->exit;
}
