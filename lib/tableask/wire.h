/*
 * What is said to and by table servers: tcp_table(5), socketmap_table(5).
 * Parsers of bytes that came so far; they own nothing and ask nothing.
 */
#ifndef TABLEASK_WIRE_H
#define TABLEASK_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "table/table.h"

#define WIRE_REPLY_MAX	100100	/* longest of any protocol, all told */

enum wire_state {
	WIRE_MORE,		/* the reply is not complete */
	WIRE_DONE,		/* *used bytes were the reply; *r is set */
	WIRE_GARBAGE		/* err says why; the connection is of no use */
};

struct wire {
	const char *name;
	/* `map` is for socketmap. */
	void (*request)(const char *map, struct span key, struct buf *out);
	/* FOUND appends to *value; TEMPFAIL sets err to what it said. */
	enum wire_state (*reply)(struct span in, size_t *used,
	    enum table_result *r, struct buf *value, struct err *err);
};

extern const struct wire wire_tcp, wire_socketmap;

#endif
