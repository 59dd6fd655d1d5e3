#include "gate/listhealth.h"

#include <stdio.h>

#include "base/macros.h"

/* How the entries of a kind are called in the log (RFC 5782 5). */
static const struct {
	const char *name, *have, *not;
} kinds[LIST_KINDS] = {
	[LIST_IPV4] = { "IPv4 addresses", "127.0.0.2", "127.0.0.1" },
	[LIST_IPV6] = { "IPv6 addresses", "::ffff:127.0.0.2",
	    "::ffff:127.0.0.1" },
	[LIST_NAMES] = { "names", "test", "invalid" },
};

const char *
list_kind_name(enum list_kind k)
{
	return kinds[k].name;
}

enum fault { FAULT_NONE, FAULT_SILENT, FAULT_WRONG, FAULT_NO_IPV6 };

/* What is wrong. What speaks of the list comes before silence. */
static enum fault
fault_of(enum list_kind kind, enum list_entry have, enum list_entry not,
    bool exempt, char why[LIST_WHY_MAX])
{
	enum fault fault = FAULT_WRONG;
	const char *what, *entry = kinds[kind].have;

	if (have == LIST_ENTRY_REFUSED || not == LIST_ENTRY_REFUSED)
		what = "is answered with 127.255.255.x: the list refuses to "
		    "answer us";
	else if (not == LIST_ENTRY_LISTED) {
		what = "is listed: it seems to list everything";
		entry = kinds[kind].not;
	} else if (have == LIST_ENTRY_OUTSIDE || not == LIST_ENTRY_OUTSIDE)
		what = "is answered with an address outside 127.0.0.0/8: "
		    "nobody seems to run this list";
	else if (have == LIST_ENTRY_SILENT || not == LIST_ENTRY_SILENT) {
		what = "can't be looked up: no answer";
		fault = FAULT_SILENT;
	} else if (have == LIST_ENTRY_ABSENT && !exempt) {
		what = "is not listed: it seems to be empty or gone";
		if (kind == LIST_IPV6) {
			what = "is not listed: it seems to know no IPv6";
			fault = FAULT_NO_IPV6;
		}
	} else
		return FAULT_NONE;
	(void)snprintf(why, LIST_WHY_MAX, "%s %s", entry, what);
	return fault;
}

static uint64_t
retest_ms(unsigned failures, uint64_t interval_ms)
{
	unsigned doublings = MIN(failures - 1, 20u);

	return MIN((uint64_t)LIST_RETEST_MS << doublings, interval_ms);
}

bool
listhealth_learn(struct listhealth *h, enum list_kind kind,
    enum list_entry have, enum list_entry not, bool exempt,
    uint64_t interval_ms, uint64_t now_ms)
{
	enum list_state was = h->state;
	enum fault fault = fault_of(kind, have, not, exempt, h->why);

	h->tested_ms = now_ms;
	if (fault != FAULT_SILENT)	/* that tells nothing new */
		h->no_ipv6 = fault == FAULT_NO_IPV6;
	if (fault == FAULT_NONE) {
		h->why[0] = '\0';
		h->failures = 0;
		h->state = LIST_GOOD;
		h->next_ms = now_ms + interval_ms;
	} else {
		h->failures++;
		h->next_ms = now_ms + retest_ms(h->failures, interval_ms);
		if (was != LIST_SUSPENDED)
			h->state = fault == FAULT_SILENT && h->failures <
			    LIST_SILENT_MAX ? LIST_GOOD : LIST_SUSPENDED;
	}
	if (h->state != was)
		h->since_ms = now_ms;
	return h->state != was;
}

void
listhealth_doubt(struct listhealth *h, uint64_t now_ms)
{
	uint64_t soon = h->tested_ms == 0 ? 0 : h->tested_ms + LIST_RETEST_MS;

	if (h->state == LIST_GOOD && soon < h->next_ms)
		h->next_ms = MAX(soon, now_ms);
}
