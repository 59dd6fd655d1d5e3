/*
 * check_spf: SPF (RFC 7208) with the choices of policyd-spf, whose settings
 * ours are named for. HELO first, as it needs no sender and tells most; both
 * are asked for at once. Nothing here looks anything up: verdicts come from
 * gate_ops.spf.
 */
#include <stdio.h>

#include "gate/checks.h"
#include "gate/spf_header.h"
#include "mail/address.h"

#define WHITELIST_MAX	20	/* domains of spf_domain_whitelist */
#define IDENTITY_MAX	(ADDRESS_MAX + DNS_NAME_MAX)

/* --- verdicts --- */

static const struct spf_verdict *
ask(struct gate_eval *e, const char *helo, const char *sender)
{
	static const struct spf_verdict none = { .result = SPF_TEMPERROR,
		.why = "no DNS" };

	return e->ops->spf == NULL ? &none :
	    e->ops->spf(gate_conf(e->gate), helo, sender, e->arg);
}

const struct spf_verdict *
gate_spf_helo(struct gate_eval *e)
{
	return ask(e, e->facts->helo, "");
}

/* local@domain with the domain as the DNS has it. */
const struct spf_verdict *
gate_spf_sender(struct gate_eval *e)
{
	static const struct spf_verdict no_domain = { .result = SPF_NONE };
	const struct spf_verdict *v = &no_domain;
	struct span sender = e->facts->sender;
	struct buf domain, identity;

	buf_init(&domain, DNS_NAME_MAX);
	buf_init(&identity, IDENTITY_MAX);
	if (gate_dns_domain(e, GATE_IS_SENDER, &domain)) {
		buf_span_add(&identity, span_sub(sender, 0,
		    (size_t)span_rchr(sender, '@') + 1));
		buf_span_add(&identity, buf_span(&domain));
		if (!buf_failed(&identity) &&
		    span_chr(buf_span(&identity), '\0') < 0)
			v = ask(e, e->facts->helo, buf_cstr(&identity));
	}
	buf_fini(&identity);
	buf_fini(&domain);
	return v;
}

enum gate_result
gate_spf_domain(struct gate_eval *e, struct buf *domain)
{
	const struct spf_verdict *v = e->facts->sender.n > 0 ?
	    gate_spf_sender(e) : gate_spf_helo(e);

	if (v == NULL)
		return GATE_PARKED;
	if (v->result != SPF_PASS)
		return GATE_DUNNO;
	if (e->facts->sender.n > 0)
		return gate_dns_domain(e, GATE_IS_SENDER, domain) ?
		    GATE_PERMIT : GATE_DUNNO;
	if (address_domain_normal(span_str(e->facts->helo), domain,
	    NULL) != 0)
		return GATE_DUNNO;
	return GATE_PERMIT;
}

/* --- who is not looked at --- */

static bool
under_one_of(const char *domains, struct span name, bool below)
{
	struct span rest = span_str(domains), word;

	while (conf_list_next(&rest, &word)) {
		if (span_ieq(name, word))
			return true;
		if (below && name.n > word.n && span_ieq(span_sub(name,
		    name.n - word.n, word.n), word) &&
		    name.p[name.n - word.n - 1] == '.')
			return true;
	}
	return false;
}

/* PERMIT: one of the name's addresses is the client's. */
static enum gate_result
helo_is_client(struct gate_eval *e)
{
	const struct gate_facts *f = e->facts;
	bool v6 = strchr(f->client_ip, ':') != NULL;
	const struct dns_answer *a = gate_dns(e, f->helo, v6 ? DNS_AAAA :
	    DNS_A);
	size_t i;

	if (a == NULL)
		return GATE_PARKED;
	for (i = 0; i < a->n_records; i++)
		if (memcmp(a->record[i].addr, f->client.b + (v6 ? 0 : 12),
		    v6 ? 16 : 4) == 0)
			return GATE_PERMIT;
	return GATE_DUNNO;
}

/* PERMIT: some trusted forwarder's record has the client. */
static enum gate_result
domain_has_client(struct gate_eval *e)
{
	struct span rest = span_str(gate_conf(e->gate)->spf_domain_whitelist);
	enum gate_result r = GATE_DUNNO;
	const struct spf_verdict *v;
	char domain[DNS_NAME_MAX];
	struct span word;
	int i;

	for (i = 0; i < WHITELIST_MAX && conf_list_next(&rest, &word); i++) {
		(void)snprintf(domain, sizeof(domain), "%.*s",
		    SPAN_ARG(word));
		v = ask(e, domain, "");
		if (v != NULL && v->result == SPF_PASS)
			return GATE_PERMIT;
		if (v == NULL)
			r = GATE_PARKED;
	}
	return r;
}

