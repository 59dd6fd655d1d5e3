/*
 * access(5): what a table value asks for, and in which order the forms of a
 * client, a name or an address are looked up. The parser owns nothing (text
 * points into the value). Decides nothing about a message: checks_access.c
 * turns an action into a verdict.
 */
#ifndef GATE_ACCESS_H
#define GATE_ACCESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "table/table.h"

enum access_what {
	ACCESS_OK,		/* OK, or a number and nothing else */
	ACCESS_DUNNO,
	ACCESS_REJECT,		/* REJECT, 5NN */
	ACCESS_DEFER,		/* DEFER, 4NN */
	ACCESS_DEFER_IF_PERMIT,
	ACCESS_DEFER_IF_REJECT,
	ACCESS_WARN,		/* log and go on */
	ACCESS_INFO,
	ACCESS_HOLD,		/* the rest of these act on the message: */
	ACCESS_DISCARD,		/* checks_effect.c */
	ACCESS_PREPEND,
	ACCESS_REDIRECT,
	ACCESS_BCC,
	ACCESS_FILTER,
	ACCESS_LIST		/* text is a list of restrictions */
};

#define ACCESS_DSN_MAX	12

struct access {
	enum access_what what;
	int code;		/* reply code; 0: the configured one */
	char dsn[ACCESS_DSN_MAX]; /* "5.7.1", or "" for the usual one */
	struct span text;	/* for the reply or the log; may be empty */
	const char *name;	/* of the action; NULL for codes and lists */
};

/* Cuts "5.7.1 " off the front of a text (RFC 3463: 1*1.1*3.1*3); leaves both
 * alone when it does not begin so. */
void access_dsn_take(struct span *text, char dsn[ACCESS_DSN_MAX]);
/* Any value means something: what is no action is a list. */
void access_parse(struct span value, struct access *a);

/* A look-up under way: whom to ask and where the answer goes. */
struct access_ask {
	struct table *table;
	/* Any table's answer; TABLE_PARKED ends the search, which is begun
	 * anew later. NULL: table_look_up. */
	enum table_result (*look_up)(struct table *t, struct span key,
	    struct buf *out, struct err *err, void *arg);
	void *arg;
	struct buf *value;
	struct buf *key;		/* gets the form that was found */
	struct err *err;
	/* Parents are looked up as ".example.com" instead of "example.com"
	 * (parent_domain_matches_subdomains without smtpd_access_maps). */
	bool dotted_parents;
	const char *null_key;		/* of the empty address; NULL: "<>" */
};

/*
 * Look-ups. Exactly what the table answers, for the first form that is
 * found; the first failure ends it.
 *
 * name: the name, then each parent domain (not for pattern tables).
 */
enum table_result access_domain(const struct access_ask *q, struct span name);
/* ip: the address, then prefixes at each "." or ":" from the right. */
enum table_result access_address(const struct access_ask *q, struct span ip);
/* user+ext@domain, user@domain, domain and parents, user+ext@, user@; an
 * empty address is "<>". delimiters: those of recipient_delimiter. */
enum table_result access_mail(const struct access_ask *q, struct span address,
    const char *delimiters);
/* The key alone. */
enum table_result access_key(const struct access_ask *q, struct span key);

#endif
