#include "mail/codec.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void
base64_encode(struct buf *out, struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t n = in.n;
	char q[4];

	for (; n > 0; p += 3, n -= MIN(n, 3)) {
		uint32_t v = (uint32_t)p[0] << 16 |
		    (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);

		q[0] = alphabet[v >> 18];
		q[1] = alphabet[v >> 12 & 63];
		q[2] = n > 1 ? alphabet[v >> 6 & 63] : '=';
		q[3] = n > 2 ? alphabet[v & 63] : '=';
		buf_append(out, q, 4);
	}
}

/* Six bits at a time into bytes. */
struct bits {
	uint32_t v;
	unsigned n;
};

static void
bits_add(struct buf *out, struct bits *b, int six)
{
	b->v = b->v << 6 | (uint32_t)six;
	b->n += 6;
	if (b->n >= 8) {
		b->n -= 8;
		buf_char(out, (char)(b->v >> b->n & 255));
	}
}

bool
base64_decode(struct buf *out, struct span in)
{
	struct bits b = { 0, 0 };
	size_t mark = buf_len(out), i, n = in.n;

	if (n % 4 != 0)
		return false;
	if (n > 0 && in.p[n - 1] == '=')
		n -= in.p[n - 2] == '=' ? 2 : 1;
	for (i = 0; i < n; i++) {
		int v = base64_value((unsigned char)in.p[i]);

		if (v < 0) {
			buf_truncate(out, mark);
			return false;
		}
		bits_add(out, &b, v);
	}
	/* bits behind the last byte must be zero: one text, one meaning */
	if ((b.v & ((1u << b.n) - 1)) != 0) {
		buf_truncate(out, mark);
		return false;
	}
	return true;
}

void
base64_decode_mime(struct buf *out, struct span in)
{
	struct bits b = { 0, 0 };
	size_t i;

	for (i = 0; i < in.n && in.p[i] != '='; i++) {
		int v = base64_value((unsigned char)in.p[i]);

		if (v >= 0)
			bits_add(out, &b, v);
	}
}

static int
hex_value(unsigned char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Length of the white space and line end at i, 0 when other text follows:
 * a soft line break. */
static size_t
soft_break(struct span in, size_t i)
{
	size_t at = i;

	while (at < in.n && (in.p[at] == ' ' || in.p[at] == '\t'))
		at++;
	if (at < in.n && in.p[at] == '\r')
		at++;
	if (at < in.n && in.p[at] == '\n')
		return at + 1 - i;
	return at == in.n ? at - i : 0;
}

/* The byte that "=XX" at i stands for, or -1. */
static int
hex_pair(struct span in, size_t i)
{
	int hi, lo;

	if (in.n - i < 3)
		return -1;
	hi = hex_value((unsigned char)in.p[i + 1]);
	lo = hex_value((unsigned char)in.p[i + 2]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

void
qp_decode(struct buf *out, struct span in, bool underscore)
{
	size_t i, skip;
	int v;

	for (i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (c == '_' && underscore) {
			buf_char(out, ' ');
		} else if (c != '=') {
			buf_char(out, c);
		} else if ((v = hex_pair(in, i)) >= 0) {
			buf_char(out, (char)v);
			i += 2;
		} else if ((skip = soft_break(in, i + 1)) > 0) {
			i += skip;
		} else {
			buf_char(out, c);
		}
	}
}