/* PERMIT: it is not looked at. */
static enum gate_result
is_skipped(struct gate_eval *e)
{
	const struct conf *conf = gate_conf(e->gate);
	const struct gate_facts *f = e->facts;
	enum gate_result by_helo = GATE_DUNNO, by_domain;

	if (f->authenticated || gate_spf_skips(e->gate, &f->client))
		return GATE_PERMIT;
	if (f->name_state == CLIENT_NAME_OK && under_one_of(
	    conf->spf_domain_whitelist_ptr, span_str(f->client_name), true))
		return GATE_PERMIT;
	if (under_one_of(conf->spf_helo_whitelist, span_str(f->helo), false))
		by_helo = helo_is_client(e);
	by_domain = domain_has_client(e);
	return by_helo == GATE_PERMIT || by_domain == GATE_PERMIT ?
	    GATE_PERMIT : by_helo == GATE_PARKED ? by_helo : by_domain;
}

/* --- what is done about a result --- */

/* An identity and what the configuration wants of it. */
struct identity {
	enum gate_what what;
	const char *policy;		/* "Fail" */
	const struct spf_verdict *verdict;	/* NULL: not looked at */
	struct span domain;
};

static bool
policy_is(const struct identity *id, const char *word)
{
	return span_is(span_str(id->policy), word);
}

static bool
policy_refuses(const struct gate_eval *e, const struct identity *id)
{
	bool every = under_one_of(
	    gate_conf(e->gate)->spf_reject_not_pass_domains, id->domain,
	    true) || policy_is(id, "SPF_Not_Pass");

	switch (id->verdict->result) {
	case SPF_FAIL:
		return every || policy_is(id, "Fail") ||
		    policy_is(id, "Softfail") || policy_is(id, "Null");
	case SPF_SOFTFAIL:
		return every || policy_is(id, "Softfail");
	case SPF_NEUTRAL:
		return every;
	default:
		return false;
	}
}

/* "SPF fail: 192.0.2.1 may not send for b.example (-all)". What the domain
 * explains is its word, and is told as that (RFC 7208 6.2). */
static void
why_put(struct buf *out, const struct gate_eval *e, const struct identity *id)
{
	const struct spf_verdict *v = id->verdict;

	buf_fmt(out, "SPF %s", spf_result_name(v->result));
	if (v->why[0] != '\0')
		buf_fmt(out, ": %s", v->why);
	else
		buf_fmt(out, ": %s may not send for %.*s (%s%s%s)",
		    e->facts->client_ip, SPAN_ARG(id->domain), v->mechanism,
		    span_ieq(span_str(v->domain), id->domain) ? "" : " of ",
		    span_ieq(span_str(v->domain), id->domain) ? "" :
		    v->domain);
	if (v->explanation[0] != '\0')
		buf_fmt(out, "; %s explains: %s", v->domain, v->explanation);
}

static enum gate_result
identity_judge(struct gate_eval *e, const struct identity *id)
{
	const struct conf *conf = gate_conf(e->gate);
	enum gate_result r = GATE_DUNNO;
	struct buf why;

	/* Null: only mail without a sender is refused by its HELO */
	if (id->verdict == NULL || policy_is(id, "False") ||
	    (policy_is(id, "Null") && e->facts->sender.n > 0))
		return GATE_DUNNO;
	buf_init(&why, 2048);
	why_put(&why, e, id);
	if (policy_refuses(e, id)) {
		if (!conf->spf_no_mail || id->verdict->sends_no_mail)
			r = gate_refuse(e, id->what, 550, "5.7.23",
			    buf_cstr(&why));
	} else if (id->verdict->result == SPF_PERMERROR &&
	    conf->spf_permerror_reject)
		r = gate_refuse(e, id->what, 550, "5.7.24", buf_cstr(&why));
	else if (id->verdict->result == SPF_TEMPERROR &&
	    conf->spf_temperror_defer)
		r = gate_unsure(e, "defer_if_permit", id->what, 450, "4.7.24",
		    buf_cstr(&why));
	buf_fini(&why);
	return r;
}

/* --- what is noted in the message --- */

static void
unfolded(struct span text, struct buf *out)
{
	size_t i;

	buf_clear(out);
	for (i = 0; i < text.n; i++)
		if (text.p[i] != '\r' && text.p[i] != '\n')
			buf_char(out, text.p[i] == '\t' ? ' ' : text.p[i]);
}

