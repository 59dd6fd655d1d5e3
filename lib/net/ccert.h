/*
 * TLS client certificates: whether a server asks for one and which issuers it
 * trusts (struct ccert_policy, one per listener's settings), and what the
 * certificate of one connection says (struct ccert).
 *
 * Always true: a connection that asks for a certificate makes and takes no
 * session ticket. A resumed session would bring a certificate that nobody
 * verified now, under a policy that may have been another listener's.
 */
#ifndef NET_CCERT_H
#define NET_CCERT_H

#include "base/buf.h"
#include "base/conf.h"

struct ccert_policy;
struct ssl_st;

/*
 * From smtpd_tls_ask_ccert, smtpd_tls_req_ccert, smtpd_tls_CAfile and the
 * like. Reads the files: at start and reload. NULL without a complaint: no
 * certificate is asked for.
 */
struct ccert_policy *ccert_policy_new(const struct conf *conf,
    struct buf *complaints);
struct ccert_policy *ccert_policy_ref(struct ccert_policy *p);	/* NULL too */
void ccert_policy_unref(struct ccert_policy **p);

/* What a client has shown. Text is cleaned: no control bytes. */
struct ccert {
	char *subject, *issuer;		/* common names, "" without */
	char *fingerprint;		/* of the certificate: "A1:B2:..." */
	char *pubkey_fingerprint;	/* of its public key */
	bool trusted;			/* its chain was verified */
};
void ccert_free(struct ccert **c);
/* Is it (NULL: none was shown) what the policy (NULL: nothing is asked) wants?
 * The handshake lets everyone in: the owner has to ask. */
bool ccert_suffices(const struct ccert_policy *p, const struct ccert *c);

/* --- for tls.c --- */

/* Before the handshake. */
void ccert_ask(const struct ccert_policy *p, struct ssl_st *ssl);
/* After it; NULL when the client has shown none. */
struct ccert *ccert_read(const struct ccert_policy *p, struct ssl_st *ssl);

#endif
