/*
 * The argument of check_ccert_access: "type:name", or
 * "{ type:name, { search_order = cert_fingerprint, issuer_cn } }".
 * Owns nothing: results point into the text.
 */
#ifndef GATE_CCERT_ARG_H
#define GATE_CCERT_ARG_H

#include "base/buf.h"
#include "base/span.h"

enum ccert_key {
	CCERT_FINGERPRINT, CCERT_PUBKEY, CCERT_SUBJECT_CN, CCERT_ISSUER_CN,
	CCERT_KEYS
};

struct ccert_arg {
	struct span table;
	enum ccert_key order[CCERT_KEYS];
	size_t n;
};

/* False with *why. */
bool ccert_arg_parse(struct span text, struct ccert_arg *a, struct buf *why)
    MUST_CHECK;

#endif
