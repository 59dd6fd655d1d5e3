/*
 * Any bytes as a message. Parts must lie inside the message and inside their
 * parents, and the texts made of them must be well-formed.
 */
#include "mail/binary.h"
#include "mail/imap_read.h"
#include "mail/imap_text.h"
#include "tests/fuzz/fuzz.h"

static void
check_part(const struct mime *m, size_t size, uint32_t i)
{
	const struct mime_part *p = &m->part[i];
	uint32_t k;

	if (p->head_off + p->head_len != p->body_off ||
	    p->body_off > size || p->body_len > size - p->body_off ||
	    p->bare > p->lines || p->lines > p->body_len)
		__builtin_trap();
	if ((p->kind == MIME_MESSAGE) !=
	    (p->child != MIME_NONE && m->part[p->child].next == MIME_NONE &&
	    m->part[p->child].head_off == p->body_off &&
	    p->kind != MIME_MULTIPART))
		__builtin_trap();
	for (k = p->child; k != MIME_NONE; k = m->part[k].next)
		if (m->part[k].parent != i || k <= i)
			__builtin_trap();
}

/* Not counting lines changes nothing else. */
static void
check_places(const struct mime *m, struct span msg)
{
	struct mime other;
	uint32_t i;

	mime_init(&other);
	mime_parse_places(&other, msg);
	if (other.n != m->n)
		__builtin_trap();
	for (i = 0; i < m->n; i++)
		if (other.part[i].kind != m->part[i].kind ||
		    other.part[i].head_off != m->part[i].head_off ||
		    other.part[i].body_off != m->part[i].body_off ||
		    other.part[i].body_len != m->part[i].body_len)
			__builtin_trap();
	mime_fini(&other);
}

/* Our text can be read back; any other text does no harm. */
static void
check_envelope(struct span env, struct span any)
{
	struct buf out;
	int f;

	buf_init(&out, BUF_NO_CAP);
	for (f = IMAP_ENV_DATE; f <= IMAP_ENV_MESSAGE_ID; f++) {
		if (!imap_read_envelope(env, (enum imap_envelope)f, &out))
			__builtin_trap();
		buf_clear(&out);
		if (imap_read_envelope(any, (enum imap_envelope)f, &out) &&
		    buf_len(&out) > any.n + 5)
			__builtin_trap();
		buf_clear(&out);
	}
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span msg = span_of(data, size);
	struct buf env, structure, body;
	struct mime m;
	uint32_t i;

	if (size > 65536)
		return 0;
	mime_init(&m);
	buf_init(&env, BUF_NO_CAP);
	buf_init(&structure, BUF_NO_CAP);
	buf_init(&body, BUF_NO_CAP);
	imap_text_message(&env, &structure, &m, msg);
	if (m.n == 0 || m.n > MIME_PARTS_MAX)
		__builtin_trap();
	for (i = 0; i < m.n; i++)
		check_part(&m, size, i);
	check_places(&m, msg);
	if (!imap_text_body(&body, buf_span(&structure)))
		__builtin_trap();
	check_envelope(buf_span(&env), msg);
	buf_clear(&body);
	binary_to_base64(&body, msg);
	if (buf_len(&body) > 2 * size + 8 * (size_t)m.n)
		__builtin_trap();
	buf_clear(&body);
	if (imap_text_body(&body, msg) && buf_len(&body) > size)
		__builtin_trap();
	buf_fini(&env);
	buf_fini(&structure);
	buf_fini(&body);
	mime_fini(&m);
	return 0;
}
