#include "mail/imap_text.h"

#include "mail/addrlist.h"
#include "mail/header.h"

enum {
	C_ATOM = 1,		/* may stand in an atom */
	C_ESCAPE = 2,		/* needs a backslash in a quoted string */
	C_LITERAL = 4		/* no quoted string can hold it */
};

static uint8_t
char_class(unsigned char c)
{
	if (c == 0 || c == '\r' || c == '\n' || c >= 0x80)
		return C_LITERAL;
	if (c == '"' || c == '\\')
		return C_ESCAPE;
	if (c <= ' ' || c == 127 || strchr("(){%*]", c) != NULL)
		return 0;
	return C_ATOM;
}

/* What the bytes of s need in all: the union of classes, and whether every
 * one may stand in an atom. */
static uint8_t
span_classes(struct span s, bool *atom)
{
	uint8_t all = 0;
	size_t i;

	*atom = s.n > 0;
	for (i = 0; i < s.n; i++) {
		uint8_t c = char_class((unsigned char)s.p[i]);

		all |= c;
		*atom = *atom && c == C_ATOM;
	}
	return all;
}

static void
put_literal(struct buf *out, struct span s)
{
	char *p;
	size_t i;

	buf_char(out, '{');
	buf_dec(out, s.n);
	buf_str(out, "}\r\n");
	p = buf_reserve(out, s.n);
	if (p == NULL)
		return;
	for (i = 0; i < s.n; i++)
		p[i] = s.p[i] == '\0' ? (char)0x80 : s.p[i];
	buf_commit(out, s.n);
}

static void
put_quoted(struct buf *out, struct span s, bool escape)
{
	size_t i;

	buf_char(out, '"');
	if (!escape) {
		buf_span_add(out, s);
	} else {
		for (i = 0; i < s.n; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				buf_char(out, '\\');
			buf_char(out, s.p[i]);
		}
	}
	buf_char(out, '"');
}

void
imap_text_string(struct buf *out, struct span s)
{
	bool atom;
	uint8_t all = span_classes(s, &atom);

	if (all & C_LITERAL)
		put_literal(out, s);
	else
		put_quoted(out, s, all & C_ESCAPE);
}

void
imap_text_nstring(struct buf *out, struct span s)
{
	if (s.p == NULL)
		buf_str(out, "NIL");
	else
		imap_text_string(out, s);
}

void
imap_text_astring(struct buf *out, struct span s)
{
	bool atom;

	span_classes(s, &atom);
	if (atom && !span_is(s, "NIL"))
		buf_span_add(out, s);
	else
		imap_text_string(out, s);
}

/* A header value as nstring, unfolded. */
static void
put_value(struct buf *out, struct span value)
{
	struct buf flat;

	if (value.p == NULL || memchr(value.p, '\n', value.n) == NULL) {
		imap_text_nstring(out, value);
		return;
	}
	buf_init(&flat, value.n);
	header_unfold(&flat, value);
	imap_text_string(out, buf_span(&flat));
	buf_fini(&flat);
}

/* --- ENVELOPE ------------------------------------------------------------ */

enum env_field {
	ENV_DATE, ENV_SUBJECT, ENV_FROM, ENV_SENDER, ENV_REPLY_TO, ENV_TO,
	ENV_CC, ENV_BCC, ENV_IN_REPLY_TO, ENV_MESSAGE_ID, ENV_FIELDS
};

static const struct {
	struct span name;
	bool addresses;
} env_fields[ENV_FIELDS] = {
	[ENV_DATE] = { SPAN_LIT("date"), false },
	[ENV_SUBJECT] = { SPAN_LIT("subject"), false },
	[ENV_FROM] = { SPAN_LIT("from"), true },
	[ENV_SENDER] = { SPAN_LIT("sender"), true },
	[ENV_REPLY_TO] = { SPAN_LIT("reply-to"), true },
	[ENV_TO] = { SPAN_LIT("to"), true },
	[ENV_CC] = { SPAN_LIT("cc"), true },
	[ENV_BCC] = { SPAN_LIT("bcc"), true },
	[ENV_IN_REPLY_TO] = { SPAN_LIT("in-reply-to"), false },
	[ENV_MESSAGE_ID] = { SPAN_LIT("message-id"), false }
};

static void
put_mailbox(struct buf *out, const struct addr_item *a)
{
	buf_char(out, '(');
	imap_text_nstring(out, a->name);
	buf_char(out, ' ');
	imap_text_nstring(out, a->route);
	buf_char(out, ' ');
	/* NIL here would mean a group (RFC 3501 7.4.2) */
	imap_text_string(out, a->local.p != NULL ? a->local :
	    SPAN_LIT("MISSING_MAILBOX"));
	buf_char(out, ' ');
	imap_text_string(out, a->domain.p != NULL && a->domain.n > 0 ?
	    a->domain : SPAN_LIT("MISSING_DOMAIN"));
	buf_char(out, ')');
}

static void
put_item(struct buf *out, const struct addr_item *a)
{
	switch (a->kind) {
	case ADDR_MAILBOX:
		put_mailbox(out, a);
		break;
	case ADDR_GROUP_START:
		buf_str(out, "(NIL NIL ");
		imap_text_string(out, a->name);
		buf_str(out, " NIL)");
		break;
	case ADDR_GROUP_END:
		buf_str(out, "(NIL NIL NIL NIL)");
		break;
	}
}

