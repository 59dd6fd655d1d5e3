/*
 * A self-signed certificate to begin with; clients will warn about it until
 * a real one takes its place.
 */
#ifndef ADMIN_SELFSIGNED_H
#define ADMIN_SELFSIGNED_H

#include "base/err.h"

/* Writes cert (0644) and key (0600) in PEM, ECDSA P-256, good for ten years,
 * for `host`, localhost and the loopback addresses. Replaces nothing: an
 * existing file is PS_EEXIST. */
int selfsigned_write(const char *host, const char *cert, const char *key,
    struct err *err) MUST_CHECK;

#endif
