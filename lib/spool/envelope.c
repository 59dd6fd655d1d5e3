#include "spool/envelope.h"

#include <stdlib.h>

#include "base/pack.h"
#include "base/xmalloc.h"

/* What an older build could not honour it must not be able to read: version
 * 2 is written when, and only when, hold or filter say something. */
#define VERSION_PLAIN	1
#define VERSION_HELD	2
/* The least a packed recipient takes: keeps a forged count from allocating. */
#define RCPT_PACKED_MIN	(1 + 8 + 3 * 4 + 1 + 2 * 8)

/* The text fields in the order in which they are packed, and the version
 * from which on they are. */
static const struct {
	size_t offset, max;
	uint8_t since;
} texts[] = {
	{ offsetof(struct envelope, envid), ENVELOPE_TEXT_MAX, 1 },
	{ offsetof(struct envelope, sender), ENVELOPE_ADDRESS_MAX, 1 },
	{ offsetof(struct envelope, client_name), ENVELOPE_TEXT_MAX, 1 },
	{ offsetof(struct envelope, client_ip), ENVELOPE_TEXT_MAX, 1 },
	{ offsetof(struct envelope, helo), ENVELOPE_TEXT_MAX, 1 },
	{ offsetof(struct envelope, proto), ENVELOPE_TEXT_MAX, 1 },
	{ offsetof(struct envelope, sasl_user), ENVELOPE_TEXT_MAX, 1 },
	{ offsetof(struct envelope, hold), ENVELOPE_TEXT_MAX, VERSION_HELD },
	{ offsetof(struct envelope, filter), ENVELOPE_TEXT_MAX, VERSION_HELD },
};

static struct span *
text_at(const struct envelope *e, size_t i)
{
	return (struct span *)(void *)((char *)(uintptr_t)e +
	    texts[i].offset);
}

static uint8_t
version_of(const struct envelope *e)
{
	return envelope_is_held(e) ? VERSION_HELD : VERSION_PLAIN;
}

/* A reason without the flag would be lost with it. */
static bool
hold_is_sane(const struct envelope *e)
{
	return e->hold.n == 0 || (e->flags & ENVELOPE_HOLD) != 0;
}

static int
rcpt_check(const struct envelope_rcpt *r, struct err *err)
{
	if (r->kind != ENVELOPE_MAILBOX && r->kind != ENVELOPE_EXTERNAL)
		return err_set(err, ERR_BUG, PS_ESYNTAX, "recipient kind");
	if (r->orig.n > ENVELOPE_ADDRESS_MAX ||
	    r->final.n > ENVELOPE_ADDRESS_MAX ||
	    r->orcpt.n > ENVELOPE_TEXT_MAX || r->notify > 15)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "recipient over a cap");
	return 0;
}

static int
envelope_check(const struct envelope *e, struct err *err)
{
	uint32_t i;
	size_t t;
	int rc;

	if (!queueid_valid(span_str(e->queue_id)) || e->ret > 2 ||
	    !hold_is_sane(e))
		return err_set(err, ERR_BUG, PS_ESYNTAX, "envelope fields");
	for (t = 0; t < ARRAY_LEN(texts); t++)
		if (text_at(e, t)->n > texts[t].max)
			return err_set(err, ERR_PERM, PS_ETOOBIG,
			    "envelope text over a cap");
	if (e->n_rcpt > ENVELOPE_RCPT_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "too many recipients");
	for (i = 0; i < e->n_rcpt; i++)
		if ((rc = rcpt_check(&e->rcpt[i], err)) != 0)
			return rc;
	return 0;
}

