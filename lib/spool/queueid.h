/*
 * Session ids and queue ids (J8). Made from host id, incarnation (a durable
 * counter raised at every worker start) and a counter, never from the clock:
 *
 *	session id  10 characters  host (10 bits) incarnation (22) counter (27)
 *	queue id    12 characters  session id, then the message's number in it
 *
 * as base-62 digits 0-9 A-Z a-z, so that log tools' \w+ reads them and they
 * serve as file names. Two messages never share one; what shares one anyway
 * (a restored spool) is caught by J14 and by deliver.
 */
#ifndef SPOOL_QUEUEID_H
#define SPOOL_QUEUEID_H

#include "base/macros.h"
#include "base/span.h"

#define SESSION_ID_LEN		10
#define QUEUE_ID_LEN		12
#define QUEUE_ID_PER_SESSION	3844	/* 62 * 62 */

#define QUEUEID_HOST_MAX	((1u << 10) - 1)
#define QUEUEID_INCARNATION_MAX	((1u << 22) - 1)

/* Where one process' session ids come from. */
struct queueid_gen {
	uint32_t host, incarnation, counter;
};

/* PS_ETOOBIG when host or incarnation do not fit the id. */
int queueid_gen_init(struct queueid_gen *g, uint32_t host,
    uint32_t incarnation) MUST_CHECK;
/* The next session id, NUL-terminated. False after 2^27 sessions: the worker
 * must end and be started anew (with another incarnation). */
bool queueid_session(struct queueid_gen *g, char out[SESSION_ID_LEN + 1])
    MUST_CHECK;
/* Queue id of message `number` (from 0) of a session. False when number is
 * QUEUE_ID_PER_SESSION or more: end the session. */
bool queueid_message(const char *session, unsigned number,
    char out[QUEUE_ID_LEN + 1]) MUST_CHECK;
/* Has the form of a queue id? */
bool queueid_valid(struct span s);

#endif
