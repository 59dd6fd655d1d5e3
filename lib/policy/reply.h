/*
 * What a policy service answers: lines NAME=VALUE and an empty one at the
 * end. Only the first "action" counts; what else there is is passed over, as
 * Postfix does. Lines end in LF; a CR before it is taken off.
 *
 * Never believes the service: an action that is missing, that holds control
 * bytes (they could become lines of a header or a reply) or is not UTF-8, and
 * an answer larger than POLICY_REPLY_MAX, is no answer.
 */
#ifndef POLICY_REPLY_H
#define POLICY_REPLY_H

#include "base/span.h"

#define POLICY_REPLY_MAX	16384

enum policy_reply_result {
	POLICY_REPLY_MORE,
	POLICY_REPLY_OK,
	POLICY_REPLY_BAD	/* r->why says how */
};

/* All zero to begin with. Remembers what it has read, so that an answer that
 * comes byte by byte costs no more. */
struct policy_reply {
	size_t at;		/* lines before this offset are done with */
	size_t action, action_n;
	bool has_action;
	const char *why;
};

/*
 * `in` is the answer from its beginning, as far as it has come. With OK
 * *action is the part of `in` that was asked for and r->at what the answer
 * used of it.
 */
enum policy_reply_result policy_reply_read(struct policy_reply *r,
    struct span in, struct span *action) MUST_CHECK;

#endif
