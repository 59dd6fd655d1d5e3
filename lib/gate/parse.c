/*
 * From configuration to lists of rules, with every mistake named: where it
 * is, which word, what was probably meant.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/access.h"
#include "gate/ccert_arg.h"
#include "gate/checks.h"
#include "gate/dnslist.h"
#include "gate/dnsscore.h"
#include "gate/gate_int.h"
#include "policy/spec.h"

#define CLASS_DEPTH	20	/* classes inside classes */

static const struct {
	const char *param;
	size_t offset;
	/* what a table that stands alone is short for; NULL: nothing */
	const char *bare;
} stages[GATE_STAGES] = {
#define ROW(s, p, bare)	[s] = { #p, offsetof(struct conf, p), bare }
	ROW(GATE_CLIENT, smtpd_client_restrictions, "check_client_access"),
	ROW(GATE_HELO, smtpd_helo_restrictions, "check_helo_access"),
	ROW(GATE_SENDER, smtpd_sender_restrictions, "check_sender_access"),
	ROW(GATE_RELAY, smtpd_relay_restrictions, "check_recipient_access"),
	ROW(GATE_RECIPIENT, smtpd_recipient_restrictions,
	    "check_recipient_access"),
	ROW(GATE_DATA, smtpd_data_restrictions, NULL),
	ROW(GATE_END_OF_DATA, smtpd_end_of_data_restrictions, NULL),
	ROW(GATE_ETRN, smtpd_etrn_restrictions, "check_etrn_access"),
#undef ROW
};

void
gate_complain(struct buf *out, const char *where, const char *fmt, ...)
{
	va_list ap;

	buf_fmt(out, "%s%s", where, where[0] == '\0' ? "" : ": ");
	va_start(ap, fmt);
	buf_vfmt(out, fmt, ap);
	va_end(ap);
	buf_char(out, '\n');
}

static struct span
before_equals(struct span word)
{
	ptrdiff_t eq = span_chr(word, '=');

	return eq < 0 ? word : span_sub(word, 0, (size_t)eq);
}

static const struct gate_restriction *
find(struct span word, const struct gate_restriction **nearest)
{
	size_t n, i;
	unsigned d, best = UINT_MAX;
	const struct gate_restriction *t = gate_restrictions(&n);

	for (i = 0; i < n; i++)
		if (span_is(t[i].arg == GATE_ARG_SCORE ? before_equals(word) :
		    word, t[i].name))
			return &t[i];
	*nearest = NULL;
	for (i = 0; i < n; i++) {
		d = conf_word_distance(word, span_str(t[i].name));
		if (d < best) {
			best = d;
			*nearest = &t[i];
		}
	}
	if (best > word.n / 2)
		*nearest = NULL;
	return NULL;
}

/* Lists that run before RCPT when smtpd_delay_reject is off can't look at
 * the recipient. */
static bool
may_stand(const struct gate_restriction *r, enum gate_stage s,
    const struct conf *conf)
{
	if (!(r->stages & 1u << s))
		return false;
	return conf->smtpd_delay_reject || s > GATE_SENDER ||
	    (r->stages & 1u << GATE_DATA);
}

bool
gate_has_input(const struct gate_eval *e, const struct gate_rule *rule)
{
	return rule->class != NULL || may_stand(rule->is, e->stage,
	    e->gate->conf);
}

bool
gate_word_next(struct span *rest, struct span *word)
{
	return conf_braced_next(rest, word);
}

/* --- one rule --- */

struct table *
gate_table_of(const struct gate *g, struct gate *open, struct span spec,
    struct buf *why)
{
	struct table *t = gate_table(g, spec);
	struct err err;

	if (t != NULL)
		return t;
	if (open == NULL) {
		buf_fmt(why, "no list of the configuration opens the table "
		    "\"%.*s\"", SPAN_ARG(spec));
		return NULL;
	}
	err_clear(&err);
	t = table_open(spec, &err);
	if (t == NULL) {
		buf_str(why, err.why);
		return NULL;
	}
	open->tables = xreallocarray(open->tables, open->n_tables + 1,
	    sizeof(struct table *));
	open->tables[open->n_tables++] = t;
	return t;
}

