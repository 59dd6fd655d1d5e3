/*
 * What SPF found, as header fields: Received-SPF (RFC 7208 9.1) and
 * Authentication-Results (RFC 8601 2.7.2). Whatever a client or a record has
 * said is quoted or left out, so that it can't end a field or a comment.
 */
#ifndef GATE_SPF_HEADER_H
#define GATE_SPF_HEADER_H

#include "base/buf.h"
#include "base/conf.h"
#include "mail/spf.h"

struct spf_found {
	const char *ip, *helo;
	struct span sender;		/* as given, without <>; n 0: null */
	const char *sender_domain;	/* A-labels; NULL: none */
	/* NULL: was not asked for */
	const struct spf_verdict *of_helo, *of_sender;
};

/* Which identity decides: the sender's, unless only HELO says something. True:
 * the sender's. */
bool spf_found_by_sender(const struct spf_found *f);
/* A field without its last CR LF, folded with CR LF TAB. */
void spf_header_received(const struct spf_found *f, const struct conf *conf,
    struct buf *out);
void spf_header_results(const struct spf_found *f, const struct conf *conf,
    struct buf *out);

#endif
