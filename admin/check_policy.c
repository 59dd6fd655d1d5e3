#include "admin/check_policy.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"
#include "gate/gate.h"
#include "policy/policy.h"

#define LIMIT_MS	5000

struct probes {
	struct loop *loop;
	struct work_pool *names;
	struct map *seen;		/* by name: each is asked once */
	struct buf *warnings;
	unsigned waiting;
};

struct probe {
	struct probes *all;
	struct policy_spec *spec;
};

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
	if (--all->waiting == 0)
		loop_stop(all->loop);
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

/* What is wrong with the lists has been told before. */
static void
probe_lists(struct probes *all, struct conf *conf)
{
	struct policy_spec *spec;
	struct buf complaints;
	struct gate *g;
	size_t i;

	buf_init(&complaints, 65536);
	g = gate_new(conf, &complaints);
	buf_fini(&complaints);
	if (g == NULL)
		return;
	for (i = 0; (spec = gate_policy(g, i)) != NULL; i++)
		probe_start(all, spec);
	gate_unref(&g);
}

void
check_policy(struct conf *conf, struct buf *warnings)
{
	struct probes all = { .loop = loop_new(), .seen = map_new(),
		.warnings = warnings };
	const struct conf *section;
	size_t i;

	all.names = work_pool_new(all.loop, 1);
	probe_lists(&all, conf);
	for (i = 0; (section = conf_section_at(conf, i)) != NULL; i++)
		if (strcmp(section->kind, "service") == 0 &&
		    strcmp(section->protocol, "imap") != 0)
			probe_lists(&all,
			    (struct conf *)(uintptr_t)section);
	if (all.waiting > 0)
		loop_run(all.loop);
	map_free(&all.seen);
	work_pool_free(&all.names);
	loop_free(&all.loop);
}
