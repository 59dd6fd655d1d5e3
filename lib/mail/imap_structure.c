/*
 * BODYSTRUCTURE (RFC 3501 7.4.2) of a parsed message.
 */
#include "mail/imap_text.h"

static const struct span text_type = { "text", 4 };

/* What a part is called: its type, the default, or opaque. */
struct naming {
	struct span type, sub;
	struct mime_value v;
	bool has_params;
};

static void
name_part(const struct mime_part *p, struct naming *n)
{
	n->has_params = mime_type(p->field[MIME_TYPE], &n->type, &n->sub,
	    &n->v);
	if (p->kind == MIME_LEAF && n->has_params &&
	    (span_is(n->type, "multipart") || (span_is(n->type, "message") &&
	    span_is(n->sub, "rfc822")))) {
		/* composite by name, but nothing could be made of it */
		n->type = SPAN_LIT("application");
		n->sub = SPAN_LIT("octet-stream");
	} else if (!n->has_params) {
		bool message = p->kind == MIME_MESSAGE;

		n->type = message ? SPAN_LIT("message") : text_type;
		n->sub = message ? SPAN_LIT("rfc822") : SPAN_LIT("plain");
	}
}

/* Appends a parameter's value without its quotes. */
static void
unquote(struct buf *plain, struct span raw)
{
	char *p = buf_reserve(plain, raw.n + 1);

	if (p != NULL)
		buf_commit(plain, mime_unquote(raw, p));
}

/*
 * Parameters of one value, read once: looking for sections must not read a
 * long value again and again (S7). "name*3*" of RFC 2231 is section 3 of name,
 * percent-encoded.
 */
#define SECTION_NAME_MAX 128

struct param {
	struct span name, raw;
	bool section;
	struct span base;		/* of a section */
	uint32_t number;
	bool encoded;
};

struct params {
	struct param p[MIME_PARAMS_MAX];
	size_t n;
};

static bool
section_parse(struct param *p)
{
	struct span name = p->name;
	ptrdiff_t star;

	if (name.n > SECTION_NAME_MAX)
		return false;
	p->encoded = name.n > 0 && name.p[name.n - 1] == '*';
	if (p->encoded)
		name.n--;
	star = span_rchr(name, '*');
	if (star <= 0)
		return false;
	p->base = span_sub(name, 0, (size_t)star);
	return span_u32(span_sub(name, (size_t)star + 1, name.n), 0,
	    MIME_PARAMS_MAX, &p->number);
}

static void
params_read(struct params *all, struct mime_value *v)
{
	struct param *p;

	all->n = 0;
	while (all->n < MIME_PARAMS_MAX) {
		p = &all->p[all->n];
		if (!mime_param_next(v, &p->name, &p->raw))
			return;
		p->section = section_parse(p);
		all->n++;
	}
}

/* Is there a section of base behind a gap? Then nothing is joined. */
static bool
sections_have_gap(const struct params *all, struct span base)
{
	uint32_t n = 0, most = 0;
	size_t i;

	for (i = 0; i < all->n; i++)
		if (all->p[i].section && span_ieq(all->p[i].base, base)) {
			n++;
			most = MAX(most, all->p[i].number);
		}
	return n <= most;
}

static const struct param *
section_find(const struct params *all, struct span base, uint32_t number)
{
	size_t i;

	for (i = 0; i < all->n; i++)
		if (all->p[i].section && all->p[i].number == number &&
		    span_ieq(all->p[i].base, base))
			return &all->p[i];
	return NULL;
}

/* A section that is not encoded, within a value that is. */
static void
percent_encode(struct buf *out, struct span plain)
{
	size_t i;

	for (i = 0; i < plain.n; i++) {
		unsigned char c = (unsigned char)plain.p[i];

		if (c <= ' ' || c >= 127 || strchr("%*'()<>@,;:\\\"/[]?=",
		    c) != NULL)
			buf_fmt(out, "%%%02X", c);
		else
			buf_char(out, (char)c);
	}
}

/* All sections in their order: name and value. */
static void
put_joined(struct buf *out, const struct params *all,
    const struct param *first)
{
	struct buf joined, piece;
	const struct param *p;
	uint32_t i;

	buf_init(&joined, BUF_NO_CAP);
	buf_init(&piece, BUF_NO_CAP);
	for (i = 0; (p = section_find(all, first->base, i)) != NULL; i++) {
		buf_clear(&piece);
		unquote(&piece, p->raw);
		if (first->encoded && !p->encoded)
			percent_encode(&joined, buf_span(&piece));
		else
			buf_span_add(&joined, buf_span(&piece));
	}
	buf_clear(&piece);
	buf_span_add(&piece, first->base);
	if (first->encoded)
		buf_char(&piece, '*');
	imap_text_string(out, buf_span(&piece));
	buf_char(out, ' ');
	imap_text_string(out, buf_span(&joined));
	buf_fini(&joined);
	buf_fini(&piece);
}

static void
put_param(struct buf *out, struct span name, struct span raw)
{
	struct buf plain;

	imap_text_string(out, name);
	buf_char(out, ' ');
	if (raw.n > 0 && *raw.p != '"' &&
	    memchr(raw.p, '\n', raw.n) == NULL) {
		imap_text_string(out, raw);
		return;
	}
	buf_init(&plain, raw.n + 1);
	unquote(&plain, raw);
	imap_text_string(out, buf_span(&plain));
	buf_fini(&plain);
}

/* ("name" "value" ...) or NIL. Sections of one value (RFC 2231 3) are joined
 * where the first one stands. */
