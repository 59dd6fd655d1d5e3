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

void
imap_text_value(struct buf *out, struct span value)
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
			imap_text_value(out, e->value[i]);
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
