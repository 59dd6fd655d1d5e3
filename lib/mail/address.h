/*
 * Envelope addresses as they appear in MAIL and RCPT (RFC 5321 4.1.2, with
 * the UTF-8 forms of RFC 6531), their normal form, and the parameters behind
 * them. Owns nothing: results point into the line that was parsed.
 * Never looks anything up; whether an address exists is the directory's
 * question.
 *
 * Normal form, the one spelling that the database, the directory cache and
 * every comparison use:
 *  - quotes and backslashes of the local part go where a dot-string says the
 *    same, else one canonical quoted form stays;
 *  - ASCII letters are folded to lower case (UTF-8 letters of a local part
 *    are kept as they are: only their owner knows how they fold);
 *  - the domain is A-labels in lower case, without a last dot.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* RFC 5321 4.5.3.1 asks to take 64, 255 and 256; VERP and SRS need more. */
#define ADDRESS_LOCAL_MAX	256
#define ADDRESS_DOMAIN_MAX	255
#define ADDRESS_MAX		(ADDRESS_LOCAL_MAX + 1 + ADDRESS_DOMAIN_MAX)

enum {
	ADDRESS_UTF8 = 1,	/* RFC 6531 forms are fine */
	ADDRESS_NULL = 2,	/* "<>" is fine: MAIL */
	ADDRESS_NO_DOMAIN = 4,	/* "<postmaster>" is fine: RCPT */
	ADDRESS_LOOSE = 8	/* path without <>, space before "<" */
};

struct address {
	struct span text;	/* as sent, without <> and source route */
	struct span local;	/* as sent: still quoted if it was */
	struct span domain;	/* as sent; n = 0 when there was none */
	bool quoted;		/* local is a quoted-string */
	bool literal;		/* domain is "[...]" */
	bool utf8;		/* some byte is not ASCII */
};

/* The null reverse-path "<>"? */
static inline bool
address_is_null(const struct address *a)
{
	return a->text.n == 0;
}

/* Takes exactly "local@domain", no brackets. 0, or PS_ESYNTAX / PS_ETOOBIG
 * with err (ERR_PERM) saying what was wrong. */
int address_parse(struct span s, unsigned flags, struct address *a,
    struct err *err) MUST_CHECK;

/*
 * Cuts a path, "<" [source-route ":"] address ">", off the front of *rest,
 * which then begins behind it: empty, or white space and parameters. A source
 * route is checked and forgotten (RFC 5321 appendix C). Failures as
 * address_parse; *rest is then of no use.
 */
int address_path(struct span *rest, unsigned flags, struct address *a,
    struct err *err) MUST_CHECK;

/*
 * Appends the normal form to out. "<>" gives nothing, a missing domain gives
 * the local part alone. 0, or PS_ESYNTAX when the domain is no valid IDN or
 * PS_ETOOBIG when it grows past its limits; out is then as before.
 */
int address_normal(const struct address *a, struct buf *out,
    struct err *err) MUST_CHECK;
/* Normal form of a domain alone (not of a literal). Same failures. */
int address_domain_normal(struct span domain, struct buf *out,
    struct err *err) MUST_CHECK;
/* Parses and normalises bare text in one go: for CLI and configuration. */
int address_normal_text(struct span s, struct buf *out, struct err *err)
    MUST_CHECK;

/* Is this a host name: LDH labels (and "_", which people use), no literal,
 * and not a number or a bare IPv4 address? */
bool address_is_domain(struct span s, unsigned flags);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"? */
bool address_is_literal(struct span s);

/*
 * The next " KEY[=VALUE]" of an ESMTP command (RFC 5321 4.1.2). Returns 1 and
 * fills key and value (value.p NULL when there is no "="), 0 at the end,
 * PS_ESYNTAX otherwise.
 */
int esmtp_param_next(struct span *rest, struct span *key,
    struct span *value) MUST_CHECK;

/* xtext (RFC 3461 4): "+XX" stands for a byte. Decoding fails with
 * PS_ESYNTAX on anything that is not xtext; out is then as before. */
int xtext_decode(struct span s, struct buf *out) MUST_CHECK;
void xtext_encode(struct span s, struct buf *out);

#endif
