/*
 * Bytes that somebody else owns: pointer and length, may hold NUL.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <string.h>

#include "base/macros.h"

struct span {
	const char *p;
	size_t n;
};

#define SPAN_LIT(s)	((struct span){ (s), sizeof(s) - 1 })
#define SPAN_NONE	((struct span){ NULL, 0 })
/* For printf: "%.*s", SPAN_ARG(s) (text only up to INT_MAX bytes) */
#define SPAN_ARG(s)	(int)(s).n, (s).p

static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ (const char *)p, n };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ s, s == NULL ? 0 : strlen(s) };
}

/* Exact and ASCII-case-insensitive comparison. */
bool span_eq(struct span a, struct span b);
bool span_ieq(struct span a, struct span b);
bool span_is(struct span a, const char *word);		/* ignores case */
bool span_starts(struct span a, const char *prefix);	/* ignores case */
bool span_ends(struct span a, const char *suffix);	/* ignores case */

/* Index of the first `c`, or -1. */
ptrdiff_t span_chr(struct span a, char c);
ptrdiff_t span_rchr(struct span a, char c);
/* Part from `from` (clamped), at most n bytes. */
struct span span_sub(struct span a, size_t from, size_t n);
/* Without white space (SP, HT, CR, LF) at both ends. */
struct span span_trim(struct span a);
/* Cuts the word before the first `sep` off the front of *rest. Returns false
 * when *rest is used up (p == NULL). "a,,b" gives "a", "", "b". */
bool span_split(struct span *rest, char sep, struct span *word);
/* Next run of non-space bytes; false when there is none. */
bool span_word(struct span *rest, struct span *word);

/* ASCII-only, locale-free character tests. */
static inline bool ascii_isdigit(unsigned char c)
{ return c >= '0' && c <= '9'; }
static inline bool ascii_isalpha(unsigned char c)
{ return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static inline bool ascii_isalnum(unsigned char c)
{ return ascii_isdigit(c) || ascii_isalpha(c); }
static inline bool ascii_isspace(unsigned char c)
{ return c == ' ' || (c >= '\t' && c <= '\r'); }
static inline char ascii_lower(char c)
{ return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* The one checked number parser: decimal digits only, the whole span, within
 * [min, max]. Returns false otherwise and leaves *out alone. */
bool span_u64(struct span a, uint64_t min, uint64_t max, uint64_t *out)
    MUST_CHECK;
bool span_u32(struct span a, uint32_t min, uint32_t max, uint32_t *out)
    MUST_CHECK;
bool span_i64(struct span a, int64_t min, int64_t max, int64_t *out)
    MUST_CHECK;

/* Valid UTF-8 (RFC 3629: shortest form, no surrogates)? */
bool span_is_utf8(struct span a);
bool span_is_ascii(struct span a);
/* Length of the one valid UTF-8 sequence at the front; 0 if there is none. */
size_t span_utf8_front(struct span a);

#endif