static int rule_next(const struct gate *g, struct gate *open,
    enum gate_stage s, struct span *rest, struct gate_rule *rule,
    struct buf *why);

/* A default action that is a list of restrictions must be one: else it is
 * found out when the service is away. */
static bool
action_is_fine(struct gate *g, const char *action, struct buf *why)
{
	struct gate_rule rule;
	struct access a;
	int got;

	access_parse(span_str(action), &a);
	if (a.what != ACCESS_LIST)
		return true;
	buf_str(why, "default_action: ");
	while ((got = rule_next(g, g, GATE_STAGES, &a.text, &rule, why)) == 1)
		gate_rule_fini(&rule);
	if (got == 0)
		buf_clear(why);
	return got == 0;
}

/* The same for a policy service. */
static struct policy_spec *
policy_of(const struct gate *g, struct gate *open, struct span word,
    struct buf *why)
{
	struct policy_spec *p;
	struct err err;
	size_t i;

	for (i = 0; i < g->n_policies; i++)
		if (span_eq(word, span_str(g->policies[i]->word)))
			return g->policies[i];
	if (open == NULL) {
		buf_fmt(why, "no list of the configuration names the policy "
		    "service \"%.*s\"", SPAN_ARG(word));
		return NULL;
	}
	err_clear(&err);
	p = policy_spec_new(word, g->conf, &err);
	if (p == NULL) {
		buf_fmt(why, "check_policy_service: %s", err.why);
		return NULL;
	}
	open->policies = xreallocarray(open->policies, open->n_policies + 1,
	    sizeof(struct policy_spec *));
	open->policies[open->n_policies++] = p;
	return action_is_fine(open, p->default_action, why) ? p : NULL;
}

void
gate_rule_fini(struct gate_rule *rule)
{
	free(rule->arg);
	rule->arg = NULL;
	dnslist_free(&rule->dnslist);
}

/* The row of a word; a class is a row of its own, and a table that stands
 * alone is short for the list's own check_..._access. */
static bool
row_find(const struct gate *g, enum gate_stage s, struct span word,
    struct gate_rule *rule, struct buf *why)
{
	static const struct gate_restriction class_row = { "class",
		(1u << GATE_STAGES) - 1, GATE_ARG_NONE, 0, gate_run_class,
		"" };
	const struct gate_restriction *nearest;

	rule->class = gate_class(g, word);
	rule->is = rule->class != NULL ? &class_row : find(word, &nearest);
	if (rule->is != NULL)
		return true;
	if (span_chr(word, ':') > 0 && s < GATE_STAGES &&
	    stages[s].bare != NULL) {
		rule->is = find(span_str(stages[s].bare), &nearest);
		return true;
	}
	buf_fmt(why, "unknown restriction \"%.*s\"", SPAN_ARG(word));
	if (nearest != NULL)
		buf_fmt(why, "; did you mean \"%s\"?", nearest->name);
	return false;
}

/* The argument behind the row's word. */
static bool
arg_take(const struct gate *g, struct gate *open, struct span arg,
    struct gate_rule *rule, struct buf *why)
{
	struct ccert_arg ccert;

	rule->arg = xmemdup0(arg.p, arg.n);
	switch (rule->is->arg) {
	case GATE_ARG_NONE:
		break;
	case GATE_ARG_TABLE:
		rule->table = gate_table_of(g, open, arg, why);
		return rule->table != NULL;
	case GATE_ARG_CCERT_TABLE:
		rule->table = ccert_arg_parse(arg, &ccert, why) ?
		    gate_table_of(g, open, ccert.table, why) : NULL;
		return rule->table != NULL;
	case GATE_ARG_DNSLIST:
		rule->dnslist = dnslist_parse(arg, why);
		return rule->dnslist != NULL;
	case GATE_ARG_SECONDS:
		if (span_u32(arg, 0, GATE_SLEEP_MAX, &rule->seconds))
			return true;
		buf_fmt(why, "\"%s\" wants a number of seconds, at most %d",
		    rule->is->name, GATE_SLEEP_MAX);
		return false;
	case GATE_ARG_SCORE:
		if (span_i64(arg, 1, DNSSCORE_WEIGHT_MAX, &rule->score))
			return true;
		buf_fmt(why, "\"%s=\" wants a score, at least 1",
		    rule->is->name);
		return false;
	case GATE_ARG_POLICY:
		rule->policy = policy_of(g, open, arg, why);
		return rule->policy != NULL;
	}
	return true;
}

