#include "admin/check_lists.h"

#include <stdlib.h>

#include "admin/secrets.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "gate/gate.h"
#include "policy/policy.h"
#include "tableask/tableask.h"

#define LIMIT_MS	5000

struct probes {
	struct loop *loop;
	struct work_pool *names;
	struct table_env *tables;
	struct map *seen;		/* by name: each is asked once */
	struct buf *warnings;
	unsigned waiting;
};

struct probe {
	struct probes *all;
	struct policy_spec *spec;
};

static void
one_less(struct probes *all)
{
	if (--all->waiting == 0)
		loop_stop(all->loop);
}

static void
probed_cb(const char *why, void *arg)
{
	struct probe *p = arg;
	struct probes *all = p->all;

	if (why != NULL)
		buf_fmt(all->warnings, "warning: policy service %s does not "
		    "answer: %s\n", p->spec->name, why);
	policy_spec_unref(&p->spec);
	free(p);
	one_less(all);
}

static void
probe_start(struct probes *all, struct policy_spec *spec)
{
	struct probe *p;

	if (map_put(all->seen, span_str(spec->name), all) != NULL)
		return;
	p = xcalloc(1, sizeof(*p));
	p->all = all;
	p->spec = policy_spec_ref(spec);
	all->waiting++;
	(void)policy_probe_start(all->loop, all->names, spec, LIMIT_MS,
	    probed_cb, p);
}

/* --- tables --- */

static void
looked_up_cb(enum table_result r, struct span value, const struct err *err,
    void *arg)
{
	struct probes *all = arg;

	if (r == TABLE_TEMPFAIL)
		buf_fmt(all->warnings, "warning: a table does not answer: "
		    "%s\n", err->why);
	one_less(all);
}

/* Any key will do: that it is not there is an answer. */
static void
table_probe(struct probes *all, struct table *t)
{
	if (!table_is_async(t) ||
	    map_put(all->seen, span_str(table_name(t)), all) != NULL)
		return;
	all->waiting++;
	(void)table_ask(all->tables, t, SPAN_LIT("config-check.invalid"),
	    looked_up_cb, all);
}

/* --- all of it --- */

/* Sections inherit lists: each hint is given once. */
static void
hints(struct probes *all, const struct gate *g)
{
	struct span rest, line;
	struct buf b;

	buf_init(&b, 65536);
	gate_hints(g, &b);
	rest = buf_span(&b);
	while (span_split(&rest, '\n', &line) && line.n > 0) {
		if (map_put(all->seen, line, all) != NULL)
			continue;
		buf_fmt(all->warnings, "hint: %.*s\n", SPAN_ARG(line));
	}
	buf_fini(&b);
}

/* What is wrong with the lists has been told before. */
static void
probe_lists(struct probes *all, struct conf *conf)
{
	struct policy_spec *spec;
	struct buf complaints;
	struct table *t;
	struct gate *g;
	size_t i;

	buf_init(&complaints, 65536);
	g = gate_new(conf, &complaints);
	buf_fini(&complaints);
	if (g == NULL)
		return;
	hints(all, g);
	for (i = 0; (spec = gate_policy(g, i)) != NULL; i++)
		probe_start(all, spec);
	for (i = 0; (t = gate_table_at(g, i)) != NULL; i++)
		table_probe(all, t);
	gate_unref(&g);
}

void
check_lists(struct conf *conf, struct buf *warnings)
{
	struct probes all = { .loop = loop_new(), .seen = map_new(),
		.warnings = warnings };
	const struct conf *section;
	struct err err;
	char *password;
	size_t i;

	err_clear(&err);
	password = secret_database_password(conf, conf->database_role_lookup,
	    &err);
	all.names = work_pool_new(all.loop, 1);
	all.tables = table_env_new(all.loop, conf, conf->database_role_lookup,
	    password);
	secret_free(&password);
	probe_lists(&all, conf);
	for (i = 0; (section = conf_section_at(conf, i)) != NULL; i++)
		if (strcmp(section->kind, "service") == 0 &&
		    strcmp(section->protocol, "imap") != 0)
			probe_lists(&all,
			    (struct conf *)(uintptr_t)section);
	if (all.waiting > 0)
		loop_run(all.loop);
	map_free(&all.seen);
	table_env_free(&all.tables);
	work_pool_free(&all.names);
	loop_free(&all.loop);
}
