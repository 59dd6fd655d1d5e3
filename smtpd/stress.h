/*
 * Overload ("stress"; Postfix: STRESS_README). A process whose sessions come
 * near smtpd_client_connection_limit has less patience with strangers:
 * smtpd_stress_timeout instead of smtpd_timeout, smtpd_stress_hard_error_limit
 * and smtpd_stress_junk_command_limit, minimum speed for texts. When it is
 * full, a newcomer takes the place of the stranger that was idle longest.
 *
 * Who is logged in, or is in mynetworks, is no stranger and notices nothing.
 */
#ifndef SMTPD_STRESS_H
#define SMTPD_STRESS_H

#include "smtpd/session.h"

/* One session more. False: the process is full and has nobody to send away
 * for it. */
bool stress_arrived(struct session *s) MUST_CHECK;
/* One session less. */
void stress_left(struct server *srv);

/* From now on s waits for its client / for us, or ends. */
void stress_idle(struct session *s);
void stress_busy(struct session *s);

/* Does it hold for this session? */
bool stress_applies(const struct session *s);
/* The smaller of two values under stress, else `normal`. */
int64_t stress_value(const struct session *s, int64_t normal,
    int64_t stress);

#endif
