/*
 * From configuration to lists of rules, with every mistake named: where it
 * is, which word, what was probably meant.
 */
#include "gate/gate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/checks.h"

struct gate {
	unsigned refs;
	struct conf *conf;
	struct netlist *mynetworks;
	struct table **tables;
	size_t n_tables;
	struct gate_list list[GATE_STAGES];
};

static const struct {
	const char *param;
	size_t offset;
} stages[GATE_STAGES] = {
#define ROW(s, p)	[s] = { #p, offsetof(struct conf, p) }
	ROW(GATE_CLIENT, smtpd_client_restrictions),
	ROW(GATE_HELO, smtpd_helo_restrictions),
	ROW(GATE_SENDER, smtpd_sender_restrictions),
	ROW(GATE_RELAY, smtpd_relay_restrictions),
	ROW(GATE_RECIPIENT, smtpd_recipient_restrictions),
	ROW(GATE_DATA, smtpd_data_restrictions),
	ROW(GATE_END_OF_DATA, smtpd_end_of_data_restrictions),
#undef ROW
};

static void complain(struct buf *out, const char *where, const char *fmt, ...)
    PRINTF(3, 4);

static void
complain(struct buf *out, const char *where, const char *fmt, ...)
{
	va_list ap;

	buf_fmt(out, "%s%s", where, where[0] == '\0' ? "" : ": ");
	va_start(ap, fmt);
	buf_vfmt(out, fmt, ap);
	va_end(ap);
	buf_char(out, '\n');
}

