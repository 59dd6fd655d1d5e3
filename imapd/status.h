/*
 * The figures of STATUS items, as STATUS and LIST (RFC 5819) ask for them.
 */
#ifndef IMAPD_STATUS_H
#define IMAPD_STATUS_H

#include "imapd/session.h"
#include "imapd/status_items.h"

/* Before they are answered, on the loop: some enable an extension. */
void status_items_asked(struct session *s, unsigned items);
/* Appends "* STATUS name (...)" of a folder by its name on disk, or nothing
 * when it fails. In a thread. */
int status_put(struct session *s, struct buf *out, const char *name,
    unsigned items, struct err *err) MUST_CHECK;

#endif
