#include "gate/netlist.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/conf.h"
#include "base/xmalloc.h"

struct net {
	struct net_addr addr;
	unsigned bits;			/* of 128 */
	bool not;
};

struct netlist {
	size_t n;
	struct net *nets;
};

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255,
	255 };

bool
net_addr_parse(struct span text, struct net_addr *a)
{
	char mem[INET6_ADDRSTRLEN];

	if (text.n == 0 || text.n >= sizeof(mem) ||
	    memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(mem, text.p, text.n);
	mem[text.n] = '\0';
	if (inet_pton(AF_INET6, mem, a->b) == 1)
		return true;
	memcpy(a->b, v4_prefix, sizeof(v4_prefix));
	return inet_pton(AF_INET, mem, a->b + 12) == 1;
}

static bool
is_v4(const struct net_addr *a)
{
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

static bool
net_parse(struct span word, struct net *n)
{
	struct span addr = word;
	ptrdiff_t slash;
	uint32_t bits = 128;
	bool v4;

	n->not = addr.n > 0 && addr.p[0] == '!';
	if (n->not)
		addr = span_sub(addr, 1, addr.n);
	slash = span_rchr(addr, '/');
	if (slash != -1) {
		if (!span_u32(span_sub(addr, (size_t)slash + 1, addr.n), 0,
		    128, &bits))
			return false;
		addr = span_sub(addr, 0, (size_t)slash);
	}
	if (addr.n > 2 && addr.p[0] == '[' && addr.p[addr.n - 1] == ']')
		addr = span_sub(addr, 1, addr.n - 2);
	if (!net_addr_parse(addr, &n->addr))
		return false;
	v4 = is_v4(&n->addr) && span_chr(addr, ':') == -1;
	if (v4 && slash != -1) {
		if (bits > 32)
			return false;
		bits += 96;
	}
	n->bits = bits;
	return true;
}

struct netlist *
netlist_parse(const char *text, struct span *bad)
{
	struct netlist *l = xcalloc(1, sizeof(*l));
	struct span rest = span_str(text), word;

	while (conf_list_next(&rest, &word)) {
		l->nets = xreallocarray(l->nets, l->n + 1, sizeof(*l->nets));
		if (!net_parse(word, &l->nets[l->n])) {
			*bad = word;
			netlist_free(&l);
			return NULL;
		}
		l->n++;
	}
	return l;
}

void
netlist_free(struct netlist **l)
{
	if (*l == NULL)
		return;
	free((*l)->nets);
	free(*l);
	*l = NULL;
}

bool
netlist_match(const struct netlist *l, const struct net_addr *a)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (bits_equal(l->nets[i].addr.b, a->b, l->nets[i].bits))
			return !l->nets[i].not;
	return false;
}

bool
netlist_too_wide(const struct netlist *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!l->nets[i].not && (is_v4(&l->nets[i].addr) &&
		    l->nets[i].bits >= 96 ? l->nets[i].bits < 96 + 8 :
		    l->nets[i].bits < 16))
			return true;
	return false;
}

/* Is all of `inner` in the list, but for what stands behind a "!"? */
static bool
has_all_of(const struct netlist *l, const struct net *inner)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!l->nets[i].not && l->nets[i].bits <= inner->bits &&
		    bits_equal(l->nets[i].addr.b, inner->addr.b,
		    l->nets[i].bits))
			return true;
	return false;
}

bool
netlist_has_private_range(const struct netlist *l)
{
	static const char *const ranges[] = { "10.0.0.0/8", "172.16.0.0/12",
		"192.168.0.0/16", "100.64.0.0/10" };
	struct net range;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ranges); i++)
		if (net_parse(span_str(ranges[i]), &range) &&
		    has_all_of(l, &range))
			return true;
	return false;
}

bool
netlist_overlaps(const struct netlist *l, struct span word)
{
	struct net n;
	size_t i;

	if (!net_parse(word, &n) || n.not)
		return false;
	for (i = 0; i < l->n; i++)
		if (bits_equal(l->nets[i].addr.b, n.addr.b,
		    MIN(l->nets[i].bits, n.bits)))
			return !l->nets[i].not;
	return false;
}
