/*
 * IPC frames and the bodies of all messages. Oracles: a frame lies within
 * the input and is seen the same from any longer input; a shorter one is
 * "more needed"; a body that unpacks packs again to the same bytes.
 */
#include "base/buf.h"
#include "base/ipc.h"
#include "proto/proto.h"
#include "tests/fuzz/fuzz.h"

#define BEGIN(X, x)							\
static void								\
try_##x(struct span body)						\
{									\
	struct msg_##x m;						\
	struct buf out;							\
									\
	if (!msg_##x##_unpack(body, &m))				\
		return;							\
	buf_init(&out, IPC_BODY_MAX + 64);				\
	msg_##x##_pack(&out, &m);					\
	ps_assert(span_eq(buf_span(&out), body));			\
	buf_fini(&out);							\
}
#define ENTRY(x)							\
static void								\
walk_##x(struct span rest)						\
{									\
	struct entry_##x e;						\
	size_t left;							\
									\
	for (left = rest.n; entry_##x##_next(&rest, &e); left = rest.n)	\
		ps_assert(rest.n < left);				\
}
#define U8(f)
#define U32(f)
#define U64(f)
#define BYTES(f)
#define END
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY

static void
try_body(const struct ipc_msg *m)
{
	switch (m->type) {
#define BEGIN(X, x)	case MSG_##X: try_##x(m->body); break;
#define ENTRY(x)
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
	default:
		break;
	}
#define BEGIN(X, x)
#define ENTRY(x)	walk_##x(m->body);
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
}

static void
check_frame(struct span in, size_t frame, const struct ipc_msg *m)
{
	struct ipc_msg again;

	ps_assert(frame <= in.n);
	ps_assert(m->body.n < frame);
	ps_assert(m->body.n == 0 || (m->body.p >= in.p &&
	    m->body.p + m->body.n == in.p + frame));
	ps_assert(m->nfds <= IPC_FDS_MAX);
	ps_assert(ipc_parse(span_of(in.p, frame - 1), &again) == 0);
	ps_assert(ipc_parse(span_of(in.p, frame), &again) ==
	    (ptrdiff_t)frame);
	ps_assert(again.type == m->type && again.id == m->id);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct ipc_msg m;
	ptrdiff_t n;

	while ((n = ipc_parse(in, &m)) > 0) {
		check_frame(in, (size_t)n, &m);
		try_body(&m);
		in = span_sub(in, (size_t)n, in.n);
	}
	ps_assert(n == 0 || n == PS_ETOOBIG || n == PS_ESYNTAX);
	return 0;
}
