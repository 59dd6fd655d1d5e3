/*
 * The other processes: qmgr (segments, pressure), deliver (quota), authd
 * (AUTH). A connection that ends is forgotten; posternd brings the next one.
 */
#ifndef SMTPD_PEERS_H
#define SMTPD_PEERS_H

#include "proto/service.h"
#include "smtpd/server.h"

/* Takes fd, in place of the connection there was. */
void peers_take(struct server *srv, enum service_role role, unsigned index,
    int fd);
/* The journal's writer, which borrows its segments over srv->qmgr. */
struct journal_writer *peers_journal_new(struct server *srv);

#endif
