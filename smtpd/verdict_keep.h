/*
 * In gatekeeper: what the workers count (verdict_count.h), on its way into
 * table gate_count. Nothing is kept here but what was not written yet.
 */
#ifndef SMTPD_VERDICT_KEEP_H
#define SMTPD_VERDICT_KEEP_H

#include "base/conf.h"
#include "db/share.h"
#include "smtpd/keeper_serve.h"

struct verdict_keep;

/* Keeps a reference to conf. */
struct verdict_keep *verdict_keep_new(struct conf *conf,
    struct keeper_server *server);
/* When the share is open, before it connects. */
void verdict_keep_share(struct verdict_keep *v, struct share *s);
/* After the share has gone. */
void verdict_keep_free(struct verdict_keep **v);

#endif