int
envelope_pack(const struct envelope *e, struct buf *out, struct err *err)
{
	const struct envelope_rcpt *r;
	size_t before = buf_len(out), i;
	uint8_t version = version_of(e);
	int rc;

	if ((rc = envelope_check(e, err)) != 0)
		return rc;
	pack_u8(out, version);
	buf_append(out, e->queue_id, QUEUE_ID_LEN);
	pack_u64(out, (uint64_t)e->arrival_us);
	pack_u32(out, e->flags);
	pack_u8(out, (uint8_t)e->ret);
	for (i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].since <= version)
			pack_span(out, *text_at(e, i));
	pack_u64(out, e->body_size);
	pack_u32(out, e->n_rcpt);
	for (i = 0; i < e->n_rcpt; i++) {
		r = &e->rcpt[i];
		pack_u8(out, (uint8_t)r->kind);
		pack_u64(out, r->mailbox_id);
		pack_span(out, r->orig);
		pack_span(out, r->final);
		pack_u8(out, (uint8_t)r->notify);
		pack_span(out, r->orcpt);
		pack_u64(out, r->quota_bytes);
		pack_u64(out, r->quota_messages);
	}
	if (buf_failed(out) ||
	    buf_len(out) - before > ENVELOPE_PACKED_MAX) {
		buf_truncate(out, before);
		return err_set(err, ERR_PERM, PS_ETOOBIG, "envelope too big");
	}
	return 0;
}

static void
rcpt_unpack(struct unpack *u, struct envelope_rcpt *r)
{
	uint8_t kind = unpack_u8(u);

	if (kind > ENVELOPE_EXTERNAL)
		u->failed = true;
	r->kind = kind == ENVELOPE_MAILBOX ? ENVELOPE_MAILBOX :
	    ENVELOPE_EXTERNAL;
	r->mailbox_id = unpack_u64(u);
	r->orig = unpack_span(u, ENVELOPE_ADDRESS_MAX);
	r->final = unpack_span(u, ENVELOPE_ADDRESS_MAX);
	if ((r->notify = unpack_u8(u)) > 15)
		u->failed = true;
	r->orcpt = unpack_span(u, ENVELOPE_TEXT_MAX);
	r->quota_bytes = unpack_u64(u);
	r->quota_messages = unpack_u64(u);
}

static void
id_unpack(struct unpack *u, struct envelope *e)
{
	size_t i;

	for (i = 0; i < QUEUE_ID_LEN; i++)
		e->queue_id[i] = (char)unpack_u8(u);
	e->queue_id[QUEUE_ID_LEN] = '\0';
	if (!queueid_valid(span_of(e->queue_id, QUEUE_ID_LEN)))
		u->failed = true;
}

int
envelope_unpack(struct span packed, struct envelope *e, struct err *err)
{
	struct unpack u = unpack_from(packed);
	uint32_t i;
	uint8_t version = unpack_u8(&u), ret;

	memset(e, 0, sizeof(*e));
	if (version != VERSION_PLAIN && version != VERSION_HELD)
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "unknown envelope version");
	id_unpack(&u, e);
	e->arrival_us = (int64_t)unpack_u64(&u);
	e->flags = unpack_u32(&u);
	ret = unpack_u8(&u);
	e->ret = ret == 1 ? ENVELOPE_RET_FULL :
	    ret == 2 ? ENVELOPE_RET_HDRS : ENVELOPE_RET_NONE;
	if (ret > 2)
		u.failed = true;
	for (i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].since <= version)
			*text_at(e, i) = unpack_span(&u, texts[i].max);
	if (version != version_of(e) || !hold_is_sane(e))
		u.failed = true;
	e->body_size = unpack_u64(&u);
	e->n_rcpt = unpack_u32(&u);
	if (!unpack_ok(&u) || e->n_rcpt > ENVELOPE_RCPT_MAX ||
	    e->n_rcpt > u.n / RCPT_PACKED_MIN)
		u.failed = true;
	else
		e->rcpt = xcalloc(MAX(e->n_rcpt, 1u), sizeof(*e->rcpt));
	for (i = 0; !u.failed && i < e->n_rcpt; i++)
		rcpt_unpack(&u, &e->rcpt[i]);
	if (!unpack_done(&u)) {
		envelope_fini(e);
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "malformed envelope");
	}
	return 0;
}

void
envelope_fini(struct envelope *e)
{
	free(e->rcpt);
	memset(e, 0, sizeof(*e));
}
