/*
 * Login defence: who may have a password checked now. What counts is
 * *different wrong passwords*, not attempts, in three places:
 *
 *   account	tried for this account by networks that it does not know
 *   network	tried from this network (/24 of IPv4, /64 of IPv6), for
 *		whatever name; ten times as many from a /48 of IPv6, of
 *		which one host may have all /64
 *   known	tried for an account from a network that it knows: one from
 *		which it logged in within known_ms. These count nowhere else,
 *		and the first two limits do not bind there.
 *
 * A network's limit grows with the number of accounts that know it, so that an
 * office may have as many mistaken people as it has people. From a quarter of
 * a limit on answers are delayed, more and more; at the limit checks are
 * refused until enough of what was counted is older than the window.
 *
 * SCRAM shows only that a proof is wrong, never whether it is the same wrong
 * password as before. Up to DEFENCE_SCRAM_SAME failures of one account from
 * one network within one slot pass for one password; each further one counts.
 *
 * A name counts the same whether there is such a mailbox or not (S19). Names
 * that are no address are nobody's account: they count for their network.
 *
 * Pure logic: no clock (`now` is ms since 1970, the same on all hosts), no
 * database. Memory is bounded: of each kind of subject at most `entries` are
 * kept, and those touched last, and of one account at most DEFENCE_KNOWN_MAX
 * networks that it knows. No password is kept, only marks (guesses.h).
 */
#ifndef AUTHD_DEFENCE_H
#define AUTHD_DEFENCE_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/span.h"

#define DEFENCE_SCRAM_SAME	6
#define DEFENCE_KNOWN_MAX	128
#define DEFENCE_NET_MAX		64	/* "2001:db8:1:2::/64" */
#define DEFENCE_SUBJECT_MAX	512	/* "kim@a.example 192.0.2.0/24" */

struct defence;

enum defence_kind {
	DEFENCE_ACCOUNT,	/* "kim@a.example" */
	DEFENCE_NETWORK,	/* "192.0.2.0/24" */
	DEFENCE_KNOWN,		/* "kim@a.example 192.0.2.0/24" */
	DEFENCE_KINDS
};

enum defence_answer {
	DEFENCE_OPEN,
	DEFENCE_SLOW,		/* check it after delay_ms */
	DEFENCE_REFUSED		/* do not check it */
};

struct defence_verdict {
	enum defence_answer answer;
	enum defence_kind kind;	/* which limit; of SLOW and REFUSED */
	uint64_t delay_ms;
	unsigned level, limit;
};

/* Who tries. */
struct defence_who {
	struct span account;	/* normal form; "" when it is no address */
	struct span name;	/* as the client wrote it */
	struct span ip;
};

/* What others should hear of; either may be NULL. */
struct defence_events {
	/* Another password was counted. `epoch`, `slot`: see guesses.h. With
	 * forgiven: nothing was counted, a new epoch began. */
	void (*counted)(enum defence_kind kind, struct span subject,
	    uint64_t epoch, int64_t slot, bool forgiven, void *arg);
	/* A network is known to an account until then. */
	void (*known)(struct span account, struct span network,
	    int64_t until_ms, void *arg);
	/* Checks are refused from now on; once per subject and slot. */
	void (*closed)(enum defence_kind kind, struct span subject,
	    unsigned level, int64_t until_ms, void *arg);
	void *arg;
};

struct defence *defence_new(size_t entries,
    const struct defence_events *events);
void defence_free(struct defence **d);
/* Limits and times as conf says; at start and at reload. */
void defence_configure(struct defence *d, const struct conf *conf);

/* Text of the network an address belongs to; "" is none. */
void defence_net(struct span ip, char out[DEFENCE_NET_MAX]);
/* The /48 of an IPv6 address; "" for others. */
void defence_site(struct span ip, char out[DEFENCE_NET_MAX]);

/* May this one have its password checked? Counts nothing. */
struct defence_verdict defence_ask(struct defence *d, int64_t now,
    const struct defence_who *who);
/* It was refused, or checked: a wrong password (.p == NULL: a wrong proof of
 * SCRAM), or the right one. */
void defence_refused(struct defence *d, int64_t now,
    const struct defence_who *who, const struct defence_verdict *v);
void defence_wrong(struct defence *d, int64_t now,
    const struct defence_who *who, struct span password);
void defence_right(struct defence *d, int64_t now,
    const struct defence_who *who);

/* What other hosts, or the database, say. */
void defence_take_guesses(struct defence *d, int64_t now,
    enum defence_kind kind, struct span subject, uint64_t epoch,
    int64_t slot, unsigned count);
void defence_take_known(struct defence *d, int64_t now, struct span account,
    struct span network, int64_t until_ms);

/* Forgets what was counted for an account (also from networks that it knows)
 * or a network. False when there was nothing. */
bool defence_forgive(struct defence *d, int64_t now, struct span subject);

/* For people: one subject with something counted, or a known network. */
struct defence_row {
	enum defence_kind kind;
	struct span subject;	/* lent until the next call that changes */
	unsigned level, limit;
	enum defence_answer answer;
	uint64_t delay_ms;
	int64_t until_ms;	/* REFUSED: then it is open again */
	int64_t known_until_ms;	/* of DEFENCE_KNOWN */
	uint32_t refused;	/* checks refused lately, here */
};
/* The next in a walk from *pos = 0 and *kind = 0; false at the end. Rows may
 * be missed or come twice when things change in between. */
bool defence_next(struct defence *d, int64_t now, enum defence_kind *kind,
    size_t *pos, struct defence_row *row);
/* One subject; false when nothing is known of it. */
bool defence_find(struct defence *d, int64_t now, enum defence_kind kind,
    struct span subject, struct defence_row *row);

/* Drops what has expired: at most `most` subjects. Call now and then. */
void defence_sweep(struct defence *d, int64_t now, size_t most);
size_t defence_count(const struct defence *d, enum defence_kind kind);

#endif