static void
put_params(struct buf *out, struct mime_value *v, bool want_charset)
{
	const struct param *p, *first;
	struct params all;
	bool any = false;
	size_t i;

	all.n = 0;
	if (v != NULL)
		params_read(&all, v);
	for (i = 0; i < all.n; i++) {
		p = &all.p[i];
		first = p->section && !sections_have_gap(&all, p->base) ?
		    section_find(&all, p->base, 0) : NULL;
		if (first != NULL && first != p)
			continue;
		buf_char(out, any ? ' ' : '(');
		any = true;
		if (first != NULL)
			put_joined(out, &all, first);
		else
			put_param(out, p->name, p->raw);
		if (span_is(p->name, "charset"))
			want_charset = false;
	}
	if (want_charset) {
		buf_char(out, any ? ' ' : '(');
		any = true;
		buf_str(out, "\"charset\" \"us-ascii\"");
	}
	buf_str(out, any ? ")" : "NIL");
}

static void
put_disposition(struct buf *out, struct span value)
{
	struct mime_value v;
	struct span token;

	/* parameters of a type that is missing or broken are still worth
	 * telling: a file name may be among them */
	if (value.n == 0 || (!mime_token(value, &token, &v) &&
	    span_chr(value, ';') < 0)) {
		buf_str(out, "NIL");
		return;
	}
	buf_char(out, '(');
	imap_text_string(out, token);
	buf_char(out, ' ');
	put_params(out, &v, false);
	buf_char(out, ')');
}

/* Tags between commas, comments out (RFC 3282 3). */
static void
put_languages(struct buf *out, struct span value)
{
	struct span rest = value, word, tag;
	struct mime_value v;
	bool any = false;

	while (rest.p != NULL && span_split(&rest, ',', &word)) {
		if (!mime_token(word, &tag, &v))
			continue;
		buf_char(out, any ? ' ' : '(');
		any = true;
		imap_text_string(out, tag);
	}
	buf_str(out, any ? ")" : "NIL");
}

static void
put_encoding(struct buf *out, struct span value)
{
	struct mime_value v;
	struct span token;

	imap_text_string(out, mime_token(value, &token, &v) ? token :
	    SPAN_LIT("7bit"));
}

/* disposition, language, location: the end of every part */
static void
put_extension(struct buf *out, const struct mime_part *p)
{
	buf_char(out, ' ');
	put_disposition(out, p->field[MIME_DISPOSITION]);
	buf_char(out, ' ');
	put_languages(out, p->field[MIME_LANGUAGE]);
	buf_char(out, ' ');
	imap_text_value(out, p->field[MIME_LOCATION]);
	buf_char(out, ')');
}

static void put_part(struct buf *out, struct span message,
    const struct mime *m, uint32_t i);

static void
put_single(struct buf *out, struct span message, const struct mime *m,
    const struct mime_part *p)
{
	struct naming n;
	bool text;

	name_part(p, &n);
	text = p->kind == MIME_LEAF && span_ieq(n.type, text_type);
	buf_char(out, '(');
	imap_text_string(out, n.type);
	buf_char(out, ' ');
	imap_text_string(out, n.sub);
	buf_char(out, ' ');
	put_params(out, n.has_params ? &n.v : NULL, text);
	buf_char(out, ' ');
	imap_text_value(out, p->field[MIME_ID]);
	buf_char(out, ' ');
	imap_text_value(out, p->field[MIME_DESCRIPTION]);
	buf_char(out, ' ');
	put_encoding(out, p->field[MIME_ENCODING]);
	buf_char(out, ' ');
	buf_dec(out, mime_body_size(p));
	if (p->kind == MIME_MESSAGE) {
		buf_char(out, ' ');
		imap_text_envelope(out, span_of(message.p + p->body_off,
		    p->body_len));
		buf_char(out, ' ');
		put_part(out, message, m, p->child);
	}
	if (text || p->kind == MIME_MESSAGE) {
		buf_char(out, ' ');
		buf_dec(out, p->lines);
	}
	buf_char(out, ' ');
	imap_text_value(out, p->field[MIME_MD5]);
	put_extension(out, p);
}

static void
put_multipart(struct buf *out, struct span message, const struct mime *m,
    const struct mime_part *p)
{
	struct naming n;
	uint32_t i;

	name_part(p, &n);
	buf_char(out, '(');
	/* the grammar wants at least one */
	if (p->child == MIME_NONE)
		buf_str(out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") "
		    "NIL NIL \"7bit\" 0 0 NIL NIL NIL NIL)");
	for (i = p->child; i != MIME_NONE; i = m->part[i].next)
		put_part(out, message, m, i);
	buf_char(out, ' ');
	imap_text_string(out, n.sub);
	buf_char(out, ' ');
	put_params(out, &n.v, false);
	put_extension(out, p);
}

/* Recursion is bounded by MIME_DEPTH_MAX. */
static void
put_part(struct buf *out, struct span message, const struct mime *m,
    uint32_t i)
{
	const struct mime_part *p = &m->part[i];

	if (buf_failed(out))
		return;
	if (p->kind == MIME_MULTIPART)
		put_multipart(out, message, m, p);
	else
		put_single(out, message, m, p);
}

void
imap_text_bodystructure(struct buf *out, struct span message,
    const struct mime *m)
{
	put_part(out, message, m, 0);
}

void
imap_text_message(struct buf *envelope, struct buf *structure,
    struct mime *m, struct span message)
{
	mime_parse(m, message);
	imap_text_envelope(envelope, message);
	imap_text_bodystructure(structure, message, m);
}
