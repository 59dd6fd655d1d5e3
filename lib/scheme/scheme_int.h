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
	/* Appends what stands behind {NAME}; NULL: only for checking. */
	int (*make)(const struct scheme *s, struct span password,
	    unsigned cost, struct buf *out, struct err *err);
	enum scheme_encoding encoding;	/* verify gets decoded data */
	const char *detail;	/* digest name, or crypt(3) prefix */
	bool strong;		/* no need to rehash */
};

/* digest.c */
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
enum scheme_verdict crypt3_verify(const struct scheme *s, struct span data,
    struct span password);
int crypt3_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err);
/* Is this hash one that still stands today? */
bool crypt3_is_strong(struct span data);

/* scram.c */
enum scheme_verdict scram_verify(const struct scheme *s, struct span data,
    struct span password);
int scram_make(const struct scheme *s, struct span password, unsigned cost,
    struct buf *out, struct err *err);

/* Same length and bytes, without telling where they differ. */
bool scheme_bytes_equal(struct span a, struct span b);

#endif
