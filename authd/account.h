/*
 * What authd holds of a mailbox during an exchange: a copy of the login's row
 * that the database layer lends only for a moment. Wiped when freed. Checking
 * runs in a thread and touches nothing but the account.
 */
#ifndef AUTHD_ACCOUNT_H
#define AUTHD_ACCOUNT_H

#include "base/buf.h"
#include "base/span.h"
#include "db/credentials.h"

#define ACCOUNT_SECRETS_MAX	32

struct account_secret {
	uint64_t id;
	char *secret;
	bool unusable;		/* set by account_check: log it */
};

struct account {
	bool known;		/* else all fields but name are empty */
	bool local, usable;	/* on this host; may log in */
	uint64_t mailbox_id;
	char *address;
	uint64_t quota_bytes, quota_messages;
	struct account_secret secrets[ACCOUNT_SECRETS_MAX];
	size_t n_secrets;
	/* what account_check found */
	int matched;		/* index, -1: none */
	char *rehash;		/* better stored form, or NULL */
};

/* Copies those credentials that are good for `service`. */
void account_init(struct account *a, const struct login *login,
    struct span service);
void account_fini(struct account *a);

/* Is it one of the passwords? An unknown account costs as much as a known
 * one with our own scheme. Slow: for a thread. */
bool account_check(struct account *a, struct span password,
    const char *fake, unsigned iterations);

/*
 * The verifier for SCRAM, in the form Cyrus takes: the mailbox's own password
 * first, else its first app password that has one (a client can't say which
 * it will prove, so one must do; others log in by PLAIN). False when there is
 * none; else a->matched is its index.
 */
bool account_scram(struct account *a, struct buf *out);

#endif
