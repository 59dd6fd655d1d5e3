/*
 * Keeps tables as their files are: each is looked at now and then, in a
 * thread, and read anew when it has changed (table_refresh()). No reload and
 * no postmap is needed.
 */
#ifndef TABLE_WATCH_H
#define TABLE_WATCH_H

#include "base/loop.h"
#include "table/table.h"

struct table_watch;

struct table_watch *table_watch_new(struct loop *l, uint64_t every_ms);
/* Waits for the thread. */
void table_watch_free(struct table_watch **w);
/* Watches it until no one else holds a reference; twice is once. */
void table_watch_add(struct table_watch *w, struct table *t);
/* Looks at all of them as soon as it can. */
void table_watch_now(struct table_watch *w);
/* Tables that are watched. */
size_t table_watch_count(const struct table_watch *w);

#endif
