#include "gate/grey.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool
is_v4(const struct net_addr *a)
{
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

const char *
grey_why_text(enum grey_why why)
{
	static const char *const texts[GREY_WHYS] = {
		[GREY_NEW] = "not seen before",
		[GREY_EARLY] = "came back too early",
		[GREY_CAME_BACK] = "came back after its time",
		[GREY_KNOWN] = "known",
		[GREY_TRUSTED] = "its organisation came back often enough",
		[GREY_BUDGET] = "its organisation has waited enough",
		[GREY_EXEMPT] = "exempt",
		[GREY_WRITTEN] = "a user wrote to the sender",
		[GREY_UNWANTED] = "the recipient wants no greylisting",
		[GREY_AWAY] = "nobody knows at the moment",
	};

	return why < GREY_WHYS ? texts[why] : "?";
}

/* --- the organisation --- */

/* Second-level names that registries sell under; a rule of thumb for names
 * of countries, where a short one is one, too. */
static bool
is_registry(struct span label)
{
	static const char *const words[] = { "com", "net", "org", "edu",
		"gov", "mil", "info", "asso", "gouv", "firm", "store" };
	size_t i;

	if (label.n <= 2)
		return true;
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (span_is(label, words[i]))
			return true;
	return false;
}

/* The name from its n-th label from behind on. */
static struct span
last_labels(struct span name, unsigned n)
{
	size_t i;

	for (i = name.n; i > 0; i--)
		if (name.p[i - 1] == '.' && --n == 0)
			return span_sub(name, i, name.n);
	return name;
}

static struct span
first_label(struct span name)
{
	struct span rest = name, label = SPAN_NONE;

	(void)span_split(&rest, '.', &label);
	return label;
}

/* How many of an IPv4 address' numbers stand in the name as numbers. */
static unsigned
numbers_in(struct span name, const uint8_t ip[4])
{
	unsigned found = 0, k;
	uint64_t n;
	size_t i, end;

	for (k = 0; k < 4; k++)
		for (i = 0; i < name.n; i = end + 1) {
			for (end = i; end < name.n && ascii_isdigit(
			    (unsigned char)name.p[end]); end++)
				;
			if (end > i && span_u64(span_sub(name, i, end - i), 0,
			    255, &n) && n == ip[k]) {
				found++;
				break;
			}
		}
	return found;
}

static bool
has_word(struct span name, const char *word, size_t n)
{
	size_t i;

	for (i = 0; i + n <= name.n; i++)
		if (span_ieq(span_sub(name, i, n), span_of(word, n)))
			return true;
	return false;
}

/* Three of four numbers, or all of it in hexadecimal. Of IPv6 the half that
 * tells hosts apart. */
static bool
is_made_of_address(struct span name, const struct net_addr *a)
{
	const uint8_t *b = a->b + (is_v4(a) ? 12 : 8);
	char hex[33];
	size_t i, n = is_v4(a) ? 4 : 8;

	if (is_v4(a) && numbers_in(name, b) >= 3)
		return true;
	for (i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, sizeof(hex) - 2 * i, "%02x", b[i]);
	return has_word(name, hex, 2 * n);
}

struct span
grey_organisation(struct span client, const struct net_addr *a)
{
	struct span two = last_labels(client, 2), top = last_labels(client, 1);

	if (client.n == 0 || client.n > GREY_ORIGIN_MAX - 1 ||
	    two.n == top.n || is_made_of_address(client, a))
		return SPAN_NONE;
	if (top.n == 2 && is_registry(first_label(two)))
		return last_labels(client, 3).n == two.n ? SPAN_NONE :
		    last_labels(client, 3);
	return two;
}

void
grey_network(const struct net_addr *a, unsigned v4, unsigned v6,
    struct buf *out)
{
	unsigned bits = is_v4(a) ? 96 + MIN(v4, 32u) : MIN(v6, 128u), i;
	char text[INET6_ADDRSTRLEN];
	uint8_t b[16];

	for (i = 0; i < 16; i++) {
		unsigned keep = bits > i * 8 ? MIN(bits - i * 8, 8u) : 0;

		b[i] = (uint8_t)(a->b[i] & (0xff00 >> keep & 0xff));
	}
	(void)inet_ntop(is_v4(a) ? AF_INET : AF_INET6, is_v4(a) ? b + 12 : b,
	    text, sizeof(text));
	buf_fmt(out, "%s/%u", text, is_v4(a) ? bits - 96 : bits);
}

/* --- addresses --- */

static struct span
without_extension(struct span local)
{
	ptrdiff_t plus = span_chr(local, '+');

	return plus <= 0 || local.p[0] == '"' ? local :
	    span_sub(local, 0, (size_t)plus);
}

static bool
is_word_byte(const struct span *s, size_t i)
{
	return i < s->n && (ascii_isalnum((unsigned char)s->p[i]) ||
	    s->p[i] == '_' || (unsigned char)s->p[i] >= 0x80);
}

void
grey_sender(struct span address, struct buf *out)
{
	ptrdiff_t at = span_rchr(address, '@');
	struct span local;
	size_t i, end;

	if (at <= 0) {
		buf_span_add(out, address);
		return;
	}
	local = without_extension(span_sub(address, 0, (size_t)at));
	for (i = 0; i < local.n; i = end) {
		for (end = i; end < local.n && ascii_isdigit(
		    (unsigned char)local.p[end]); end++)
			;
		if (end == i)
			buf_char(out, local.p[end++]);
		else if ((i > 0 && is_word_byte(&local, i - 1)) ||
		    is_word_byte(&local, end))
			buf_append(out, local.p + i, end - i);
		else
			buf_char(out, '#');
	}
	buf_span_add(out, span_sub(address, (size_t)at, address.n));
}

void
grey_recipient(struct span address, struct buf *out)
{
	ptrdiff_t at = span_rchr(address, '@');

	if (at > 0)
		buf_span_add(out, without_extension(span_sub(address, 0,
		    (size_t)at)));
	buf_span_add(out, at > 0 ? span_sub(address, (size_t)at, address.n) :
	    address);
}
