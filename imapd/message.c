#include "imapd/message.h"

#include <errno.h>
#include <unistd.h>

#include "mail/codec.h"
#include "mail/header.h"

#define HEAD_CHUNK	8192

void
message_init(struct message *m)
{
	*m = (struct message){ .fd = -1 };
	buf_init(&m->head, MESSAGE_LOAD_MAX);
	buf_init(&m->whole, MESSAGE_LOAD_MAX);
	mime_init(&m->mime);
}

void
message_close(struct message *m)
{
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	m->have_whole = m->have_mime = false;
	buf_clear(&m->head);
	buf_shrink(&m->head, 64 * 1024);
	buf_clear(&m->whole);
	buf_shrink(&m->whole, 64 * 1024);
}

void
message_fini(struct message *m)
{
	message_close(m);
	buf_fini(&m->head);
	buf_fini(&m->whole);
	mime_fini(&m->mime);
}

int
message_open(struct message *m, struct folder *f, uint32_t seq,
    uint64_t size, struct err *err)
{
	message_close(m);
	m->folder = f;
	m->seq = seq;
	m->size = size;
	m->crlf = folder_msg_is_crlf(f, seq);
	return 0;
}

static int
file_open(struct message *m, struct err *err)
{
	if (m->fd != -1)
		return 0;
	return folder_msg_open(m->folder, m->seq, &m->fd, err);
}

int
message_read(struct message *m, uint64_t off, size_t n, struct buf *out,
    struct err *err)
{
	char *p;
	ssize_t got;
	int rc = file_open(m, err);

	if (rc < 0)
		return rc;
	p = buf_reserve(out, n);
	if (p == NULL)
		return err_set(err, ERR_PERM, PS_ETOOBIG, "message too big");
	while (n > 0) {
		got = pread(m->fd, p, n, (off_t)off);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, "read message");
		if (got == 0)
			return err_set(err, ERR_TEMP, PS_ECORRUPT,
			    "message %u became shorter", m->seq);
		buf_commit(out, (size_t)got);
		p += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int
load(struct message *m, struct err *err)
{
	int rc;

	if (m->have_whole)
		return 0;
	buf_clear(&m->whole);
	rc = m->crlf && m->size <= MESSAGE_LOAD_MAX ?
	    message_read(m, 0, (size_t)m->size, &m->whole, err) :
	    folder_msg_load(m->folder, m->seq, &m->whole, err);
	if (rc < 0)
		return rc;
	m->have_whole = true;
	return 0;
}

/* Reads until the empty line is there; twice as much each time, so that a
 * long header costs no more than linear time. */
static int
head_read(struct message *m, struct err *err)
{
	uint64_t want = HEAD_CHUNK;
	size_t have;
	int rc;

	for (;;) {
		want = MIN(want, m->size);
		have = buf_len(&m->head);
		rc = message_read(m, have, (size_t)want - have, &m->head,
		    err);
		if (rc < 0)
			return rc;
		have = header_length(buf_span(&m->head));
		if (have < buf_len(&m->head) || want == m->size) {
			buf_truncate(&m->head, have);
			return 0;
		}
		want *= 2;
	}
}

int
message_head(struct message *m, struct span *head, struct err *err)
{
	int rc;

	if (m->have_whole || !m->crlf) {
		rc = load(m, err);
		if (rc < 0)
			return rc;
		*head = buf_span(&m->whole);
		head->n = header_length(*head);
		return 0;
	}
	if (buf_len(&m->head) == 0 && m->size > 0) {
		rc = head_read(m, err);
		if (rc < 0)
			return rc;
	}
	*head = buf_span(&m->head);
	return 0;
}

int
message_whole(struct message *m, struct span *whole, bool mime,
    struct err *err)
{
	int rc = load(m, err);