/* The argument is part of the word, and may be missing. */
static int
score_take(const struct gate *g, struct gate *open, struct span word,
    struct gate_rule *rule, struct buf *why)
{
	size_t n = before_equals(word).n;

	if (n == word.n || arg_take(g, open, span_sub(word, n + 1, word.n),
	    rule, why))
		return 1;
	gate_rule_fini(rule);
	return -1;
}

/* 1, 0 at the end, -1 with *why: the words of the mistake are used up. */
static int
rule_next(const struct gate *g, struct gate *open, enum gate_stage s,
    struct span *rest, struct gate_rule *rule, struct buf *why)
{
	struct span word, arg;
	bool bare;

	*rule = (struct gate_rule){ .warn = false };
	if (!gate_word_next(rest, &word))
		return 0;
	if (span_is(word, "warn_if_reject")) {
		rule->warn = true;
		if (!gate_word_next(rest, &word)) {
			buf_str(why, "no restriction behind "
			    "\"warn_if_reject\"");
			return -1;
		}
	}
	if (!row_find(g, s, word, rule, why))
		return -1;
	if (rule->is->arg == GATE_ARG_NONE)
		return 1;
	if (rule->is->arg == GATE_ARG_SCORE)
		return score_take(g, open, word, rule, why);
	bare = !span_is(word, rule->is->name);
	arg = word;
	if (!bare && !gate_word_next(rest, &arg)) {
		buf_fmt(why, "\"%s\" needs an argument", rule->is->name);
		return -1;
	}
	if (arg_take(g, open, arg, rule, why))
		return 1;
	gate_rule_fini(rule);
	return -1;
}

int
gate_rule_next(const struct gate *g, enum gate_stage s, struct span *rest,
    struct gate_rule *rule, struct buf *why)
{
	return rule_next(g, NULL, s, rest, rule, why);
}

bool
gate_words_ok(const struct gate *g, struct span words, struct buf *why)
{
	struct gate_rule rule;
	struct span rest;
	int s, more = -1;

	for (s = 0; s < GATE_STAGES && more != 0; s++) {
		buf_clear(why);
		rest = words;
		while ((more = gate_rule_next(g, (enum gate_stage)s, &rest,
		    &rule, why)) == 1) {
			if (rule.class == NULL && !may_stand(rule.is,
			    (enum gate_stage)s, g->conf)) {
				buf_fmt(why, "\"%s\" can't be used with what "
				    "stands before it", gate_rule_name(&rule));
				more = -1;
			}
			gate_rule_fini(&rule);
			if (more == -1)
				break;
		}
	}
	return more == 0;
}

/* --- lists --- */

/* What the chain can never reach, or can't look at yet. */
static void
check_place(const struct gate *g, enum gate_stage s,
    const struct gate_list *l, const struct gate_rule *rule,
    struct buf *complaints)
{
	const struct gate_rule *last = l->n == 0 ? NULL :
	    &l->rules[l->n - 1];

	if (rule->class == NULL && s < GATE_STAGES &&
	    !may_stand(rule->is, s, g->conf))
		gate_complain(complaints, l->where, "%s: \"%s\" can't be used "
		    "here: its input is not known yet", l->param,
		    rule->is->name);
	if (last != NULL && !last->warn && (last->is->flags & GATE_ENDS))
		gate_complain(complaints, l->where, "%s: \"%s\" is never reached: "
		    "it stands behind \"%s\"", l->param, gate_rule_name(rule),
		    last->is->name);
}

/* s is GATE_STAGES for a class: where it stands is seen where it is named. */
static void
parse_list(struct gate *g, enum gate_stage s, const char *text,
    struct gate_list *l, struct buf *complaints)
{
	struct span rest = span_str(text);
	struct gate_rule rule;
	struct buf why;
	int got;

