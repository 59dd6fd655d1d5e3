/*
 * The lists of one configuration, and what may be asked about them. How they
 * are made: parse.c, trust.c.
 */
#include "gate/gate_int.h"
#include "gate/greywhite.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/checks.h"
#include "gate/dnslist.h"
#include "gate/dnsscore.h"
#include "gate/manners.h"
#include "policy/spec.h"

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

/* permit_tls_clientcerts finds them with gate_table. */
static void
open_clientcerts(struct gate *g, struct buf *complaints)
{
	struct span rest = span_str(g->conf->relay_clientcerts), word;
	struct buf why;

	buf_init(&why, 1024);
	while (gate_word_next(&rest, &word)) {
		buf_clear(&why);
		if (gate_table_of(g, g, word, &why) == NULL)
			gate_complain(complaints, conf_where(g->conf,
			    "relay_clientcerts"), "relay_clientcerts: %s",
			    buf_cstr(&why));
	}
	buf_fini(&why);
}

/* The tables of a parameter, in their order. */
static void
open_maps(struct gate *g, const char *param, const char *text,
    struct table ***maps, size_t *n, struct buf *complaints)
{
	struct span rest = span_str(text), word;
	struct table *t;
	struct buf why;

	buf_init(&why, 1024);
	while (gate_word_next(&rest, &word)) {
		buf_clear(&why);
		t = gate_table_of(g, g, word, &why);
		if (t == NULL) {
			gate_complain(complaints, conf_where(g->conf, param),
			    "%s: %s", param, buf_cstr(&why));
			continue;
		}
		*maps = xreallocarray(*maps, *n + 1, sizeof(struct table *));
		(*maps)[(*n)++] = t;
	}
	buf_fini(&why);
}

/* The lists of reject_maps_rbl. */
static void
open_dnslists(const struct gate *g, const char *param, const char *text,
    struct dnslist ***lists, size_t *n, struct buf *complaints)
{
	struct span rest = span_str(text), word;
	struct dnslist *l;
	struct buf why;

	buf_init(&why, 1024);
	while (conf_list_next(&rest, &word)) {
		buf_clear(&why);
		if ((l = dnslist_parse(word, &why)) == NULL) {
			gate_complain(complaints, conf_where(g->conf, param),
			    "%s: %s", param, buf_cstr(&why));
			continue;
		}
		*lists = xreallocarray(*lists, *n + 1, sizeof(**lists));
		(*lists)[(*n)++] = l;
	}
	buf_fini(&why);
}

/* What check_spf goes on with. */
static void
check_spf_words(const struct gate *g, struct buf *complaints)
{
	const struct conf *conf = g->conf;
	const struct { const char *param, *words; } t[] = {
		{ "spf_helo_pass_restriction",
		  conf->spf_helo_pass_restriction },
		{ "spf_mail_from_pass_restriction",
		  conf->spf_mail_from_pass_restriction },
	};
	struct buf why;
	size_t i;

	buf_init(&why, 1024);
	for (i = 0; i < ARRAY_LEN(t); i++)
		if (!gate_words_ok(g, span_str(t[i].words), &why))
			gate_complain(complaints, conf_where(conf,
			    t[i].param), "%s: %s", t[i].param,
			    buf_cstr(&why));
	buf_fini(&why);
}

static void
open_greywhite(struct gate *g, enum greywhite_of of, const char *param,
    const char *files, struct buf *complaints)
{
	struct span rest = span_str(files), word, lines, line;
	struct buf why;
	char *path;

	buf_init(&why, 65536);
	while (conf_list_next(&rest, &word)) {
		path = xmemdup0(word.p, word.n);
		greywhite_read(g->greywhite, of, path, &why);
		free(path);
	}
	lines = buf_span(&why);
	while (span_split(&lines, '\n', &line) && line.n > 0)
		gate_complain(complaints, conf_where(g->conf, param),
		    "%s: %.*s", param, SPAN_ARG(line));
	buf_fini(&why);
}

