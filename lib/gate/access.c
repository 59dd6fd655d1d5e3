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
	{ "BCC", ACCESS_BCC },
	{ "DISCARD", ACCESS_DISCARD },
	{ "FILTER", ACCESS_FILTER },
	{ "HOLD", ACCESS_HOLD },
	{ "PREPEND", ACCESS_PREPEND },
	{ "REDIRECT", ACCESS_REDIRECT },
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

void
access_dsn_take(struct span *text, char dsn[ACCESS_DSN_MAX])
{
	struct span rest = *text, word, part, left;
	unsigned parts = 0;

	if (!span_word(&rest, &word) || word.n >= ACCESS_DSN_MAX ||
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
	memcpy(dsn, word.p, word.n);
	dsn[word.n] = '\0';
	*text = span_trim(rest);
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
	if (all_digits(rest)) {	/* a code without a text, too */
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
		access_dsn_take(&a->text, a->dsn);
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
			access_dsn_take(&a->text, a->dsn);
		return;
	}
}

/* --- look-ups --- */

enum table_result
access_key(const struct access_ask *q, struct span key)
{
	enum table_result r;

	buf_clear(q->value);
	r = q->look_up == NULL ?
	    table_look_up(q->table, key, q->value, q->err) :
	    q->look_up(q->table, key, q->value, q->err, q->arg);
	if (r != TABLE_NOTFOUND) {
		buf_clear(q->key);
		buf_span_add(q->key, key);
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
names(const struct access_ask *q, struct span name, bool whole)
{
	enum table_result r = TABLE_NOTFOUND;
	ptrdiff_t dot;

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	if (whole || !table_is_pattern(q->table))
		r = access_key(q, name);
	if (table_is_pattern(q->table) || is_address(name))
		return r;
	while (r == TABLE_NOTFOUND && (dot = span_chr(name, '.')) >= 0) {
		name = span_sub(name, (size_t)dot + 1, name.n);
		/* the dot is the byte before */
		r = access_key(q, q->dotted_parents ?
		    span_of(name.p - 1, name.n + 1) : name);
	}
	return r;
}

enum table_result
access_domain(const struct access_ask *q, struct span name)
{
	return names(q, name, true);
}

enum table_result
access_address(const struct access_ask *q, struct span ip)
{
	enum table_result r = access_key(q, ip);
	size_t n = ip.n;

	if (table_is_pattern(q->table))
		return r;
	while (r == TABLE_NOTFOUND && n > 0) {
		n--;
		if ((ip.p[n] == '.' || ip.p[n] == ':') && n > 0)
			r = access_key(q, span_of(ip.p, n));
	}
	return r;
}

/* "user" + "@" + domain, domain empty for the "user@" form. */
static enum table_result
joined(const struct access_ask *q, struct span local, struct span domain)
{
	enum table_result r;
	struct buf form;

	buf_init(&form, TABLE_KEY_MAX);
	buf_span_add(&form, local);
	buf_char(&form, '@');
	buf_span_add(&form, domain);
	r = buf_failed(&form) ? TABLE_NOTFOUND :
	    access_key(q, buf_span(&form));
	buf_fini(&form);
	return r;
}

/* The forms behind the whole address; none of them for pattern tables. */
static enum table_result
parts(const struct access_ask *q, struct span address,
    const char *delimiters)
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
		r = joined(q, bare, domain);
	if (r == TABLE_NOTFOUND && domain.n > 0)
		r = names(q, domain, false);
	if (r == TABLE_NOTFOUND)
		r = joined(q, local, SPAN_NONE);
	if (r == TABLE_NOTFOUND && bare.n != local.n)
		r = joined(q, bare, SPAN_NONE);
	return r;
}

enum table_result
access_mail(const struct access_ask *q, struct span address,
    const char *delimiters)
{
	enum table_result r;

	if (address.n == 0)
		return access_key(q, span_str(q->null_key == NULL ? "<>" :
		    q->null_key));
	r = access_key(q, address);
	if (r != TABLE_NOTFOUND || table_is_pattern(q->table))
		return r;
	return parts(q, address, delimiters);
}
