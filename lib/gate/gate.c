/*
 * From configuration to lists of rules, with every mistake named: where it
 * is, which word, what was probably meant.
 */
#include "gate/gate.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/ccert_arg.h"
#include "gate/checks.h"
#include "gate/dnslist.h"
#include "policy/spec.h"

struct gate {
	unsigned refs;
	struct conf *conf;
	struct netlist *mynetworks, *own, *mx_backup;
	struct client_list *exceptions;
	struct table **tables;
	size_t n_tables;
	struct policy_spec **policies;
	size_t n_policies;
	struct gate_list list[GATE_STAGES];
	struct gate_list **classes;
	size_t n_classes;
	struct table **rbl_replies;	/* among tables */
	size_t n_rbl_replies;
};

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

#define CLASS_DEPTH	20	/* classes inside classes */

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

static const struct gate_restriction *
find(struct span word, const struct gate_restriction **nearest)
{
	size_t n, i;
	unsigned d, best = UINT_MAX;
	const struct gate_restriction *t = gate_restrictions(&n);

	for (i = 0; i < n; i++)
		if (span_is(word, t[i].name))
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

struct table *
gate_table_at(const struct gate *g, size_t i)
{
	return i < g->n_tables ? g->tables[i] : NULL;
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

const struct gate_list *
gate_class(const struct gate *g, struct span name)
{
	size_t i;

	for (i = 0; i < g->n_classes; i++)
		if (span_is(name, g->classes[i]->param))
			return g->classes[i];
	return NULL;
}

const char *
gate_rule_name(const struct gate_rule *r)
{
	return r->class != NULL ? r->class->param : r->is->name;
}

/* --- one rule --- */

/* The table of that name; with `open` (the gate in the making) each is
 * opened once, else it must be there. */
static struct table *
table_of(const struct gate *g, struct gate *open, struct span spec,
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
	return p;
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
		rule->table = table_of(g, open, arg, why);
		return rule->table != NULL;
	case GATE_ARG_CCERT_TABLE:
		rule->table = ccert_arg_parse(arg, &ccert, why) ?
		    table_of(g, open, ccert.table, why) : NULL;
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
	case GATE_ARG_POLICY:
		rule->policy = policy_of(g, open, arg, why);
		return rule->policy != NULL;
	}
	return true;
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
		complain(complaints, l->where, "%s: \"%s\" can't be used "
		    "here: its input is not known yet", l->param,
		    rule->is->name);
	if (last != NULL && !last->warn && (last->is->flags & GATE_ENDS))
		complain(complaints, l->where, "%s: \"%s\" is never reached: "
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
			complain(complaints, l->where, "%s: %s", l->param,
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

static void
list_fini(struct gate_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		gate_rule_fini(&l->rules[i]);
	free(l->rules);
	free(l->param);
	free(l->where);
}

static void
parse_stage(struct gate *g, enum gate_stage s, struct buf *complaints)
{
	struct gate_list *l = &g->list[s];

	l->param = xstrdup(stages[s].param);
	l->where = xstrdup(conf_where(g->conf, l->param));
	parse_list(g, s, *(char *const *)(const void *)
	    ((const char *)g->conf + stages[s].offset), l, complaints);
}

/* All names first: a class may name one that is defined behind it. */
static void
parse_classes(struct gate *g, struct buf *complaints)
{
	struct span rest = span_str(g->conf->smtpd_restriction_classes), word;
	const char *text, *where;
	struct gate_list *l;
	size_t i;

	while (conf_list_next(&rest, &word)) {
		where = "";
		text = conf_own(g->conf, word, &where);
		if (text == NULL || text[0] == '\0') {
			complain(complaints, conf_where(g->conf,
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
		complain(complaints, l->where, "%s: refers to itself, or to "
		    "more than %d classes inside one another", l->param,
		    CLASS_DEPTH);
		return;
	}
	for (i = 0; i < l->n && buf_len(complaints) < 4096; i++) {
		r = &l->rules[i];
		if (r->class != NULL)
			check_classes(g, s, r->class, depth + 1, complaints);
		else if (depth > 0 && !may_stand(r->is, s, g->conf))
			complain(complaints, l->where, "%s: \"%s\" can't be "
			    "used in %s: its input is not known yet",
			    l->param, r->is->name, stages[s].param);
	}
}

/* Does some rule of the list stop strangers from relaying? Or is everyone
 * permitted before one does? */
static enum guard { GUARD_NONE, GUARD_STOPS, GUARD_OPEN }
guards(const struct gate_list *l)
{
	enum guard in;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (l->rules[i].warn)
			continue;
		if (l->rules[i].class != NULL) {
			in = guards(l->rules[i].class);
			if (in != GUARD_NONE)
				return in;
		}
		if (l->rules[i].is->flags & GATE_GUARDS)
			return GUARD_STOPS;
		if (l->rules[i].is->flags & GATE_ENDS)
			return GUARD_OPEN;
	}
	return GUARD_NONE;
}

static void
check_relay(const struct gate *g, struct buf *complaints)
{
	const struct gate_list *relay = &g->list[GATE_RELAY];

	if (guards(relay) == GUARD_STOPS ||
	    guards(&g->list[GATE_RECIPIENT]) == GUARD_STOPS)
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

static struct netlist *
networks(const struct gate *g, const char *param, const char *text,
    struct buf *complaints)
{
	struct span bad = SPAN_NONE;
	struct netlist *n = netlist_parse(text, &bad);

	if (n == NULL)
		complain(complaints, conf_where(g->conf, param),
		    "%s: \"%.*s\" is no network", param, SPAN_ARG(bad));
	return n;
}

/* Those of the interfaces, and what the configuration adds: addresses that a
 * proxy or translator in front of us has. */
static struct netlist *
own_addresses(const struct gate *g, struct buf *complaints)
{
	struct ifaddrs *all = NULL, *i;
	char ip[INET6_ADDRSTRLEN];
	struct netlist *n;
	struct buf text;

	buf_init(&text, 65536);
	if (getifaddrs(&all) == -1)
		all = NULL;
	for (i = all; i != NULL; i = i->ifa_next) {
		const void *a = i->ifa_addr;

		if (a == NULL || (i->ifa_addr->sa_family != AF_INET &&
		    i->ifa_addr->sa_family != AF_INET6))
			continue;
		a = i->ifa_addr->sa_family == AF_INET ?
		    (const void *)&((const struct sockaddr_in *)a)->sin_addr :
		    &((const struct sockaddr_in6 *)a)->sin6_addr;
		if (inet_ntop(i->ifa_addr->sa_family, a, ip, sizeof(ip)) ==
		    NULL)
			continue;
		buf_fmt(&text, strchr(ip, ':') != NULL ? "[%s] " : "%s ", ip);
	}
	if (all != NULL)
		freeifaddrs(all);
	buf_str(&text, g->conf->proxy_interfaces);
	n = networks(g, "proxy_interfaces", buf_cstr(&text), complaints);
	buf_fini(&text);
	return n;
}

/* permit_tls_clientcerts finds them with gate_table. */
static void
open_clientcerts(struct gate *g, struct buf *complaints)
{
	struct span rest = span_str(g->conf->relay_clientcerts), word;
	struct buf why;

	buf_init(&why, 1024);
	while (gate_word_next(&rest, &word)) {
		buf_clear(&why);
		if (table_of(g, g, word, &why) == NULL)
			complain(complaints, conf_where(g->conf,
			    "relay_clientcerts"), "relay_clientcerts: %s",
			    buf_cstr(&why));
	}
	buf_fini(&why);
}

static void
open_rbl_replies(struct gate *g, struct buf *complaints)
{
	struct span rest = span_str(g->conf->rbl_reply_maps), word;
	struct table *t;
	struct buf why;

	buf_init(&why, 1024);
	while (gate_word_next(&rest, &word)) {
		buf_clear(&why);
		t = table_of(g, g, word, &why);
		if (t == NULL) {
			complain(complaints, conf_where(g->conf,
			    "rbl_reply_maps"), "rbl_reply_maps: %s",
			    buf_cstr(&why));
			continue;
		}
		g->rbl_replies = xreallocarray(g->rbl_replies,
		    g->n_rbl_replies + 1, sizeof(struct table *));
		g->rbl_replies[g->n_rbl_replies++] = t;
	}
	buf_fini(&why);
}

/* Clients that no limit of their own holds for. */
static void
parse_exceptions(struct gate *g, struct buf *complaints)
{
	static const char param[] = "smtpd_client_event_limit_exceptions";
	struct buf why;

	buf_init(&why, 1024);
	g->exceptions = client_list_parse(
	    g->conf->smtpd_client_event_limit_exceptions, &why);
	if (g->exceptions == NULL)
		complain(complaints, conf_where(g->conf, param), "%s: %s",
		    param, buf_cstr(&why));
	buf_fini(&why);
}

struct gate *
gate_new(struct conf *conf, struct buf *complaints)
{
	struct gate *g = xcalloc(1, sizeof(*g));
	size_t before = buf_len(complaints);
	int s;

	g->refs = 1;
	g->conf = conf_ref(conf);
	parse_classes(g, complaints);
	for (s = 0; s < GATE_STAGES; s++) {
		parse_stage(g, (enum gate_stage)s, complaints);
		check_classes(g, (enum gate_stage)s, &g->list[s], 0,
		    complaints);
	}
	if (buf_len(complaints) == before)
		check_relay(g, complaints);
	g->mynetworks = networks(g, "mynetworks", conf->mynetworks,
	    complaints);
	if (g->mynetworks != NULL)
		check_mynetworks(g, complaints);
	g->own = own_addresses(g, complaints);
	if (conf->permit_mx_backup_networks[0] != '\0')
		g->mx_backup = networks(g, "permit_mx_backup_networks",
		    conf->permit_mx_backup_networks, complaints);
	open_rbl_replies(g, complaints);
	open_clientcerts(g, complaints);
	parse_exceptions(g, complaints);
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
	size_t i;

	*gp = NULL;
	if (g == NULL || --g->refs > 0)
		return;
	for (i = 0; i < GATE_STAGES; i++)
		list_fini(&g->list[i]);
	for (i = 0; i < g->n_classes; i++) {
		list_fini(g->classes[i]);
		free(g->classes[i]);
	}
	free(g->classes);
	for (i = 0; i < g->n_tables; i++)
		table_unref(&g->tables[i]);
	free(g->tables);
	for (i = 0; i < g->n_policies; i++)
		policy_spec_unref(&g->policies[i]);
	free(g->policies);
	free(g->rbl_replies);
	netlist_free(&g->mynetworks);
	netlist_free(&g->own);
	netlist_free(&g->mx_backup);
	client_list_free(&g->exceptions);
	conf_unref(&g->conf);
	free(g);
}

const struct gate_list *
gate_list(const struct gate *g, enum gate_stage s)
{
	return &g->list[s];
}

unsigned
gate_stages_at(const struct gate *g, enum gate_moment m)
{
#define BIT(s)	(1u << GATE_##s)
	static const struct { unsigned at_once, delayed; } lists[] = {
		[GATE_AT_CONNECT] = { BIT(CLIENT), 0 },
		[GATE_AT_HELO] = { BIT(HELO), 0 },
		[GATE_AT_MAIL] = { BIT(SENDER), 0 },
		[GATE_AT_RCPT] = { BIT(RELAY) | BIT(RECIPIENT), BIT(CLIENT) |
		    BIT(HELO) | BIT(SENDER) | BIT(RELAY) | BIT(RECIPIENT) },
		[GATE_AT_DATA] = { BIT(DATA), BIT(DATA) },
		[GATE_AT_END_OF_DATA] = { BIT(END_OF_DATA),
		    BIT(END_OF_DATA) },
		[GATE_AT_ETRN] = { BIT(ETRN), BIT(CLIENT) | BIT(HELO) |
		    BIT(ETRN) },
	};
#undef BIT

	return g->conf->smtpd_delay_reject ? lists[m].delayed :
	    lists[m].at_once;
}

struct policy_spec *
gate_policy(const struct gate *g, size_t i)
{
	return i < g->n_policies ? g->policies[i] : NULL;
}

bool
gate_is_mynetworks(const struct gate *g, const struct net_addr *a)
{
	return netlist_match(g->mynetworks, a);
}

const struct netlist *
gate_own_addresses(const struct gate *g)
{
	return g->own;
}

const struct netlist *
gate_mx_backup_networks(const struct gate *g)
{
	return g->mx_backup;
}

struct table *
gate_rbl_reply_map(const struct gate *g, size_t i)
{
	return i < g->n_rbl_replies ? g->rbl_replies[i] : NULL;
}

const struct client_list *
gate_exceptions(const struct gate *g)
{
	return g->exceptions;
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
