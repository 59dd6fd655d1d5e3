/*
 * Self-signed certificates made on the spot, for tests of everything that
 * speaks TLS.
 */
#ifndef NET_TESTCERT_H
#define NET_TESTCERT_H

#include "base/buf.h"

/* What may be wrong with it. */
enum {
	TESTCERT_EXPIRED = 1,
	TESTCERT_FUTURE = 2,
	TESTCERT_WRONG_KEY = 4,		/* another key than the certificate's */
	TESTCERT_NO_KEY = 8,
	TESTCERT_NO_CERT = 16
};

/* Appends certificate and key in PEM for `host` and "*.host". */
void testcert_make(const char *host, unsigned faults, struct buf *pem);

#endif
