/*
 * gatekeeper's passes: one table for all workers of this host (pass.h), shared
 * with other hosts through PostgreSQL (db/share.h). A worker asks for a client
 * and tells of what one has passed (KEEPER_PASS); the answer is what memory
 * has. Expired rows stay in the database as long as here.
 */
#ifndef SMTPD_PASS_KEEP_H
#define SMTPD_PASS_KEEP_H

#include "base/conf.h"
#include "db/share.h"
#include "smtpd/keeper_serve.h"

struct pass_keep;

/* Answers workers of `server` from now on, until pass_keep_leave. */
struct pass_keep *pass_keep_new(const struct conf *conf,
    struct keeper_server *server);
void pass_keep_free(struct pass_keep **p);
void pass_keep_configure(struct pass_keep *p, const struct conf *conf);
/* From now on others know: s must outlive p. Before, all stays here. */
void pass_keep_share(struct pass_keep *p, struct share *s);
/* The server is being freed; what was not written yet still will be. */
void pass_keep_leave(struct pass_keep *p);
size_t pass_keep_count(const struct pass_keep *p);

#endif
