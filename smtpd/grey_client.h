/*
 * smtpd's way to gatekeeper's greylist: the struct grey_source that the
 * restriction chain asks through. Keeps a few answers of who need not wait for
 * a minute, so that who sends much is not asked about each time.
 */
#ifndef SMTPD_GREY_CLIENT_H
#define SMTPD_GREY_CLIENT_H

#include "base/conf.h"
#include "gate/grey.h"

struct server;

struct grey_source *grey_client_new(struct server *srv);
void grey_client_free(struct grey_source **s);
/* At start and at reload. */
void grey_client_configure(struct server *srv, const struct conf *conf);
/* A user of ours wrote to this address (normal form). */
void grey_client_wrote(struct server *srv, struct span address);

#endif