	buf_init(&why, 1024);
	while ((got = rule_next(g, g, s, &rest, &rule, &why)) != 0) {
		if (got < 0) {
			gate_complain(complaints, l->where, "%s: %s", l->param,
			    buf_cstr(&why));
			buf_clear(&why);
			continue;
		}
		check_place(g, s, l, &rule, complaints);
		l->rules = xreallocarray(l->rules, l->n + 1,
		    sizeof(*l->rules));
		l->rules[l->n++] = rule;
	}
	buf_fini(&why);
}

void
gate_list_fini(struct gate_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		gate_rule_fini(&l->rules[i]);
	free(l->rules);
	free(l->param);
	free(l->where);
}

/* All names first: a class may name one that is defined behind it. */
void
gate_parse_classes(struct gate *g, struct buf *complaints)
{
	struct span rest = span_str(g->conf->smtpd_restriction_classes), word;
	const char *text, *where;
	struct gate_list *l;
	size_t i;

	while (conf_list_next(&rest, &word)) {
		where = "";
		text = conf_own(g->conf, word, &where);
		if (text == NULL || text[0] == '\0') {
			gate_complain(complaints, conf_where(g->conf,
			    "smtpd_restriction_classes"),
			    "restriction class \"%.*s\" needs a definition: "
			    "a line \"%.*s = ...\"", SPAN_ARG(word),
			    SPAN_ARG(word));
			continue;
		}
		if (gate_class(g, word) != NULL)
			continue;
		l = xcalloc(1, sizeof(*l));
		l->param = xmemdup0(word.p, word.n);
		l->where = xstrdup(where);
		g->classes = xreallocarray(g->classes, g->n_classes + 1,
		    sizeof(struct gate_list *));
		g->classes[g->n_classes++] = l;
	}
	for (i = 0; i < g->n_classes; i++) {
		l = g->classes[i];
		parse_list(g, GATE_STAGES, conf_own(g->conf,
		    span_str(l->param), NULL), l, complaints);
	}
}

/* The rules of the classes that a list of this stage names. */
static void
check_classes(const struct gate *g, enum gate_stage s,
    const struct gate_list *l, unsigned depth, struct buf *complaints)
{
	const struct gate_rule *r;
	size_t i;

	if (depth > CLASS_DEPTH) {
		gate_complain(complaints, l->where, "%s: refers to itself, or to "
		    "more than %d classes inside one another", l->param,
		    CLASS_DEPTH);
		return;
	}
	for (i = 0; i < l->n && buf_len(complaints) < 4096; i++) {
		r = &l->rules[i];
		if (r->class != NULL)
			check_classes(g, s, r->class, depth + 1, complaints);
		else if (depth > 0 && !may_stand(r->is, s, g->conf))
			gate_complain(complaints, l->where, "%s: \"%s\" can't be "
			    "used in %s: its input is not known yet",
			    l->param, r->is->name, stages[s].param);
	}
}

/* smtpd_greylist: as the last rule, before a "permit" that ends the list. */
static void
add_greylist(struct gate_list *l)
{
	const struct gate_restriction *nearest;
	struct gate_rule rule = { .is = find(SPAN_LIT("check_greylist"),
	    &nearest) };
	size_t i, at = l->n;

	for (i = 0; i < l->n; i++)
		if (l->rules[i].is == rule.is)
			return;
	if (at > 0 && span_is(span_str(l->rules[at - 1].is->name), "permit"))
		at--;
	l->rules = xreallocarray(l->rules, l->n + 1, sizeof(*l->rules));
	for (i = l->n++; i > at; i--)
		l->rules[i] = l->rules[i - 1];
	l->rules[at] = rule;
}

void
gate_parse_stage(struct gate *g, enum gate_stage s, struct buf *complaints)
{
	struct gate_list *l = &g->list[s];

	l->param = xstrdup(stages[s].param);
	l->where = xstrdup(conf_where(g->conf, l->param));
	parse_list(g, s, *(char *const *)(const void *)
	    ((const char *)g->conf + stages[s].offset), l, complaints);
	if (s == GATE_RECIPIENT && g->conf->smtpd_greylist)
		add_greylist(l);
	check_classes(g, s, l, 0, complaints);
}
