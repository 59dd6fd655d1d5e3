/*
 * Who has passed which first-contact test, and for how long (Postfix:
 * postscreen_cache_map). gatekeeper has one table for all workers and shares
 * it with other hosts; each worker has a small one of answers it knows.
 *
 * A client is an IPv4 address or an IPv6 /64: who owns one customer line must
 * not be able to fill the table. Times are whole seconds of one steady clock,
 * and what is told to others is how many seconds are left, so that no two
 * hosts need agree on the time of day.
 *
 * Always true: never more than `most` clients, the one that was heard of
 * longest ago goes first; a client is forgotten `keep` seconds after its last
 * pass has run out. Keys are hashed with a secret (map.h).
 */
#ifndef SMTPD_PASS_H
#define SMTPD_PASS_H

#include "base/buf.h"
#include "base/span.h"
#include "gate/netlist.h"

enum pass_test {
	PASS_GREET,		/* did not talk before the greeting */
	PASS_DNSBL,		/* its score is below the threshold */
	PASS_PIPELINING,	/* waited for replies */
	PASS_NON_SMTP,		/* spoke no other protocol */
	PASS_BARE_NEWLINE,	/* ended its lines properly */
	PASS_TESTS
};
#define PASS_BIT(t)	(1u << (t))
/* Before the greeting; the others show in the dialogue. */
#define PASS_EARLY	(PASS_BIT(PASS_GREET) | PASS_BIT(PASS_DNSBL))

/* As the parameters name them: "greet", "non_smtp_command". */
extern const char *const pass_names[PASS_TESTS];

/* --- clients and their times --- */

#define PASS_KEY_LEN	16

struct pass_key {
	char b[PASS_KEY_LEN];
};
void pass_key_set(struct pass_key *key, const struct net_addr *a);
static inline struct span
pass_key_span(const struct pass_key *key)
{
	return span_of(key->b, sizeof(key->b));
}
/* "192.0.2.7" or "2001:db8::/64" */
void pass_key_text(struct span key, struct buf *out);

/* Seconds for which a pass is still good; 0: never passed, or run out. */
struct pass_left {
	uint32_t s[PASS_TESTS];
};
/* The tests that are not passed, as bits. */
unsigned pass_missing(const struct pass_left *left);
void pass_left_pack(struct buf *out, const struct pass_left *left);
bool pass_left_unpack(struct span in, struct pass_left *left) MUST_CHECK;

/* --- the table --- */

struct passes;

struct passes *passes_new(size_t most, uint64_t keep_s);
void passes_free(struct passes **p);
void passes_configure(struct passes *p, size_t most, uint64_t keep_s);

/* False: nothing is known of it (a NEW client). */
bool passes_get(struct passes *p, struct span key, uint64_t now_s,
    struct pass_left *left);
/* Each test's later end holds. True when that changed anything. */
bool passes_add(struct passes *p, struct span key,
    const struct pass_left *left, uint64_t now_s);
/* The same for ends by that clock, 0 for never; what is over already is known
 * as such. */
bool passes_learn(struct passes *p, struct span key,
    const uint64_t until_s[PASS_TESTS], uint64_t now_s);
/* False: there was none. */
bool passes_forget(struct passes *p, struct span key);
size_t passes_count(const struct passes *p);

#endif
