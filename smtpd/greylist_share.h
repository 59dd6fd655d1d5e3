/*
 * gatekeeper's greylist: the memory of greylist.h, shared with other hosts by
 * three kinds of db/share.h, and asked by smtpd over KEEPER_ASK.
 */
#ifndef SMTPD_GREYLIST_SHARE_H
#define SMTPD_GREYLIST_SHARE_H

#include "base/buf.h"
#include "base/conf.h"
#include "db/share.h"
#include "smtpd/keeper_serve.h"

struct greylist_share;

/* Before the loop's next turn (share_add). Lives as long as s. */
struct greylist_share *greylist_share_new(struct share *s,
    struct keeper_server *server, const struct conf *conf);
void greylist_share_free(struct greylist_share **g);
void greylist_share_reload(struct greylist_share *g, const struct conf *conf);
/* A JSON member (no braces) for `postern status`. */
void greylist_share_status(const struct greylist_share *g, struct buf *json);

#endif
