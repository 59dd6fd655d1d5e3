#include "proto/proto.h"

#include "base/pack.h"

/* pack */
#define BEGIN(X, x) \
	void \
	msg_##x##_pack(struct buf *out, const struct msg_##x *m) \
	{ (void)out; (void)m;
#define ENTRY(x) \
	void \
	entry_##x##_pack(struct buf *out, const struct entry_##x *m) \
	{
#define U8(f)		pack_u8(out, m->f);
#define U32(f)		pack_u32(out, m->f);
#define U64(f)		pack_u64(out, m->f);
#define BYTES(f)	pack_span(out, m->f);
#define END		}
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END

/* unpack: fields, declared as static helpers so that both forms share them */
#define BEGIN(X, x) \
	static void \
	msg_##x##_fields(struct unpack *u, struct msg_##x *m) \
	{ (void)u; m->unused_ = 0;
#define ENTRY(x) \
	static void \
	entry_##x##_fields(struct unpack *u, struct entry_##x *m) \
	{ m->unused_ = 0;
#define U8(f)		m->f = unpack_u8(u);
#define U32(f)		m->f = unpack_u32(u);
#define U64(f)		m->f = unpack_u64(u);
#define BYTES(f)	m->f = unpack_span(u, IPC_BODY_MAX);
#define END		}
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END

#define BEGIN(X, x) \
	bool \
	msg_##x##_unpack(struct span body, struct msg_##x *m) \
	{ \
		struct unpack u = unpack_from(body); \
		msg_##x##_fields(&u, m); \
		return unpack_done(&u); \
	}
#define ENTRY(x) \
	bool \
	entry_##x##_next(struct span *rest, struct entry_##x *m) \
	{ \
		struct unpack u = unpack_from(*rest); \
		if (rest->n == 0) \
			return false; \
		entry_##x##_fields(&u, m); \
		if (!unpack_ok(&u)) \
			return false; \
		*rest = span_of(u.p, u.n); \
		return true; \
	}
#define U8(f)
#define U32(f)
#define U64(f)
#define BYTES(f)
#define END
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END

const char *
msg_name(uint16_t type)
{
	static const char *const names[] = {
		"NONE",
#define BEGIN(X, x)	#X,
#define ENTRY(x)
#define U8(f)
#define U32(f)
#define U64(f)
#define BYTES(f)
#define END
#include "proto/messages.def"
#undef BEGIN
#undef ENTRY
#undef U8
#undef U32
#undef U64
#undef BYTES
#undef END
	};

	return type < ARRAY_LEN(names) ? names[type] : "unknown";
}
