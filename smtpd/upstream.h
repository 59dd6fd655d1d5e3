/*
 * Connections through a proxy: the PROXY header is read before there is a
 * session, so that all a session does (limits, names, the early-talker test,
 * TLS from the first byte) is about the client and not about the proxy.
 *
 * Always true: only a peer in smtpd_upstream_proxy_hosts is listened to; no
 * byte behind the header is taken; whoever sends no header is disconnected.
 */
#ifndef SMTPD_UPSTREAM_H
#define SMTPD_UPSTREAM_H

#include "smtpd/server.h"

struct sockaddr_storage;

/* A new connection on a listener of prof: takes fd. A session follows at once
 * or, on a listener behind a proxy, when the header has come. */
void upstream_accept(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from);
/* Disconnects all that have not sent their header. */
void upstream_end_all(struct server *srv);

#endif
