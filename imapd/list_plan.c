#include "imapd/list_plan.h"

#include <stdlib.h>

#include "imapd/status_items.h"

struct option {
	const char *name;
	unsigned bit;
};

static const struct option select_options[] = {
	{ "SUBSCRIBED", LIST_SUBSCRIBED },
	{ "REMOTE", LIST_REMOTE },
	{ "RECURSIVEMATCH", LIST_RECURSIVE },
	{ "SPECIAL-USE", LIST_SPECIAL },
	{ NULL, 0 }
};
static const struct option return_options[] = {
	{ "SUBSCRIBED", LIST_SUBSCRIBED },
	{ "CHILDREN", LIST_CHILDREN },
	{ "SPECIAL-USE", LIST_SPECIAL },
	{ "STATUS", LIST_STATUS },
	{ NULL, 0 }
};

static const char *
take_options(struct list_plan *p, struct arg_iter *list,
    const struct option *known, unsigned *bits)
{
	const struct option *o;
	struct span word;

	p->extended = true;
	while (!arg_at_end(list)) {
		if (!arg_take_atom(list, &word))
			return "LIST option expected";
		for (o = known; o->name != NULL; o++)
			if (span_is(word, o->name))
				break;
		if (o->name == NULL)
			return "Unknown LIST option";
		*bits |= o->bit;
		if (o->bit == LIST_STATUS && known == return_options &&
		    !status_items_take(list, &p->status))
			return "List of STATUS items expected";
	}
	return NULL;
}

static bool
add_pattern(struct list_plan *p, struct span reference, struct arg_iter *it)
{
	struct span pattern;
	struct buf whole;

	if (p->n == LIST_PATTERNS_MAX || !arg_take_pattern(it, &pattern))
		return false;
	/* asks for the separator and the root of the reference */
	if (pattern.n == 0) {
		p->root = true;
		return true;
	}
	buf_init(&whole, reference.n + pattern.n);
	buf_span_add(&whole, reference);
	buf_span_add(&whole, pattern);
	p->pattern[p->n++] = buf_take(&whole);
	p->levels = pattern.p[pattern.n - 1] == '%';
	return true;
}

/* One pattern or a list of them (RFC 5258 6: mbox-or-pat). */
static const char *
take_patterns(struct list_plan *p, struct span reference,
    struct arg_iter *it)
{
	struct arg_iter list;

	if (p->lsub || !arg_take_list(it, &list))
		return add_pattern(p, reference, it) ? NULL :
		    "LIST takes a reference and a pattern";
	p->extended = true;
	do {
		if (!add_pattern(p, reference, &list))
			return "LIST pattern expected";
	} while (!arg_at_end(&list));
	return NULL;
}

/* What a selection says by itself must be told, too. */
static const char *
plan_settle(struct list_plan *p)
{
	if ((p->select & LIST_RECURSIVE) &&
	    !(p->select & (LIST_SUBSCRIBED | LIST_SPECIAL)))
		return "RECURSIVEMATCH needs another selection option";
	if (p->lsub)
		p->select = LIST_SUBSCRIBED;
	else
		p->give |= p->select & (LIST_SUBSCRIBED | LIST_SPECIAL);
	if (!p->extended && !p->lsub)
		p->give |= LIST_CHILDREN | LIST_SPECIAL;
	if (p->root && p->n > 0)
		p->root = false;
	return NULL;
}

const char *
list_plan_take(struct list_plan *p, struct arg_iter *it, bool lsub)
{
	struct span reference, word;
	struct arg_iter list;
	const char *why = NULL;

	*p = (struct list_plan){ .lsub = lsub };
	if (!lsub && arg_take_list(it, &list))
		why = take_options(p, &list, select_options, &p->select);
	if (why != NULL)
		return why;
	if (!arg_take_astring(it, &reference))
		return "LIST takes a reference and a pattern";
	why = take_patterns(p, reference, it);
	if (why != NULL)
		return why;
	if (!lsub && arg_take_atom(it, &word)) {
		if (!span_is(word, "RETURN") || !arg_take_list(it, &list))
			return "RETURN and a list of options expected";
		why = take_options(p, &list, return_options, &p->give);
	}
	return why != NULL ? why : plan_settle(p);
}

void
list_plan_fini(struct list_plan *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		free(p->pattern[i]);
	p->n = 0;
}