	if (rc < 0)
		return rc;
	*whole = buf_span(&m->whole);
	if (mime && !m->have_mime) {
		mime_parse_places(&m->mime, *whole);
		m->have_mime = true;
	}
	return 0;
}

/* --- sections -------------------------------------------------------------------------- */

static bool
field_listed(struct span fields, struct span name)
{
	struct span listed;

	while (section_field_next(&fields, &listed))
		if (span_ieq(listed, name))
			return true;
	return false;
}

/* HEADER.FIELDS: chosen fields, then the empty line. */
static struct span
pick_fields(const struct section *s, struct span head, struct buf *scratch)
{
	struct header_iter it;
	struct header_field f;

	buf_clear(scratch);
	header_iter_init(&it, head);
	while (header_next(&it, &f))
		if (field_listed(s->fields, f.name) ==
		    (s->kind == SECTION_FIELDS))
			buf_span_add(scratch, f.raw);
	buf_str(scratch, "\r\n");
	return buf_span(scratch);
}

/* A section of the part that `p` describes within whole. */
static void
part_section(const struct mime *mime, uint32_t at, struct span whole,
    const struct section *s, struct buf *scratch, struct piece *out)
{
	const struct mime_part *p = &mime->part[at];

	if (s->kind == SECTION_ALL) {
		out->mem = span_sub(whole, p->body_off, p->body_len);
		return;
	}
	if (s->kind == SECTION_MIME) {
		out->mem = span_sub(whole, p->head_off, p->head_len);
		return;
	}
	if (p->kind != MIME_MESSAGE) {
		out->nil = true;
		return;
	}
	p = &mime->part[p->child];
	out->mem = s->kind == SECTION_TEXT ?
	    span_sub(whole, p->body_off, p->body_len) :
	    span_sub(whole, p->head_off, p->head_len);
	if (s->kind == SECTION_FIELDS || s->kind == SECTION_FIELDS_NOT)
		out->mem = pick_fields(s, out->mem, scratch);
}

static void
partial_apply(const struct section *s, struct piece *p)
{
	uint64_t from;

	if (p->mem.p != NULL)
		p->len = p->mem.n;
	if (s->partial && !p->nil) {
		from = MIN((uint64_t)s->from, p->len);
		p->off += from;
		p->len = MIN(p->len - from, (uint64_t)s->count);
	}
	if (p->mem.p != NULL)
		p->mem = span_sub(p->mem, (size_t)p->off, (size_t)p->len);
}

/* A section of the message itself. */
static int
root_section(struct message *m, const struct section *s,
    struct buf *scratch, struct piece *out, struct err *err)
{
	struct span head = SPAN_NONE, whole;
	int rc = 0;

	if (s->kind != SECTION_ALL) {
		rc = message_head(m, &head, err);
		if (rc < 0)
			return rc;
	}
	switch (s->kind) {
	case SECTION_ALL:
	case SECTION_TEXT:
		if (m->crlf) {
			out->off = head.n;
			out->len = m->size - head.n;
			/* know now whether it can be read */
			return file_open(m, err);
		}
		rc = message_whole(m, &whole, false, err);
		if (rc == 0)
			out->mem = span_sub(whole, head.n, whole.n);
		return rc;
	case SECTION_FIELDS:
	case SECTION_FIELDS_NOT:
		out->mem = pick_fields(s, head, scratch);
		return 0;
	default:
		out->mem = head;
		return 0;
	}
}

/* The part that a BINARY section means; NULL when there is none, and for the
 * message as a whole, which has no transfer encoding. */
static int
binary_part(struct message *m, const struct section *s, struct span *whole,
    const struct mime_part **part, struct err *err)
{
	uint32_t at;
	int rc;

	*part = NULL;
	rc = message_whole(m, whole, true, err);
	if (rc < 0 || s->path_n == 0)
		return rc;
	at = mime_find(&m->mime, s->path, s->path_n);
	if (at != MIME_NONE)
		*part = &m->mime.part[at];
	return 0;
}

int
message_section_check(struct message *m, const struct section *s,
    struct err *err)
{
	const struct mime_part *p;
	struct span whole;
	int rc;

	if (s->form == FORM_BODY)
		return 0;
	rc = binary_part(m, s, &whole, &p, err);
	if (rc == 0 && p != NULL &&
	    mime_transfer(p->field[MIME_ENCODING]) == TRANSFER_UNKNOWN)
		rc = err_set(err, ERR_PERM, PS_ENOSYS,
		    "unknown transfer encoding");
	return rc;
}

/* RFC 3516: the body of a part, or all of the message as it is. */
static int
binary_section(struct message *m, const struct section *s,
    struct buf *scratch, struct piece *out, struct err *err)
{
	const struct mime_part *p;
	struct span whole, body;
	int rc;

	rc = binary_part(m, s, &whole, &p, err);
	if (rc < 0)
		return rc;
	out->mem = s->path_n == 0 ? whole : SPAN_LIT("");
	out->nil = p == NULL && s->path_n > 0;
	if (p == NULL)
		return 0;
	body = span_sub(whole, p->body_off, p->body_len);
	buf_clear(scratch);
	switch (mime_transfer(p->field[MIME_ENCODING])) {
	case TRANSFER_BASE64:
		base64_decode_mime(scratch, body);
		break;
	case TRANSFER_QP:
		qp_decode(scratch, body, false);
		break;
	default:
		out->mem = body;
		return 0;
	}
	out->mem = buf_span(scratch);
	return 0;
}

int
message_section(struct message *m, const struct section *s,
    struct buf *scratch, struct piece *out, struct err *err)
{
	struct span whole;
	uint32_t at;
	int rc;

	*out = (struct piece){ .nil = false };
	if (s->form != FORM_BODY) {
		rc = binary_section(m, s, scratch, out, err);
		if (rc < 0)
			return rc;
	} else if (s->path_n == 0) {
		rc = root_section(m, s, scratch, out, err);
		if (rc < 0)
			return rc;
	} else {
		rc = message_whole(m, &whole, true, err);
		if (rc < 0)
			return rc;
		at = mime_find(&m->mime, s->path, s->path_n);
		if (at == MIME_NONE)
			out->nil = true;
		else
			part_section(&m->mime, at, whole, s, scratch, out);
	}
	partial_apply(s, out);
	return 0;
}
