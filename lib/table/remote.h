/*
 * Tables whose answers only others have: what lib/tableask needs to know of
 * them, and how a look-up that meets one goes on. Nothing is asked here.
 */
#ifndef TABLE_REMOTE_H
#define TABLE_REMOTE_H

#include <stdatomic.h>

#include "table/table.h"

enum table_remote_kind {
	TABLE_REMOTE_TCP, TABLE_REMOTE_SOCKETMAP, TABLE_REMOTE_PGSQL,
	TABLE_REMOTE_PG, TABLE_REMOTE_KINDS
};

struct pgsql_query;

/* Immutable. A refresh, in a thread, may let go of one that is being asked. */
struct table_remote {
	atomic_uint refs;
	enum table_remote_kind kind;
	char *spec;		/* for messages; has no secret */
	char *where;		/* tcp, socketmap: for dial_place_parse() */
	char *name;		/* socketmap: of the map; pg: of the list */
	struct pgsql_query *query;	/* pgsql */
};

struct table_remote *table_remote_ref(struct table_remote *r);
void table_remote_unref(struct table_remote **r);

/*
 * Who answers for remote tables during one look-up. `ask` says what is known:
 * FOUND (appended to *out), NOTFOUND, TEMPFAIL, or PARKED when it had to be
 * asked for: then the look-up is made once more from its beginning. Keys come
 * folded where the type folds them.
 */
struct table_asker {
	enum table_result (*ask)(struct table_asker *a,
	    struct table_remote *r, struct span key, struct buf *out,
	    struct err *err);
	uint32_t dice;		/* randmap: the same in each run */
};

/* As table_look_up(), and may give TABLE_PARKED. All members that can be
 * asked at the same time were asked then. */
enum table_result table_look_up_with(struct table *t, struct span key,
    struct buf *out, struct err *err, struct table_asker *asker);

#endif
