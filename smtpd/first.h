/*
 * First-contact tests: what a client that this site has not met before must
 * show to be a mail server (Postfix: postscreen(8)). Before the greeting it
 * waits, and is looked up in DNS lists meanwhile; later it must wait for
 * replies, speak SMTP, and end its lines properly. Who passed is remembered
 * (pass.h) and notices nothing for a day or a month. Nobody is sent away to
 * come back later: the session goes on with the same connection.
 *
 *	first.c		who is tested at all, and what comes of it
 *	first_wait.c	the wait before the greeting
 *	first_talk.c	the tests that the dialogue shows
 *
 * Always true:
 *  1. While a client waits there is no session: it costs less than 1 KiB.
 *  2. No byte of the client's is taken before its session begins.
 *  3. Who is refused for a test is refused at each RCPT, or is told 521; who
 *     logs in is refused for no test.
 *  4. Without gatekeeper a worker goes by what it knows itself: who is not
 *     known waits, and nobody is refused for that.
 *  5. Nobody waits longer than postscreen_greet_wait (or, where that is 0,
 *     postscreen_dnsbl_timeout) for us, whatever others do or don't answer.
 */
#ifndef SMTPD_FIRST_H
#define SMTPD_FIRST_H

#include "smtpd/pass.h"

struct buf;
struct conf;
struct first;
struct ipc;
struct ipc_msg;
struct net_addr;
struct profile;
struct server;
struct session;
struct sockaddr_storage;

/* What a session is to know of its client's tests; zero: not tested. */
struct first_verdict {
	struct pass_key key;
	uint8_t todo;		/* bits of the tests the dialogue shows */
	bool watched;		/* for early talk, which was dealt with */
	char *refusal;		/* of each recipient; NULL none */
};

/* In srv->first; made with it. */
struct first *first_new(struct server *srv);
/* Who waits is disconnected. */
void first_free(struct first **f);
/* Who waits is told 421. */
void first_stop(struct server *srv);
/* A JSON member (no braces). */
void first_status(const struct server *srv, struct buf *json);

/* A new connection: takes fd. A session follows now, later or never. `to` is
 * where the client reached us; NULL: the socket's own address. */
void first_accept(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from, const struct sockaddr_storage *to);

/* An administrator made the site forget a client. */
int first_forget_message_cb(struct ipc *c, struct ipc_msg *m, void *arg);

/* --- first_talk.c --- */

/* *v is the session's from now on, and zero. */
void first_take(struct session *s, struct first_verdict *v);
void first_forget(struct session *s);
/* XCLIENT made it another client's: begins anew for that one, which a proxy
 * has greeted already. */
void first_anew(struct session *s);
/* The reply to this and any RCPT; NULL: none of these tests is against it. */
const char *first_refusal(const struct session *s);
/* It does not get what it was offered before: see PASS_PIPELINING. */
bool first_withholds_pipelining(const struct session *s);
/* The client failed a test, if it is still being tested: logs it with `text`,
 * which came after `where`. True: 521 was said, close. */
bool first_failed(struct session *s, enum pass_test t, const char *where,
    struct span text) MUST_CHECK;
/* The same for a line end that is none; that ends any session (text.c). */
void first_bare_newline(struct session *s);
/* It got to RCPT / to the end of a text without failing. */
void first_at_rcpt(struct session *s);
void first_at_text_end(struct session *s);

#endif
