#include "mail/utf7.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

static void
put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_char(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_char(out, (char)(0xe0 | c >> 12));
		} else {
			buf_char(out, (char)(0xf0 | c >> 18));
			buf_char(out, (char)(0x80 | (c >> 12 & 63)));
		}
		buf_char(out, (char)(0x80 | (c >> 6 & 63)));
	}
	buf_char(out, (char)(0x80 | (c & 63)));
}

/* UTF-16 units as they come out of the base64. */
struct units {
	uint32_t bits;
	unsigned n;
	uint32_t high;			/* a first surrogate, or 0 */
	bool any;
};

static bool
unit_take(struct buf *out, struct units *u, uint32_t unit)
{
	u->any = true;
	if (u->high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return false;
		put_utf8(out, 0x10000 + ((u->high - 0xd800) << 10) +
		    (unit - 0xdc00));
		u->high = 0;
		return true;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		u->high = unit;
		return true;
	}
	/* printable ASCII must stand for itself; no name needs controls */
	if (unit < 0x80)
		return false;
	put_utf8(out, unit);
	return true;
}

/* What stands between '&' and '-'. */
static bool
shifted_decode(struct buf *out, struct span s)
{
	struct units u = { .n = 0 };
	size_t i;

	for (i = 0; i < s.n; i++) {
		int v = value_of(s.p[i]);

		if (v < 0)
			return false;
		u.bits = u.bits << 6 | (uint32_t)v;
		u.n += 6;
		if (u.n < 16)
			continue;
		u.n -= 16;
		if (!unit_take(out, &u, u.bits >> u.n & 0xffff))
			return false;
	}
	return u.any && u.high == 0 && u.n < 6 &&
	    (u.bits & ((1u << u.n) - 1)) == 0;
}

static bool
decode(struct buf *out, struct span in)
{
	bool after_shift = false;
	ptrdiff_t end;

	while (in.n > 0) {
		if (*in.p != '&') {
			if (*in.p < 0x20 || *in.p > 0x7e)
				return false;
			buf_char(out, *in.p);
			in = span_sub(in, 1, in.n);
			after_shift = false;
			continue;
		}
		end = span_chr(in, '-');
		if (end < 0)
			return false;
		if (end == 1) {
			buf_char(out, '&');
			after_shift = false;
		} else if (after_shift ||
		    !shifted_decode(out, span_sub(in, 1, (size_t)end - 1))) {
			return false;
		} else {
			after_shift = true;
		}
		in = span_sub(in, (size_t)end + 1, in.n);
	}
	return true;
}

bool
utf7_to_utf8(struct buf *out, struct span in)
{
	size_t mark = buf_len(out);

	if (decode(out, in))
		return true;
	buf_truncate(out, mark);
	return false;
}

/* The code point at the front of valid UTF-8, and its length. */
static uint32_t
take_point(struct span *in)
{
	const unsigned char *p = (const unsigned char *)in->p;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	size_t i;

	for (i = 1; i < n; i++)
		c = c << 6 | (p[i] & 63u);
	*in = span_sub(*in, n, in->n);
	return c;
}

static void
put_unit(struct buf *out, struct units *u, uint32_t unit)
{
	u->bits = (u->bits & 63) << 16 | unit;
	u->n += 16;
	while (u->n >= 6) {
		u->n -= 6;
		buf_char(out, alphabet[u->bits >> u->n & 63]);
	}
}

static void
shift_end(struct buf *out, struct units *u)
{
	if (u->n > 0)
		buf_char(out, alphabet[u->bits << (6 - u->n) & 63]);
	buf_char(out, '-');
}

bool
utf7_from_utf8(struct buf *out, struct span in)
{
	struct units u = { .n = 0 };
	bool shifted = false;

	if (!span_is_utf8(in))
		return false;
	while (in.n > 0) {
		uint32_t c = take_point(&in);

		if (c >= 0x20 && c <= 0x7e) {
			if (shifted)
				shift_end(out, &u);
			shifted = false;
			buf_char(out, (char)c);
			if (c == '&')
				buf_char(out, '-');
			continue;
		}
		if (!shifted) {
			buf_char(out, '&');
			u.n = 0;
		}
		shifted = true;
		if (c >= 0x10000) {
			put_unit(out, &u, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(out, &u, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			put_unit(out, &u, c);
		}
	}
	if (shifted)
		shift_end(out, &u);
	return true;
}
