/*
 * What the three files of first.h share.
 */
#ifndef SMTPD_FIRST_INT_H
#define SMTPD_FIRST_INT_H

#include "base/queue.h"
#include "smtpd/first.h"
#include "smtpd/session.h"

enum first_action { FIRST_IGNORE, FIRST_ENFORCE, FIRST_DROP };

#define FIRST_PROTOCOL_ERROR	"5.5.1 Protocol error"
#define FIRST_UNAVAILABLE	"5.3.2 Service currently unavailable"

struct waiter;

struct first {
	struct server *srv;
	struct passes *own;		/* answers that this worker knows */
	TAILQ_HEAD(, waiter) waiters;
	size_t n_waiting;
	struct map *per_client;		/* pass key -> how many wait */
	struct {
		uint64_t tested, pass_new, pass_old, allowlisted, denylisted,
		    pregreet, dnsbl, pipelining, non_smtp_command,
		    bare_newline, hangups, turned_away;
	} stat;
};

/* A connection before there is a session. Strings and addresses are lent. */
struct first_client {
	struct profile *prof;
	int fd;
	const struct sockaddr_storage *from, *to;
	struct endpoint peer;
	struct net_addr addr;
	struct pass_key key;
};

/* --- first.c --- */
enum first_action first_action_of(const char *word);
/* Seconds for which a pass of test t is good. */
uint32_t first_ttl(const struct conf *conf, enum pass_test t);
/* Tests that this listener makes, as bits. */
unsigned first_tests(const struct profile *prof);
/* Bits of the tests that were passed, for their times. vouched: as lists
 * allow it, all count as passed for as long as that is remembered. */
void first_passed(struct server *srv, const struct conf *conf,
    const struct pass_key *key, unsigned tests, bool vouched);
uint64_t first_now_s(struct server *srv);
/* Says `reply` (without line end), closes fd. */
void first_turn_away(struct server *srv, int fd, const char *reply);

/* --- first_wait.c --- */
/* Takes c->fd. */
void first_wait(struct server *srv, const struct first_client *c);
void first_wait_end_all(struct server *srv, const char *reply);

#endif