static void
open_greylist(struct gate *g, struct buf *complaints)
{
	g->greywhite = greywhite_new();
	open_greywhite(g, GREYWHITE_CLIENTS, "greylist_client_whitelist",
	    g->conf->greylist_client_whitelist, complaints);
	open_greywhite(g, GREYWHITE_RECIPIENTS,
	    "greylist_recipient_whitelist",
	    g->conf->greylist_recipient_whitelist, complaints);
	open_dnslists(g, "greylist_dnswl_domains",
	    g->conf->greylist_dnswl_domains, &g->grey_dnswls,
	    &g->n_grey_dnswls, complaints);
}

/* The lists and weights of the score. */
static void
open_score(struct gate *g, struct buf *complaints)
{
	const struct conf *conf = g->conf;
	struct buf why;

	buf_init(&why, 1024);
	g->score_sites = dnssites_parse(conf->postscreen_dnsbl_sites, &why);
	if (g->score_sites == NULL)
		gate_complain(complaints, conf_where(conf,
		    "postscreen_dnsbl_sites"), "postscreen_dnsbl_sites: %s",
		    buf_cstr(&why));
	buf_fini(&why);
	open_maps(g, "postscreen_dnsbl_reply_map",
	    conf->postscreen_dnsbl_reply_map, &g->score_replies,
	    &g->n_score_replies, complaints);
	if (conf->postscreen_dnsbl_allowlist_threshold >=
	    conf->postscreen_dnsbl_threshold)
		gate_complain(complaints, conf_where(conf,
		    "postscreen_dnsbl_allowlist_threshold"),
		    "postscreen_dnsbl_allowlist_threshold must be below "
		    "postscreen_dnsbl_threshold");
}

