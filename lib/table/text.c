/*
 * Exact keys: text files of `key value` lines, and inline:{ k = v }.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

static struct span
fold(struct span key, char out[TABLE_KEY_MAX])
{
	size_t i;

	for (i = 0; i < key.n; i++)
		out[i] = ascii_lower(key.p[i]);
	return span_of(out, key.n);
}

/* The first line of a key wins, as with postmap; the second is told. */
static bool
pair_add(struct map *m, struct span key, struct span value)
{
	char folded[TABLE_KEY_MAX];
	char *copy;

	key = fold(key, folded);
	if (map_get(m, key) != NULL)
		return false;
	copy = xmemdup0(value.p, value.n);
	(void)map_put(m, key, copy);
	return true;
}

void
table_text_free(void *data)
{
	struct map *m = data;
	size_t pos = 0;
	void *value;

	while (map_next(m, &pos, NULL, &value))
		free(value);
	map_free(&m);
}

void *
table_text_make(const struct table *t, struct span text, struct err *err)
{
	struct map *m = map_new();
	struct table_lines lines;
	struct span line, key;

	(void)err;
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		if (buf_failed(&lines.line))
			table_complain(t, lines.lineno, "line is too long");
		else if (span_chr(line, '\0') >= 0)
			table_complain(t, lines.lineno, "line holds NUL");
		else if (!span_word(&line, &key) || span_trim(line).n == 0)
			table_complain(t, lines.lineno,
			    "a key and a value are wanted");
		else if (key.n > TABLE_KEY_MAX)
			table_complain(t, lines.lineno, "key is too long");
		else if (!pair_add(m, key, span_trim(line)))
			table_complain(t, lines.lineno, "\"%.*s\" is there "
			    "already", (int)MIN(key.n, (size_t)100), key.p);
	}
	table_lines_fini(&lines);
	return m;
}

enum table_result
table_text_look_up(void *data, struct span key, struct buf *out,
    struct err *err)
{
	char folded[TABLE_KEY_MAX];
	const char *value = map_get(data, fold(key, folded));

	(void)err;
	if (value == NULL)
		return TABLE_NOTFOUND;
	buf_str(out, value);
	return TABLE_FOUND;
}

/* inline:{ key = value, { key = value with, comma } } */
static void *
inline_make(const struct table *t, struct span text, struct err *err)
{
	struct map *m;
	struct span member;
	ptrdiff_t eq;

	(void)t;
	text = span_trim(text);
	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}') {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "inline:{ key = value, ... } is wanted");
		return NULL;
	}
	text = span_sub(text, 1, text.n - 2);
	m = map_new();
	while (table_members_next(&text, &member)) {
		if (member.p[0] == '{' && member.p[member.n - 1] == '}')
			member = span_trim(span_sub(member, 1, member.n - 2));
		if ((eq = span_chr(member, '=')) <= 0 ||
		    !pair_add(m, span_trim(span_sub(member, 0, (size_t)eq)),
		    span_trim(span_sub(member, (size_t)eq + 1, member.n)))) {
			err_set(err, ERR_PERM, PS_ESYNTAX, "\"%.*s\": key = "
			    "value is wanted, each key once",
			    (int)MIN(member.n, (size_t)80), member.p);
			table_text_free(m);
			return NULL;
		}
	}
	return m;
}

const struct table_type table_type_inline = {
	.name = "inline",
	.make = inline_make,
	.free = table_text_free,
	.look_up = table_text_look_up,
};
