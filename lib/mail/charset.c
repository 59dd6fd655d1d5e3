#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>

#define NAME_MAX_LEN	64
#define REPLACEMENT	"\xef\xbf\xbd"

static bool
is_utf8_name(struct span name)
{
	return span_is(name, "utf-8") || span_is(name, "utf8") ||
	    span_is(name, "us-ascii") || span_is(name, "ascii");
}

/* The usual charsets in which text of bytes below 128 is ASCII, so that most mail
 * needs no conversion, nor the opening of one. (Not UTF-7, ISO-2022-JP, HZ.) */
static bool
holds_ascii(struct span name)
{
	static const char *const names[] = { "iso-8859-1", "iso-8859-2",
	    "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15",
	    "windows-1250", "windows-1251", "windows-1252", "windows-1253",
	    "windows-1254", "windows-1257", "koi8-r", "koi8-u", "gb2312",
	    "gbk", "gb18030", "big5", "euc-jp", "euc-kr" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (span_is(name, names[i]))
			return true;
	return false;
}

/* iconv takes path-like suffixes ("//TRANSLIT"); a charset name has none. */
static bool
name_copy(struct span name, char out[NAME_MAX_LEN + 1])
{
	size_t i;

	if (name.n == 0 || name.n > NAME_MAX_LEN)
		return false;
	for (i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (!ascii_isalnum(c) && (c == 0 ||
		    strchr("-_.:()+", c) == NULL))
			return false;
		out[i] = name.p[i];
	}
	out[name.n] = '\0';
	return true;
}

static iconv_t
converter_open(struct span name)
{
	char text[NAME_MAX_LEN + 1];

	if (!name_copy(name, text))
		return (iconv_t)-1;
	return iconv_open("UTF-8", text);
}

bool
charset_known(struct span name)
{
	iconv_t cd;

	if (is_utf8_name(name))
		return true;
	cd = converter_open(name);
	if (cd == (iconv_t)-1)
		return false;
	iconv_close(cd);
	return true;
}

/* Length of the valid UTF-8 sequence at the front, or 0. */
static size_t
sequence_length(struct span s)
{
	size_t n;

	for (n = 1; n <= 4 && n <= s.n; n++)
		if (span_is_utf8(span_sub(s, 0, n)))
			return n;
	return 0;
}

static void
clean_utf8(struct buf *out, struct span in)
{
	size_t n;

	if (span_is_utf8(in)) {
		buf_span_add(out, in);
		return;
	}
	while (in.n > 0) {
		n = sequence_length(in);
		if (n == 0)
			buf_str(out, REPLACEMENT);
		else
			buf_append(out, in.p, n);
		in = span_sub(in, MAX(n, (size_t)1), in.n);
	}
}

static void
convert(struct buf *out, iconv_t cd, struct span in)
{
	char chunk[1024], *from, *to;
	size_t left = in.n, room, done;

	from = (char *)(uintptr_t)in.p;
	while (left > 0 && !buf_failed(out)) {
		to = chunk;
		room = sizeof(chunk);
		done = iconv(cd, &from, &left, &to, &room);
		buf_append(out, chunk, sizeof(chunk) - room);
		if (done != (size_t)-1 || errno == E2BIG)
			continue;
		/* EILSEQ, EINVAL: a byte that means nothing */
		buf_str(out, REPLACEMENT);
		from++;
		left--;
		iconv(cd, NULL, NULL, NULL, NULL);
	}
}

bool
charset_to_utf8(struct buf *out, struct span name, struct span in)
{
	iconv_t cd;

	if (is_utf8_name(name)) {
		clean_utf8(out, in);
		return true;
	}
	if (holds_ascii(name) && span_is_ascii(in)) {
		buf_span_add(out, in);
		return true;
	}
	cd = converter_open(name);
	if (cd == (iconv_t)-1)
		return false;
	convert(out, cd, in);
	iconv_close(cd);
	return true;
}

/* Lower case of a code point below U+0800: what two bytes can say. */
static uint32_t
fold_point(uint32_t c)
{
	if ((c >= 0xc0 && c <= 0xde && c != 0xd7) ||
	    (c >= 0x391 && c <= 0x3ab && c != 0x3a2) ||
	    (c >= 0x410 && c <= 0x42f))
		return c + 32;
	if (c >= 0x400 && c <= 0x40f)
		return c + 80;
	if (c >= 0x531 && c <= 0x556)
		return c + 48;
	if (c == 0x178)
		return 0xff;
	if (c >= 0x388 && c <= 0x38a)
		return c + 37;
	if (c == 0x386 || c == 0x38c)
		return c == 0x386 ? 0x3ac : 0x3cc;
	if (c == 0x38e || c == 0x38f)
		return c + 63;
	if (c == 0x3c2)
		return 0x3c3;			/* final sigma */
	/* pairs, capital first */
	if ((c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) ||
	    (c >= 0x14a && c <= 0x177) || (c >= 0x460 && c <= 0x481) ||
	    (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f) ||
	    (c >= 0x1de && c <= 0x1ef) || (c >= 0x1f8 && c <= 0x21f) ||
	    (c >= 0x222 && c <= 0x233))
		return c | 1;
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) ||
	    (c >= 0x4c1 && c <= 0x4ce) || (c >= 0x1cd && c <= 0x1dc))
		return c + (c & 1);
	return c;
}

/* Eight bytes at once, if all are ASCII. Adding makes bit 7 of a byte say that
 * the byte is 'A' or more, and more than 'Z'; without it bit 5 is set. */
static bool
fold_eight(const unsigned char *p, unsigned char *to)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t w, from_a, past_z;

	memcpy(&w, p, sizeof(w));
	if ((w & each * 0x80) != 0)
		return false;
	from_a = w + each * (0x80 - 'A');
	past_z = w + each * (0x80 - 'Z' - 1);
	w |= (from_a & ~past_z & each * 0x80) >> 2;
	memcpy(to, &w, sizeof(w));
	return true;
}

/* The character at the front of the n bytes at p: how many were read, and as many
 * are written. */
static size_t
fold_one(const unsigned char *p, size_t n, unsigned char *to)
{
	uint32_t c;

	if (p[0] >= 0xc3 && p[0] <= 0xd5 && n > 1 && (p[1] & 0xc0) == 0x80) {
		c = fold_point((p[0] & 31u) << 6 | (p[1] & 63u));
		to[0] = (unsigned char)(0xc0 | c >> 6);
		to[1] = (unsigned char)(0x80 | (c & 63));
		return 2;
	}
	to[0] = (unsigned char)ascii_lower((char)p[0]);
	return 1;
}

void
utf8_fold(struct buf *out, struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	unsigned char *to;
	size_t i = 0;

	if (in.n == 0)
		return;
	to = (unsigned char *)buf_reserve(out, in.n);
	if (to == NULL)
		return;
	while (i < in.n) {
		if (in.n - i >= 8 && fold_eight(p + i, to + i))
			i += 8;
		else
			i += fold_one(p + i, in.n - i, to + i);
	}
	buf_commit(out, in.n);
}
