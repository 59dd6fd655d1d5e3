/*
 * What a policy service is told: the attributes of Postfix's policy protocol
 * (SMTPD_POLICY_README), one line each in Postfix's order, all of them in
 * every request; what is not known is empty or 0.
 *
 * A value can't become two lines, whatever a client makes us put into it
 * (S12): control bytes but for TAB are sent as '?'.
 */
#ifndef POLICY_REQUEST_H
#define POLICY_REQUEST_H

#include "base/buf.h"
#include "base/span.h"

#define POLICY_REQUEST_MAX	65536

/* All lent. */
struct policy_request {
	struct span protocol_state;	/* "CONNECT", "RCPT", ... */
	struct span protocol_name;	/* "SMTP", "ESMTP" */
	struct span client_address, client_name, client_port;
	struct span reverse_client_name;
	struct span server_address, server_port;
	struct span helo_name;
	struct span sender, recipient;
	uint64_t recipient_count;	/* 0 before DATA */
	struct span queue_id;
	struct span instance;		/* the same for all of one message */
	uint64_t size;			/* declared, then actual */
	struct span etrn_domain;
	struct span stress;		/* "yes" or empty */
	struct span sasl_method, sasl_username, sasl_sender;
	struct span ccert_subject, ccert_issuer;	/* xtext is made here */
	struct span ccert_fingerprint, ccert_pubkey_fingerprint;
	struct span encryption_protocol, encryption_cipher;
	uint64_t encryption_keysize;
	struct span tls_sni;
	struct span policy_context;
};

/* Appends the request with its empty line; past POLICY_REQUEST_MAX or the
 * cap of `out`, buf_failed(out). */
void policy_request_write(const struct policy_request *r, struct buf *out);

#endif
