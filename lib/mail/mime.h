/*
 * The MIME structure of a message (RFC 2045, 2046) in one pass over its
 * bytes: where each part's header and body lie and what its Content- fields
 * say. Time is linear in the message whatever it holds (S7): past
 * MIME_PARTS_MAX boundaries are no longer looked for, at MIME_DEPTH_MAX a
 * composite part is taken as opaque.
 *
 * Parts are in document order; part 0 is the message. Spans and offsets are
 * into the message given, which must outlive the struct's use. Both CRLF and
 * LF messages are understood; counts allow to tell the CRLF size.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/span.h"

#define MIME_PARTS_MAX	1000
#define MIME_DEPTH_MAX	30
#define MIME_NONE	UINT32_MAX

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_MESSAGE		/* message/rfc822: one child, the message */
};

enum mime_field {
	MIME_TYPE,		/* Content-Type ... */
	MIME_ENCODING,
	MIME_ID,
	MIME_DESCRIPTION,
	MIME_DISPOSITION,
	MIME_LANGUAGE,
	MIME_LOCATION,
	MIME_MD5,
	MIME_FIELDS
};

struct mime_part {
	enum mime_kind kind;
	bool in_digest;			/* default type is message/rfc822 */
	uint32_t parent, child, next;	/* MIME_NONE where there is none */
	size_t head_off, head_len;	/* with the empty line */
	size_t body_off, body_len;
	uint32_t lines;			/* line ends in the body ... */
	uint32_t bare;			/* ... of them LF without CR */
	struct span field[MIME_FIELDS];	/* first of each; p == NULL: absent */
};

struct mime {
	struct mime_part *part;
	uint32_t n;
	uint32_t size;			/* private */
};

void mime_init(struct mime *m);
void mime_fini(struct mime *m);
/* May be called again for the next message; memory is reused. Always gives
 * at least part 0. */
void mime_parse(struct mime *m, struct span message);
/* The same without counting lines: `lines` and `bare` are 0. Passes over
 * text several times as fast. */
void mime_parse_places(struct mime *m, struct span message);

/* Size of the body with every line end counted as CRLF. */
static inline size_t
mime_body_size(const struct mime_part *p)
{
	return p->body_len + p->bare;
}

/* The part that IMAP calls `path` (RFC 3501 6.4.5: numbers from 1), n = 0
 * for the message itself; MIME_NONE when there is no such part. A
 * non-multipart message's part 1 is the message itself. */
uint32_t mime_find(const struct mime *m, const uint32_t *path, size_t n);

/*
 * A structured Content- value such as `text/plain; charset=utf-8`.
 */
struct mime_value {
	struct span rest;	/* private */
	unsigned params;
};
#define MIME_PARAMS_MAX	100

/* type/subtype of Content-Type; false when malformed. */
bool mime_type(struct span value, struct span *type, struct span *subtype,
    struct mime_value *v);
/* The leading token of Content-Disposition and the like. */
bool mime_token(struct span value, struct span *token, struct mime_value *v);
/* Next parameter. `raw` is as written: with its quotes when quoted. */
bool mime_param_next(struct mime_value *v, struct span *name,
    struct span *raw);
/* Undoes the quoting of `raw` into out (at least raw.n bytes): its length. */
size_t mime_unquote(struct span raw, char *out);
/* The value of parameter `name` (unquoted, at most n bytes), joined when it
 * came in plain sections (RFC 2231 3): its length, or 0 when absent or too
 * long. */
#define MIME_SECTIONS_MAX	10
size_t mime_param(struct span value, const char *name, char *out, size_t n);

/* What a Content-Transfer-Encoding says (RFC 2045 6); absent is identity. */
enum mime_transfer {
	TRANSFER_IDENTITY,		/* 7bit, 8bit, binary */
	TRANSFER_BASE64,
	TRANSFER_QP,
	TRANSFER_UNKNOWN
};
enum mime_transfer mime_transfer(struct span value);

#endif
