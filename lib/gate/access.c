#include "gate/access.h"

#include <stdio.h>
#include <string.h>

static const struct action {
	const char *name;
	enum access_what what;
} actions[] = {
	{ "OK", ACCESS_OK },
	{ "DUNNO", ACCESS_DUNNO },
	{ "REJECT", ACCESS_REJECT },
	{ "DEFER", ACCESS_DEFER },
	{ "DEFER_IF_PERMIT", ACCESS_DEFER_IF_PERMIT },
	{ "DEFER_IF_REJECT", ACCESS_DEFER_IF_REJECT },
	{ "WARN", ACCESS_WARN },
	{ "INFO", ACCESS_INFO },
	{ "BCC", ACCESS_UNBUILT },
	{ "DISCARD", ACCESS_UNBUILT },
	{ "FILTER", ACCESS_UNBUILT },
	{ "HOLD", ACCESS_UNBUILT },
	{ "PREPEND", ACCESS_UNBUILT },
	{ "REDIRECT", ACCESS_UNBUILT },
};

static bool
all_digits(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!ascii_isdigit((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

/* Cuts "5.7.1 " off the front of the text (RFC 3463: 1*1.1*3.1*3). */
static void
take_dsn(struct access *a)
{
	struct span rest = a->text, word, part, left;
	unsigned parts = 0;

	if (!span_word(&rest, &word) || word.n >= sizeof(a->dsn) ||
	    (word.p[0] != '2' && word.p[0] != '4' && word.p[0] != '5'))
		return;
	left = word;
	while (span_split(&left, '.', &part)) {
		if (!all_digits(part) || part.n > (parts == 0 ? 1u : 3u))
			return;
		parts++;
	}
	if (parts != 3 || word.p[word.n - 1] == '.')
		return;
	memcpy(a->dsn, word.p, word.n);
	a->dsn[word.n] = '\0';
	a->text = span_trim(rest);
}

static bool
is_code(struct span word)
{
	return word.n == 3 && all_digits(word) &&
	    (word.p[0] == '4' || word.p[0] == '5');
}

void
access_parse(struct span value, struct access *a)
{
	struct span rest = span_trim(value), word = SPAN_NONE;
	uint32_t code;
	size_t i;

	memset(a, 0, sizeof(*a));
	a->what = ACCESS_LIST;
	a->text = rest;
	if (all_digits(rest) && !is_code(rest)) {
		a->what = ACCESS_OK;
		a->text = SPAN_NONE;
		return;
	}
	if (!span_word(&rest, &word))
		return;
	rest = span_trim(rest);
	if (is_code(word) && span_u32(word, 400, 599, &code)) {
		a->what = code >= 500 ? ACCESS_REJECT : ACCESS_DEFER;
		a->code = (int)code;
		a->text = rest;
		take_dsn(a);
		return;
	}
	for (i = 0; i < ARRAY_LEN(actions); i++) {
		if (!span_is(word, actions[i].name))
			continue;
		a->what = actions[i].what;
		a->name = actions[i].name;
		a->text = rest;
		if (a->what >= ACCESS_REJECT &&
		    a->what <= ACCESS_DEFER_IF_REJECT)
			take_dsn(a);
		return;
	}
}

/* --- look-ups --- */

static enum table_result
one(struct table *t, struct span form, struct buf *value, struct buf *key,
    struct err *err)
{
	enum table_result r;

	buf_clear(value);
	r = table_look_up(t, form, value, err);
	if (r != TABLE_NOTFOUND) {
		buf_clear(key);
		buf_span_add(key, form);
	}
	return r;
}

static bool
is_address(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!ascii_isdigit((unsigned char)s.p[i]) && s.p[i] != '.')
			return span_chr(s, ':') >= 0 || s.p[0] == '[';
	return true;
}

/* The parents of a name; with `whole` the name itself first. */
static enum table_result
names(struct table *t, struct span name, bool whole, struct buf *value,
    struct buf *key, struct err *err)
{
	enum table_result r = TABLE_NOTFOUND;
	ptrdiff_t dot;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (whole || !table_is_pattern(t))
		r = one(t, name, value, key, err);
	if (table_is_pattern(t) || is_address(name))
		return r;
	while (r == TABLE_NOTFOUND && (dot = span_chr(name, '.')) >= 0) {
		name = span_sub(name, (size_t)dot + 1, name.n);
		r = one(t, name, value, key, err);
	}
	return r;
}

enum table_result
access_domain(struct table *t, struct span name, struct buf *value,
    struct buf *key, struct err *err)
{
	return names(t, name, true, value, key, err);
}

enum table_result
access_address(struct table *t, struct span ip, struct buf *value,
    struct buf *key, struct err *err)
{
	enum table_result r = one(t, ip, value, key, err);
	size_t n = ip.n;

	if (table_is_pattern(t))
		return r;
	while (r == TABLE_NOTFOUND && n > 0) {
		n--;
		if ((ip.p[n] == '.' || ip.p[n] == ':') && n > 0)
			r = one(t, span_of(ip.p, n), value, key, err);
	}
	return r;
}

/* "user" + "@" + domain, domain empty for the "user@" form. */
static enum table_result
joined(struct table *t, struct span local, struct span domain,
    struct buf *value, struct buf *key, struct err *err)
{
	enum table_result r;
	struct buf form;

	buf_init(&form, TABLE_KEY_MAX);
	buf_span_add(&form, local);
	buf_char(&form, '@');
	buf_span_add(&form, domain);
	r = buf_failed(&form) ? TABLE_NOTFOUND :
	    one(t, span_of(buf_data(&form), buf_len(&form)), value, key, err);
	buf_fini(&form);
	return r;
}

/* The forms behind the whole address; none of them for pattern tables. */
static enum table_result
parts(struct table *t, struct span address, const char *delimiters,
    struct buf *value, struct buf *key, struct err *err)
{
	enum table_result r = TABLE_NOTFOUND;
	struct span local, domain, bare;
	ptrdiff_t at = span_rchr(address, '@');
	size_t plus = 1;

	local = at < 0 ? address : span_sub(address, 0, (size_t)at);
	domain = at < 0 ? SPAN_NONE :
	    span_sub(address, (size_t)at + 1, address.n);
	while (plus < local.n && (local.p[plus] == '\0' ||
	    strchr(delimiters, local.p[plus]) == NULL))
		plus++;
	bare = span_sub(local, 0, plus);
	if (bare.n != local.n && domain.n > 0)
		r = joined(t, bare, domain, value, key, err);
	if (r == TABLE_NOTFOUND && domain.n > 0)
		r = names(t, domain, false, value, key, err);
	if (r == TABLE_NOTFOUND)
		r = joined(t, local, SPAN_NONE, value, key, err);
	if (r == TABLE_NOTFOUND && bare.n != local.n)
		r = joined(t, bare, SPAN_NONE, value, key, err);
	return r;
}

enum table_result
access_mail(struct table *t, struct span address, const char *delimiters,
    struct buf *value, struct buf *key, struct err *err)
{
	enum table_result r;

	if (address.n == 0)
		return one(t, SPAN_LIT("<>"), value, key, err);
	r = one(t, address, value, key, err);
	if (r != TABLE_NOTFOUND || table_is_pattern(t))
		return r;
	return parts(t, address, delimiters, value, key, err);
}
