#include "admin/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/roles.h"
#include "base/xmalloc.h"

#define LISTEN_BACKLOG	4096

struct endpoint {
	char host[64];
	char port[8];
	bool any;		/* "*": all addresses of both families */
};

static int
endpoint_parse(struct span s, struct endpoint *ep, struct err *err)
{
	ptrdiff_t colon = span_rchr(s, ':');
	struct span host, port;
	uint32_t number;

	if (colon <= 0)
		goto bad;
	host = span_sub(s, 0, (size_t)colon);
	port = span_sub(s, (size_t)colon + 1, s.n);
	if (host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_sub(host, 1, host.n - 2);
	else if (span_chr(host, ':') != -1)
		goto bad;
	if (host.n == 0 || host.n >= sizeof(ep->host) ||
	    !span_u32(port, 1, 65535, &number))
		goto bad;
	memcpy(ep->host, host.p, host.n);
	ep->host[host.n] = '\0';
	memcpy(ep->port, port.p, port.n);
	ep->port[port.n] = '\0';
	ep->any = strcmp(ep->host, "*") == 0;
	return 0;
bad:
	return err_set(err, ERR_PERM, PS_ESYNTAX, "listen address `%.*s' is "
	    "not ADDRESS:PORT, [IPV6]:PORT or *:PORT", SPAN_ARG(s));
}

static struct addrinfo *
endpoint_resolve(const struct endpoint *ep, const char *host, int family,
    struct err *err)
{
	struct addrinfo hints = { .ai_family = family,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *res = NULL;
	int rc = getaddrinfo(host, ep->port, &hints, &res);

	if (rc != 0) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "listen address `%s': %s", ep->host, gai_strerror(rc));
		return NULL;
	}
	return res;
}

bool
listen_address_ok(struct span address, struct err *err)
{
	struct addrinfo *ai;
	struct endpoint ep;

	if (endpoint_parse(address, &ep, err) != 0)
		return false;
	if (ep.any)
		return true;
	ai = endpoint_resolve(&ep, ep.host, AF_UNSPEC, err);
	if (ai == NULL)
		return false;
	freeaddrinfo(ai);
	return true;
}

static int
socket_listen(const struct addrinfo *ai)
{
	int fd, on = 1, saved;

	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (ai->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
set_add(struct listen_set *set, const struct conf *section,
    struct span address, int fd)
{
	set->v = xreallocarray(set->v, set->n + 1, sizeof(*set->v));
	set->v[set->n++] = (struct listen_socket){
	    .section = xstrdup(section->name),
	    .address = xmemdup0(address.p, address.n),
	    .role = role_of_protocol(section->protocol), .fd = fd };
}

static int
host_open(struct listen_set *set, const struct conf *section,
    struct span address, const struct endpoint *ep, const char *host,
    int family, struct err *err)
{
	struct addrinfo *ai;
	int fd;

	ai = endpoint_resolve(ep, host, family, err);
	if (ai == NULL)
		return PS_ESYNTAX;
	fd = socket_listen(ai);
	freeaddrinfo(ai);
	/* A machine without IPv6 still serves `*'. */
	if (fd == -1 && ep->any && errno == EAFNOSUPPORT)
		return 0;
	if (fd == -1)
		return err_errno(err, "[service %s] listen on %.*s",
		    section->name, SPAN_ARG(address));
	set_add(set, section, address, fd);
	return 0;
}

static int
address_open(struct listen_set *set, const struct conf *section,
    struct span address, struct err *err)
{
	struct endpoint ep;
	int rc;

	rc = endpoint_parse(address, &ep, err);
	if (rc != 0)
		return rc;
	if (!ep.any)
		return host_open(set, section, address, &ep, ep.host,
		    AF_UNSPEC, err);
	rc = host_open(set, section, address, &ep, "0.0.0.0", AF_INET, err);
	return rc != 0 ? rc : host_open(set, section, address, &ep, "::",
	    AF_INET6, err);
}

int
listen_open_all(struct listen_set *set, const struct conf *conf,
    struct err *err)
{
	const struct conf *section;
	struct span rest, word;
	size_t i;
	int rc = 0;

	*set = (struct listen_set){ 0 };
	for (i = 0; rc == 0 && i < conf->n_sections; i++) {
		section = conf_section_at(conf, i);
		if (strcmp(section->kind, "service") != 0)
			continue;
		rest = span_str(section->listen);
		while (rc == 0 && conf_list_next(&rest, &word))
			rc = address_open(set, section, word, err);
	}
	if (rc != 0)
		listen_close_all(set);
	return rc;
}

void
listen_close_all(struct listen_set *set)
{
	size_t i;

	for (i = 0; i < set->n; i++) {
		close(set->v[i].fd);
		free(set->v[i].section);
		free(set->v[i].address);
	}
	free(set->v);
	*set = (struct listen_set){ 0 };
}

bool
listen_has_role(const struct listen_set *set, enum service_role role)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (set->v[i].role == role)
			return true;
	return false;
}
