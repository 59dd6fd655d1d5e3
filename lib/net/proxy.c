#include "net/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/hash.h"

#define V2_FIXED	16
#define TLV_CRC32C	0x03

static const char v1_start[] = "PROXY ";
static const char v2_start[] = "\r\n\r\n\0\r\nQUIT\n";

/* --- version 1: a line --- */

static bool
port_parse(struct span text, uint32_t *port)
{
	if (text.n > 1 && text.p[0] == '0')
		return false;
	return span_u32(text, 0, 65535, port);
}

static bool
end_parse(int family, struct span ip, struct span port,
    struct sockaddr_storage *ss)
{
	struct sockaddr_in *four = (void *)ss;
	struct sockaddr_in6 *six = (void *)ss;
	char mem[INET6_ADDRSTRLEN];
	uint32_t n;

	if (ip.n >= sizeof(mem) || memchr(ip.p, '\0', ip.n) != NULL ||
	    !port_parse(port, &n))
		return false;
	memcpy(mem, ip.p, ip.n);
	mem[ip.n] = '\0';
	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		four->sin_port = htons((uint16_t)n);
		return inet_pton(AF_INET, mem, &four->sin_addr) == 1;
	}
	six->sin6_port = htons((uint16_t)n);
	return inet_pton(AF_INET6, mem, &six->sin6_addr) == 1;
}

/* Exactly one space between words, none at the end. */
static bool
line_parse(struct span line, struct proxy_header *h)
{
	struct span word[6];
	size_t n = 0;
	int family;

	while (n < ARRAY_LEN(word) && span_split(&line, ' ', &word[n]))
		n++;
	if (n < 2 || line.p != NULL)
		return false;
	family = span_eq(word[1], SPAN_LIT("TCP4")) ? AF_INET :
	    span_eq(word[1], SPAN_LIT("TCP6")) ? AF_INET6 : AF_UNSPEC;
	h->kind = PROXY_INET;
	return n == 6 && family != AF_UNSPEC &&
	    end_parse(family, word[2], word[4], &h->from) &&
	    end_parse(family, word[3], word[5], &h->to);
}

static enum proxy_result
v1_parse(struct span in, struct proxy_header *h)
{
	static const struct span unknown = SPAN_LIT("PROXY UNKNOWN");
	struct span head = span_sub(in, 0, PROXY_V1_MAX);
	ptrdiff_t cr = span_chr(head, '\r'), lf = span_chr(head, '\n');
	struct span line;

	if (cr == -1 || (size_t)cr + 1 == head.n) {
		if (lf != -1 || head.n == PROXY_V1_MAX)
			return PROXY_BAD;
		return PROXY_MORE;
	}
	if (lf != cr + 1)
		return PROXY_BAD;
	h->n = (size_t)lf + 1;
	line = span_sub(head, 0, (size_t)cr);
	/* What follows that word is to be ignored. */
	if (span_eq(span_sub(line, 0, unknown.n), unknown) &&
	    (line.n == unknown.n || line.p[unknown.n] == ' ')) {
		h->kind = PROXY_UNKNOWN;
		return PROXY_DONE;
	}
	return line_parse(line, h) ? PROXY_DONE : PROXY_BAD;
}

/* --- version 2: bytes --- */

/* The checksum is over the header with its own four bytes zero. */
static bool
checksum_fits(struct span all, size_t at)
{
	static const char zero[4];
	uint32_t crc = crc32c(0, all.p, at);

	crc = crc32c(crc, zero, sizeof(zero));
	crc = crc32c(crc, all.p + at + 4, all.n - at - 4);
	return memcmp(all.p + at, (uint8_t[]){ (uint8_t)(crc >> 24),
	    (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc }, 4) == 0;
}

/* Of what is said beside the addresses we use nothing, but it must be well
 * formed and its checksum right. */
static bool
tlvs_fit(struct span all, size_t at)
{
	const uint8_t *p = (const uint8_t *)all.p;
	size_t n;

	for (; at < all.n; at += 3 + n) {
		if (all.n - at < 3)
			return false;
		n = (size_t)p[at + 1] << 8 | p[at + 2];
		if (n > all.n - at - 3)
			return false;
		if (p[at] == TLV_CRC32C &&
		    (n != 4 || !checksum_fits(all, at + 3)))
			return false;
	}
	return true;
}

static void
four_take(const char *p, struct proxy_header *h)
{
	struct sockaddr_in *from = (void *)&h->from, *to = (void *)&h->to;

	from->sin_family = to->sin_family = AF_INET;
	memcpy(&from->sin_addr, p, 4);
	memcpy(&to->sin_addr, p + 4, 4);
	memcpy(&from->sin_port, p + 8, 2);
	memcpy(&to->sin_port, p + 10, 2);
}

static void
six_take(const char *p, struct proxy_header *h)
{
	struct sockaddr_in6 *from = (void *)&h->from, *to = (void *)&h->to;

	from->sin6_family = to->sin6_family = AF_INET6;
	memcpy(&from->sin6_addr, p, 16);
	memcpy(&to->sin6_addr, p + 16, 16);
	memcpy(&from->sin6_port, p + 32, 2);
	memcpy(&to->sin6_port, p + 34, 2);
}

/* Address families: how long their addresses are, who takes them. */
static const struct family {
	uint8_t byte;
	size_t n;
	void (*take)(const char *p, struct proxy_header *h);
} families[] = {
	{ 0x00, 0, NULL },		/* unspecified */
	{ 0x11, 12, four_take },	/* TCP over IPv4 */
	{ 0x21, 36, six_take },		/* TCP over IPv6 */
	{ 0x31, 216, NULL },		/* a stream between unix sockets */
};

static const struct family *
family_find(uint8_t byte)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].byte == byte)
			return &families[i];
	return NULL;
}

static enum proxy_result
v2_parse(struct span in, struct proxy_header *h)
{
	const uint8_t *p = (const uint8_t *)in.p;
	const struct family *f;

	if (in.n < V2_FIXED)
		return PROXY_MORE;
	h->n = V2_FIXED + ((size_t)p[14] << 8 | p[15]);
	if ((p[12] != 0x20 && p[12] != 0x21) || h->n > PROXY_MAX)
		return PROXY_BAD;
	if (in.n < h->n)
		return PROXY_MORE;
	if (p[12] == 0x20) {
		h->kind = PROXY_LOCAL;	/* its addresses mean nothing */
		return PROXY_DONE;
	}
	f = family_find(p[13]);
	if (f == NULL || h->n - V2_FIXED < f->n ||
	    !tlvs_fit(span_sub(in, 0, h->n), V2_FIXED + f->n))
		return PROXY_BAD;
	h->kind = f->take == NULL ? PROXY_UNKNOWN : PROXY_INET;
	if (f->take != NULL)
		f->take(in.p + V2_FIXED, h);
	return PROXY_DONE;
}

/* --- either --- */

static bool
begins(struct span in, struct span start)
{
	size_t n = MIN(in.n, start.n);

	return memcmp(in.p, start.p, n) == 0;
}

enum proxy_result
proxy_parse(struct span in, struct proxy_header *h)
{
	struct span v1 = span_of(v1_start, sizeof(v1_start) - 1);
	struct span v2 = span_of(v2_start, sizeof(v2_start) - 1);

	memset(h, 0, sizeof(*h));
	if (in.n == 0)
		return PROXY_MORE;
	if (begins(in, v1))
		return in.n < v1.n ? PROXY_MORE : v1_parse(in, h);
	if (begins(in, v2))
		return in.n < v2.n ? PROXY_MORE : v2_parse(in, h);
	return PROXY_BAD;
}
