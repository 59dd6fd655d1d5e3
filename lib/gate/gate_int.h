/*
 * Inside lib/gate: what a gate holds, and the parts it is made by.
 */
#ifndef GATE_GATE_INT_H
#define GATE_GATE_INT_H

#include "gate/gate.h"
#include "table/matchlist.h"

struct gate {
	unsigned refs;
	struct conf *conf;
	struct netlist *mynetworks, *own, *mx_backup;
	struct client_list *exceptions;
	struct table **tables;
	size_t n_tables;
	struct policy_spec **policies;
	size_t n_policies;
	struct gate_list list[GATE_STAGES];
	struct gate_list **classes;
	size_t n_classes;
	struct table **rbl_replies;	/* among tables */
	size_t n_rbl_replies;
	struct dnslist **old_rbls;	/* maps_rbl_domains */
	size_t n_old_rbls;
	struct dnssites *score_sites;	/* postscreen_dnsbl_sites */
	struct table **score_replies;	/* ..._reply_map; among tables */
	size_t n_score_replies;
	struct netlist *spf_skipped[2];	/* spf_skip_addresses, _whitelist */
	struct table **login_maps;	/* smtpd_sender_login_maps, likewise */
	size_t n_login_maps;
	struct greywhite *greywhite;
	struct dnslist **grey_dnswls;	/* greylist_dnswl_domains */
	size_t n_grey_dnswls;
	bool dotted_parents;
	struct matchlist *log_permits;	/* smtpd_log_access_permit_actions */
};

/* "where: text\n" */
void gate_complain(struct buf *out, const char *where, const char *fmt, ...)
    PRINTF(3, 4);

/* --- parse.c: lists and classes; mistakes go to complaints --- */
void gate_parse_classes(struct gate *g, struct buf *complaints);
void gate_parse_stage(struct gate *g, enum gate_stage s,
    struct buf *complaints);
void gate_list_fini(struct gate_list *l);
/* The table of that name; with `open` (the gate in the making) each is
 * opened once, else it must be there. */
struct table *gate_table_of(const struct gate *g, struct gate *open,
    struct span spec, struct buf *why);

/* --- trust.c: who is believed, and that strangers do not relay --- */
/* A list of networks; NULL when a word is none. */
struct netlist *gate_networks(const struct gate *g, const char *param,
    const char *text, struct buf *complaints);
struct netlist *gate_own_find(const struct gate *g, struct buf *complaints);
/* Whatever makes an open relay is a complaint. Lists and mynetworks must be
 * good. */
void gate_check_trust(const struct gate *g, struct buf *complaints);

#endif
