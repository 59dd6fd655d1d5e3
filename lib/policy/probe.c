#include <stdlib.h>

#include "base/xmalloc.h"
#include "policy/conn.h"
#include "policy/policy.h"

struct policy_probe {
	struct policy_conn *conn;
	policy_probe_cb *cb;
	void *arg;
};

void
policy_probe_cancel(struct policy_probe **pp)
{
	struct policy_probe *p = *pp;

	*pp = NULL;
	if (p == NULL)
		return;
	policy_conn_free(&p->conn);
	free(p);
}

static void
tell(struct policy_probe *p, const char *why)
{
	policy_probe_cb *cb = p->cb;
	void *cb_arg = p->arg;
	char *copy = why == NULL ? NULL : xstrdup(why);

	policy_probe_cancel(&p);
	cb(copy, cb_arg);
	free(copy);
}

static void
up_cb(void *arg)
{
	tell(arg, NULL);
}

static void
lost_cb(const char *why, bool heard, void *arg)
{
	tell(arg, why);
}

/* Nothing is asked, so no answer comes. */
static const struct policy_conn_cbs cbs = { up_cb, NULL, lost_cb };

struct policy_probe *
policy_probe_start(struct loop *l, struct work_pool *names,
    const struct policy_spec *spec, uint32_t limit_ms, policy_probe_cb *cb,
    void *arg)
{
	struct policy_probe *p = xcalloc(1, sizeof(*p));

	p->cb = cb;
	p->arg = arg;
	p->conn = policy_conn_new(l, names, &spec->place, limit_ms, &cbs, p);
	return p;
}
