/*
 * What the login defence knows, shared by all hosts through PostgreSQL
 * (db/share.h): counted wrong passwords and networks that accounts know. The
 * database holds numbers and names, nothing of a password. It also hands on
 * to the log and the event table what is refused.
 */
#ifndef AUTHD_DEFENCE_SHARE_H
#define AUTHD_DEFENCE_SHARE_H

#include "authd/defence.h"
#include "base/loop.h"

struct defence_share;

/* Makes the defence, too, with conf's limits; d lends it. */
struct defence_share *defence_share_new(struct loop *l, struct conf *conf,
    struct defence **d);
void defence_share_free(struct defence_share **s);

/* Connects (anew) as database_role_auth. Until then, and while the database is
 * away, memory decides alone. */
void defence_share_open(struct defence_share *s, const char *password);
/* The time that the defence wants. */
int64_t defence_share_now_ms(struct defence_share *s);
/* done(arg) runs once, from the loop, when all is written that can be. */
void defence_share_flush(struct defence_share *s, loop_cb *done, void *arg);
/* Appends ", " and a JSON member for `postern status`; nothing before _open. */
void defence_share_status(struct defence_share *s, struct buf *json);

#endif