static bool
list_has(const char *list, const char *want)
{
	struct span rest = span_str(list), word;

	while (conf_list_next(&rest, &word))
		if (span_is(word, want))
			return true;
	return false;
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
		gate_complain(complaints, conf_where(g->conf, param), "%s: %s",
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
	gate_parse_classes(g, complaints);
	for (s = 0; s < GATE_STAGES; s++)
		gate_parse_stage(g, (enum gate_stage)s, complaints);
	g->mynetworks = gate_networks(g, "mynetworks", conf->mynetworks,
	    complaints);
	g->own = gate_own_find(g, complaints);
	if (conf->permit_mx_backup_networks[0] != '\0')
		g->mx_backup = gate_networks(g, "permit_mx_backup_networks",
		    conf->permit_mx_backup_networks, complaints);
	open_maps(g, "rbl_reply_maps", conf->rbl_reply_maps,
	    &g->rbl_replies, &g->n_rbl_replies, complaints);
	open_dnslists(g, "maps_rbl_domains", conf->maps_rbl_domains,
	    &g->old_rbls, &g->n_old_rbls, complaints);
	open_score(g, complaints);
	open_maps(g, "smtpd_sender_login_maps", conf->smtpd_sender_login_maps,
	    &g->login_maps, &g->n_login_maps, complaints);
	open_greylist(g, complaints);
	g->dotted_parents = !list_has(conf->parent_domain_matches_subdomains,
	    "smtpd_access_maps");
	check_spf_words(g, complaints);
	g->spf_skipped[0] = gate_networks(g, "spf_skip_addresses",
	    conf->spf_skip_addresses, complaints);
	g->spf_skipped[1] = gate_networks(g, "spf_whitelist",
	    conf->spf_whitelist, complaints);
	open_clientcerts(g, complaints);
	parse_exceptions(g, complaints);
	g->log_permits = matchlist_new(conf,
	    "smtpd_log_access_permit_actions",
	    conf->smtpd_log_access_permit_actions, MATCHLIST_WORDS_TOO,
	    complaints);
	if (buf_len(complaints) == before)
		gate_check_trust(g, complaints);
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
		gate_list_fini(&g->list[i]);
	for (i = 0; i < g->n_classes; i++) {
		gate_list_fini(g->classes[i]);
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
	for (i = 0; i < g->n_old_rbls; i++)
		dnslist_free(&g->old_rbls[i]);
	free(g->old_rbls);
	netlist_free(&g->spf_skipped[0]);
	netlist_free(&g->spf_skipped[1]);
	for (i = 0; i < g->n_grey_dnswls; i++)
		dnslist_free(&g->grey_dnswls[i]);
	free(g->grey_dnswls);
	greywhite_free(&g->greywhite);
	dnssites_free(&g->score_sites);
	free(g->score_replies);
	free(g->login_maps);
	netlist_free(&g->mynetworks);
	netlist_free(&g->own);
	netlist_free(&g->mx_backup);
	client_list_free(&g->exceptions);
	matchlist_free(&g->log_permits);
	conf_unref(&g->conf);
	free(g);
}

const struct greywhite *
gate_greywhite(const struct gate *g)
{
	return g->greywhite;
}

const struct dnslist *
gate_grey_dnswl(const struct gate *g, size_t i)
{
	return i < g->n_grey_dnswls ? g->grey_dnswls[i] : NULL;
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

const struct dnslist *
gate_old_rbl(const struct gate *g, size_t i)
{
	return i < g->n_old_rbls ? g->old_rbls[i] : NULL;
}

bool
gate_spf_skips(const struct gate *g, const struct net_addr *a)
{
	return netlist_match(g->spf_skipped[0], a) ||
	    netlist_match(g->spf_skipped[1], a);
}

const struct dnssites *
gate_score_sites(const struct gate *g)
{
	return g->score_sites;
}

struct table *
gate_score_reply_map(const struct gate *g, size_t i)
{
	return i < g->n_score_replies ? g->score_replies[i] : NULL;
}

/* The i-th of a list's DNS lists; else *i is less by their number. */
static const struct dnslist *
dnslist_in(const struct gate_list *l, size_t *i, bool *names)
{
	size_t k;

	for (k = 0; k < l->n; k++) {
		if (l->rules[k].dnslist == NULL)
			continue;
		*names = l->rules[k].is->flags & GATE_OF_NAMES;
		if ((*i)-- == 0)
			return l->rules[k].dnslist;
	}
	return NULL;
}

const struct dnslist *
gate_dnslist_at(const struct gate *g, size_t i, bool *names)
{
	const struct dnslist *l = NULL;
	size_t k;

	for (k = 0; l == NULL && k < GATE_STAGES; k++)
		l = dnslist_in(&g->list[k], &i, names);
	for (k = 0; l == NULL && k < g->n_classes; k++)
		l = dnslist_in(g->classes[k], &i, names);
	if (l != NULL)
		return l;
	*names = false;
	if (i < g->n_old_rbls)
		return g->old_rbls[i];
	i -= g->n_old_rbls;
	if (i < g->n_grey_dnswls)
		return g->grey_dnswls[i];
	return dnssites_at(g->score_sites, i - g->n_grey_dnswls);
}

struct table *
gate_login_map(const struct gate *g, size_t i)
{
	return i < g->n_login_maps ? g->login_maps[i] : NULL;
}

bool
gate_dotted_parents(const struct gate *g)
{
	return g->dotted_parents;
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

static void
list_hints(const struct gate_list *l, struct buf *hints)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->rules[i].is->flags & GATE_OLD)
			gate_complain(hints, l->where, "%s: %s: %s", l->param,
			    l->rules[i].is->name, l->rules[i].is->help);
}

void
gate_hints(const struct gate *g, struct buf *hints)
{
	size_t i;

	for (i = 0; i < GATE_STAGES; i++)
		list_hints(&g->list[i], hints);
	for (i = 0; i < g->n_classes; i++)
		list_hints(g->classes[i], hints);
}

/* A section inherits the main part's mistakes: each line is said once. */
static bool
conf_check_one(struct conf *conf, struct buf *complaints)
{
	struct span rest, line;
	struct buf found;
	struct manners *m;
	struct gate *g;
	bool ok;

	buf_init(&found, 65536);
	g = gate_new(conf, &found);
	m = manners_new(conf, &found);
	ok = g != NULL && m != NULL;
	gate_unref(&g);
	manners_free(&m);
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
gate_logs_permit(const struct gate *g, const char *action)
{
	return matchlist_has(g->log_permits, span_str(action));
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
