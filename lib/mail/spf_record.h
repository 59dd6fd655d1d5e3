/*
 * An SPF record as terms (RFC 7208 4.6.1, 5, 6, 12). Parsing looks nothing up
 * and wants the whole record to be right: an error anywhere is permerror.
 * Spans point into the record's text.
 */
#ifndef MAIL_SPF_RECORD_H
#define MAIL_SPF_RECORD_H

#include "base/span.h"

#define SPF_TERMS_MAX	128

enum spf_mechanism {
	SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6,
	SPF_EXISTS
};

struct spf_term {
	enum spf_mechanism mech;
	char qualifier;			/* + - ~ ? */
	struct span text;		/* as written */
	struct span spec;		/* domain-spec, p == NULL: none */
	uint8_t addr[16];		/* ip4 ip6 */
	unsigned bits4, bits6;
};

struct spf_record {
	struct spf_term term[SPF_TERMS_MAX];
	size_t n;
	struct span redirect, exp;	/* p == NULL: not there */
};

/* Is it an SPF record at all ("v=spf1" and then a space or the end)? */
bool spf_record_is(struct span text);
/* False with *why on a syntax error. */
bool spf_record_parse(struct span text, struct spf_record *r,
    const char **why) MUST_CHECK;

/* --- macros (7) --- */

struct spf_macros {
	struct span sender, local, sender_domain, helo, receiver;
	const char *domain;		/* %{d}: the current one */
	const uint8_t *ip;
	bool v6;
	const char *validated;		/* %{p} */
};

/* Is it a well-formed macro-string; as a domain-spec? Does it use %{p}? */
bool spf_macro_valid(struct span text, bool is_exp);
bool spf_macro_uses_p(struct span text);
/* Appends the expansion of a valid macro-string. */
struct buf;
void spf_macro_expand(struct span text, const struct spf_macros *m,
    struct buf *out);

#endif
