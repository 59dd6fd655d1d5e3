/*
 * Cold files: one message per file in spool/queue/, named by its queue id
 * (J11). Inside it is like a segment that holds one record: a header page
 * with its own epoch, then the record at COLD_RECORD_OFFSET.
 *
 * Order of a cold message: file written and synced, linked, directory synced,
 * and only then the record that makes it count (the journal's, or an entry
 * of the cold log). A file without one is removed at recovery.
 *
 * These functions may wait for the disk: call them in a thread.
 */
#ifndef SPOOL_COLD_H
#define SPOOL_COLD_H

#include "base/err.h"
#include "spool/envelope.h"
#include "spool/record.h"

/* A fresh file without a name in queue_dir: descriptor (yours) or PS_E*. */
int cold_create(int queue_dir, struct err *err) MUST_CHECK;

/*
 * Writes header, envelope and body into fd (from cold_create or from
 * QUEUE_COLD) and syncs it. The body comes from body_fd at body_off. When
 * given, *body_crc gets the body's checksum, for journal_append().
 */
int cold_write(int fd, const struct envelope *env, int body_fd,
    uint64_t body_off, uint64_t body_len, uint32_t *body_crc,
    struct err *err) MUST_CHECK;

/* The same without the sync: for many files and one syncfs. */
int cold_fill(int fd, const struct envelope *env, int body_fd,
    uint64_t body_off, uint64_t body_len, uint32_t *body_crc,
    struct err *err) MUST_CHECK;

/* Gives the file its name. Does not sync the directory: cold_dir_sync, once
 * for many. PS_EEXIST when the name is taken. */
int cold_link(int queue_dir, int fd, const char *queue_id, struct err *err)
    MUST_CHECK;
int cold_dir_sync(int queue_dir, struct err *err) MUST_CHECK;
int cold_unlink(int queue_dir, const char *queue_id, struct err *err)
    MUST_CHECK;

/* Opens for reading and checks the header; ref->fd is yours. */
int cold_open(int queue_dir, const char *queue_id, struct segment_ref *ref,
    struct err *err) MUST_CHECK;
/* Fills *ref from an open cold file (JOB_DELIVER's fd[0]); fd stays yours. */
int cold_ref(int fd, struct segment_ref *ref, struct err *err) MUST_CHECK;

#endif
