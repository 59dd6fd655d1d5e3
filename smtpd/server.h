/*
 * One smtpd process: what all its sessions share. Sessions belong to it; it
 * belongs to main.c (or to a test).
 */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "base/ipc.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/work.h"
#include "db/directory.h"
#include "gate/ask.h"
#include "net/certs.h"
#include "net/dns.h"
#include "spool/journal.h"
#include "smtpd/profile.h"
#include "spool/queueid.h"

struct first;
struct judge;
struct keeper;
struct report;
struct keeper_ask;
struct live;
struct session;
struct txn;
struct upstream;
struct verdict_counts;

struct server {
	struct loop *loop;
	struct dns *dns;		/* NULL: clients stay "unknown" */
	struct gate_world world;	/* what the chain asks through */
	struct verdict_counts *verdicts;	/* NULL: none are counted */
	struct report *report;		/* NULL: the database is told nothing */
	struct certs *certs;
	struct work_pool *pool;
	struct work_pool *names;	/* host names of services: may wait */
	struct journal_writer *journal;
	struct queueid_gen ids;
	struct ipc *qmgr, *authd, *keeper;	/* NULL while away */
	struct ipc **deliver;		/* n_deliver, each NULL while away */
	unsigned n_deliver;
	uint64_t borrow_id;		/* QUEUE_BORROW under way; 0 none */
	uint8_t pressure;		/* QUEUE_PRESSURE */
	bool stopping;
	TAILQ_HEAD(session_list, session) sessions;
	TAILQ_HEAD(upstream_list, upstream) upstreams;	/* upstream.h */
	struct first *first;		/* first.h */
	struct live *live;		/* the sessions again, for the CLI */
	size_t n_sessions, n_upstreams, n_committing;
	size_t n_txns;			/* begun by MAIL, not over yet */
	uint32_t n_mails;		/* MAIL commands accepted so far */
	/* Strangers that wait for their client, the longest in front. */
	TAILQ_HEAD(, session) idlers;
	bool stress;
	size_t stress_until;		/* so many sessions */
	struct keeper *own_counts;	/* what our clients did */
	struct map *keeper_waits;	/* id -> session */
	uint64_t keeper_timeout_ms;	/* gatekeeper_timeout */
	uint64_t keeper_mute_ms;	/* nobody waits for it until then */
	unsigned n_keepers;		/* so many gatekeepers there were */
	bool grey_defers;		/* without an answer about greylisting */
	uint32_t grey_delay_s;
	/* keeper_ask.h */
	TAILQ_HEAD(, keeper_ask) keeper_asks;
	struct map *keeper_asked;	/* id -> keeper_ask */
	struct timer keeper_patience;
	struct map *quota_waits;	/* id -> session */
	struct map *auth_waits;		/* id -> session */
	struct map *cold_waits;		/* id -> txn */
	struct judge *spare_judges;
	struct txn *spare_txns;
	unsigned n_spare_judges, n_spare_txns;
	void (*idle)(struct server *srv, void *arg);	/* stopped, all gone */
	void *idle_arg;
	struct {
		uint64_t connects, messages, rejects, auth_ok, auth_bad, shed;
	} stat;
};

/* Fills in everything but world, dns, journal and connections. */
void server_init(struct server *srv, struct loop *l);
/* Sessions end at once; whoever made world and journal frees them after. */
void server_fini(struct server *srv);
/* Stops: idle sessions get 421 now, busy ones after their message; `idle`
 * is called from the loop when nothing is left. */
void server_stop(struct server *srv, void (*idle)(struct server *, void *),
    void *arg);
void server_check_idle(struct server *srv);

/* txn.c */
void txn_spares_free(struct server *srv);

#endif
