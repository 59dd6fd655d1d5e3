#include "smtpd/verdict_keep.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "smtpd/verdict_count.h"

struct verdict_keep {
	struct conf *conf;
	struct share_kind *kind;	/* NULL: nobody to tell yet */
	char start[24];			/* ours, in milliseconds since 1970 */
};

enum { CELL_HOST, CELL_START, CELL_LIST, CELL_RULE, CELL_ACTION, CELL_N,
	CELLS };

static const struct share_column columns[CELLS] = {
	[CELL_HOST] = { SHARE_TEXT, SHARE_KEY },
	[CELL_START] = { SHARE_TEXT, SHARE_KEY },
	[CELL_LIST] = { SHARE_TEXT, SHARE_KEY },
	[CELL_RULE] = { SHARE_TEXT, SHARE_KEY },
	[CELL_ACTION] = { SHARE_TEXT, SHARE_KEY },
	[CELL_N] = { SHARE_I64, SHARE_SUM },
};

static const struct share_kind_is gate_count = {
	.name = "gate_count",
	.merge = "SELECT gate_count_merge($1, $2, $3::text[], $4::text[], "
	    "$5::text[], $6::text[], $7::text[], $8::bigint[])",
	.changed = "SELECT revision FROM gate_count_changed($1, $2)",
	.expire = "SELECT gate_count_expire($1)",
	.columns = columns, .n_columns = CELLS,
	.dirty_max = 4 * VERDICT_COUNT_MAX,
};

/* A worker may be hostile: what it says is bounded here, too. */
static int
told(struct span body, struct buf *answer, void *arg)
{
	struct verdict_keep *v = arg;
	struct share_cell cells[CELLS] = { { .i64 = 0 } };
	struct entry_verdict_count e;

	(void)answer;
	while (entry_verdict_count_next(&body, &e)) {
		if (e.list.n >= VERDICT_TEXT_MAX ||
		    e.rule.n >= VERDICT_TEXT_MAX ||
		    e.action.n >= VERDICT_TEXT_MAX || e.n > INT32_MAX)
			return PS_ESYNTAX;
		if (v->kind == NULL)
			continue;
		cells[CELL_HOST].text = span_str(
		    v->conf->host_name_in_database);
		cells[CELL_START].text = span_str(v->start);
		cells[CELL_LIST].text = e.list;
		cells[CELL_RULE].text = e.rule;
		cells[CELL_ACTION].text = e.action;
		cells[CELL_N].i64 = (int64_t)e.n;
		share_change(v->kind, cells);
	}
	return body.n == 0 ? 0 : PS_ESYNTAX;
}

struct verdict_keep *
verdict_keep_new(struct conf *conf, struct keeper_server *server)
{
	struct verdict_keep *v = xcalloc(1, sizeof(*v));

	v->conf = conf_ref(conf);
	(void)snprintf(v->start, sizeof(v->start), "%lld",
	    (long long)(clock_wall_us() / 1000));
	keeper_server_subject(server, KEEPER_VERDICTS, told, v);
	return v;
}

void
verdict_keep_share(struct verdict_keep *v, struct share *s)
{
	v->kind = share_add(s, &gate_count, v);
}

void
verdict_keep_free(struct verdict_keep **vp)
{
	struct verdict_keep *v = *vp;

	*vp = NULL;
	if (v == NULL)
		return;
	conf_unref(&v->conf);
	free(v);
}
