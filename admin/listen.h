/*
 * The listen sockets of all [service] sections. They belong to posternd and
 * outlive every worker, so that a dead worker's accept queue is not lost.
 */
#ifndef ADMIN_LISTEN_H
#define ADMIN_LISTEN_H

#include "base/conf.h"
#include "proto/service.h"

struct listen_socket {
	char *section;
	char *address;			/* as written, for messages */
	enum service_role role;
	int fd;
};

struct listen_set {
	struct listen_socket *v;
	size_t n;
};

/* Opens every address of every service, or none. */
int listen_open_all(struct listen_set *set, const struct conf *conf,
    struct err *err) MUST_CHECK;
void listen_close_all(struct listen_set *set);
bool listen_has_role(const struct listen_set *set, enum service_role role);

/* Is `address` of the form ADDRESS:PORT, [IPV6]:PORT or *:PORT? Touches no
 * network; for `postern config check`. */
bool listen_address_ok(struct span address, struct err *err);

#endif
