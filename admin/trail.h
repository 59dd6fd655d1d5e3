/*
 * Trails: what the log says of one message each, and of refusals that no
 * message came of. Fed with all lines twice: first to find which messages are
 * meant, then to gather their lines (a client's line comes before the one
 * that names the recipient).
 */
#ifndef ADMIN_TRAIL_H
#define ADMIN_TRAIL_H

#include "admin/logline.h"
#include "spool/queueid.h"

#define TRAILS_MAX		1000
#define TRAIL_LINES_MAX		2000	/* of one */

struct trail {
	char id[QUEUE_ID_LEN + 1];	/* queue or session id; "": refusals
					 * and other lines without one */
	char **line;			/* as logged, in order */
	size_t n_lines;
	uint64_t left_out;		/* past TRAIL_LINES_MAX: the last, or
					 * without an id the first */
};

struct trails;

/* syslog_name is copied. What is searched for: a queue id, a session id (all
 * its messages), an address or Message-ID (with or without <>), or a client's
 * IP address. NULL when `what` is none of these. */
struct trails *trails_new(const char *syslog_name, struct span what);
void trails_free(struct trails **t);

/* For the first pass. An id needs none: trails_known() says so. */
void trails_find(struct trails *t, struct span line);
bool trails_known(const struct trails *t);
/* For the second. */
void trails_gather(struct trails *t, struct span line);

/* Trails that have lines, in the order of their first one. */
size_t trails_count(const struct trails *t);
const struct trail *trails_get(const struct trails *t, size_t i);
/* There were more messages than TRAILS_MAX: the oldest, or of a session the
 * last, are not here. */
bool trails_more(const struct trails *t);

#endif
