/*
 * What EHLO says: the features as a table, and which of them are kept from a
 * client (smtpd_discard_ehlo_keywords). A feature that is kept from a client
 * is not carried out for it either.
 */
#ifndef SMTPD_EHLO_H
#define SMTPD_EHLO_H

#include "gate/manners.h"

struct session;

/* What this client is not told, by its address; logs it. */
void ehlo_choose(struct session *s);
bool ehlo_discards(const struct session *s, enum ehlo_keyword k);
void ehlo_reply(struct session *s);

#endif
