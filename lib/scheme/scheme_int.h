/*
 * The table row of a password scheme. Private to lib/scheme.
 */
#ifndef SCHEME_SCHEME_INT_H
#define SCHEME_SCHEME_INT_H

#include "scheme/scheme.h"

enum scheme_encoding { SCHEME_TEXT, SCHEME_B64, SCHEME_HEX };

struct scheme {
	const char *name;
	/* data: behind the {NAME}; raw: decoded as the row or a suffix says */
	enum scheme_verdict (*verify)(const struct scheme *s,
	    struct span data, struct span password);
	/* Is data well-formed? As verify gets it. */
	bool (*check)(const struct scheme *s, struct span data);
	/* Appends what stands behind {NAME}; NULL: only for checking. */
	int (*make)(const struct scheme *s, struct span password,
	    unsigned cost, struct buf *out, struct err *err);
	enum scheme_encoding encoding;	/* verify gets decoded data */
	const char *detail;	/* digest name, or crypt(3) prefix */
	bool strong;		/* no need to rehash */
};

/* digest.c */
bool digest_check(const struct scheme *s, struct span data);
bool digest_salted_check(const struct scheme *s, struct span data);
bool clear_check(const struct scheme *s, struct span data);
enum scheme_verdict digest_verify(const struct scheme *s, struct span data,
    struct span password);
enum scheme_verdict digest_salted_verify(const struct scheme *s,
    struct span data, struct span password);
int digest_salted_make(const struct scheme *s, struct span password,
    unsigned cost, struct buf *out, struct err *err);
enum scheme_verdict clear_verify(const struct scheme *s, struct span data,
    struct span password);
int clear_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err);

/* crypt3.c */
bool crypt3_check(const struct scheme *s, struct span data);
enum scheme_verdict crypt3_verify(const struct scheme *s, struct span data,
    struct span password);
int crypt3_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err);
/* Is this hash one that still stands today? */
bool crypt3_is_strong(struct span data);

/* crypt3_cost.c: may this hash be computed, as for time and memory? */
bool crypt3_affordable(struct span data);

/* pbkdf2.c: $1$SALT$ROUNDS$HEX, as Dovecot writes it */
bool pbkdf2_check(const struct scheme *s, struct span data);
enum scheme_verdict pbkdf2_verify(const struct scheme *s, struct span data,
    struct span password);

/* argon2.c: $argon2id$v=19$m=...,t=...,p=...$SALT$HASH */
bool argon2_check(const struct scheme *s, struct span data);
enum scheme_verdict argon2_scheme_verify(const struct scheme *s,
    struct span data, struct span password);

/* scram.c */
bool scram_check(const struct scheme *s, struct span data);
enum scheme_verdict scram_verify(const struct scheme *s, struct span data,
    struct span password);
int scram_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err);

/* Same length and bytes, without telling where they differ. */
bool scheme_bytes_equal(struct span a, struct span b);

#endif
