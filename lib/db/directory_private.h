/*
 * Inside of struct directory, for directory.c (asks, answers) and
 * directory_link.c (the connection's life, and what NOTIFYs do).
 */
#ifndef DB_DIRECTORY_PRIVATE_H
#define DB_DIRECTORY_PRIVATE_H

#include "base/map.h"
#include "base/queue.h"
#include "db/db.h"
#include "db/dircache.h"
#include "db/directory.h"

#define DIRECTORY_MAGIC	0x64697201u
/* Connections whose last sign of life is remembered: for how long an entry
 * of an earlier connection was known to be true. */
#define GENS		16

TAILQ_HEAD(ask_list, directory_ask);

struct directory {
	uint32_t magic;
	struct loop *loop;
	struct conf *conf;
	struct db *db;
	struct dircache *cache;
	struct map *lookups;		/* key -> lookup */
	struct ask_list ready;		/* answers for the next turn */
	struct defer ready_defer;
	struct timer heartbeat;
	bool beat_asked;		/* one is on its way */
	bool silent_logged;
	char *unfit;			/* why the schema can't be used; NULL */
	uint64_t host_id;		/* 0: not known */
	uint64_t settings;		/* raised when answers change by
					 * configuration */
	/* A generation is a connection; what an earlier one told may have
	 * changed unheard. */
	uint64_t gen;
	uint64_t heard_ms;		/* last NOTIFY or LISTEN of this gen */
	uint64_t heard[GENS];		/* of earlier ones, by gen % GENS */
	struct directory_stats stats;
};

/* Opens the connection; the rest of d is set. */
void directory_link_init(struct directory *d, const struct db_config *c);
/* Is what the connection tells heard, so that cached answers are true? */
bool directory_is_live(struct directory *d);

#endif
