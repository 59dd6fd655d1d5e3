#include "net/client_name.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

struct client_name_ask {
	struct dns *dns;
	struct dns_query *query;
	client_name_cb *cb;
	void *arg;
	uint8_t addr[16];
	size_t addr_len;
	struct client_name found;
};

static void
ask_finish(struct client_name_ask *a, enum client_name_state state)
{
	a->found.name_state = state;
	if (state == CLIENT_NAME_OK)
		memcpy(a->found.name, a->found.reverse_name, DNS_NAME_MAX);
	else
		memcpy(a->found.name, "unknown", sizeof("unknown"));
	a->cb(&a->found, a->arg);
	free(a);
}

static void
forward_cb(const struct dns_answer *ans, void *arg)
{
	struct client_name_ask *a = arg;
	size_t i;

	a->query = NULL;
	if (ans->result == DNS_TEMPFAIL) {
		ask_finish(a, CLIENT_NAME_TEMP);
		return;
	}
	for (i = 0; i < ans->n_records; i++)
		if (memcmp(ans->record[i].addr, a->addr, a->addr_len) == 0) {
			ask_finish(a, CLIENT_NAME_OK);
			return;
		}
	ask_finish(a, CLIENT_NAME_FORGED);
}

static void
no_reverse(struct client_name_ask *a, enum client_name_state state)
{
	memcpy(a->found.reverse_name, "unknown", sizeof("unknown"));
	a->found.reverse_state = state;
	ask_finish(a, state);
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

static void
reverse_cb(const struct dns_answer *ans, void *arg)
{
	struct client_name_ask *a = arg;

	a->query = NULL;
	if (ans->result == DNS_TEMPFAIL) {
		no_reverse(a, CLIENT_NAME_TEMP);
		return;
	}
	if (ans->result != DNS_OK ||
	    !host_name_is_sane(ans->record[0].name)) {
		no_reverse(a, CLIENT_NAME_NONE);
		return;
	}
	memcpy(a->found.reverse_name, ans->record[0].name, DNS_NAME_MAX);
	a->found.reverse_state = CLIENT_NAME_OK;
	a->query = dns_lookup(a->dns, a->found.reverse_name,
	    a->addr_len == 4 ? DNS_A : DNS_AAAA, forward_cb, a);
}

struct client_name_ask *
client_name_find(struct dns *d, const char *ip, client_name_cb *cb, void *arg)
{
	struct client_name_ask *a = xcalloc(1, sizeof(*a));
	char name[DNS_NAME_MAX];

	a->dns = d;
	a->cb = cb;
	a->arg = arg;
	if (inet_pton(AF_INET, ip, a->addr) == 1)
		a->addr_len = 4;
	else if (inet_pton(AF_INET6, ip, a->addr) == 1)
		a->addr_len = 16;
	if (!dns_reverse_name(ip, NULL, name))
		name[0] = '\0';		/* answers NXDOMAIN, from the loop */
	a->query = dns_lookup(d, name, DNS_PTR, reverse_cb, a);
	return a;
}

void
client_name_cancel(struct client_name_ask **ap)
{
	struct client_name_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	dns_cancel(&a->query);
	free(a);
}
