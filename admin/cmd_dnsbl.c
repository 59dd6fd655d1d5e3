/* postern dnsbl status: are the DNS lists that the gate asks well? */
#include "admin/cli.h"

#include <stdlib.h>

#include "admin/ctl.h"
#include "base/json.h"
#include "base/xmalloc.h"

#define TIMEOUT_MS	30000
#define ROWS_MAX	20000

/* What one smtpd process says of one list; those that say the same are one
 * row. */
struct row {
	struct buf list, what, state, why, processes;
	uint64_t since_s, tested_s;	/* the longest */
};

struct rows {
	struct row *v;
	size_t n;
	bool apart;		/* a row for each process */
};

static void
row_init(struct row *r)
{
	*r = (struct row){ .since_s = 0 };
	buf_init(&r->list, 1024);
	buf_init(&r->what, 64);
	buf_init(&r->state, 64);
	buf_init(&r->why, 1024);
	buf_init(&r->processes, 8192);
}

static void
row_fini(struct row *r)
{
	buf_fini(&r->list);
	buf_fini(&r->what);
	buf_fini(&r->state);
	buf_fini(&r->why);
	buf_fini(&r->processes);
}

static bool
same(const struct row *a, const struct row *b)
{
	return span_eq(buf_span(&a->list), buf_span(&b->list)) &&
	    span_eq(buf_span(&a->what), buf_span(&b->what)) &&
	    span_eq(buf_span(&a->state), buf_span(&b->state)) &&
	    span_eq(buf_span(&a->why), buf_span(&b->why));
}

static uint64_t
seconds(struct span value)
{
	uint64_t n;

	return span_u64(value, 0, UINT64_MAX, &n) ? n : 0;
}

static void
row_read(struct row *r, struct span json)
{
	struct span key, value;

	while (json_next(&json, &key, &value)) {
		if (span_is(key, "list"))
			json_text(value, &r->list);
		else if (span_is(key, "for"))
			json_text(value, &r->what);
		else if (span_is(key, "state"))
			json_text(value, &r->state);
		else if (span_is(key, "why"))
			json_text(value, &r->why);
		else if (span_is(key, "since_s"))
			r->since_s = seconds(value);
		else if (span_is(key, "tested_s"))
			r->tested_s = seconds(value);
	}
}

/* Takes r over. */
static void
row_add(struct rows *rows, struct row *r, struct span process)
{
	struct row *other = NULL;
	size_t i;

	for (i = 0; !rows->apart && i < rows->n; i++)
		if (same(&rows->v[i], r))
			other = &rows->v[i];
	if (other != NULL) {
		buf_char(&other->processes, ' ');
		buf_span_add(&other->processes, process);
		other->since_s = MAX(other->since_s, r->since_s);
		other->tested_s = MAX(other->tested_s, r->tested_s);
		row_fini(r);
		return;
	}
	buf_span_add(&r->processes, process);
	rows->v = xreallocarray(rows->v, rows->n + 1, sizeof(*rows->v));
	rows->v[rows->n++] = *r;
}

/* A process: only smtpd's have such a member. */
static void
process_row(struct span json, void *arg)
{
	struct rows *rows = arg;
	struct span rest = json, key, value, lists = SPAN_NONE;
	struct buf process;
	struct row r;

	buf_init(&process, 256);
	while (json_next(&rest, &key, &value)) {
		if (span_is(key, "process"))
			json_text(value, &process);
		else if (span_is(key, "dnsbl"))
			lists = value;
	}
	while (lists.n > 0 && rows->n < ROWS_MAX &&
	    json_next(&lists, &key, &value)) {
		row_init(&r);
		row_read(&r, value);
		row_add(rows, &r, buf_span(&process));
	}
	buf_fini(&process);
}

static int
compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = strcmp(buf_cstr((struct buf *)(uintptr_t)&x->list),
	    buf_cstr((struct buf *)(uintptr_t)&y->list));

	return c != 0 ? c : strcmp(
	    buf_cstr((struct buf *)(uintptr_t)&x->what),
	    buf_cstr((struct buf *)(uintptr_t)&y->what));
}

static void
rows_print(struct rows *rows, bool json)
{
	static const struct out_column columns[] = {
		{ "list", OUT_TEXT }, { "for", OUT_TEXT },
		{ "state", OUT_TEXT }, { "since_s", OUT_NUMBER },
		{ "tested_s", OUT_NUMBER }, { "processes", OUT_TEXT },
		{ "why", OUT_TEXT },
	};
	struct out *o = out_new(json, false, columns, ARRAY_LEN(columns));
	struct buf since, tested;
	size_t i;

	if (rows->n > 0)
		qsort(rows->v, rows->n, sizeof(*rows->v), compare);
	for (i = 0; i < rows->n; i++) {
		struct row *r = &rows->v[i];

		buf_init(&since, 32);
		buf_init(&tested, 32);
		buf_dec(&since, r->since_s);
		buf_dec(&tested, r->tested_s);
		out_row(o, (struct span[]){ buf_span(&r->list),
		    buf_span(&r->what), buf_span(&r->state), buf_span(&since),
		    buf_span(&tested), buf_span(&r->processes),
		    buf_span(&r->why) });
		buf_fini(&since);
		buf_fini(&tested);
	}
	if (out_end(&o) == 0 && !json)
		out_say("No restriction of the running server names a DNS "
		    "list.\n");
}

int
cmd_dnsbl_status(struct cli *cli)
{
	struct rows rows = { .apart = cli->json };
	struct ctl_answer answer;
	struct err err = { 0 };
	int rc;

	if (ctl_ask(cli->config.conf, NULL, "status", NULL, 0, TIMEOUT_MS,
	    process_row, &rows, &answer, &err) != 0)
		rc = cli_fail(&err);
	else {
		rc = (int)answer.exit;
		rows_print(&rows, cli->json);
	}
	while (rows.n > 0)
		row_fini(&rows.v[--rows.n]);
	free(rows.v);
	return rc;
}
