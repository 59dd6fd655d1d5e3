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
	ACCESS_OK,		/* OK, or a number that is no reply code */
	ACCESS_DUNNO,
	ACCESS_REJECT,		/* REJECT, 5NN */
	ACCESS_DEFER,		/* DEFER, 4NN */
	ACCESS_DEFER_IF_PERMIT,
	ACCESS_DEFER_IF_REJECT,
	ACCESS_WARN,		/* log and go on */
	ACCESS_INFO,
	ACCESS_UNBUILT,		/* an action of Postfix that we don't have */
	ACCESS_LIST		/* text is a list of restrictions */
};

struct access {
	enum access_what what;
	int code;		/* reply code; 0: the configured one */
	char dsn[12];		/* "5.7.1", or "" for the usual one */
	struct span text;	/* for the reply or the log; may be empty */
	const char *name;	/* of the action; NULL for codes and lists */
};

/* Any value means something: what is no action is a list. */
void access_parse(struct span value, struct access *a);

/*
 * Look-ups. Exactly what table_look_up answers, for the first form that is
 * found; the first failure ends it. *key gets the form that was found.
 *
 * name: the name, then each parent domain (not for pattern tables).
 */
enum table_result access_domain(struct table *t, struct span name,
    struct buf *value, struct buf *key, struct err *err);
/* ip: the address, then prefixes at each "." or ":" from the right. */
enum table_result access_address(struct table *t, struct span ip,
    struct buf *value, struct buf *key, struct err *err);
/* user+ext@domain, user@domain, domain and parents, user+ext@, user@; an
 * empty address is "<>". delimiters: those of recipient_delimiter. */
enum table_result access_mail(struct table *t, struct span address,
    const char *delimiters, struct buf *value, struct buf *key, struct err *err);

#endif
