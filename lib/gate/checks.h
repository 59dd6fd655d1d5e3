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
int gate_relay_code(const struct gate *g);
int gate_unknown_code(const struct gate *g);

#endif
