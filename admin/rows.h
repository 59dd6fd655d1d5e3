/*
 * Rows that a running process answers with (ctl.h): kept, looked into, and
 * printed. Each is one JSON object; only valid JSON gets here.
 */
#ifndef ADMIN_ROWS_H
#define ADMIN_ROWS_H

#include "admin/cli.h"
#include "admin/ctl.h"

/* Begin with { 0 }. */
struct rows {
	char **v;
	size_t n;
};

/* A ctl_row_fn; arg is the rows. */
void rows_keep(struct span json, void *arg);
void rows_fini(struct rows *rows);

/* As ctl_ask(), keeps the rows behind those that are there; what went wrong is
 * explained. A sysexits code. */
int rows_ask(struct cli *cli, const char *via, const char *verb,
    const struct span *args, size_t n, uint64_t timeout_ms,
    struct rows *rows, struct ctl_answer *answer);

void rows_print_json(const struct rows *rows);
/* A table with a column for each key, in order of appearance. */
void rows_print_table(const struct rows *rows, bool single);

/* The value of a member, as it is written. */
bool row_get(const char *row, struct span want, struct span *value);
/* Appends a value for people: a list of plain ones without its brackets. */
void row_value_text(struct span value, struct buf *out);

#endif
