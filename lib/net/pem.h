/*
 * A certificate chain with its private key, read from PEM and checked to fit
 * together. Private to lib/net.
 */
#ifndef NET_PEM_H
#define NET_PEM_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define PEM_FILE_MAX	(256 * 1024)
#define PEM_CHAIN_MAX	16

struct pem_pair {
	X509 *leaf;
	STACK_OF(X509) *chain;	/* above the leaf; may be empty */
	EVP_PKEY *key;
};

/* The first certificate is the leaf. NULL with err when something is missing,
 * malformed, encrypted, too weak for ctx, or does not match. */
struct pem_pair *pem_pair_parse(SSL_CTX *ctx, struct span pem,
    struct err *err) MUST_CHECK;
void pem_pair_free(struct pem_pair **p);
/* False with err when expired or not yet valid. */
bool pem_pair_in_time(const struct pem_pair *p, struct err *err) MUST_CHECK;

/* Appends a file of at most PEM_FILE_MAX and a line end. Blocks. */
int pem_file_read(const char *path, struct buf *out, struct err *err)
    MUST_CHECK;

#endif
