/*
 * Logins with a clear password that were proved a short while ago, so that a
 * client which logs in all the time costs neither a query nor a hash. Keyed
 * by service, name and password together, under a secret drawn at start: what
 * is kept is no use to who reads our memory. SCRAM is never cached.
 */
#ifndef AUTHD_LOGIN_CACHE_H
#define AUTHD_LOGIN_CACHE_H

#include "base/loop.h"
#include "base/span.h"

struct login_cache;

struct cached_login {
	uint64_t mailbox_id;
	const char *address;		/* copied by put, lent by get */
	uint64_t quota_bytes, quota_messages;
};

struct login_cache *login_cache_new(struct loop *l, size_t max);
void login_cache_free(struct login_cache **c);

/* What identifies a login; password may hold any bytes. */
struct login_key {
	struct span service;		/* "imap" */
	struct span name;		/* normal form */
	struct span password;
};

/* NULL: not known, or too old. Lent until the next call. */
const struct cached_login *login_cache_get(struct login_cache *c,
    const struct login_key *key);
/* The oldest goes when there are more than max. */
void login_cache_put(struct login_cache *c, const struct login_key *key,
    const struct cached_login *login, uint64_t life_ms);
/* Forgets all logins of a mailbox; all of everybody. */
void login_cache_drop(struct login_cache *c, uint64_t mailbox_id);
void login_cache_clear(struct login_cache *c);
size_t login_cache_count(const struct login_cache *c);

#endif
