/*
 * Tells PostgreSQL how full mailboxes are: absolute figures, gathered and
 * written in batches on a connection of their own (role postern_usage), so
 * that deliveries never wait and many of them are one row. The store has the
 * truth; a figure that is lost here comes with the next delivery.
 */
#ifndef DB_USAGE_H
#define DB_USAGE_H

#include "base/conf.h"
#include "base/loop.h"

struct usage_writer;

/* `password` may be NULL. Keeps a reference to conf. */
struct usage_writer *usage_writer_new(struct loop *l, struct conf *conf,
    const char *password);
/* What was not written yet is lost: see usage_writer_flush. */
void usage_writer_free(struct usage_writer **w);

/* Notes figures of one mailbox; written within usage_report_interval. Of
 * several, that of the highest version counts; versions of one mailbox rise
 * for ever (a modseq, or wall-clock microseconds). */
void usage_writer_note(struct usage_writer *w, uint64_t mailbox_id,
    uint64_t bytes, uint64_t messages, uint64_t version);

/* Writes now what is there; for the end of a program. done(arg) runs once
 * from the loop when all is written or the database does not take it. */
void usage_writer_flush(struct usage_writer *w, loop_cb *done, void *arg);

/* Mailboxes that wait, and batches that failed since start. */
size_t usage_writer_waiting(const struct usage_writer *w);
uint64_t usage_writer_failures(const struct usage_writer *w);

#endif
