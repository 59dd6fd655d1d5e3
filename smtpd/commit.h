/*
 * From the end of a text to its 250 (J1): the envelope is built, the message
 * goes to the journal (or into a cold file first when it is large, J11), and
 * only the journal's callback says 250. The transaction lives on without its
 * session when that goes away meanwhile.
 */
#ifndef SMTPD_COMMIT_H
#define SMTPD_COMMIT_H

#include "base/ipc.h"
#include "smtpd/session.h"

enum step commit_begin(struct session *s) MUST_CHECK;
/* Says what a client of a stored message hears, and stores nothing. */
enum step commit_discard(struct session *s) MUST_CHECK;

/* Answers of qmgr. */
int commit_cold_cb(struct ipc *c, struct ipc_msg *m, void *arg);
int commit_linked_cb(struct ipc *c, struct ipc_msg *m, void *arg);
/* The connection to qmgr ended: no such answer will come. */
void commit_qmgr_lost(struct server *srv);

#endif
