/*
 * Inside ask.c: the look-ups of one evaluation in tables.
 */
#ifndef GATE_ASK_TABLE_H
#define GATE_ASK_TABLE_H

#include "gate/ask.h"

/* gate_ops.table; arg is the struct gate_ask. */
enum table_result gate_ask_table(struct table *table, struct span key,
    struct buf *out, struct err *err, void *arg);
/* Cancels what is asked and forgets what is known. */
void gate_ask_tables_end(struct gate_ask *a);

#endif
