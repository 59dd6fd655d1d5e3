#include "base/span.h"

bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_ieq(struct span a, struct span b)
{
	size_t i;

	if (a.n != b.n)
		return false;
	for (i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

bool
span_is(struct span a, const char *word)
{
	return span_ieq(a, span_str(word));
}

bool
span_starts(struct span a, const char *prefix)
{
	struct span w = span_str(prefix);

	return a.n >= w.n && span_ieq(span_sub(a, 0, w.n), w);
}

bool
span_ends(struct span a, const char *suffix)
{
	struct span w = span_str(suffix);

	return a.n >= w.n && span_ieq(span_sub(a, a.n - w.n, w.n), w);
}

ptrdiff_t
span_chr(struct span a, char c)
{
	const char *hit = a.n == 0 ? NULL : memchr(a.p, c, a.n);

	return hit == NULL ? -1 : hit - a.p;
}

ptrdiff_t
span_rchr(struct span a, char c)
{
	const char *hit = a.n == 0 ? NULL : memrchr(a.p, c, a.n);

	return hit == NULL ? -1 : hit - a.p;
}

struct span
span_sub(struct span a, size_t from, size_t n)
{
	if (from > a.n)
		from = a.n;
	if (n > a.n - from)
		n = a.n - from;
	return span_of(a.p == NULL ? NULL : a.p + from, n);
}

struct span
span_trim(struct span a)
{
	while (a.n > 0 && ascii_isspace((unsigned char)a.p[0]))
		a = span_sub(a, 1, a.n - 1);
	while (a.n > 0 && ascii_isspace((unsigned char)a.p[a.n - 1]))
		a.n--;
	return a;
}

bool
span_split(struct span *rest, char sep, struct span *word)
{
	ptrdiff_t at;

	if (rest->p == NULL)
		return false;
	at = span_chr(*rest, sep);
	if (at < 0) {
		*word = *rest;
		*rest = SPAN_NONE;
	} else {
		*word = span_sub(*rest, 0, (size_t)at);
		*rest = span_sub(*rest, (size_t)at + 1, rest->n);
	}
	return true;
}

bool
span_word(struct span *rest, struct span *word)
{
	size_t i = 0, from;

	while (i < rest->n && ascii_isspace((unsigned char)rest->p[i]))
		i++;
	from = i;
	while (i < rest->n && !ascii_isspace((unsigned char)rest->p[i]))
		i++;
	*word = span_sub(*rest, from, i - from);
	*rest = span_sub(*rest, i, rest->n);
	return word->n > 0;
}

bool
span_u64(struct span a, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0, digit;
	size_t i;

	if (a.n == 0)
		return false;
	for (i = 0; i < a.n; i++) {
		if (!ascii_isdigit((unsigned char)a.p[i]))
			return false;
		digit = (uint64_t)(a.p[i] - '0');
		if (v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool
span_u32(struct span a, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t v;

	if (!span_u64(a, min, max, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool
span_i64(struct span a, int64_t min, int64_t max, int64_t *out)
{
	bool minus = a.n > 0 && a.p[0] == '-';
	uint64_t v;
	int64_t s;

	if (minus)
		a = span_sub(a, 1, a.n);
	if (!span_u64(a, 0, (uint64_t)INT64_MAX + (minus ? 1 : 0), &v))
		return false;
	/* -(v - 1) - 1 reaches INT64_MIN without overflow */
	s = !minus ? (int64_t)v : v == 0 ? 0 : -(int64_t)(v - 1) - 1;
	if (s < min || s > max)
		return false;
	*out = s;
	return true;
}

/* Length of the UTF-8 sequence at p (n bytes left), 0 if invalid. */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	uint32_t c = p[0];
	size_t want, i;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		want = 2, c &= 0x1f;
	else if (c >= 0xe0 && c <= 0xef)
		want = 3, c &= 0x0f;
	else if (c >= 0xf0 && c <= 0xf4)
		want = 4, c &= 0x07;
	else
		return 0;
	if (want > n)
		return 0;
	for (i = 1; i < want; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((want == 3 && c < 0x800) || (want == 4 && c < 0x10000) ||
	    c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return want;
}

/* How many bytes from p on are ASCII for sure: all of eight, or none. */
static size_t
ascii_eight(const char *p, size_t n)
{
	uint64_t w;

	if (n < sizeof(w))
		return 0;
	memcpy(&w, p, sizeof(w));
	return (w & UINT64_C(0x8080808080808080)) == 0 ? sizeof(w) : 0;
}

bool
span_is_utf8(struct span a)
{
	size_t i, step;

	for (i = 0; i < a.n; i += step) {
		step = ascii_eight(a.p + i, a.n - i);
		if (step > 0)
			continue;
		step = utf8_length((const unsigned char *)a.p + i, a.n - i);
		if (step == 0)
			return false;
	}
	return true;
}

bool
span_is_ascii(struct span a)
{
	size_t i, step;

	for (i = 0; i < a.n; i += step) {
		step = ascii_eight(a.p + i, a.n - i);
		if (step == 0 && (unsigned char)a.p[i] > 0x7f)
			return false;
		step = MAX(step, (size_t)1);
	}
	return true;
}

size_t
span_utf8_front(struct span a)
{
	unsigned char c;
	size_t n;

	if (a.n == 0)
		return 0;
	c = (unsigned char)a.p[0];
	n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	return n <= a.n && span_is_utf8(span_sub(a, 0, n)) ? n : 0;
}
