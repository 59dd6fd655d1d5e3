#include "gate/clientlist.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/gate.h"
#include "table/table.h"

enum item_kind { ITEM_NET, ITEM_NAME, ITEM_TABLE, ITEM_ADDRESS_TABLE };

struct item {
	enum item_kind kind;
	bool not;
	struct netlist *net;
	struct table *table;
	char *name;
};

struct client_list {
	size_t n;
	struct item *items;
};

/* --- parsing --- */

static bool
is_name(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!ascii_isalnum((unsigned char)s.p[i]) &&
		    strchr(".-_", s.p[i]) == NULL)
			return false;
	return s.n > 0;
}

static bool
item_table(struct item *it, struct span word, struct buf *why)
{
	struct err err;

	it->table = table_open(word, &err);
	if (it->table == NULL)
		buf_str(why, err.why);
	else if (table_is_async(it->table)) {
		buf_fmt(why, "%s asks others for its answers, which can't be "
		    "waited for here", table_name(it->table));
		return false;
	}
	return it->table != NULL;
}

static bool
item_net(struct item *it, struct span word)
{
	char *text;
	struct span bad;

	if (word.n == 0)
		return false;
	text = xmemdup0(word.p, word.n);
	it->net = netlist_parse(text, &bad);
	free(text);
	return it->net != NULL;
}

/* An IPv6 network has colons, too: what is a network is no table. */
static bool
item_parse(struct item *it, struct span word, struct buf *why)
{
	if (it->kind == ITEM_ADDRESS_TABLE)
		return item_table(it, word, why);
	if (word.n > 0 && word.p[0] == '!') {
		it->not = true;
		word = span_sub(word, 1, word.n);
	}
	if (item_net(it, word))
		return true;
	if (span_chr(word, ':') != -1) {
		it->kind = ITEM_TABLE;
		return item_table(it, word, why);
	}
	it->kind = ITEM_NAME;
	if (!is_name(word)) {
		buf_fmt(why, "\"%.*s\" is no network, host name or table",
		    SPAN_ARG(word));
		return false;
	}
	it->name = xmemdup0(word.p, word.n);
	return true;
}

struct client_list *
client_list_parse(const char *text, struct buf *why)
{
	struct client_list *l = xcalloc(1, sizeof(*l));
	struct span rest = span_str(text), word;
	struct item *it;
	bool ok = true;

	while (ok && gate_word_next(&rest, &word)) {
		l->items = xreallocarray(l->items, l->n + 1,
		    sizeof(*l->items));
		it = &l->items[l->n++];
		*it = (struct item){ .kind = ITEM_NET };
		if (span_is(word, "check_address_map")) {
			it->kind = ITEM_ADDRESS_TABLE;
			if (!gate_word_next(&rest, &word)) {
				buf_str(why,
				    "check_address_map wants a table");
				ok = false;
				break;
			}
		}
		ok = item_parse(it, word, why);
	}
	if (!ok)
		client_list_free(&l);
	return l;
}

void
client_list_free(struct client_list **lp)
{
	struct client_list *l = *lp;
	size_t i;

	*lp = NULL;
	if (l == NULL)
		return;
	for (i = 0; i < l->n; i++) {
		netlist_free(&l->items[i].net);
		table_unref(&l->items[i].table);
		free(l->items[i].name);
	}
	free(l->items);
	free(l);
}

/* --- matching --- */

static bool
in_table(struct table *t, const char *key)
{
	struct buf value;
	struct err err;
	bool found;

	buf_init(&value, TABLE_VALUE_MAX);
	found = table_look_up(t, span_str(key), &value, &err) == TABLE_FOUND;
	buf_fini(&value);
	return found;
}

static bool
name_matches(const char *pattern, const char *name)
{
	return pattern[0] == '.' ? span_ends(span_str(name), pattern) :
	    span_is(span_str(name), pattern);
}

static bool
item_matches(const struct item *it, const char *name, const char *ip,
    const struct net_addr *a)
{
	switch (it->kind) {
	case ITEM_NET:
		return netlist_match(it->net, a);
	case ITEM_NAME:
		return name != NULL && name_matches(it->name, name);
	case ITEM_TABLE:
		return (name != NULL && in_table(it->table, name)) ||
		    in_table(it->table, ip);
	case ITEM_ADDRESS_TABLE:
		break;
	}
	return in_table(it->table, ip);
}

bool
client_list_match(const struct client_list *l, const char *name,
    const char *ip, const struct net_addr *a)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (item_matches(&l->items[i], name, ip, a))
			return !l->items[i].not;
	return false;
}
