#include "mail/addrlist.h"

#define COMMENT_DEPTH_MAX 50

/* A stretch of l->text; spans are made when the text no longer moves. */
struct piece {
	size_t off, n;
	bool there;
};

/* The parts of one item while they are read. */
struct draft {
	struct piece name, route, local, domain;
};

void
addrlist_init(struct addrlist *l, struct span value)
{
	l->rest = value;
	l->in_group = false;
	buf_init(&l->text, value.n * 2 + 64);
	buf_init(&l->comment, value.n + 64);
}

void
addrlist_fini(struct addrlist *l)
{
	buf_fini(&l->text);
	buf_fini(&l->comment);
}

static int
peek(const struct addrlist *l)
{
	return l->rest.n == 0 ? -1 : (unsigned char)*l->rest.p;
}

static void
skip(struct addrlist *l)
{
	l->rest.p++;
	l->rest.n--;
}

static void
piece_begin(struct addrlist *l, struct piece *p)
{
	p->off = buf_len(&l->text);
	p->n = 0;
	p->there = true;
}

static void
piece_end(struct addrlist *l, struct piece *p)
{
	p->n = buf_len(&l->text) - p->off;
}

static struct span
piece_span(struct addrlist *l, const struct piece *p)
{
	if (!p->there)
		return SPAN_NONE;
	return span_of(buf_data(&l->text) + p->off, p->n);
}

/* One character that may be quoted by a backslash; line ends vanish. */
static void
take_quotable(struct addrlist *l, struct buf *out)
{
	int c = peek(l);

	if (c == '\\' && l->rest.n > 1) {
		skip(l);
		c = peek(l);
	}
	if (c != '\r' && c != '\n')
		buf_char(out, (char)c);
	skip(l);
}

/* "(...)", the last of an item is remembered: it may be the name. */
static void
take_comment(struct addrlist *l)
{
	int depth = 0;

	buf_clear(&l->comment);
	do {
		int c = peek(l);

		if (c == '(' && depth < COMMENT_DEPTH_MAX) {
			if (depth++ > 0)
				buf_char(&l->comment, '(');
			skip(l);
		} else if (c == ')') {
			if (--depth > 0)
				buf_char(&l->comment, ')');
			skip(l);
		} else {
			take_quotable(l, &l->comment);
		}
	} while (depth > 0 && l->rest.n > 0);
}

/* White space and comments; false when there were none. */
static bool
skip_cfws(struct addrlist *l)
{
	bool any = false;

	for (;; any = true) {
		int c = peek(l);

		if (c == '(')
			take_comment(l);
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			skip(l);
		else
			return any;
	}
}

static void
take_quoted(struct addrlist *l)
{
	skip(l);
	while (l->rest.n > 0 && peek(l) != '"')
		take_quotable(l, &l->text);
	if (l->rest.n > 0)
		skip(l);
}

static bool
is_special(int c)
{
	return c < 0 || (c != 0 && strchr("<>,;:@\"( \t\r\n", c) != NULL);
}

static void
take_atom(struct addrlist *l)
{
	while (!is_special(peek(l))) {
		buf_char(&l->text, (char)peek(l));
		skip(l);
	}
}

/* Words up to a special, one space between them. Returns whether a quoted
 * string was among them: then even an empty text is one. */
static bool
take_words(struct addrlist *l, struct piece *p)
{
	bool space = false, quoted = false;

	piece_begin(l, p);
	for (;;) {
		int c = peek(l);

		if (skip_cfws(l)) {
			space = true;
			continue;
		}
		if (c != '"' && is_special(c))
			break;
		if (space && buf_len(&l->text) > p->off)
			buf_char(&l->text, ' ');
		space = false;
		if (c == '"') {
			take_quoted(l);
			quoted = true;
		} else {
			take_atom(l);
		}
	}
	piece_end(l, p);
	p->there = quoted || p->n > 0;
	return quoted;
}

/* Obsolete local parts may have space around their dots. */
static void
close_dots(struct addrlist *l, struct piece *p)
{
	char *t = buf_data(&l->text) + p->off;
	size_t i, n = 0;

	for (i = 0; i < p->n; i++) {
		if (t[i] == ' ' && ((n > 0 && t[n - 1] == '.') ||
		    (i + 1 < p->n && t[i + 1] == '.')))
			continue;
		t[n++] = t[i];
	}
	p->n = n;
}

