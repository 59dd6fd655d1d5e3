#include "net/client_name.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

struct client_name_ask {
	struct dnscache *cache;
	struct dnscache_ask *query;
	client_name_cb *cb;
	void *arg;
	uint8_t addr[16];
	size_t addr_len;
	struct client_name found;
};

/* --- what an answer says; true: all is known --- */

static bool
name_end(struct client_name *n, enum client_name_state state)
{
	n->name_state = state;
	if (state == CLIENT_NAME_OK)
		memcpy(n->name, n->reverse_name, DNS_NAME_MAX);
	else
		memcpy(n->name, "unknown", sizeof("unknown"));
	return true;
}

static bool
no_reverse(struct client_name *n, enum client_name_state state)
{
	memcpy(n->reverse_name, "unknown", sizeof("unknown"));
	n->reverse_state = state;
	return name_end(n, state);
}

/* A name we may show in headers and logs: letters, digits, - _ and dots, and
 * not a numeric address (RFC 1123 2.1; a PTR can hold anything). */
static bool
host_name_is_sane(const char *name)
{
	struct span s = span_str(name);
	uint8_t any[16];
	size_t i;

	if (s.n == 0 || s.p[0] == '-' || inet_pton(AF_INET, name, any) == 1)
		return false;
	for (i = 0; i < s.n; i++)
		if (!ascii_isalnum((unsigned char)s.p[i]) &&
		    strchr("-_.", s.p[i]) == NULL)
			return false;
	return true;
}

static bool
reverse_take(struct client_name_ask *a, const struct dns_answer *ans)
{
	if (ans->result == DNS_TEMPFAIL)
		return no_reverse(&a->found, CLIENT_NAME_TEMP);
	if (ans->result != DNS_OK || !host_name_is_sane(ans->record[0].name))
		return no_reverse(&a->found, CLIENT_NAME_NONE);
	memcpy(a->found.reverse_name, ans->record[0].name, DNS_NAME_MAX);
	a->found.reverse_state = CLIENT_NAME_OK;
	return false;
}

static bool
forward_take(struct client_name_ask *a, const struct dns_answer *ans)
{
	size_t i;

	if (ans->result == DNS_TEMPFAIL)
		return name_end(&a->found, CLIENT_NAME_TEMP);
	for (i = 0; i < ans->n_records; i++)
		if (memcmp(ans->record[i].addr, a->addr, a->addr_len) == 0)
			return name_end(&a->found, CLIENT_NAME_OK);
	return name_end(&a->found, CLIENT_NAME_FORGED);
}

/* --- asking --- */

static void
ask_end(struct client_name_ask *a)
{
	a->cb(&a->found, a->arg);
	free(a);
}

static void
forward_cb(struct dns_kept *k, void *arg)
{
	struct client_name_ask *a = arg;

	a->query = NULL;
	(void)forward_take(a, &k->answer);
	ask_end(a);
}

/* False: the cache does not know, and forward_cb comes. */
static bool
forward_find(struct client_name_ask *a)
{
	enum dns_type type = a->addr_len == 4 ? DNS_A : DNS_AAAA;
	struct dns_kept *k = dnscache_peek(a->cache, a->found.reverse_name,
	    type);

	if (k == NULL) {
		a->query = dnscache_ask(a->cache, a->found.reverse_name, type,
		    forward_cb, a);
		return false;
	}
	(void)forward_take(a, &k->answer);
	dns_kept_unref(&k);
	return true;
}

static void
reverse_cb(struct dns_kept *k, void *arg)
{
	struct client_name_ask *a = arg;

	a->query = NULL;
	if (reverse_take(a, &k->answer) || forward_find(a))
		ask_end(a);
}

/* False: the cache does not know, and reverse_cb or forward_cb comes. */
static bool
reverse_find(struct client_name_ask *a, const char *ip)
{
	char name[DNS_NAME_MAX];
	struct dns_kept *k;
	bool end;

	if (!dns_reverse_name(ip, NULL, name))
		return no_reverse(&a->found, CLIENT_NAME_NONE);
	k = dnscache_peek(a->cache, name, DNS_PTR);
	if (k == NULL) {
		a->query = dnscache_ask(a->cache, name, DNS_PTR, reverse_cb,
		    a);
		return false;
	}
	end = reverse_take(a, &k->answer);
	dns_kept_unref(&k);
	return end || forward_find(a);
}

struct client_name_ask *
client_name_find(struct dnscache *c, const char *ip,
    struct client_name *known, client_name_cb *cb, void *arg)
{
	struct client_name_ask *a = xcalloc(1, sizeof(*a));

	a->cache = c;
	a->cb = cb;
	a->arg = arg;
	if (inet_pton(AF_INET, ip, a->addr) == 1)
		a->addr_len = 4;
	else if (inet_pton(AF_INET6, ip, a->addr) == 1)
		a->addr_len = 16;
	if (!reverse_find(a, ip))
		return a;
	*known = a->found;
	free(a);
	return NULL;
}

void
client_name_cancel(struct client_name_ask **ap)
{
	struct client_name_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	dnscache_cancel(&a->query);
	free(a);
}
