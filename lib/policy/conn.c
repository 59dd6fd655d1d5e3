#include "policy/conn.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "net/stream.h"
#include "policy/reply.h"

#define CONN_MAGIC	0x706f6c63u

struct policy_conn {
	uint32_t magic;
	struct loop *loop;
	const struct policy_conn_cbs *cbs;
	void *arg;
	struct dial *dial;		/* while it is being opened */
	struct stream *stream;		/* then */
	struct policy_reply reply;
	bool asked;			/* an answer is due */
};

static void
readable_cb(struct stream *s, void *arg)
{
	struct policy_conn *c = OBJ_CAST(arg, policy_conn, CONN_MAGIC);
	struct buf *in = stream_in(s);
	struct span action;
	char *text;

	/* An answer to what was not asked would be taken for the answer to
	 * what is asked next. */
	if (!c->asked) {
		c->cbs->lost("an answer that was not asked for", false,
		    c->arg);
		return;
	}
	switch (policy_reply_read(&c->reply, buf_span(in), &action)) {
	case POLICY_REPLY_MORE:
		return;
	case POLICY_REPLY_BAD:
		c->cbs->lost(c->reply.why, true, c->arg);
		return;
	case POLICY_REPLY_OK:
		break;
	}
	text = xmemdup0(action.p, action.n);
	buf_consume(in, c->reply.at);
	c->asked = false;
	c->cbs->answer(text, buf_len(in) == 0 && !stream_at_eof(s), c->arg);
}

static void
ended_cb(struct stream *s, enum stream_end end, const char *text, void *arg)
{
	struct policy_conn *c = OBJ_CAST(arg, policy_conn, CONN_MAGIC);

	c->cbs->lost(text, buf_len(stream_in(s)) > 0, c->arg);
}

static const struct stream_cbs stream_cbs = { readable_cb, NULL, NULL,
	ended_cb };

static void
dialled_cb(int fd, const struct err *err, void *arg)
{
	struct policy_conn *c = OBJ_CAST(arg, policy_conn, CONN_MAGIC);

	c->dial = NULL;
	if (fd == -1) {
		c->cbs->lost(err->why, false, c->arg);
		return;
	}
	c->stream = stream_new(c->loop, fd, &stream_cbs, c);
	stream_in_limit(c->stream, POLICY_REPLY_MAX);
	c->cbs->up(c->arg);
}

struct policy_conn *
policy_conn_new(struct loop *l, struct work_pool *names,
    const struct dial_place *place, uint32_t limit_ms,
    const struct policy_conn_cbs *cbs, void *arg)
{
	struct policy_conn *c = xcalloc(1, sizeof(*c));

	c->magic = CONN_MAGIC;
	c->loop = l;
	c->cbs = cbs;
	c->arg = arg;
	c->dial = dial_start(l, names, place, limit_ms, dialled_cb, c);
	return c;
}

void
policy_conn_free(struct policy_conn **cp)
{
	struct policy_conn *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	dial_cancel(&c->dial);
	stream_free(&c->stream);
	c->magic = 0;
	free(c);
}

void
policy_conn_send(struct policy_conn *c, struct span request)
{
	ps_assert(c->stream != NULL && !c->asked);
	c->reply = (struct policy_reply){ 0 };
	c->asked = true;
	stream_write(c->stream, request);
}
