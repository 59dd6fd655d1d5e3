#include "table/matchlist.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"

struct match {
	char *word;		/* NULL: table */
	struct table *table;
};

struct matchlist {
	struct match *all;
	size_t n;
};

static struct match *
add(struct matchlist *l)
{
	l->all = xreallocarray(l->all, l->n + 1, sizeof(*l->all));
	l->all[l->n] = (struct match){ NULL, NULL };
	return &l->all[l->n++];
}

/* NULL with *err. */
static struct table *
open_table(struct span spec, struct err *err)
{
	struct table *t = table_open(spec, err);

	if (t != NULL && table_is_async(t)) {
		(void)err_set(err, ERR_PERM, PS_EDENIED, "%s asks others for "
		    "its answers, which can't be waited for here",
		    table_name(t));
		table_unref(&t);
	}
	return t;
}

struct matchlist *
matchlist_new(const struct conf *conf, const char *param, const char *text,
    enum matchlist_kind kind, struct buf *complaints)
{
	struct matchlist *l = xcalloc(1, sizeof(*l));
	struct span rest = span_str(text), word;
	const char *where = conf_where(conf, param);
	struct table *t;
	struct err err;

	while (conf_braced_next(&rest, &word)) {
		if (kind == MATCHLIST_WORDS_TOO && span_chr(word, ':') == -1) {
			add(l)->word = xmemdup0(word.p, word.n);
			continue;
		}
		err_clear(&err);
		t = open_table(word, &err);
		if (t != NULL)
			add(l)->table = t;
		else
			buf_fmt(complaints, "%s%s%s: %s\n", where,
			    *where == '\0' ? "" : ": ", param, err.why);
	}
	return l;
}

void
matchlist_free(struct matchlist **lp)
{
	struct matchlist *l = *lp;
	size_t i;

	*lp = NULL;
	if (l == NULL)
		return;
	for (i = 0; i < l->n; i++) {
		free(l->all[i].word);
		table_unref(&l->all[i].table);
	}
	free(l->all);
	free(l);
}

bool
matchlist_empty(const struct matchlist *l)
{
	return l->n == 0;
}

enum table_result
matchlist_find(const struct matchlist *l, struct span key, struct buf *value)
{
	enum table_result r;
	struct err err;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->all[i].word != NULL) {
			if (!span_is(key, l->all[i].word))
				continue;
			buf_str(value, l->all[i].word);
			return TABLE_FOUND;
		}
		err_clear(&err);
		r = table_look_up(l->all[i].table, key, value, &err);
		if (r == TABLE_NOTFOUND)
			continue;
		if (r != TABLE_FOUND)
			log_warning("%s: %s", table_name(l->all[i].table),
			    err.why);
		return r == TABLE_FOUND ? r : TABLE_TEMPFAIL;
	}
	return TABLE_NOTFOUND;
}

bool
matchlist_has(const struct matchlist *l, struct span key)
{
	struct buf scratch;
	bool has;

	if (l->n == 0)
		return false;
	buf_init(&scratch, TABLE_VALUE_MAX);
	has = matchlist_find(l, key, &scratch) == TABLE_FOUND;
	buf_fini(&scratch);
	return has;
}
