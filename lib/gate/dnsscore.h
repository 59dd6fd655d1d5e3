/*
 * The score of a client's address over many DNS lists, each with a weight
 * that counts when the list has the address: block lists above zero, allow
 * lists below. As postscreen's postscreen_dnsbl_sites and thresholds; used by
 * the restrictions reject_dnsbl_score and permit_dnsbl_score, and before the
 * greeting (dnsscore_ask.h).
 *
 * All lists are asked at once, and the verdict stands as soon as no answer
 * that is still to come can change it. Answers are filtered as dnslist.h says;
 * a suspended list (dnshealth.h) counts as one that does not answer: nothing,
 * but what an allow list might have said is not held against a client.
 */
#ifndef GATE_DNSSCORE_H
#define GATE_DNSSCORE_H

#include "gate/dnslist.h"
#include "gate/gate.h"

struct dnssites;

#define DNSSITES_MAX		100
#define DNSSCORE_WEIGHT_MAX	100000
#define DNSSCORE_TOLD_MAX	3	/* lists that a reply names */
#define DNSSCORE_TEXT_MAX	400

/* "zone[=filter][*weight] ...": NULL with *why. None at all is fine. */
struct dnssites *dnssites_parse(const char *text, struct buf *why) MUST_CHECK;
void dnssites_free(struct dnssites **s);
size_t dnssites_count(const struct dnssites *s);
const struct dnslist *dnssites_at(const struct dnssites *s, size_t i);

enum dnsscore_verdict {
	DNSSCORE_OPEN,		/* answers are to come that matter */
	DNSSCORE_NEUTRAL,
	DNSSCORE_BLOCK,		/* at the threshold or above it */
	DNSSCORE_ALLOW,		/* at the allow threshold or below it */
	/* Blocked, but for allow lists that did not answer: try later. */
	DNSSCORE_UNSURE
};

struct dnsscore {
	enum dnsscore_verdict verdict;
	int64_t score;			/* so far */
	/* The lists above zero that have the address, the heaviest first, and
	 * all that do. */
	struct dnsscore_hit {
		const struct dnslist *list;
		int64_t weight;
		uint8_t answer[4];
	} hit[DNSSCORE_TOLD_MAX];
	unsigned n_hits;
};

/* Scores at `block` and above are blocked, at `allow` and below allowed;
 * allow 0: none is. */
struct dnsscore_limits {
	int64_t block, allow;
};
/* The parameters' (postscreen_dnsbl_threshold, ..._allowlist_threshold). */
struct dnsscore_limits dnsscore_limits_of(const struct conf *conf);

/*
 * What is known by now. Asks for all that is not, through ops->dns and
 * ops->list. late: what has not come counts as not answering, so that the
 * verdict is never DNSSCORE_OPEN.
 */
void dnsscore_count(const struct dnssites *s, const char *ip,
    const struct dnsscore_limits *limits, bool late,
    const struct gate_ops *ops, void *arg, struct dnsscore *out);

/* "zen.example (127.0.0.4), bl.example (127.0.0.2)" for a reply, with names
 * as postscreen_dnsbl_reply_map has them. False: a table's answer is to come.
 * A name whose table fails is left out: it may be a secret. */
bool dnsscore_names(const struct gate *g, const struct dnsscore *s,
    const struct gate_ops *ops, void *arg, struct buf *out) MUST_CHECK;

#endif
