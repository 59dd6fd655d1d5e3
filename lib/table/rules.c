/*
 * What cidr, regexp and pcre tables have in common: rules in their order,
 * `!`, if and endif.
 */
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "table/table_int.h"

struct table_rule *
table_rule_at(const struct table_rules *r, size_t i)
{
	return (struct table_rule *)(void *)(r->rule + i * r->size);
}

void
table_rule_add(struct table_rules *r, const struct table_rule *rule)
{
	if (r->n == r->room) {
		r->room = r->room == 0 ? 16 : r->room * 2;
		r->rule = xreallocarray(r->rule, r->room, r->size);
	}
	memcpy(r->rule + r->n++ * r->size, rule, r->size);
}

void
table_rule_kind(struct span *line, struct table_rule *rule)
{
	struct span rest = *line, word = SPAN_NONE;

	(void)span_word(&rest, &word);
	rule->kind = span_is(word, "endif") ? RULE_ENDIF :
	    span_is(word, "if") ? RULE_IF : RULE_VALUE;
	if (rule->kind != RULE_VALUE)
		*line = span_trim(rest);
}

void
table_rule_not(struct span *line, struct table_rule *rule)
{
	while (line->n > 0 && line->p[0] == '!') {
		rule->not = !rule->not;
		*line = span_sub(*line, 1, line->n);
	}
	*line = span_trim(*line);
}

/* What is odd, but good enough to be used. */
static void
rule_note(const struct table *t, const struct table_rule *rule)
{
	if (rule->kind == RULE_VALUE && rule->value[0] == '\0')
		log_warning("%s:%d: no value; it is empty then", t->arg,
		    rule->lineno);
	if (rule->kind == RULE_IF && rule->value[0] != '\0')
		log_warning("%s:%d: \"%.100s\" behind the if is of no use",
		    t->arg, rule->lineno, rule->value);
}

/* An if without its endif goes to the end, as in Postfix. */
void
table_rules_link(const struct table *t, struct table_rules *r)
{
	size_t open = SIZE_MAX, i;
	struct table_rule *rule;

	/* `past` of an open if holds the one around it */
	for (i = 0; i < r->n; i++) {
		rule = table_rule_at(r, i);
		rule_note(t, rule);
		if (rule->kind == RULE_IF) {
			rule->past = open;
			open = i;
		} else if (rule->kind == RULE_ENDIF && open == SIZE_MAX)
			table_complain(t, rule->lineno, "endif without if");
		else if (rule->kind == RULE_ENDIF) {
			rule = table_rule_at(r, open);
			open = rule->past;
			rule->past = i + 1;
		}
	}
	while (open != SIZE_MAX) {
		rule = table_rule_at(r, open);
		open = rule->past;
		rule->past = r->n;
		log_warning("%s:%d: if without endif", t->arg, rule->lineno);
	}
}

enum table_result
table_rules_find(const struct table_rules *r, table_rule_match_fn *match,
    const void *arg, const struct table_rule **hit, struct err *err)
{
	const struct table_rule *rule;
	enum table_result m;
	size_t i = 0;

	while (i < r->n) {
		rule = table_rule_at(r, i);
		if (rule->kind == RULE_ENDIF) {
			i++;
			continue;
		}
		m = match(arg, rule, err);
		if (m == TABLE_TEMPFAIL)
			return m;
		if (m != TABLE_FOUND) {
			i = rule->kind == RULE_IF ? rule->past : i + 1;
			continue;
		}
		if (rule->kind == RULE_VALUE) {
			*hit = rule;
			return TABLE_FOUND;
		}
		i++;
	}
	return TABLE_NOTFOUND;
}