/* Edits that lead from a to b, for "did you mean". Both are short. */
static size_t
distance(struct span a, struct span b)
{
	size_t row[64], i, j, diag, next;

	if (a.n >= ARRAY_LEN(row) || b.n >= ARRAY_LEN(row))
		return SIZE_MAX;
	for (j = 0; j <= b.n; j++)
		row[j] = j;
	for (i = 1; i <= a.n; i++) {
		diag = row[0];
		row[0] = i;
		for (j = 1; j <= b.n; j++) {
			next = diag + (ascii_lower(a.p[i - 1]) !=
			    ascii_lower(b.p[j - 1]));
			diag = row[j];
			row[j] = MIN(next, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.n];
}

static const struct gate_restriction *
find(struct span word, const struct gate_restriction **nearest)
{
	size_t n, i, d, best = SIZE_MAX;
	const struct gate_restriction *t = gate_restrictions(&n);

	*nearest = NULL;
	for (i = 0; i < n; i++) {
		if (span_is(word, t[i].name))
			return &t[i];
		d = distance(word, span_str(t[i].name));
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
gate_word_next(struct span *rest, struct span *word)
{
	size_t i = 0, from;
	int braces = 0;
	char c;

	while (i < rest->n && (ascii_isspace((unsigned char)rest->p[i]) ||
	    rest->p[i] == ','))
		i++;
	for (from = i; i < rest->n; i++) {
		c = rest->p[i];
		if (braces == 0 && (ascii_isspace((unsigned char)c) ||
		    c == ','))
			break;
		braces += c == '{';
		braces -= c == '}' && braces > 0;
	}
	*word = span_sub(*rest, from, i - from);
	*rest = span_sub(*rest, i, rest->n);
	return word->n > 0;
}

struct table *
gate_table(const struct gate *g, struct span spec)
{
	size_t i;

	for (i = 0; i < g->n_tables; i++)
		if (span_eq(spec, span_str(table_name(g->tables[i]))))
			return g->tables[i];
	return NULL;
}

/* The rule's table; each is opened once. */
static struct table *
open_table(struct gate *g, const struct gate_list *l, struct span spec,
    struct buf *complaints)
{
	struct table *t = gate_table(g, spec);
	struct err err;

	if (t != NULL)
		return t;
	err_clear(&err);
	t = table_open(spec, &err);
	if (t == NULL) {
		complain(complaints, l->where, "%s: %s", l->param, err.why);
		return NULL;
	}
	g->tables = xreallocarray(g->tables, g->n_tables + 1,
	    sizeof(struct table *));
	g->tables[g->n_tables++] = t;
	return t;
}

static const struct gate_restriction *
known_word(const struct gate_list *l, struct span word,
    struct buf *complaints)
{
	const struct gate_restriction *r, *nearest;

	r = find(word, &nearest);
	if (r == NULL && nearest != NULL)
		complain(complaints, l->where, "%s: unknown restriction "
		    "\"%.*s\"; did you mean \"%s\"?", l->param,
		    SPAN_ARG(word), nearest->name);
	else if (r == NULL)
		complain(complaints, l->where, "%s: unknown restriction "
		    "\"%.*s\"", l->param, SPAN_ARG(word));
	return r;
}

static void
check_place(const struct gate *g, enum gate_stage s,
    const struct gate_restriction *r, struct buf *complaints)
{
	const struct gate_list *l = &g->list[s];
	const struct gate_rule *last = l->n == 0 ? NULL :
	    &l->rules[l->n - 1];

	if (!may_stand(r, s, g->conf))
		complain(complaints, l->where, "%s: \"%s\" can't be used "
		    "here: its input is not known yet", l->param, r->name);
	if (last != NULL && !last->warn && (last->is->flags & GATE_ENDS))
		complain(complaints, l->where, "%s: \"%s\" is never reached: "
		    "it stands behind \"%s\"", l->param, r->name,
		    last->is->name);
}

static void
parse_rule(struct gate *g, enum gate_stage s, struct span word, bool warn,
    struct span *rest, struct buf *complaints)
{
	struct gate_list *l = &g->list[s];
	const struct gate_restriction *r = known_word(l, word, complaints);
	struct span arg = SPAN_NONE;
	struct gate_rule *rule;

	if (r == NULL)
		return;
	if (r->arg != GATE_ARG_NONE && !gate_word_next(rest, &arg))
		complain(complaints, l->where, "%s: \"%s\" needs an argument",
		    l->param, r->name);
	check_place(g, s, r, complaints);
	l->rules = xreallocarray(l->rules, l->n + 1, sizeof(*l->rules));
	rule = &l->rules[l->n++];
	*rule = (struct gate_rule){ .is = r, .warn = warn };
	if (arg.n == 0)
		return;
	rule->arg = xmemdup0(arg.p, arg.n);
	if (r->arg == GATE_ARG_TABLE)
		rule->table = open_table(g, l, arg, complaints);
}

static void
parse_list(struct gate *g, enum gate_stage s, struct buf *complaints)
{
	struct gate_list *l = &g->list[s];
	char *const *text;
	struct span rest, word;
	bool warn;

	text = (char *const *)(const void *)((const char *)g->conf +
	    stages[s].offset);
	l->param = stages[s].param;
	l->where = conf_where(g->conf, l->param);
	rest = span_str(*text);
	while (gate_word_next(&rest, &word)) {
		warn = span_is(word, "warn_if_reject");
		if (warn && !gate_word_next(&rest, &word)) {
			complain(complaints, l->where, "%s: no restriction "
			    "behind \"warn_if_reject\"", l->param);
			break;
		}
		parse_rule(g, s, word, warn, &rest, complaints);
	}
}

/* Does some rule of the list stop strangers from relaying? The rules behind
 * an unconditional permit were complained about already. */
static bool
guards(const struct gate_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->rules[i].warn)
			continue;
		if (l->rules[i].is->flags & GATE_GUARDS)
			return true;
		if (l->rules[i].is->flags & GATE_ENDS)
			return false;
	}
	return false;
}

static void
check_relay(const struct gate *g, struct buf *complaints)
{
	const struct gate_list *relay = &g->list[GATE_RELAY];

	if (guards(relay) || guards(&g->list[GATE_RECIPIENT]))
		return;
	complain(complaints, relay->where, "open relay: neither "
	    "smtpd_relay_restrictions nor smtpd_recipient_restrictions has "
	    "reject_unauth_destination, defer_unauth_destination, reject or "
	    "defer before everyone is permitted");
}

/* A network that holds strangers makes permit_mynetworks an open relay. */
static void
check_mynetworks(const struct gate *g, struct buf *complaints)
{
	if (netlist_too_wide(g->mynetworks))
		complain(complaints, conf_where(g->conf, "mynetworks"),
		    "open relay: mynetworks has a network wider than any "
		    "site's (IPv4 /8, IPv6 /16)");
}

struct gate *
gate_new(struct conf *conf, struct buf *complaints)
{
	struct gate *g = xcalloc(1, sizeof(*g));
	size_t before = buf_len(complaints);
	struct span bad = SPAN_NONE;
	int s;

	g->refs = 1;
	g->conf = conf_ref(conf);
	for (s = 0; s < GATE_STAGES; s++)
		parse_list(g, (enum gate_stage)s, complaints);
	check_relay(g, complaints);
	g->mynetworks = netlist_parse(conf->mynetworks, &bad);
	if (g->mynetworks == NULL)
		complain(complaints, conf_where(conf, "mynetworks"),
		    "mynetworks: \"%.*s\" is no network", SPAN_ARG(bad));
	else
		check_mynetworks(g, complaints);
	if (buf_len(complaints) != before)
		gate_unref(&g);
	return g;
}

struct gate *
gate_ref(struct gate *g)
{
	g->refs++;
	return g;
}

void
gate_unref(struct gate **gp)
{
	struct gate *g = *gp;
	size_t i, j;

	*gp = NULL;
	if (g == NULL || --g->refs > 0)
		return;
	for (i = 0; i < GATE_STAGES; i++) {
		for (j = 0; j < g->list[i].n; j++)
			free(g->list[i].rules[j].arg);
		free(g->list[i].rules);
	}
	for (i = 0; i < g->n_tables; i++)
		table_unref(&g->tables[i]);
	free(g->tables);
	netlist_free(&g->mynetworks);
	conf_unref(&g->conf);
	free(g);
}

const struct gate_list *
gate_list(const struct gate *g, enum gate_stage s)
{
	return &g->list[s];
}

bool
gate_is_mynetworks(const struct gate *g, const struct net_addr *a)
{
	return netlist_match(g->mynetworks, a);
}

const struct conf *
gate_conf(const struct gate *g)
{
	return g->conf;
}

bool
gate_wants_unlisted(const struct gate *g)
{
	return g->conf->smtpd_reject_unlisted_recipient;
}

/* A section inherits the main part's mistakes: each line is said once. */
static bool
conf_check_one(struct conf *conf, struct buf *complaints)
{
	struct span rest, line;
	struct buf found;
	struct gate *g;
	bool ok;

	buf_init(&found, 65536);
	g = gate_new(conf, &found);
	ok = g != NULL;
	gate_unref(&g);
	for (rest = buf_span(&found); rest.n > 0; ) {
		const char *end = memchr(rest.p, '\n', rest.n);

		line.p = rest.p;
		line.n = end == NULL ? rest.n : (size_t)(end + 1 - rest.p);
		rest.p += line.n;
		rest.n -= line.n;
		if (buf_len(complaints) < line.n ||
		    memmem(buf_span(complaints).p, buf_len(complaints),
		    line.p, line.n) == NULL)
			buf_span_add(complaints, line);
	}
	buf_fini(&found);
	return ok;
}

bool
gate_conf_check(struct conf *conf, struct buf *complaints)
{
	const struct conf *section;
	bool ok = conf_check_one(conf, complaints);
	size_t i;

	for (i = 0; (section = conf_section_at(conf, i)) != NULL; i++) {
		if (strcmp(section->kind, "service") != 0 ||
		    strcmp(section->protocol, "imap") == 0)
			continue;
		ok = conf_check_one((struct conf *)(uintptr_t)section,
		    complaints) && ok;
	}
	return ok;
}
