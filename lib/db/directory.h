/*
 * The directory cache of one process (DESIGN §6): who is behind an address,
 * and which domains are ours. A change in PostgreSQL is live at once, and a
 * warm look-up costs no query, no allocation and no turn of the loop:
 *
 *	res = directory_peek(dir, addr);
 *	if (res == NULL)
 *		ask = directory_resolve(dir, addr, cb, arg);
 *
 * Addresses must be in normal form (mail/address.h): local part folded,
 * domain as lower-case A-labels, `local@domain` without quotes.
 *
 * Always true:
 *  1. An answer is kept only while the connection that gave it LISTENs.
 *  2. An entry is indexed under all it depends on, a miss too.
 *  3. Misses can't push out hits: two bounded LRU lists.
 *  4. Identical look-ups in flight are one query.
 *  5. While the database is away, entries are served until they are
 *     directory_max_stale old, then RESOLVE_TEMP.
 */
#ifndef DB_DIRECTORY_H
#define DB_DIRECTORY_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/loop.h"
#include "base/span.h"

struct directory;
struct directory_ask;

enum resolve_class {
	RESOLVE_TEMP,		/* the directory does not answer: 451 4.3.0 */
	RESOLVE_NOT_LOCAL,	/* the domain is not ours */
	RESOLVE_UNKNOWN,	/* our domain, no such user: 550 5.1.1 */
	RESOLVE_DISABLED,	/* there is one, but switched off: 550 5.2.1 */
	RESOLVE_MAILBOX,	/* at least one mailbox or forward */
	RESOLVE_RELAY		/* ours to relay: forwards[0] is the address */
};
const char *resolve_class_name(enum resolve_class c);

enum mailbox_state {
	MAILBOX_ACTIVE,
	MAILBOX_NO_LOGIN,	/* takes mail; its owner can't log in */
	MAILBOX_DISABLED	/* neither; never in resolution.mailboxes */
};

/* 0, or PS_ESYNTAX for a word that is none. */
int mailbox_state_parse(struct span word, enum mailbox_state *out)
    MUST_CHECK;

struct resolved_mailbox {
	uint64_t id;
	uint64_t host_id;
	bool local;		/* host_id is this host's */
	enum mailbox_state state;
	const char *address;	/* the mailbox's own, normal form */
	int64_t quota_bytes;	/* 0: no limit */
	int64_t quota_messages;	/* 0: no limit */
	bool pooled;		/* its domain or organisation has one, too */
	const char *extension;	/* of user+extension; "" none */
};

/* Immutable and reference-counted; one block of memory. */
struct resolution {
	unsigned refs;			/* private */
	enum resolve_class class;
	const char *address;		/* as asked */
	const char *domain;		/* as asked; what follows the last @ */
	const char *transport;		/* name of a relay domain's transport;
					 * "" none */
	uint64_t org_id;		/* of the asked domain; 0 none */
	size_t n_mailboxes;		/* each id once */
	const struct resolved_mailbox *mailboxes;
	size_t n_forwards;		/* each address once */
	const char *const *forwards;	/* external addresses, normal form */
	size_t n_depends_on;
	const char *const *depends_on;	/* domain/local, domain, org:N */
	const char *why;		/* TEMP, UNKNOWN, DISABLED: for the log */
};

struct resolution *resolution_ref(const struct resolution *r);
void resolution_unref(struct resolution **r);

/*
 * Opens its own connection as conf->database_role_lookup. `password` (may be
 * NULL) comes from posternd. Keeps a reference to conf.
 */
struct directory *directory_new(struct loop *l, struct conf *conf,
    const char *password);
/* Waiting callbacks are not run. Not from inside one of them. */
void directory_free(struct directory **d);
/* New snapshot: cache sizes, times and delimiter; not the connection. */
void directory_reload(struct directory *d, struct conf *conf);

/* The cached answer if it may be used now, else NULL. Yours: unref it. */
struct resolution *directory_peek(struct directory *d, struct span address);

/* res is lent for the call; never NULL. */
typedef void directory_cb(const struct resolution *res, void *arg);

/* Answers from the loop, once; never inside this call. The handle is valid
 * until then. */
struct directory_ask *directory_resolve(struct directory *d,
    struct span address, directory_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void directory_cancel(struct directory_ask **a);

/*
 * What a domain is, for reject_unauth_destination and the like. class is
 * MAILBOX or RELAY (ours; an alias domain is what it stands for), DISABLED,
 * NOT_LOCAL or TEMP; no mailboxes, no forwards. Exact name only: a subdomain
 * is a domain of its own.
 */
struct resolution *directory_domain_peek(struct directory *d,
    struct span domain);
struct directory_ask *directory_domain(struct directory *d,
    struct span domain, directory_cb *cb, void *arg);

/* Is what is served now not backed by a live connection? */
bool directory_is_stale(struct directory *d);

struct directory_stats {
	size_t positive, negative;	/* entries held */
	uint64_t hits, misses, joined, stale_served, temp;
	uint64_t invalidated, flushes;
	uint64_t queries;
};
void directory_stats(const struct directory *d, struct directory_stats *s);
/* JSON members (no braces) for `postern status`. */
void directory_status(struct directory *d, struct buf *json);

#endif
