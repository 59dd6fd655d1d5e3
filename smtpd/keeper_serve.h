/*
 * gatekeeper's side of its wires to the smtpd workers: their events go into
 * one table (keeper.h), their questions are answered. What a worker holds
 * open is released when its wire ends, however it ends.
 *
 * A worker may be hostile: a message that is malformed ends its wire, and
 * what it can make us remember is bounded by the table.
 */
#ifndef SMTPD_KEEPER_SERVE_H
#define SMTPD_KEEPER_SERVE_H

#include "base/loop.h"
#include "smtpd/keeper.h"

struct keeper_server;

/* k is the caller's and must outlive it. */
struct keeper_server *keeper_server_new(struct loop *l, struct keeper *k);
void keeper_server_free(struct keeper_server **s);
/*
 * Who answers questions about a subject (KEEPER_ASK): at once, from memory.
 * PS_ESYNTAX ends the wire: no worker of ours asks so. What is put into
 * `answer` goes back, unless nobody asked.
 */
typedef int keeper_subject_fn(struct span body, struct buf *answer,
    void *arg);
void keeper_server_subject(struct keeper_server *s,
    enum keeper_subject subject, keeper_subject_fn *fn, void *arg);
/* All workers forget what they know of a key (KEEPER_FORGET). */
void keeper_server_forget(struct keeper_server *s,
    enum keeper_subject subject, struct span key);
/* A worker's wire; takes fd. The worker's number only names it in the log. */
void keeper_server_peer(struct keeper_server *s, unsigned index, int fd);
size_t keeper_server_peers(const struct keeper_server *s);
/* Messages taken so far. */
uint64_t keeper_server_events(const struct keeper_server *s);

#endif
