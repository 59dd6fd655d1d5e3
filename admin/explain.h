/*
 * What would the gate say? Plays the SMTP dialogue of one message through
 * the evaluator that smtpd runs (lib/gate), with the same directory, DNS and
 * tables, and writes down each rule, what it asked and what it answered.
 * Nothing is changed by it: no rule's effect is carried out, nobody waits,
 * and quota is not asked for.
 */
#ifndef ADMIN_EXPLAIN_H
#define ADMIN_EXPLAIN_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/err.h"
#include "gate/dnsscore.h"

struct explain_first;

/* The client and its message. Strings are lent; NULL or "" where not said. */
struct explain_who {
	const char *ip;			/* needed */
	const char *name;		/* NULL: as the DNS says; "unknown" */
	const char *reverse_name;	/* NULL: as name */
	const char *helo, *from, *to;	/* addresses without <> */
	const char *login;		/* address; NULL: no AUTH */
	bool tls;
	uint64_t size;			/* SIZE= of MAIL; 0 not said */
	const struct explain_first *first;	/* NULL: no such tests */
};

/* A rule that was looked at. */
struct explain_step {
	const char *command;	/* "CONNECT", "HELO", "MAIL", "RCPT", "DATA",
				 * "END-OF-MESSAGE" */
	char *list, *where;	/* parameter, "file:line" or "" */
	unsigned depth;		/* 0; more inside a class or a table's list */
	char *rule;		/* "reject_rbl_client zen.example" */
	const char *result;	/* "permit", "dunno", "reject", ... */
	char *reply;		/* or "" */
	struct buf asked;	/* lines "what: answer" */
};

struct explain_story {
	struct explain_step *step;
	size_t n;
	const char *verdict;	/* "accept", "reject", "defer" */
	const char *command;	/* where it was told */
	char *reply;		/* "250 ..." is "" */
	char *rule, *list, *where;	/* that decided; "" none */
};
void explain_story_fini(struct explain_story *s);

struct explain;

/* NULL with err. */
struct explain *explain_new(struct conf *conf, struct err *err) MUST_CHECK;
void explain_free(struct explain **x);
/* Whose lists are played: those of a [service NAME], or of the main part. 0,
 * or PS_ESYNTAX with err when the lists are wrong. First of all. */
int explain_listener(struct explain *x, struct conf *section,
    struct err *err) MUST_CHECK;
const struct conf *explain_conf(const struct explain *x);	/* lent */
/* May ask policy services, which may remember it (greylisting). */
void explain_ask_policy(struct explain *x);
/* The score of a client in DNS lists before the greeting, and what a refusal
 * would say. Waits for the answers. */
void explain_score(struct explain *x, const char *ip, struct dnsscore *out,
    struct buf *reply);
/* Waits for the answers. 0, or PS_ESYNTAX with err when an address is none. */
int explain_run(struct explain *x, const struct explain_who *who,
    struct explain_story *story, struct err *err) MUST_CHECK;

#endif