/* The values of an ENVELOPE while they are gathered. */
struct env {
	struct span text;		/* the header */
	struct span value[ENV_FIELDS];	/* of the first such field */
	unsigned count[ENV_FIELDS];
};

/* Appends the items of one field; *any: a list was begun. */
static void
put_items(struct buf *out, struct span value, bool *any)
{
	struct addrlist l;
	struct addr_item a;

	addrlist_init(&l, value);
	while (!buf_failed(out) && addrlist_next(&l, &a)) {
		if (!*any)
			buf_char(out, '(');
		*any = true;
		put_item(out, &a);
	}
	addrlist_fini(&l);
}

/* "((...)(...))" or NIL; false when there was nobody. A field that stands
 * there several times names the people of all. */
static bool
put_addresses(struct buf *out, const struct env *e, int field)
{
	struct header_iter it;
	struct header_field f;
	bool any = false;

	if (e->count[field] == 1) {
		put_items(out, e->value[field], &any);
	} else if (e->count[field] > 1) {
		header_iter_init(&it, e->text);
		while (header_next(&it, &f))
			if (span_ieq(f.name, env_fields[field].name))
				put_items(out, f.value, &any);
	}
	buf_str(out, any ? ")" : "NIL");
	return any;
}

/* Appends the n bytes at `off` of out itself. */
static void
put_again(struct buf *out, size_t off, size_t n)
{
	char *p = buf_reserve(out, n);

	if (p == NULL)
		return;
	memcpy(p, buf_data(out) + off, n);
	buf_commit(out, n);
}

static void
put_envelope(struct buf *out, const struct env *e)
{
	size_t from = 0, from_n = 0, mark;
	int i;

	buf_char(out, '(');
	for (i = 0; i < ENV_FIELDS; i++) {
		bool any;

		if (i > 0)
			buf_char(out, ' ');
		mark = buf_len(out);
		if (!env_fields[i].addresses) {
			put_value(out, e->value[i]);
			continue;
		}
		any = put_addresses(out, e, i);
		if (i == ENV_FROM) {
			from = mark;
			from_n = buf_len(out) - mark;
		} else if (!any && !buf_failed(out) &&
		    (i == ENV_SENDER || i == ENV_REPLY_TO)) {
			buf_truncate(out, mark);
			put_again(out, from, from_n);
		}
	}
	buf_char(out, ')');
}

void
imap_text_envelope(struct buf *out, struct span text)
{
	struct env e;
	struct header_iter it;
	struct header_field f;
	int i;

	memset(&e, 0, sizeof(e));
	e.text = span_sub(text, 0, HEADER_LOOK_MAX);
	header_iter_init(&it, e.text);
	while (header_next(&it, &f)) {
		for (i = 0; i < ENV_FIELDS; i++) {
			if (f.name.n != env_fields[i].name.n ||
			    !span_ieq(f.name, env_fields[i].name))
				continue;
			if (e.count[i]++ == 0)
				e.value[i] = f.value;
			break;
		}
	}
	put_envelope(out, &e);
}

/* --- BODYSTRUCTURE ------------------------------------------------------- */

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

static void
put_param_value(struct buf *out, struct span raw)
{
	struct buf plain;
	char *p;

	if (raw.n > 0 && *raw.p != '"' &&
	    memchr(raw.p, '\n', raw.n) == NULL) {
		imap_text_string(out, raw);
		return;
	}
	buf_init(&plain, raw.n + 1);
	p = buf_reserve(&plain, raw.n + 1);
	if (p != NULL)
		buf_commit(&plain, mime_unquote(raw, p));
	imap_text_string(out, buf_span(&plain));
	buf_fini(&plain);
}

/* ("name" "value" ...) or NIL. */
static void
put_params(struct buf *out, struct mime_value *v, bool want_charset)
{
	struct span name, raw;
	bool any = false;

	while (v != NULL && mime_param_next(v, &name, &raw)) {
		buf_char(out, any ? ' ' : '(');
		any = true;
		imap_text_string(out, name);
		buf_char(out, ' ');
		put_param_value(out, raw);
		if (span_is(name, "charset"))
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

	if (!mime_token(value, &token, &v)) {
		buf_str(out, "NIL");
		return;
	}
	buf_char(out, '(');
	imap_text_string(out, token);
	buf_char(out, ' ');
	put_params(out, &v, false);
	buf_char(out, ')');
}

static void
put_languages(struct buf *out, struct span value)
{
	struct span rest = value, word;
	bool any = false;

	while (rest.p != NULL && span_split(&rest, ',', &word)) {
		word = span_trim(word);
		if (word.n == 0)
			continue;
		buf_char(out, any ? ' ' : '(');
		any = true;
		put_value(out, word);
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
	put_value(out, p->field[MIME_LOCATION]);
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
	put_value(out, p->field[MIME_ID]);
	buf_char(out, ' ');
	put_value(out, p->field[MIME_DESCRIPTION]);
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
	put_value(out, p->field[MIME_MD5]);
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
