/*
 * Rows of a share_kind that changed and wait to be written. Of one row (equal
 * SHARE_KEY cells) there is one; another change of it is joined to what
 * waits. Oldest first; past a bound the oldest is dropped.
 */
#ifndef DB_SHARE_ROWS_H
#define DB_SHARE_ROWS_H

#include "base/buf.h"
#include "base/queue.h"
#include "db/share.h"

struct share_row {
	TAILQ_ENTRY(share_row) link;
	struct share_cell cells[];	/* texts lie behind them */
};
TAILQ_HEAD(share_row_list, share_row);

struct share_rows;

struct share_rows *share_rows_new(const struct share_column *columns,
    size_t n_columns, size_t most);
void share_rows_free(struct share_rows **r);
size_t share_rows_count(const struct share_rows *r);
/* False: the oldest had to go for it. */
bool share_rows_put(struct share_rows *r, const struct share_cell *cells);
/* Moves up to n of the oldest to the end of `to`; how many. */
size_t share_rows_take(struct share_rows *r, struct share_row_list *to,
    size_t n);
/* All of `from` waits again, in front; what is newer by now is joined. */
void share_rows_back(struct share_rows *r, struct share_row_list *from);
void share_row_list_free(struct share_row_list *list);

/* One column of all rows of a list as the text of an array. */
void share_rows_array(const struct share_row_list *list, size_t column,
    enum share_type type, struct buf *out);

#endif
