/*
 * Is a DNS list to be believed? The state machine of one list and one kind of
 * question, without DNS and clock: dnshealth.c asks for the test entries of
 * RFC 5782 5 and tells it what came, tests play days in a loop.
 *
 * A list that has what it must not have (it lists the world), that lacks what
 * it must have (it is dead, or filtered by our resolver), or that refuses to
 * answer (127.255.255.0/24) is suspended at once. One that does not answer is
 * suspended at the third time, as a resolver may be down for a moment. A
 * suspended list is tested again after a minute, two, four, up to the usual
 * interval, and comes back by itself.
 */
#ifndef GATE_LISTHEALTH_H
#define GATE_LISTHEALTH_H

#include <stdbool.h>
#include <stdint.h>

/* What a list is asked about; each has test entries of its own. */
enum list_kind { LIST_IPV4, LIST_IPV6, LIST_NAMES, LIST_KINDS };
/* "IPv4 addresses" */
const char *list_kind_name(enum list_kind k);

/* May a list be asked? WAIT: this is just being found out. NEVER: it has nobody
 * of that kind, which is as if it had said so each time. */
enum list_use { LIST_USE_YES, LIST_USE_NO, LIST_USE_WAIT, LIST_USE_NEVER };

enum list_state { LIST_UNTESTED, LIST_GOOD, LIST_SUSPENDED };

/* What came for one test entry. */
enum list_entry {
	LIST_ENTRY_ABSENT,	/* not listed */
	LIST_ENTRY_LISTED,	/* an answer that counts */
	LIST_ENTRY_REFUSED,	/* 127.255.255.0/24 */
	LIST_ENTRY_OUTSIDE,	/* only answers outside 127.0.0.0/8 */
	LIST_ENTRY_SILENT	/* no answer, SERVFAIL */
};

#define LIST_WHY_MAX		160
#define LIST_RETEST_MS		60000u	/* the first, and the shortest */
#define LIST_SILENT_MAX		3	/* then it is suspended */

struct listhealth {
	enum list_state state;
	unsigned failures;		/* in a row */
	uint64_t next_ms;		/* when to test; 0: now */
	uint64_t tested_ms;		/* 0: never */
	uint64_t since_ms;		/* in this state */
	bool no_ipv6;			/* all that is wrong with it */
	char why[LIST_WHY_MAX];		/* of the last failure; "" */
};

static inline bool
listhealth_due(const struct listhealth *h, uint64_t now_ms)
{
	return h->next_ms <= now_ms;
}

/*
 * A test is over: `have` came for the entry that must be there, `not` for the
 * one that must not. exempt: this list is known to have no test entries, so
 * that the first may be absent. True: the state is another now.
 */
bool listhealth_learn(struct listhealth *h, enum list_kind kind,
    enum list_entry have, enum list_entry not, bool exempt,
    uint64_t interval_ms, uint64_t now_ms);
/* An answer in daily use was odd: test soon, but not all the time. */
void listhealth_doubt(struct listhealth *h, uint64_t now_ms);

#endif