static void
fields_add(struct gate_eval *e, const struct spf_found *f)
{
	static const struct {
		const char *type;
		void (*put)(const struct spf_found *f,
		    const struct conf *conf, struct buf *out);
	} fields[] = { { "AR", spf_header_results },
		{ "SPF", spf_header_received } };
	const struct conf *conf = gate_conf(e->gate);
	struct span want = span_str(conf->spf_header_type);
	struct buf text, line;
	size_t i;

	buf_init(&text, 8192);
	buf_init(&line, 8192);
	for (i = 0; i < ARRAY_LEN(fields); i++) {
		if (!span_is(want, fields[i].type) && !span_is(want, "both"))
			continue;
		buf_clear(&text);
		fields[i].put(f, conf, &text);
		if (buf_len(&text) == 0)
			continue;
		unfolded(buf_span(&text), &line);
		gate_effect(e, GATE_DO_RESULT, buf_span(&text),
		    buf_cstr(&line));
	}
	buf_fini(&text);
	buf_fini(&line);
}

/* Whoever passes SPF can write himself any domain: no restriction that is
 * behind it lets him relay. */
static enum gate_result
pass_restriction(struct gate_eval *e, const char *words)
{
	enum gate_result r = gate_run_words(e, span_str(words));

	if (r != GATE_PERMIT || e->facts->recipient.n == 0 ||
	    e->stage > GATE_RECIPIENT)
		return r;
	return gate_our_domain(e);
}

/* What comes after a Pass: HELO's before the sender's, as with policyd-spf. */
static enum gate_result
passed(struct gate_eval *e, const struct identity *helo,
    const struct identity *from)
{
	const struct conf *conf = gate_conf(e->gate);

	if (helo->verdict != NULL && helo->verdict->result == SPF_PASS &&
	    conf->spf_helo_pass_restriction[0] != '\0')
		return pass_restriction(e, conf->spf_helo_pass_restriction);
	if (from->verdict != NULL && from->verdict->result == SPF_PASS &&
	    conf->spf_mail_from_pass_restriction[0] != '\0')
		return pass_restriction(e,
		    conf->spf_mail_from_pass_restriction);
	return GATE_DUNNO;
}

/* --- the restriction --- */

static enum gate_result
judge(struct gate_eval *e, const struct identity *helo,
    const struct identity *from)
{
	struct spf_found found = { .ip = e->facts->client_ip,
		.helo = e->facts->helo, .sender = e->facts->sender,
		.of_helo = helo->verdict, .of_sender = from->verdict };
	enum gate_result r = identity_judge(e, helo), by_from;
	char domain[DNS_NAME_MAX];

	if (r != GATE_REJECT && (by_from = identity_judge(e, from)) !=
	    GATE_DUNNO)
		r = by_from;
	/* what warn_if_reject lets in is marked all the same */
	if (r == GATE_REJECT && !e->warning)
		return r;
	(void)snprintf(domain, sizeof(domain), "%.*s",
	    SPAN_ARG(from->domain));
	found.sender_domain = from->domain.n > 0 ? domain : NULL;
	fields_add(e, &found);
	return r == GATE_DUNNO ? passed(e, helo, from) : r;
}

enum gate_result
check_spf(struct gate_eval *e, const struct gate_rule *rule)
{
	const struct conf *conf = gate_conf(e->gate);
	const struct gate_facts *f = e->facts;
	struct identity helo = { .what = GATE_IS_HELO,
		.policy = conf->spf_helo_reject,
		.domain = span_str(f->helo) };
	struct identity from = { .what = GATE_IS_SENDER,
		.policy = conf->spf_mail_from_reject };
	enum gate_result r = is_skipped(e);
	bool parked = false;
	struct buf domain;

	if (r != GATE_DUNNO)
		return r == GATE_PERMIT ? GATE_DUNNO : r;
	buf_init(&domain, DNS_NAME_MAX);
	if (!policy_is(&helo, "No_Check") && f->helo[0] != '\0') {
		helo.verdict = gate_spf_helo(e);
		parked = helo.verdict == NULL;
	}
	if (!policy_is(&from, "No_Check") && f->sender.n > 0) {
		(void)gate_dns_domain(e, GATE_IS_SENDER, &domain);
		from.domain = buf_span(&domain);
		from.verdict = gate_spf_sender(e);
		parked = parked || from.verdict == NULL;
	}
	r = parked ? GATE_PARKED : judge(e, &helo, &from);
	buf_fini(&domain);
	return r;
}
