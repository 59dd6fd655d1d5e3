/*
 * Keeps the tables of a process as their files are: each that is open is
 * looked at now and then, in a thread, and read anew when it has changed
 * (table_refresh()). No reload and no postmap is needed.
 */
#ifndef TABLE_WATCH_H
#define TABLE_WATCH_H

#include "base/loop.h"
#include "table/table.h"

struct table_watch;

struct table_watch *table_watch_new(struct loop *l, uint64_t every_ms);
/* Waits for the thread. */
void table_watch_free(struct table_watch **w);
/* Looks at all of them as soon as it can. */
void table_watch_now(struct table_watch *w);

#endif
