/*
 * Between the parts of lib/gate: what the table's checks need from the
 * parsed configuration, and the check that also runs without being listed.
 */
#ifndef GATE_CHECKS_H
#define GATE_CHECKS_H

#include "gate/gate.h"

bool gate_wants_unlisted(const struct gate *g);
/* Do access tables have parents as ".example.com"? */
bool gate_dotted_parents(const struct gate *g);
/* Is it in smtpd_log_access_permit_actions? */
bool gate_logs_permit(const struct gate *g, const char *action);

/* The rule of a restriction class. */
gate_check_fn gate_run_class;
/* Is what the rule looks at known at the present stage? */
bool gate_has_input(const struct gate_eval *e, const struct gate_rule *rule);
/*
 * Next rule of a list: 1, 0 at its end, -1 with *why when it is none. Tables
 * must be open already. A rule that is not kept must be given to _fini.
 */
int gate_rule_next(const struct gate *g, enum gate_stage s, struct span *rest,
    struct gate_rule *rule, struct buf *why) MUST_CHECK;
void gate_rule_fini(struct gate_rule *rule);

/* The table's rows, by file. */
gate_check_fn check_client_access, check_reverse_client_hostname_access,
    check_helo_access, check_sender_access, check_recipient_access,
    check_sasl_access, check_etrn_access;
gate_check_fn permit_tls_clientcerts, permit_tls_all_clientcerts,
    check_ccert_access;
gate_check_fn reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname,
    reject_non_fqdn_sender, reject_non_fqdn_recipient,
    reject_unauth_pipelining, reject_plaintext_session,
    reject_multi_recipient_bounce, reject_unknown_client_hostname,
    reject_unknown_reverse_client_hostname,
    reject_unknown_forward_client_hostname;
gate_check_fn reject_unknown_helo_hostname, reject_unknown_sender_domain,
    reject_unknown_recipient_domain, permit_naked_ip_address,
    permit_mx_backup;
gate_check_fn reject_rbl_client, reject_maps_rbl, reject_rhsbl_client,
    reject_rhsbl_reverse_client, reject_rhsbl_helo, reject_rhsbl_sender,
    reject_rhsbl_recipient, permit_dnswl_client, permit_rhswl_client,
    reject_dnsbl_score, permit_dnsbl_score;
gate_check_fn check_client_a_access, check_client_mx_access,
    check_client_ns_access, check_reverse_client_hostname_a_access,
    check_reverse_client_hostname_mx_access,
    check_reverse_client_hostname_ns_access, check_helo_a_access,
    check_helo_mx_access, check_helo_ns_access, check_sender_a_access,
    check_sender_mx_access, check_sender_ns_access,
    check_recipient_a_access, check_recipient_mx_access,
    check_recipient_ns_access;
gate_check_fn check_greylist, check_policy_service;
gate_check_fn reject_unlisted_recipient, reject_unlisted_sender, reject_sender_login_mismatch,
    reject_authenticated_sender_login_mismatch,
    reject_unauthenticated_sender_login_mismatch,
    reject_known_sender_login_mismatch;

gate_check_fn check_spf;
gate_check_fn reject_unverified_sender, reject_unverified_recipient;

/* What a check judges, whatever list it stands in. */
enum gate_what {
	GATE_IS_CLIENT, GATE_IS_REVERSE, GATE_IS_HELO, GATE_IS_SENDER,
	GATE_IS_RECIPIENT, GATE_IS_SASL, GATE_IS_CCERT, GATE_IS_ETRN,
	GATE_IS_STAGE
};
/* HOLD, PREPEND and their like; key is what the table was found with. */
struct access;
enum gate_result gate_access_effect(struct gate_eval *e,
    const struct access *a, enum gate_what about, const char *table,
    struct span key);
/* Is it the first time that the rule comes by here, and its turn? Not when it
 * was parked behind this point and is asked again. */
bool gate_once(struct gate_eval *e);
/* "CODE DSN <x>: Helo command rejected: WHY": a reject or, with a 4xx code,
 * a defer. The first digit of dsn becomes the code's. */
enum gate_result gate_refuse(struct gate_eval *e, enum gate_what what,
    int64_t code, const char *dsn, const char *why);
/* As gate_refuse, for what can't be decided now: conf says whether that is a
 * DEFER_IF_PERMIT ("defer_if_permit") or a DEFER. code is a 4xx. */
enum gate_result gate_unsure(struct gate_eval *e, const char *action,
    enum gate_what what, int64_t code, const char *dsn, const char *why);
/* "<x>: Helo command", as it begins a refusal. */
void gate_subject_of(const struct gate_eval *e, enum gate_what what,
    struct buf *out);
/* checks_access.c for checks_server.c */
enum gate_result gate_server_access(struct gate_eval *e,
    const struct gate_rule *rule, enum gate_what what, struct span name,
    bool is_address, bool *found);
/* For checks_tls.c: a key as it stands. *found: the table had something, or
 * could not say. */
enum gate_result gate_key_access(struct gate_eval *e,
    const struct gate_rule *rule, enum gate_what what, struct span key,
    bool *found);
enum gate_result gate_forbid_permit(struct gate_eval *e,
    const struct gate_rule *rule, enum gate_result r, const char *who);
/* Carries an access(5) value out. `who` said so (a table, a service) about
 * `key`. */
enum gate_result gate_access_act(struct gate_eval *e, struct span value,
    enum gate_what what, const char *who, struct span key);
/* "user%elsewhere@ours" and its like ask us to send it on from here (S34):
 * the last "@" doesn't tell where it goes. */
bool gate_is_routed(struct span address);
/* Is the recipient's domain ours? DUNNO means no; may park. */
enum gate_result gate_our_domain(struct gate_eval *e);
/* The sender's or recipient's domain as the DNS knows it (A-labels); empty
 * when there is none or it is an address literal. */
bool gate_dns_domain(const struct gate_eval *e, enum gate_what what,
    struct buf *out);
/* The same without "<x>: ... rejected: ". */
enum gate_result gate_refuse_plain(struct gate_eval *e, int64_t code,
    const char *dsn, const char *why);

#endif
