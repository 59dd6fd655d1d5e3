#include "gate/iplist.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gate/gate_int.h"
#include "table/table.h"

enum item_kind { ITEM_MYNETWORKS, ITEM_ALL, ITEM_TABLE };

struct item {
	enum item_kind kind;
	enum iplist_verdict verdict;
	struct table *table;
	char *word;
};

struct iplist {
	size_t n;
	struct item *items;
	struct netlist *mynetworks;	/* NULL: malformed, said elsewhere */
};

static const struct {
	const char *word;
	enum item_kind kind;
	enum iplist_verdict verdict;
} words[] = {
	{ "permit_mynetworks", ITEM_MYNETWORKS, IPLIST_PERMIT },
	{ "permit", ITEM_ALL, IPLIST_PERMIT },
	{ "reject", ITEM_ALL, IPLIST_REJECT },
	{ "dunno", ITEM_ALL, IPLIST_DUNNO },
};

static bool
word_parse(struct span word, struct item *it)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (span_is(word, words[i].word)) {
			it->kind = words[i].kind;
			it->verdict = words[i].verdict;
			return true;
		}
	return false;
}

/* --- making it --- */

static bool
item_parse(struct item *it, struct span word, struct err *err)
{
	if (word_parse(word, it))
		return true;
	if (span_chr(word, ':') == -1) {
		(void)err_set(err, ERR_PERM, PS_ESYNTAX, "\"%.*s\" is none of "
		    "permit_mynetworks, permit, reject, dunno, nor a table",
		    SPAN_ARG(word));
		return false;
	}
	it->kind = ITEM_TABLE;
	it->table = table_open(word, err);
	if (it->table != NULL && table_is_async(it->table)) {
		(void)err_set(err, ERR_PERM, PS_EDENIED, "%s asks others for "
		    "its answers, which can't be waited for here",
		    table_name(it->table));
		return false;
	}
	return it->table != NULL;
}

struct iplist *
iplist_new(const struct conf *conf, const char *param, const char *text,
    struct buf *complaints)
{
	struct iplist *l = xcalloc(1, sizeof(*l));
	struct span rest = span_str(text), word, bad;
	struct item it;
	struct err err;

	l->mynetworks = netlist_parse(conf->mynetworks, &bad);
	while (gate_word_next(&rest, &word)) {
		it = (struct item){ .table = NULL };
		err_clear(&err);
		if (!item_parse(&it, word, &err)) {
			gate_complain(complaints, conf_where(conf, param),
			    "%s: %s", param, err.why);
			table_unref(&it.table);
			continue;
		}
		it.word = xmemdup0(word.p, word.n);
		l->items = xreallocarray(l->items, l->n + 1,
		    sizeof(*l->items));
		l->items[l->n++] = it;
	}
	return l;
}

void
iplist_free(struct iplist **lp)
{
	struct iplist *l = *lp;
	size_t i;

	*lp = NULL;
	if (l == NULL)
		return;
	for (i = 0; i < l->n; i++) {
		table_unref(&l->items[i].table);
		free(l->items[i].word);
	}
	netlist_free(&l->mynetworks);
	free(l->items);
	free(l);
}

/* --- asking it --- */

static bool
in_mynetworks(const struct iplist *l, const struct net_addr *a)
{
	return l->mynetworks != NULL && netlist_match(l->mynetworks, a);
}

/* Does the word decide? Not "dunno", which ends a table's list only. */
static bool
fires(const struct iplist *l, const struct item *it, const struct net_addr *a)
{
	return it->kind == ITEM_MYNETWORKS ? in_mynetworks(l, a) : true;
}

/* The first word of what a table has that fires. */
static enum iplist_verdict
value_verdict(const struct iplist *l, const struct table *t,
    struct span value, const struct net_addr *a)
{
	struct span word;
	struct item it;

	while (conf_list_next(&value, &word)) {
		if (!word_parse(word, &it)) {
			log_warning("%s: \"%.*s\" is none of "
			    "permit_mynetworks, permit, reject, dunno",
			    table_name(t), SPAN_ARG(word));
			return IPLIST_DUNNO;
		}
		if (fires(l, &it, a))
			return it.verdict;
	}
	return IPLIST_DUNNO;
}

static enum iplist_verdict
table_verdict(const struct iplist *l, struct table *t, const char *ip,
    const struct net_addr *a)
{
	enum iplist_verdict v = IPLIST_DUNNO;
	struct buf value;
	struct err err;

	buf_init(&value, TABLE_VALUE_MAX);
	err_clear(&err);
	switch (table_look_up(t, span_str(ip), &value, &err)) {
	case TABLE_FOUND:
		v = value_verdict(l, t, buf_span(&value), a);
		break;
	case TABLE_TEMPFAIL:
		log_warning("%s: %s", table_name(t), err.why);
		break;
	default:
		break;
	}
	buf_fini(&value);
	return v;
}

enum iplist_verdict
iplist_find(const struct iplist *l, const char *ip, const struct net_addr *a,
    const char **by)
{
	enum iplist_verdict v;
	const struct item *it;
	size_t i;

	for (i = 0; i < l->n; i++) {
		it = &l->items[i];
		if (it->kind == ITEM_TABLE)
			v = table_verdict(l, it->table, ip, a);
		else
			v = fires(l, it, a) ? it->verdict : IPLIST_DUNNO;
		/* "dunno" as a word of the list itself ends it */
		if (v != IPLIST_DUNNO || (it->kind == ITEM_ALL)) {
			*by = it->word;
			return v;
		}
	}
	*by = "";
	return IPLIST_DUNNO;
}