/* '@' and a dotted name or [literal], white space and comments out. */
static void
take_domain(struct addrlist *l, struct piece *p)
{
	skip(l);
	piece_begin(l, p);
	for (;;) {
		int c;

		skip_cfws(l);
		c = peek(l);
		if (c == '[') {
			while (l->rest.n > 0 && peek(l) != ']')
				take_quotable(l, &l->text);
			if (l->rest.n > 0)
				take_quotable(l, &l->text);
		} else if (c == '"' || c == '@') {
			take_quotable(l, &l->text);	/* nonsense, kept */
		} else if (is_special(c)) {
			break;
		} else {
			take_atom(l);
		}
	}
	piece_end(l, p);
}

/* "@a,@b:" in front of an address. */
static void
take_route(struct addrlist *l, struct piece *p)
{
	piece_begin(l, p);
	for (;;) {
		int c;

		skip_cfws(l);
		c = peek(l);
		if (c < 0 || c == ':' || c == '>')
			break;
		take_quotable(l, &l->text);
	}
	piece_end(l, p);
	if (peek(l) == ':')
		skip(l);
}

static void
take_local(struct addrlist *l, struct piece *p)
{
	if (!take_words(l, p))
		close_dots(l, p);
}

static void
take_angle(struct addrlist *l, struct draft *d)
{
	skip(l);
	skip_cfws(l);
	if (peek(l) == '@')
		take_route(l, &d->route);
	take_local(l, &d->local);
	if (peek(l) == '@')
		take_domain(l, &d->domain);
	/* whatever is left up to the bracket is noise */
	while (l->rest.n > 0 && peek(l) != '>' && peek(l) != ',')
		skip(l);
	if (peek(l) == '>')
		skip(l);
}

/* Between an address and its ',' or ';' only comments mean something. */
static void
skip_tail(struct addrlist *l)
{
	size_t mark = buf_len(&l->text);

	while (l->rest.n > 0 && peek(l) != ',' && peek(l) != ';') {
		if (peek(l) == '"')
			take_quoted(l);
		else if (!skip_cfws(l))
			skip(l);
	}
	buf_truncate(&l->text, mark);
}

/* The comment is the name of an address without phrase. */
static void
name_from_comment(struct addrlist *l, struct piece *name)
{
	if (name->there || buf_len(&l->comment) == 0)
		return;
	piece_begin(l, name);
	buf_span_add(&l->text, buf_span(&l->comment));
	piece_end(l, name);
}

static void
item_give(struct addrlist *l, const struct draft *d, enum addr_kind kind,
    struct addr_item *item)
{
	item->kind = kind;
	item->name = piece_span(l, &d->name);
	item->route = piece_span(l, &d->route);
	item->local = piece_span(l, &d->local);
	item->domain = piece_span(l, &d->domain);
}

static bool
has_space(struct addrlist *l, const struct piece *p)
{
	return span_chr(piece_span(l, p), ' ') >= 0;
}

static void
take_item(struct addrlist *l, struct addr_item *item)
{
	struct draft d = { .name = { 0, 0, false } };
	bool quoted;
	int c;

	quoted = take_words(l, &d.name);
	c = peek(l);
	if (c == ':' && !l->in_group) {
		skip(l);
		l->in_group = true;
		d.name.there = true;
		item_give(l, &d, ADDR_GROUP_START, item);
		return;
	}
	if (c == '<') {
		take_angle(l, &d);
	} else if (c == '@' || !has_space(l, &d.name)) {
		d.local = d.name;
		d.name.there = false;
		if (!quoted)
			close_dots(l, &d.local);
		if (c == '@')
			take_domain(l, &d.domain);
	}
	/* else several words alone: a phrase whose address is missing */
	skip_tail(l);
	name_from_comment(l, &d.name);
	item_give(l, &d, ADDR_MAILBOX, item);
}

/* Skips what separates items; true when a group's end was passed. */
static bool
skip_separators(struct addrlist *l)
{
	for (;;) {
		int c;

		skip_cfws(l);
		c = peek(l);
		if (c != ',' && c != ';')
			return false;
		skip(l);
		if (c == ';' && l->in_group)
			return true;
	}
}

bool
addrlist_next(struct addrlist *l, struct addr_item *item)
{
	buf_clear(&l->text);
	buf_clear(&l->comment);
	if (skip_separators(l) || (l->rest.n == 0 && l->in_group)) {
		l->in_group = false;
		*item = (struct addr_item){ .kind = ADDR_GROUP_END };
		return true;
	}
	if (l->rest.n == 0)
		return false;
	take_item(l, item);
	return true;
}
