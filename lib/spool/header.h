/*
 * The header page that segments, cold files and outcome logs begin with.
 */
#ifndef SPOOL_HEADER_H
#define SPOOL_HEADER_H

#include "base/err.h"
#include "spool/record.h"

#define HEADER_SEGMENT		"PSTNSEG1"
#define HEADER_OUTLOG		"PSTNOUT1"

/* Draws a new epoch. */
void header_epoch(uint8_t epoch[EPOCH_SIZE]);
/* Writes the header page of ref's id, epoch and size at the front of fd. No
 * sync. -1 and errno. */
int header_write(int fd, const char *magic, const struct segment_ref *ref)
    MUST_CHECK;
/* Reads and checks it; fills id, epoch and size of *ref and leaves fd.
 * PS_ECORRUPT when it does not check, PS_EIO. */
int header_read(int fd, const char *magic, struct segment_ref *ref,
    struct err *err) MUST_CHECK;

#endif
