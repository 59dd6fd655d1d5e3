#include "base/json.h"

#include <time.h>

#define DEPTH_MAX	32

void
json_put_string(struct buf *out, struct span s)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c;
	size_t n;

	buf_char(out, '"');
	while (s.n > 0) {
		c = (unsigned char)s.p[0];
		n = span_utf8_front(s);
		if (n == 0) {
			buf_str(out, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			buf_char(out, '\\');
			buf_char(out, (char)c);
		} else if (c < 0x20 || c == 0x7f) {
			buf_str(out, "\\u00");
			buf_char(out, hex[c >> 4]);
			buf_char(out, hex[c & 15]);
		} else {
			buf_append(out, s.p, n);
		}
		s = span_sub(s, n, s.n);
	}
	buf_char(out, '"');
}

void
json_put_name(struct buf *out, const char *name)
{
	size_t n = buf_len(out);

	buf_fmt(out, "%s\"%s\": ", n > 0 && buf_data(out)[n - 1] != '{' ?
	    ", " : "", name);
}

void
json_put_member(struct buf *out, const char *name, struct span value)
{
	json_put_name(out, name);
	json_put_string(out, value);
}

void
json_put_time(struct buf *out, int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;
	char text[40] = "";

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ",
		    &tm);
	json_put_string(out, span_str(text));
}

/* --- reading --- */

static void
skip(struct span *s, size_t n)
{
	*s = span_sub(*s, n, s->n);
}

static void
skip_space(struct span *s)
{
	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '\t' ||
	    s->p[0] == '\n' || s->p[0] == '\r'))
		skip(s, 1);
}

static bool
take_char(struct span *s, char c)
{
	skip_space(s);
	if (s->n == 0 || s->p[0] != c)
		return false;
	skip(s, 1);
	return true;
}

static bool
is_hex(char c)
{
	return ascii_isdigit((unsigned char)c) ||
	    (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

static bool
take_escape(struct span *s)
{
	size_t i;

	if (s->n < 2)
		return false;
	if (s->p[1] == 'u') {
		if (s->n < 6)
			return false;
		for (i = 2; i < 6; i++)
			if (!is_hex(s->p[i]))
				return false;
		skip(s, 6);
		return true;
	}
	if (memchr("\"\\/bfnrt", s->p[1], 8) == NULL)
		return false;
	skip(s, 2);
	return true;
}

static bool
take_string(struct span *s)
{
	size_t n;

	if (!take_char(s, '"'))
		return false;
	while (s->n > 0 && s->p[0] != '"') {
		if (s->p[0] == '\\') {
			if (!take_escape(s))
				return false;
			continue;
		}
		n = span_utf8_front(*s);
		if (n == 0 || (unsigned char)s->p[0] < 0x20)
			return false;
		skip(s, n);
	}
	return take_char(s, '"');
}

static size_t
take_digits(struct span *s)
{
	size_t n = 0;

	while (n < s->n && ascii_isdigit((unsigned char)s->p[n]))
		n++;
	skip(s, n);
	return n;
}

static bool
take_number(struct span *s)
{
	if (s->n > 0 && s->p[0] == '-')
		skip(s, 1);
	if (take_digits(s) == 0)
		return false;
	if (s->n > 0 && s->p[0] == '.') {
		skip(s, 1);
		if (take_digits(s) == 0)
			return false;
	}
	if (s->n > 0 && ascii_lower(s->p[0]) == 'e') {
		skip(s, 1);
		if (s->n > 0 && (s->p[0] == '+' || s->p[0] == '-'))
			skip(s, 1);
		if (take_digits(s) == 0)
			return false;
	}
	return true;
}

static bool
take_word(struct span *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n || memcmp(s->p, word, n) != 0)
		return false;
	skip(s, n);
	return true;
}

static bool take_value(struct span *s, unsigned depth);

static bool
take_members(struct span *s, bool object, unsigned depth)
{
	char end = object ? '}' : ']';

	skip(s, 1);
	if (take_char(s, end))
		return true;
	do {
		skip_space(s);
		if (object && (!take_string(s) || !take_char(s, ':')))
			return false;
		if (!take_value(s, depth + 1))
			return false;
	} while (take_char(s, ','));
	return take_char(s, end);
}

static bool
take_value(struct span *s, unsigned depth)
{
	skip_space(s);
	if (s->n == 0 || depth > DEPTH_MAX)
		return false;
	switch (s->p[0]) {
	case '{': return take_members(s, true, depth);
	case '[': return take_members(s, false, depth);
	case '"': return take_string(s);
	case 't': return take_word(s, "true");
	case 'f': return take_word(s, "false");
	case 'n': return take_word(s, "null");
	default: return take_number(s);
	}
}

bool
json_is_valid(struct span s)
{
	if (!take_value(&s, 0))
		return false;
	skip_space(&s);
	return s.n == 0;
}

bool
json_next(struct span *rest, struct span *key, struct span *value)
{
	struct span at;

	*key = *value = SPAN_NONE;
	if (rest->p == NULL)
		return false;
	skip_space(rest);
	if (rest->n == 0 || (rest->p[0] != '{' && rest->p[0] != '[' &&
	    rest->p[0] != ','))
		goto end;
	skip(rest, 1);
	skip_space(rest);
	at = *rest;
	/* A string followed by a colon is a member's name. */
	if (at.n > 0 && at.p[0] == '"' && take_string(&at)) {
		*key = span_of(rest->p + 1,
		    (size_t)(at.p - rest->p) - 2);
		if (take_char(&at, ':'))
			*rest = at;
		else
			*key = SPAN_NONE;
	}
	skip_space(rest);
	at = *rest;
	if (!take_value(&at, 1))
		goto end;
	*value = span_of(rest->p, (size_t)(at.p - rest->p));
	*rest = at;
	return true;
end:
	*rest = SPAN_NONE;
	return false;
}

static void
put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_char(out, (char)c);
	} else if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
		buf_char(out, (char)(0x80 | (c & 63)));
	} else {
		buf_char(out, (char)(0xe0 | c >> 12));
		buf_char(out, (char)(0x80 | (c >> 6 & 63)));
		buf_char(out, (char)(0x80 | (c & 63)));
	}
}

static uint32_t
hex4(const char *p)
{
	uint32_t v = 0;
	int i;

	for (i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)(ascii_isdigit((unsigned char)p[i]) ?
		    p[i] - '0' : ascii_lower(p[i]) - 'a' + 10);
	return v;
}

/* Surrogates, which our own writer never makes, come out as '?'. */
static size_t
put_escape(struct buf *out, struct span s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	uint32_t c;

	if (s.p[1] == 'u') {
		c = hex4(s.p + 2);
		put_utf8(out, c >= 0xd800 && c <= 0xdfff ? '?' : c);
		return 6;
	}
	at = strchr(from, s.p[1]);
	buf_char(out, at == NULL ? '?' : to[at - from]);
	return 2;
}

void
json_text(struct span value, struct buf *out)
{
	struct span s;
	size_t n;

	if (value.n < 2 || value.p[0] != '"') {
		buf_span_add(out, value);
		return;
	}
	for (s = span_sub(value, 1, value.n - 2); s.n > 0; skip(&s, n)) {
		n = 1;
		if (s.p[0] == '\\')
			n = put_escape(out, s);
		else
			buf_char(out, s.p[0]);
	}
}
