/*
 * What EHLO says: the features as a table, and which of them are kept from a
 * client (smtpd_discard_ehlo_keywords). A feature that is kept from a client
 * is not carried out for it either.
 */
#ifndef SMTPD_EHLO_H
#define SMTPD_EHLO_H

#include "base/buf.h"
#include "base/span.h"

struct session;

/* Keywords as bits; false with *bad for a word that is none. */
bool ehlo_mask(struct span words, unsigned *mask, struct span *bad);

/* What this client is not told, by its address; logs it. */
void ehlo_choose(struct session *s);
bool ehlo_discards(const struct session *s, const char *keyword);
void ehlo_reply(struct session *s);

#endif
