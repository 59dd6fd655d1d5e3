/*
 * A worker (smtpd or imapd) that asks for logins: its IPC connection and the
 * exchanges it has under way. When the connection ends, they end.
 */
#ifndef AUTHD_CLIENT_H
#define AUTHD_CLIENT_H

#include "authd/exchange.h"
#include "base/ipc.h"

struct client;

#define CLIENT_EXCHANGES_MAX	20000

/* Takes fd over. gone(c, arg) runs once when the peer is away; free it there.
 */
struct client *client_new(struct exchange_env *env, int fd, const char *name,
    void (*gone)(struct client *c, void *arg), void *arg);
void client_free(struct client **c);
/* Sends AUTH_REVOKE. */
void client_revoke(struct client *c, uint64_t mailbox_id);

#endif
