/*
 * Guests: sessions that have not logged in. One network may have so many of them
 * in this process (imap_guest_limit), and when the process is full the one that
 * was there longest makes room: who connects and is silent keeps nobody out (S28).
 * Networks in login_defence_exempt_networks have no limit, as all users may be
 * behind them.
 */
#ifndef IMAPD_GUESTS_H
#define IMAPD_GUESTS_H

#include "base/conf.h"

struct guests;
struct session;

struct guests *guests_new(const struct conf *conf);
void guests_free(struct guests **g);
/* At a reload: for those who come from now on. */
void guests_configure(struct guests *g, const struct conf *conf);
/* A new session. False: its network has its share; it is no guest. */
bool guests_enter(struct guests *g, struct session *s) MUST_CHECK;
/* It logged in, or ends; once is enough. */
void guests_leave(struct guests *g, struct session *s);
/* Ends the session of the guest that was there longest. False: nobody is. */
bool guests_make_room(struct guests *g) MUST_CHECK;

#endif
