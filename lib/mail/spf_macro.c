/*
 * SPF macros (RFC 7208 7).
 */
#include <arpa/inet.h>

#include "base/buf.h"
#include "base/clock.h"
#include "mail/spf_record.h"

#define LABELS_MAX	256

/* One "%{...}". */
struct macro {
	char letter;		/* lower case */
	bool escape;		/* it was upper case: URL-escape */
	uint32_t keep;		/* 0: all parts */
	bool reverse;
	struct span delims;
};

/* Reads the macro at the front ("%{" ... "}"); its length, or 0. */
static size_t
macro_read(struct span s, bool is_exp, struct macro *m)
{
	size_t i = 3, from;

	if (s.n < 4 || s.p[0] != '%' || s.p[1] != '{')
		return 0;
	*m = (struct macro){ .letter = ascii_lower(s.p[2]),
	    .escape = s.p[2] >= 'A' && s.p[2] <= 'Z' };
	if (s.p[2] == '\0' || strchr(is_exp ? "slodiphcrtv" : "slodiphv",
	    m->letter) == NULL)
		return 0;
	for (from = i; i < s.n && ascii_isdigit((unsigned char)s.p[i]);)
		i++;
	if (i > from && !span_u32(span_sub(s, from, i - from), 1, 128,
	    &m->keep))
		return 0;
	if (i < s.n && ascii_lower(s.p[i]) == 'r') {
		m->reverse = true;
		i++;
	}
	for (from = i; i < s.n && s.p[i] != '}'; i++)
		if (s.p[i] == '\0' || strchr(".-+,/_=", s.p[i]) == NULL)
			return 0;
	m->delims = span_sub(s, from, i - from);
	return i < s.n ? i + 1 : 0;
}

bool
spf_macro_valid(struct span text, bool is_exp)
{
	struct macro m;
	size_t i, n;

	for (i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '%') {
			if (i + 1 < text.n && text.p[i + 1] != '\0' &&
			    strchr("%_-", text.p[i + 1]) != NULL) {
				i++;
				continue;
			}
			n = macro_read(span_sub(text, i, text.n), is_exp, &m);
			if (n == 0)
				return false;
			i += n - 1;
		} else if (c < (is_exp ? 0x20 : 0x21) || c > 0x7e)
			return false;
	}
	return true;
}

bool
spf_macro_uses_p(struct span text)
{
	struct macro m;
	size_t i;

	for (i = 0; i + 1 < text.n; i++)
		if (text.p[i] == '%') {
			if (text.p[i + 1] == '%')
				i++;
			else if (macro_read(span_sub(text, i, text.n), true,
			    &m) > 0 && m.letter == 'p')
				return true;
		}
	return false;
}

static void
ip_add(const struct spf_macros *m, bool readable, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	char text[INET6_ADDRSTRLEN];
	unsigned i;

	if (!m->v6 || readable) {
		(void)inet_ntop(m->v6 ? AF_INET6 : AF_INET, m->ip, text,
		    sizeof(text));
		buf_str(out, text);
		return;
	}
	for (i = 0; i < 16; i++) {
		if (i > 0)
			buf_char(out, '.');
		buf_char(out, hex[m->ip[i] >> 4]);
		buf_char(out, '.');
		buf_char(out, hex[m->ip[i] & 15]);
	}
}

static void
letter_add(const struct spf_macros *m, char letter, struct buf *out)
{
	switch (letter) {
	case 's':
		buf_span_add(out, m->sender);
		break;
	case 'l':
		buf_span_add(out, m->local);
		break;
	case 'o':
		buf_span_add(out, m->sender_domain);
		break;
	case 'd':
		buf_str(out, m->domain);
		break;
	case 'i':
		ip_add(m, false, out);
		break;
	case 'c':
		ip_add(m, true, out);
		break;
	case 'p':
		buf_str(out, m->validated);
		break;
	case 'v':
		buf_str(out, m->v6 ? "ip6" : "in-addr");
		break;
	case 'h':
		buf_span_add(out, m->helo);
		break;
	case 'r':
		buf_span_add(out, m->receiver);
		break;
	case 't':
		buf_dec(out, (uint64_t)(clock_wall_us() / 1000000));
		break;
	}
}

/* Splits at any delimiter, keeps the rightmost parts, joins with dots. */
static void
parts_add(struct span value, const struct macro *mac, struct buf *out)
{
	struct span delims = mac->delims.n > 0 ? mac->delims :
	    SPAN_LIT("."), part[LABELS_MAX];
	size_t n = 0, from = 0, i, first;

	for (i = 0; i <= value.n && n < LABELS_MAX; i++)
		if (i == value.n || span_chr(delims, value.p[i]) >= 0) {
			part[n++] = span_sub(value, from, i - from);
			from = i + 1;
		}
	if (mac->reverse)
		for (i = 0; i < n / 2; i++) {
			struct span t = part[i];

			part[i] = part[n - 1 - i];
			part[n - 1 - i] = t;
		}
	first = mac->keep > 0 && mac->keep < n ? n - mac->keep : 0;
	for (i = first; i < n; i++) {
		if (i > first)
			buf_char(out, '.');
		buf_span_add(out, part[i]);
	}
}

static void
escaped_add(struct span s, struct buf *out)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (ascii_isalnum(c) || (c != '\0' && strchr("-._~", c)))
			buf_char(out, (char)c);
		else
			buf_fmt(out, "%%%02X", c);
	}
}

static void
macro_add(const struct spf_macros *m, const struct macro *mac,
    struct buf *out)
{
	struct buf value, parts;

	buf_init(&value, 2048);
	buf_init(&parts, 4096);
	letter_add(m, mac->letter, &value);
	if (mac->keep == 0 && !mac->reverse && mac->delims.n == 0)
		buf_span_add(&parts, buf_span(&value));
	else
		parts_add(buf_span(&value), mac, &parts);
	if (mac->escape)
		escaped_add(buf_span(&parts), out);
	else
		buf_span_add(out, buf_span(&parts));
	buf_fini(&value);
	buf_fini(&parts);
}

void
spf_macro_expand(struct span text, const struct spf_macros *m,
    struct buf *out)
{
	struct macro mac;
	size_t i = 0, n;

	while (i < text.n) {
		if (text.p[i] != '%' || i + 1 >= text.n) {
			buf_char(out, text.p[i++]);
			continue;
		}
		n = macro_read(span_sub(text, i, text.n), true, &mac);
		if (n > 0) {
			macro_add(m, &mac, out);
			i += n;
			continue;
		}
		buf_str(out, text.p[i + 1] == '_' ? " " :
		    text.p[i + 1] == '-' ? "%20" : "%");
		i += 2;
	}
}
