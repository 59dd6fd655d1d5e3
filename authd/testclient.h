/*
 * The client's side of SCRAM-SHA-256 (RFC 5802, 7677), for tests: written
 * apart from the server's side, on OpenSSL alone.
 */
#ifndef AUTHD_TESTCLIENT_H
#define AUTHD_TESTCLIENT_H

#include "base/buf.h"
#include "base/span.h"

struct scram_client {
	const char *gs2;	/* "n,,", "p=tls-exporter,," ... */
	struct span binding;	/* data behind p= */
	char bare[600];		/* client-first-message-bare */
	uint8_t server_signature[32];
};

/* Appends the client-first-message. user is put in as it is. */
void scram_client_first(struct scram_client *c, const char *gs2,
    const char *user, struct buf *out);
/* Appends the client-final-message; false when server_first is malformed. */
bool scram_client_final(struct scram_client *c, struct span server_first,
    struct span password, struct buf *out);
/* Is it "v=" and the signature that the server must have made? */
bool scram_client_verify(const struct scram_client *c,
    struct span server_final);

#endif
