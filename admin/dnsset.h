/*
 * Many DNS look-ups at once, for the CLI: say what is wanted, wait for all,
 * then read the answers. What was asked once is not asked again. Blocks.
 */
#ifndef ADMIN_DNSSET_H
#define ADMIN_DNSSET_H

#include "net/dns.h"

struct dnsset;

struct dnsset *dnsset_new(const struct conf *conf, struct err *err);
void dnsset_free(struct dnsset **s);

/* Wanted at the next dnsset_wait(). */
void dnsset_want(struct dnsset *s, const char *name, enum dns_type type);
/* Until all are answered or have failed. */
void dnsset_wait(struct dnsset *s);
/* The answer to what was wanted and waited for, else NULL. Lent, as long as
 * s. */
const struct dns_answer *dnsset_get(const struct dnsset *s,
    const char *name, enum dns_type type);

#endif
