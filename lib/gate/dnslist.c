#include "gate/dnslist.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "mail/address.h"

struct dnslist {
	char *spec, *zone;
	bool filtered;
	uint8_t set[4][256 / 8];	/* values of each octet that count */
};

static void
set_range(uint8_t set[32], uint32_t from, uint32_t to)
{
	uint32_t i;

	for (i = from; i <= to; i++)
		set[i / 8] |= (uint8_t)(1u << (i % 8));
}

static bool
set_has(const uint8_t set[32], uint8_t v)
{
	return set[v / 8] & 1u << (v % 8);
}

/* "7", or "2..11". */
static bool
range_parse(struct span text, uint8_t set[32])
{
	ptrdiff_t dots = span_chr(text, '.');
	uint32_t from, to;

	if (dots < 0) {
		if (!span_u32(text, 0, 255, &from))
			return false;
		set_range(set, from, from);
		return true;
	}
	if (!span_u32(span_sub(text, 0, (size_t)dots), 0, 255, &from) ||
	    !span_starts(span_sub(text, (size_t)dots, text.n), "..") ||
	    !span_u32(span_sub(text, (size_t)dots + 2, text.n), 0, 255,
	    &to) || from > to)
		return false;
	set_range(set, from, to);
	return true;
}

/* One of the four numbers: takes it off the front. */
static bool
octet_parse(struct span *rest, uint8_t set[32])
{
	struct span inside, part;
	size_t n = 0;

	if (rest->n > 0 && rest->p[0] == '[') {
		ptrdiff_t end = span_chr(*rest, ']');

		if (end < 2)
			return false;
		inside = span_sub(*rest, 1, (size_t)end - 1);
		*rest = span_sub(*rest, (size_t)end + 1, rest->n);
		while (span_split(&inside, ';', &part))
			if (!range_parse(part, set))
				return false;
		return true;
	}
	while (n < rest->n && ascii_isdigit((unsigned char)rest->p[n]))
		n++;
	part = span_sub(*rest, 0, n);
	*rest = span_sub(*rest, n, rest->n);
	return range_parse(part, set);
}

static bool
filter_parse(struct span text, struct dnslist *l)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (i > 0) {
			if (text.n == 0 || text.p[0] != '.')
				return false;
			text = span_sub(text, 1, text.n);
		}
		if (!octet_parse(&text, l->set[i]))
			return false;
	}
	return text.n == 0;
}

struct dnslist *
dnslist_parse(struct span spec, struct buf *why)
{
	struct dnslist *l = xcalloc(1, sizeof(*l));
	ptrdiff_t eq = span_chr(spec, '=');
	struct span zone = eq < 0 ? spec : span_sub(spec, 0, (size_t)eq);

	l->spec = xmemdup0(spec.p, spec.n);
	l->zone = xmemdup0(zone.p, zone.n);
	l->filtered = eq >= 0;
	if (!address_is_domain(zone, 0)) {
		buf_fmt(why, "\"%.*s\" is no domain of a DNS list",
		    SPAN_ARG(zone));
		dnslist_free(&l);
	} else if (l->filtered && !filter_parse(span_sub(spec, (size_t)eq + 1,
	    spec.n), l)) {
		buf_fmt(why, "\"%.*s\": behind \"=\" four numbers are wanted, "
		    "such as 127.0.0.2 or 127.0.0.[2..11;14]", SPAN_ARG(spec));
		dnslist_free(&l);
	}
	return l;
}

void
dnslist_free(struct dnslist **lp)
{
	struct dnslist *l = *lp;

	*lp = NULL;
	if (l == NULL)
		return;
	free(l->spec);
	free(l->zone);
	free(l);
}

const char *
dnslist_zone(const struct dnslist *l)
{
	return l->zone;
}

const char *
dnslist_spec(const struct dnslist *l)
{
	return l->spec;
}

enum dnslist_answer
dnslist_answer_kind(const uint8_t addr[4])
{
	if (addr[0] != 127)
		return DNSLIST_OUTSIDE;
	return addr[1] == 255 && addr[2] == 255 ? DNSLIST_REFUSES :
	    DNSLIST_COUNTS;
}

bool
dnslist_match(const struct dnslist *l, const uint8_t addr[4])
{
	int i;

	if (dnslist_answer_kind(addr) != DNSLIST_COUNTS)
		return false;
	for (i = 0; l->filtered && i < 4; i++)
		if (!set_has(l->set[i], addr[i]))
			return false;
	return true;
}

const uint8_t *
dnslist_find(const struct dnslist *l, const struct dns_answer *a)
{
	size_t i;

	for (i = 0; i < a->n_records; i++)
		if (dnslist_match(l, a->record[i].addr))
			return a->record[i].addr;
	return NULL;
}

bool
dnslist_is_odd(const struct dns_answer *a)
{
	size_t i;

	for (i = 0; i < a->n_records; i++)
		if (dnslist_answer_kind(a->record[i].addr) != DNSLIST_COUNTS)
			return true;
	return false;
}
