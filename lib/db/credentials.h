/*
 * authd's way to credentials: all of a login name's in one round trip, and
 * the write-backs a login may cause. The only code that sees stored secrets;
 * it keeps none: they are wiped when the callback returns.
 */
#ifndef DB_CREDENTIALS_H
#define DB_CREDENTIALS_H

#include "base/conf.h"
#include "base/loop.h"
#include "base/span.h"
#include "db/directory.h"

struct credentials;
struct credentials_ask;

enum login_result {
	LOGIN_TEMP,		/* the database does not answer */
	LOGIN_UNKNOWN,		/* nobody of that name */
	LOGIN_FOUND
};

enum credential_kind {
	CREDENTIAL_PASSWORD,	/* the owner's own */
	CREDENTIAL_APP		/* one of several, for one program */
};

struct credential {
	uint64_t id;
	enum credential_kind kind;
	const char *secret;	/* "SCRAM-SHA-256$...", "{SHA512-CRYPT}$6$..." */
	const char *scope;	/* words of "imap smtp"; "" = everything */
	const char *label;
};

struct login {
	enum login_result result;
	uint64_t mailbox_id;
	uint64_t host_id;
	bool local;			/* its home is on this host */
	const char *address;		/* the mailbox's own, normal form */
	enum mailbox_state state;	/* its own, worsened by its domain's */
	int64_t quota_bytes, quota_messages;	/* 0: no limit */
	size_t n_credentials;		/* expired ones are left out */
	const struct credential *credentials;
	const char *why;		/* TEMP: for the log */
};

struct credentials *credentials_new(struct loop *l, struct conf *conf,
    const char *password);
void credentials_free(struct credentials **c);

/*
 * Tells of a mailbox whose password or right to log in changed (by NOTIFY; what
 * happened while the connection was lost, by asking when it is back): its
 * sessions must end. 0: something changed, nobody knows for whom (an
 * alias domain; the connection was lost and is back): forget what was
 * remembered, end nothing. Call once, right after credentials_new.
 */
typedef void credentials_revoked_cb(uint64_t mailbox_id, void *arg);
void credentials_on_revoked(struct credentials *c,
    credentials_revoked_cb *cb, void *arg);

typedef void credentials_cb(const struct login *login, void *arg);

/* name: normal form (mail/address.h), `local@domain`. An alias is no login;
 * a mailbox's address under an alias domain is. */
struct credentials_ask *credentials_fetch(struct credentials *c,
    struct span name, credentials_cb *cb, void *arg);
void credentials_cancel(struct credentials_ask **a);

/* Replaces the secret of credential `id`, only if it still is `was` (nobody
 * changed the password meanwhile). Nothing to wait for; failure is logged. */
void credentials_rehash(struct credentials *c, uint64_t id, struct span was,
    struct span now);
/* Notes a use, at most one write per credential and minute. */
void credentials_used(struct credentials *c, uint64_t id);

#endif
