/*
 * Inside lists.c: one pg: list, its entries, and who waits for them.
 */
#ifndef TABLEASK_LIST_H
#define TABLEASK_LIST_H

#include "db/db.h"
#include "tableask/tableask_int.h"

struct list;
struct map;

/* What the lists of a process share. */
struct lists {
	uint32_t magic;
	struct table_env *env;
	struct db *db;
	struct map *by_name;
	/* A generation is a connection; what an earlier one told may have
	 * changed unheard. */
	uint64_t gen;
	uint64_t heard_ms;		/* last NOTIFY or LISTEN of this gen */
};

/* Is what the connection tells heard? */
bool lists_are_live(const struct lists *all);

struct list *list_new(struct lists *all, const char *name);
void list_free(struct list *l);
/* What is held of a key and may be used now, else TABLE_PARKED. *value is
 * lent until the next change. */
enum table_result list_find(struct list *l, struct span key,
    struct span *value);
/* Finds the fact out: with a load of the list, or by itself. */
void list_ask(struct list *l, struct fact *f);
void list_cancel(struct fact *f);

/* NOTIFYs: of one key, of many. */
void list_key_changed(struct list *l, struct span key);
void list_changed(struct list *l);
/* The connection is gone; until when it was heard counts. */
void list_lost(struct list *l);

#endif
