#include "db/share_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xmalloc.h"

struct share_rows {
	const struct share_column *columns;
	size_t n_columns, most;
	struct map *by_key;
	struct share_row_list list;
	struct buf key;			/* of the row in hand */
};

/* --- one row --- */

/* Each text behind its length: no two rows have the same. */
static struct span
key_of(struct share_rows *r, const struct share_cell *cells)
{
	size_t i;

	buf_clear(&r->key);
	for (i = 0; i < r->n_columns; i++) {
		if (r->columns[i].join != SHARE_KEY)
			continue;
		if (r->columns[i].type == SHARE_I64)
			buf_append(&r->key, &cells[i].i64,
			    sizeof(cells[i].i64));
		else {
			buf_append(&r->key, &cells[i].text.n,
			    sizeof(cells[i].text.n));
			buf_span_add(&r->key, cells[i].text);
		}
	}
	ps_assert(!buf_failed(&r->key));
	return buf_span(&r->key);
}

static struct share_row *
row_new(const struct share_rows *r, const struct share_cell *cells)
{
	size_t n = r->n_columns, bytes = 0, i;
	struct share_row *row;
	char *at;

	for (i = 0; i < n; i++)
		if (r->columns[i].type == SHARE_TEXT)
			bytes += cells[i].text.n;
	row = xmalloc(sizeof(*row) + n * sizeof(row->cells[0]) + bytes);
	at = (char *)(row->cells + n);
	for (i = 0; i < n; i++) {
		row->cells[i] = (struct share_cell){ .i64 = cells[i].i64 };
		if (r->columns[i].type != SHARE_TEXT || cells[i].text.n == 0)
			continue;
		memcpy(at, cells[i].text.p, cells[i].text.n);
		row->cells[i].text = span_of(at, cells[i].text.n);
		at += cells[i].text.n;
	}
	return row;
}

/* What one number comes to of an older and a newer change. */
static int64_t
joined(enum share_join how, int64_t older, int64_t newer)
{
	switch (how) {
	case SHARE_GREATEST:
		return MAX(older, newer);
	case SHARE_LEAST:
		return MIN(older, newer);
	case SHARE_SUM:
		return newer > 0 ? (older > INT64_MAX - newer ? INT64_MAX :
		    older + newer) : (older < INT64_MIN - newer ? INT64_MIN :
		    older + newer);
	case SHARE_KEY:
	case SHARE_LAST:
		break;
	}
	return newer;
}

static void
join(const struct share_rows *r, const struct share_row *older,
    struct share_row *newer)
{
	size_t i;

	for (i = 0; i < r->n_columns; i++)
		newer->cells[i].i64 = joined(r->columns[i].join,
		    older->cells[i].i64, newer->cells[i].i64);
}

/* --- those that wait --- */

struct share_rows *
share_rows_new(const struct share_column *columns, size_t n_columns,
    size_t most)
{
	struct share_rows *r = xcalloc(1, sizeof(*r));

	ps_assert(n_columns > 0 && n_columns <= SHARE_COLUMNS_MAX);
	r->columns = columns;
	r->n_columns = n_columns;
	r->most = most;
	r->by_key = map_new();
	TAILQ_INIT(&r->list);
	buf_init(&r->key, BUF_NO_CAP);
	return r;
}

void
share_rows_free(struct share_rows **rp)
{
	struct share_rows *r = *rp;

	*rp = NULL;
	if (r == NULL)
		return;
	share_row_list_free(&r->list);
	map_free(&r->by_key);
	buf_fini(&r->key);
	free(r);
}

void
share_row_list_free(struct share_row_list *list)
{
	struct share_row *row;

	while ((row = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, row, link);
		free(row);
	}
}

size_t
share_rows_count(const struct share_rows *r)
{
	return map_count(r->by_key);
}

static struct share_row *
take_first(struct share_rows *r)
{
	struct share_row *row = TAILQ_FIRST(&r->list);

	if (row == NULL)
		return NULL;
	(void)map_del(r->by_key, key_of(r, row->cells));
	TAILQ_REMOVE(&r->list, row, link);
	return row;
}

bool
share_rows_put(struct share_rows *r, const struct share_cell *cells)
{
	struct share_row *row = row_new(r, cells);
	struct share_row *older = map_put(r->by_key, key_of(r, cells), row);

	if (older != NULL) {
		join(r, older, row);
		TAILQ_INSERT_AFTER(&r->list, older, row, link);
		TAILQ_REMOVE(&r->list, older, link);
		free(older);
		return true;
	}
	TAILQ_INSERT_TAIL(&r->list, row, link);
	if (map_count(r->by_key) <= r->most)
		return true;
	free(take_first(r));
	return false;
}

size_t
share_rows_take(struct share_rows *r, struct share_row_list *to, size_t n)
{
	struct share_row *row;
	size_t i;

	for (i = 0; i < n && (row = take_first(r)) != NULL; i++)
		TAILQ_INSERT_TAIL(to, row, link);
	return i;
}

void
share_rows_back(struct share_rows *r, struct share_row_list *from)
{
	struct share_row *row, *newer;

	while ((row = TAILQ_LAST(from, share_row_list)) != NULL) {
		TAILQ_REMOVE(from, row, link);
		newer = map_get(r->by_key, key_of(r, row->cells));
		if (newer != NULL) {
			join(r, row, newer);
			free(row);
			continue;
		}
		(void)map_put(r->by_key, buf_span(&r->key), row);
		TAILQ_INSERT_HEAD(&r->list, row, link);
	}
}

/* --- as the server wants them --- */

/* What PostgreSQL would refuse in text becomes "?". */
static void
element_add(struct buf *out, struct span text)
{
	size_t i, n, k;

	buf_char(out, '"');
	for (i = 0; i < text.n; i += n) {
		n = span_utf8_front(span_sub(text, i, text.n));
		if (n == 0 || text.p[i] == '\0') {
			buf_char(out, '?');
			n = 1;
			continue;
		}
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_char(out, '\\');
		for (k = 0; k < n; k++)
			buf_char(out, text.p[i + k]);
	}
	buf_char(out, '"');
}

void
share_rows_array(const struct share_row_list *list, size_t column,
    enum share_type type, struct buf *out)
{
	const struct share_row *row;
	char sep = '{';

	TAILQ_FOREACH(row, list, link) {
		buf_char(out, sep);
		if (type == SHARE_TEXT)
			element_add(out, row->cells[column].text);
		else
			buf_fmt(out, "%" PRId64, row->cells[column].i64);
		sep = ',';
	}
	buf_char(out, '}');
}
