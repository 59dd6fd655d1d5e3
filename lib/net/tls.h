/*
 * One TLS connection's state under a stream: OpenSSL driven by hand on a
 * non-blocking socket. Private to lib/net; programs use stream.h and certs.h.
 *
 * The error queue is cleared before each call into OpenSSL, and what a call
 * wants (to read, to write) is remembered until the next.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/span.h"
#include "net/stream.h"

struct ccert;
struct ccert_policy;
struct tls;

#define TLS_RECORD	16384

/* Settings that every context of ours has: versions from TLS 1.2, no
 * renegotiation (S29), no compression, small memory. Server or client. */
struct ssl_ctx_st *tls_ctx_new(bool server);

struct tls *tls_new(struct ssl_ctx_st *ctx, int fd, bool server,
    const char *host);
void tls_free(struct tls **t);
/* Before the handshake: asks the client for a certificate; p is lent and
 * must live as long as t. */
void tls_ask_ccert(struct tls *t, const struct ccert_policy *p);

/* All of these: > 0 done (bytes), 0 the peer closed (read only), or
 * PS_EAGAIN with tls_want() saying for what, or PS_EIO / PS_ECLOSED with
 * tls_why() saying why. */
int tls_handshake(struct tls *t);
ssize_t tls_read(struct tls *t, void *p, size_t n);
/* At most one record is written. After PS_EAGAIN call again with the same
 * bytes (more may follow behind them). */
ssize_t tls_write(struct tls *t, const void *p, size_t n);
/* Sends close_notify once, without waiting for the peer's. */
void tls_goodbye(struct tls *t);

bool tls_ready(const struct tls *t);	/* handshake complete */
int tls_want(const struct tls *t);	/* IO_READ or IO_WRITE */
bool tls_pending(const struct tls *t);	/* bytes wait inside OpenSSL */
const char *tls_why(const struct tls *t);

void tls_describe(const struct tls *t, struct stream_tls *info);
/* What the client has shown, to free with ccert_free; NULL: nothing. */
struct ccert *tls_ccert(const struct tls *t);
size_t tls_binding(const struct tls *t, const char **type,
    uint8_t out[STREAM_BINDING_MAX]);

/* A DNS host name as SNI may hold it: letters, digits, hyphens, dots,
 * underscores; labels of 1..63, no address, at most 253 bytes. */
bool tls_host_valid(struct span name);

#endif
