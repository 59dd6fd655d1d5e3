/*
 * The certificates a server shows: one default, and one per domain picked by
 * SNI. Workers are unprivileged, so posternd reads the files and hands their
 * contents over (proto/service.h); tests and tools use certs_load().
 *
 * A pair is replaced whole or not at all: a new one that does not parse, does
 * not match its key or has expired is refused with a reason and the old one
 * stays in use. Sessions that began with the old one keep it.
 *
 * A client's SNI is only looked up when it is a valid host name; an unknown
 * or invalid one gets the default certificate (S15).
 */
#ifndef NET_CERTS_H
#define NET_CERTS_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "base/span.h"

struct certs;

/* TLS versions are taken from conf, again by certs_conf() after a reload. The
 * store is reference-counted: streams in TLS hold it. Never NULL. */
struct certs *certs_new(const struct conf *conf);
struct certs *certs_ref(struct certs *c);
void certs_unref(struct certs **c);
void certs_conf(struct certs *c, const struct conf *conf);
/* Refuse clients that ask by ALPN for other protocols than this one ("imap",
 * "smtp"): S30. Clients without ALPN are welcome. NULL: no check (default). */
void certs_alpn(struct certs *c, const char *protocol);

/*
 * For service.file: name is "tls/default" or "tls/DOMAIN", contents PEM, the
 * chain (leaf first) and its private key. Empty contents remove a domain's
 * pair. Other names are not ours: returns 0 and does nothing. Returns a
 * negative PS_E* with err set ("tls/a.example: ...") when the new pair was
 * refused; the old one then stays. Returns 1 with err set when the pair is
 * expired but taken since there was none: better than no TLS, but log it.
 */
int certs_file(struct certs *c, const char *name, struct span contents,
    struct err *err) MUST_CHECK;
/* Reads tls_certificate_file, tls_key_file and the pairs of
 * tls_certificate_directory; what is wrong with them is appended to
 * complaints, a line each. Blocks. Returns the number of pairs in use. */
size_t certs_load(struct certs *c, const struct conf *conf,
    struct buf *complaints);
/* Is there a default certificate (may TLS be offered)? */
bool certs_usable(const struct certs *c);
size_t certs_count(const struct certs *c);
/* For stream.c: lent, lives as long as c. */
struct ssl_ctx_st *certs_ctx(const struct certs *c);

/*
 * Keys for session tickets, shared by all workers so that a client may resume
 * anywhere: the first one seals, all open. At most CERTS_TICKET_KEYS.
 */
#define CERTS_TICKET_KEYS	3
#define CERTS_TICKET_KEY_LEN	80	/* name 16, AES-256 32, HMAC 32 */
void certs_ticket_keys(struct certs *c,
    const uint8_t keys[][CERTS_TICKET_KEY_LEN], size_t n);
/* Derives the keys of this period and its neighbours from the instance's
 * secret (service_env.key): every worker comes to the same without being
 * told. Call at start and then every hour or so; cheap when nothing is due. */
#define CERTS_TICKET_PERIOD_S	(6 * 3600)
void certs_ticket_derive(struct certs *c, const uint8_t secret[32],
    int64_t now_s);

#endif
