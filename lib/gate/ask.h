/*
 * Where the facts of an evaluation really come from: the directory, the DNS,
 * tables. Remembers all that was asked until the verdict, so that a check
 * that is begun anew gets the same answers at once. smtpd's judge and
 * `postern explain` have one each per evaluation; what they ask through is
 * shared by all of them.
 */
#ifndef GATE_ASK_H
#define GATE_ASK_H

#include "base/loop.h"
#include "gate/dnshealth.h"
#include "gate/gate.h"
#include "mail/address.h"
#include "net/dnscache.h"
#include "policy/policy.h"
#include "tableask/tableask.h"

/* What a process asks through. All lent. */
struct gate_world {
	struct loop *loop;
	struct directory *dir;
	struct dnscache *dns;		/* NULL: DNS facts fail for now */
	struct dnshealth *lists;	/* NULL: all DNS lists are used */
	struct table_env *tables;	/* NULL: so do tables that ask others */
	/* NULL: policy services are not asked, as if all said DUNNO (for
	 * `postern explain`, as asking has effects). */
	struct policy *policy;
	struct grey_source *grey;	/* NULL: nobody waits for greylisting */
	struct verdicts *verdicts;	/* NULL: no verdict can be had */
};

struct gate_ask_dns;
struct gate_ask_policy;
struct gate_ask_spf_one;
struct gate_ask_table;

/* The sender's, or the recipient's. */
struct gate_ask_verdict {
	struct gate_ask *ask;
	char *address;			/* NULL: not asked for */
	struct verdict_ask *query;
	struct verdict *verdict;	/* NULL: it has not come */
};

struct gate_ask {
	const struct gate_world *world;
	struct gate_facts *facts;
	/* Something has come: gate_run may go on. From the loop. */
	void (*come)(void *arg);
	void (*note)(const char *what, const char *text, void *arg);
	/* May be NULL, as `note` and `count`: nothing is done then. */
	void (*effect)(enum gate_do what, struct span text, const char *line,
	    void *arg);
	void (*count)(const char *list, const char *rule,
	    const char *argument, const char *action, void *arg);
	void *arg;
	bool sleeps;		/* else `sleep' takes no time */

	/* private */
	struct resolution *known[3];		/* by enum gate_need */
	struct directory_ask *asked[3];
	SLIST_HEAD(, gate_ask_dns) dns;
	SLIST_HEAD(, gate_ask_table) tables;
	unsigned n_dns, n_tables;
	size_t dns_bytes;			/* of what has come */
	struct dnshealth_wait lists;
	SLIST_HEAD(, gate_ask_spf_one) spf;
	struct gate_ask_verdict verdict[2];
	struct grey_asked *grey_asked;
	struct grey_answer grey;
	bool grey_known;
	struct timer nap;
	enum { NAP_NONE, NAP_ON, NAP_OVER } napping;
	SLIST_HEAD(, gate_ask_policy) policies;
	struct defer again;
	size_t normal_n;
	char normal[ADDRESS_MAX + 1];	/* the recipient's normal form */
};

/* For gate_begin; its arg is the struct gate_ask. */
extern const struct gate_ops gate_ask_ops;

/* Set world, facts, come, note, effect, count, arg and sleeps first. `normal` is the recipient's
 * normal form, at most ADDRESS_MAX bytes; empty where there is none. */
void gate_ask_begin(struct gate_ask *a, struct span normal);
/* Cancels what is asked and forgets what is known. */
void gate_ask_end(struct gate_ask *a);
/* The fact is known now (in facts), or false: `come` tells. */
bool gate_ask_need(struct gate_ask *a, enum gate_need what);

#endif
