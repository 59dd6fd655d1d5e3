#include "mail/binary.h"

#include "mail/codec.h"
#include "mail/mime.h"

#define LINE_BYTES	57		/* 76 characters, RFC 2045 6.8 */

static bool
is_binary(const struct mime_part *p)
{
	struct mime_value v;
	struct span token;

	return mime_token(p->field[MIME_ENCODING], &token, &v) &&
	    span_is(token, "binary");
}

static void
put_lines(struct buf *out, struct span body)
{
	size_t at;

	for (at = 0; at < body.n; at += LINE_BYTES) {
		if (at > 0)
			buf_str(out, "\r\n");
		base64_encode(out, span_sub(body, at, LINE_BYTES));
	}
}

void
binary_to_base64(struct buf *out, struct span message)
{
	const char *pos = message.p, *end = message.p + message.n;
	struct mime m;
	uint32_t i;

	mime_init(&m);
	mime_parse(&m, message);
	for (i = 0; i < m.n; i++) {
		const struct mime_part *p = &m.part[i];
		struct span value = p->field[MIME_ENCODING];

		if (!is_binary(p))
			continue;
		buf_append(out, pos, (size_t)(value.p - pos));
		buf_str(out, p->kind == MIME_LEAF ? "base64" : "8bit");
		pos = value.p + value.n;
		if (p->kind != MIME_LEAF)
			continue;
		buf_append(out, pos, (size_t)(message.p + p->body_off - pos));
		put_lines(out, span_sub(message, p->body_off, p->body_len));
		pos = message.p + p->body_off + p->body_len;
		if (pos == end)
			buf_str(out, "\r\n");
	}
	buf_append(out, pos, (size_t)(end - pos));
	mime_fini(&m);
}
