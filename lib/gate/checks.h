/*
 * Between the parts of lib/gate: what the table's checks need from the
 * parsed configuration, and the check that also runs without being listed.
 */
#ifndef GATE_CHECKS_H
#define GATE_CHECKS_H

#include "gate/gate.h"

/* smtpd_reject_unlisted_recipient, behind the last recipient rule. */
enum gate_result gate_unlisted_recipient(struct gate_eval *e);
bool gate_wants_unlisted(const struct gate *g);

/* The table's rows, by file. */
gate_check_fn check_client_access, check_reverse_client_hostname_access,
    check_helo_access, check_sender_access, check_recipient_access;
gate_check_fn reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname,
    reject_non_fqdn_sender, reject_non_fqdn_recipient,
    reject_unauth_pipelining, reject_plaintext_session,
    reject_multi_recipient_bounce, reject_unknown_client_hostname,
    reject_unknown_reverse_client_hostname;
gate_check_fn reject_unlisted_sender, reject_sender_login_mismatch,
    reject_authenticated_sender_login_mismatch,
    reject_unauthenticated_sender_login_mismatch,
    reject_known_sender_login_mismatch;

/* What a check judges, whatever list it stands in. */
enum gate_what {
	GATE_IS_CLIENT, GATE_IS_REVERSE, GATE_IS_HELO, GATE_IS_SENDER,
	GATE_IS_RECIPIENT, GATE_IS_STAGE
};
/* "CODE DSN <x>: Helo command rejected: WHY": a reject or, with a 4xx code,
 * a defer. The first digit of dsn becomes the code's. */
enum gate_result gate_refuse(struct gate_eval *e, enum gate_what what,
    int64_t code, const char *dsn, const char *why);
/* The same without "<x>: ... rejected: ". */
enum gate_result gate_refuse_plain(struct gate_eval *e, int64_t code,
    const char *dsn, const char *why);

#endif
