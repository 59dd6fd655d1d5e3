#include "proto/ctl_serve.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "proto/proto.h"

#define CALL_MAGIC	0x63746c73u
#define CALLS_MAX	32		/* as many as posternd lets in */
#define BACKLOG_MAX	(512 * 1024)
#define PAUSE_MS	20

struct ctl_call {
	uint32_t magic;
	TAILQ_ENTRY(ctl_call) link;
	struct ctl_serve *serve;
	struct ipc *ipc;
	uint64_t id;			/* of the question; 0: none is open */
	/* a walk; step NULL: none */
	ctl_step_fn *step;
	loop_cb *fini;
	void *state;
	struct defer turn;
	struct timer pause;
};

struct ctl_serve {
	struct loop *loop;
	char *name;
	const struct ctl_verb *verbs;
	size_t n_verbs;
	void *arg;
	TAILQ_HEAD(, ctl_call) calls;
	size_t n_calls;
};

/* --- answers --- */

void
ctl_row(struct ctl_call *c, struct span json)
{
	PROTO_SEND(c->ipc, c->id, CTL_ROW, ctl_row, .json = json);
}

void
ctl_end(struct ctl_call *c, unsigned code, const char *error)
{
	PROTO_SEND(c->ipc, c->id, CTL_END, ctl_end, .exit = code,
	    .error = span_str(error));
	c->id = 0;
}

static void
walk_end(struct ctl_call *c)
{
	loop_cb *fini = c->fini;

	defer_cancel(&c->turn);
	timer_clear(&c->pause);
	if (c->step == NULL)
		return;
	c->step = NULL;
	fini(c->state);
}

static void
turn_cb(void *arg)
{
	struct ctl_call *c = OBJ_CAST(arg, ctl_call, CALL_MAGIC);
	unsigned i;

	if (ipc_backlog(c->ipc) > BACKLOG_MAX) {
		timer_set_ms(&c->pause, PAUSE_MS);
		return;
	}
	for (i = 0; i < CTL_STEPS && c->step(c, c->state); i++)
		;
	if (i == CTL_STEPS) {
		defer_call(&c->turn);
		return;
	}
	if (c->id != 0)
		ctl_end(c, EX_OK, "");
	walk_end(c);
}

void
ctl_walk(struct ctl_call *c, ctl_step_fn *step, loop_cb *fini, void *state)
{
	c->step = step;
	c->fini = fini;
	c->state = state;
	defer_call(&c->turn);
}

/* --- questions --- */

static int
request_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct ctl_call *c = OBJ_CAST(arg, ctl_call, CALL_MAGIC);
	const struct ctl_serve *s = c->serve;
	struct msg_ctl_request in;
	size_t i;

	(void)ipc;
	if (!msg_ctl_request_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (c->id != 0 || m->id == 0)
		return PS_ESTATE;	/* one question at a time */
	c->id = m->id;
	for (i = 0; i < s->n_verbs; i++)
		if (span_is(in.verb, s->verbs[i].name)) {
			s->verbs[i].run(c, in.args, s->arg);
			return 0;
		}
	ctl_end(c, EX_USAGE, "this process does not know the command");
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_CTL_REQUEST, request_cb, IPC_ANY_PHASE },
};

/* --- life --- */

static void
call_free(struct ctl_call *c)
{
	walk_end(c);
	TAILQ_REMOVE(&c->serve->calls, c, link);
	c->serve->n_calls--;
	ipc_free(&c->ipc);
	c->magic = 0;
	free(c);
}

static void
closed_cb(struct ipc *ipc, void *arg)
{
	(void)ipc;
	call_free(OBJ_CAST(arg, ctl_call, CALL_MAGIC));
}

void
ctl_serve_peer(struct ctl_serve *s, int fd)
{
	struct ctl_call *c;

	if (s->n_calls >= CALLS_MAX) {
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->magic = CALL_MAGIC;
	c->serve = s;
	defer_init(&c->turn, s->loop, turn_cb, c);
	timer_init(&c->pause, s->loop, turn_cb, c);
	c->ipc = ipc_new(s->loop, fd, s->name, handlers, ARRAY_LEN(handlers),
	    closed_cb, c);
	TAILQ_INSERT_TAIL(&s->calls, c, link);
	s->n_calls++;
}

struct ctl_serve *
ctl_serve_new(struct loop *l, const char *name, const struct ctl_verb *verbs,
    size_t n, void *arg)
{
	struct ctl_serve *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->name = xasprintf("CLI of %s", name);
	s->verbs = verbs;
	s->n_verbs = n;
	s->arg = arg;
	TAILQ_INIT(&s->calls);
	return s;
}

void
ctl_serve_free(struct ctl_serve **sp)
{
	struct ctl_serve *s = *sp;
	struct ctl_call *c;

	if (s == NULL)
		return;
	while ((c = TAILQ_FIRST(&s->calls)) != NULL)
		call_free(c);
	free(s->name);
	free(s);
	*sp = NULL;
}
