/*
 * DNS block lists and allow lists, by address (RFC 5782 2.1, 2.4) and by
 * domain (2.3). A list that does not answer, or is suspended (dnshealth.h),
 * never blocks; such an allow list turns a refusal into "try again". The reply
 * is a template, rbl_reply_maps or default_rbl_reply. And the score over many
 * lists (dnsscore.h), whose reply names them and what they answered.
 */
#include <stdio.h>

#include "gate/access.h"
#include "gate/checks.h"
#include "gate/dnslist.h"
#include "gate/dnsscore.h"
#include "gate/template.h"
#include "mail/address.h"

#define REASON_MAX	500	/* of all TXT records together */

enum listed { LISTED_PARKED, LISTED_YES, LISTED_NO, LISTED_TEMP };

static enum listed
ask_list(struct gate_eval *e, const struct dnslist *l, enum list_kind kind,
    const char *query)
{
	enum list_use use = e->ops->list == NULL ? LIST_USE_YES :
	    e->ops->list(dnslist_zone(l), kind, e->arg);
	const struct dns_answer *a;

	if (use != LIST_USE_YES)
		return use == LIST_USE_WAIT ? LISTED_PARKED :
		    use == LIST_USE_NEVER ? LISTED_NO : LISTED_TEMP;
	a = gate_dns(e, query, DNS_A);
	if (a == NULL)
		return LISTED_PARKED;
	if (a->result == DNS_TEMPFAIL) {
		gate_warn(e, "%s: RBL lookup error: %s", query,
		    a->why == NULL ? "no answer" : a->why);
		return LISTED_TEMP;
	}
	if (dnslist_find(l, a) != NULL)
		return LISTED_YES;
	if (dnslist_is_odd(a) && e->ops->list_odd != NULL)
		e->ops->list_odd(dnslist_zone(l), kind, e->arg);
	return LISTED_NO;
}

static enum list_kind
client_kind(const struct gate_eval *e)
{
	return strchr(e->facts->client_ip, ':') == NULL ? LIST_IPV4 :
	    LIST_IPV6;
}

/* Names that end in a number are no domains: lists of domains don't want to
 * be asked about addresses. */
static bool
may_be_asked(struct span domain)
{
	ptrdiff_t dot = span_rchr(domain, '.');
	struct span last = span_sub(domain, (size_t)(dot + 1), domain.n);
	size_t i;

	for (i = 0; i < last.n; i++)
		if (!ascii_isdigit((unsigned char)last.p[i]))
			return address_is_domain(domain, 0);
	return false;
}

/* --- the refusal --- */

struct reply {
	struct gate_eval *e;
	const struct dnslist *list;
	const char *class, *what;
	struct span reason;
};

static bool
macro(struct span name, struct buf *out, void *arg)
{
	const struct reply *r = arg;

	if (span_is(name, "rbl_code"))
		buf_fmt(out, "%d",
		    (int)gate_conf(r->e->gate)->maps_rbl_reject_code);
	else if (span_is(name, "rbl_domain"))
		buf_str(out, dnslist_zone(r->list));
	else if (span_is(name, "rbl_reason") || span_is(name, "rbl_txt"))
		buf_span_add(out, r->reason);
	else if (span_is(name, "rbl_what"))
		buf_str(out, r->what);
	else if (span_is(name, "rbl_class"))
		buf_str(out, r->class);
	else
		return gate_macro(r->e, name, out);
	return true;
}

/* The template for this list; GATE_DUNNO when *out has it or there is none. */
static enum gate_result
template_find(struct gate_eval *e, const struct dnslist *l, struct buf *out)
{
	const char *const keys[2] = { dnslist_spec(l), dnslist_zone(l) };
	enum table_result r;
	struct table *t;
	struct err err;
	size_t i, k;

	err_clear(&err);
	for (k = 0; k < ARRAY_LEN(keys); k++) {
		for (i = 0; (t = gate_rbl_reply_map(e->gate, i)) != NULL;
		    i++) {
			r = gate_look_up(e, t, span_str(keys[k]), out, &err);
			if (r == TABLE_FOUND)
				return GATE_DUNNO;
			if (r == TABLE_PARKED)
				return GATE_PARKED;
			if (r == TABLE_TEMPFAIL)
				return gate_broken(e, "%s: %s",
				    table_name(t), err.why);
		}
	}
	return GATE_DUNNO;
}

/* The expanded template begins with its code, "554 5.7.1 text". */
static enum gate_result
reply_say(struct gate_eval *e, struct span text)
{
	struct span rest = text, code;
	uint32_t n;
	char dsn[ACCESS_DSN_MAX];

	if (!span_word(&rest, &code) || code.n != 3 ||
	    !span_u32(code, 400, 599, &n)) {
		gate_warn(e, "rbl response code configuration error: %.*s",
		    SPAN_ARG(text));
		return gate_refuse_plain(e, 450, "4.7.1",
		    "Service unavailable");
	}
	rest = span_trim(rest);
	(void)snprintf(dsn, sizeof(dsn), "%s", "4.7.1");
	access_dsn_take(&rest, dsn);
	if (rest.n == 0)
		rest = SPAN_LIT("Service unavailable");
	return gate_refuse_plain(e, n, dsn, rest.p);
}

static enum gate_result
refusal(struct reply *r)
{
	const char *usual = gate_conf(r->e->gate)->default_rbl_reply;
	struct buf template, text;
	enum gate_result v;

	buf_init(&template, TABLE_VALUE_MAX);
	buf_init(&text, 4 * GATE_REPLY_MAX);
	v = template_find(r->e, r->list, &template);
	if (v != GATE_DUNNO)
		goto out;
	if (buf_len(&template) == 0 || !template_expand(buf_span(&template),
	    &text, macro, r)) {
		if (buf_len(&template) > 0)
			gate_warn(r->e, "bad rbl reply template for domain "
			    "%s: %s", dnslist_spec(r->list),
			    buf_cstr(&template));
		buf_clear(&text);
		if (!template_expand(span_str(usual), &text, macro, r))
			buf_clear(&text);
	}
	v = reply_say(r->e, span_of(buf_cstr(&text), buf_len(&text)));
out:
	buf_fini(&template);
	buf_fini(&text);
	return v;
}

/* Listed: why? The TXT records of the same name say it. */
static enum gate_result
refuse_listed(struct gate_eval *e, const struct dnslist *l, const char *query,
    const char *class, const char *what)
{
	const struct dns_answer *txt = gate_dns(e, query, DNS_TXT);
	struct reply r = { .e = e, .list = l, .class = class, .what = what };
	struct buf reason;
	enum gate_result v;
	size_t i;

	if (txt == NULL)
		return GATE_PARKED;
	if (e->probing)
		return GATE_REJECT;
	buf_init(&reason, REASON_MAX);
	for (i = 0; i < txt->n_records; i++) {
		if (i > 0)
			buf_str(&reason, " / ");
		buf_span_add(&reason, span_sub(txt->record[i].data, 0,
		    REASON_MAX - buf_len(&reason)));
	}
	r.reason = span_of(buf_data(&reason), buf_len(&reason));
	v = refusal(&r);
	buf_fini(&reason);
	return v;
}

/* --- block lists --- */

/* Of the stage's own making: "Client host" and the like. */
static const char *
class_of(enum gate_what what)
{
	switch (what) {
	case GATE_IS_CLIENT:
		return "Client host";
	case GATE_IS_REVERSE:
		return "Unverified Client host";
	case GATE_IS_HELO:
		return "Helo command";
	case GATE_IS_SENDER:
		return "Sender address";
	case GATE_IS_RECIPIENT:
		return "Recipient address";
	case GATE_IS_SASL:
	case GATE_IS_CCERT:
	case GATE_IS_ETRN:
	case GATE_IS_STAGE:
		break;
	}
	return "";
}

static enum gate_result
reject_client(struct gate_eval *e, const struct dnslist *l)
{
	char query[DNS_NAME_MAX];

	if (!dns_reverse_name(e->facts->client_ip, dnslist_zone(l), query))
		return GATE_DUNNO;
	switch (ask_list(e, l, client_kind(e), query)) {
	case LISTED_PARKED:
		return GATE_PARKED;
	case LISTED_YES:
		return refuse_listed(e, l, query, class_of(GATE_IS_CLIENT),
		    e->facts->client_ip);
	default:
		return GATE_DUNNO;
	}
}

enum gate_result
reject_rbl_client(struct gate_eval *e, const struct gate_rule *rule)
{
	return reject_client(e, rule->dnslist);
}

enum gate_result
reject_maps_rbl(struct gate_eval *e, const struct gate_rule *rule)
{
	enum gate_result r = GATE_DUNNO;
	const struct dnslist *l;
	size_t i;

	(void)rule;
	for (i = 0; r == GATE_DUNNO &&
	    (l = gate_old_rbl(e->gate, i)) != NULL; i++)
		r = reject_client(e, l);
	return r;
}

/* `what` is the name or address as it is told in the reply. */
static enum gate_result
reject_domain(struct gate_eval *e, const struct dnslist *l,
    enum gate_what class, struct span domain, const char *what)
{
	char query[2 * DNS_NAME_MAX];

	if (!may_be_asked(domain))
		return GATE_DUNNO;
	(void)snprintf(query, sizeof(query), "%.*s.%s", SPAN_ARG(domain),
	    dnslist_zone(l));
	switch (ask_list(e, l, LIST_NAMES, query)) {
	case LISTED_PARKED:
		return GATE_PARKED;
	case LISTED_YES:
		return refuse_listed(e, l, query, class_of(class), what);
	default:
		return GATE_DUNNO;
	}
}

static enum gate_result
reject_host(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what class, const char *name)
{
	if (name[0] == '\0' || name[0] == '[' ||
	    span_is(span_str(name), "unknown"))
		return GATE_DUNNO;
	return reject_domain(e, rule->dnslist, class, span_str(name), name);
}

enum gate_result
reject_rhsbl_client(struct gate_eval *e, const struct gate_rule *rule)
{
	return reject_host(e, rule, GATE_IS_CLIENT, e->facts->client_name);
}

enum gate_result
reject_rhsbl_reverse_client(struct gate_eval *e, const struct gate_rule *rule)
{
	return reject_host(e, rule, GATE_IS_REVERSE, gate_reverse_name(e->facts));
}

enum gate_result
reject_rhsbl_helo(struct gate_eval *e, const struct gate_rule *rule)
{
	return reject_host(e, rule, GATE_IS_HELO, e->facts->helo);
}

static enum gate_result
reject_address(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what class, struct span address)
{
	enum gate_result r = GATE_DUNNO;
	struct buf domain, what;

	buf_init(&domain, DNS_NAME_MAX);
	buf_init(&what, GATE_REPLY_MAX);
	buf_span_add(&what, span_sub(address, 0, GATE_REPLY_MAX / 2));
	if (gate_dns_domain(e, class, &domain))
		r = reject_domain(e, rule->dnslist, class, buf_span(&domain),
		    buf_cstr(&what));
	buf_fini(&domain);
	buf_fini(&what);
	return r;
}

enum gate_result
reject_rhsbl_sender(struct gate_eval *e, const struct gate_rule *rule)
{
	return reject_address(e, rule, GATE_IS_SENDER, e->facts->sender);
}

enum gate_result
reject_rhsbl_recipient(struct gate_eval *e, const struct gate_rule *rule)
{
	return reject_address(e, rule, GATE_IS_RECIPIENT,
	    e->facts->recipient);
}

/* --- allow lists --- */

/* No list of others lets strangers relay. PERMIT: the list may be asked. */
static enum gate_result
may_permit(struct gate_eval *e)
{
	if (e->facts->recipient.n == 0 || e->stage > GATE_RECIPIENT)
		return GATE_PERMIT;
	return gate_our_domain(e);
}

static enum gate_result
permit_listed(struct gate_eval *e, const struct dnslist *l,
    enum list_kind kind, const char *query, const char *who)
{
	switch (ask_list(e, l, kind, query)) {
	case LISTED_PARKED:
		return GATE_PARKED;
	case LISTED_YES:
		return GATE_PERMIT;
	case LISTED_NO:
		return GATE_DUNNO;
	case LISTED_TEMP:
		break;
	}
	return gate_reply(e, GATE_DEFER_IF_REJECT, 450, "4.7.1",
	    "<%s>: Client host rejected: Service unavailable", who);
}

enum gate_result
permit_dnswl_client(struct gate_eval *e, const struct gate_rule *rule)
{
	enum gate_result may = may_permit(e);
	char query[DNS_NAME_MAX];

	if (may != GATE_PERMIT)
		return may;
	if (!dns_reverse_name(e->facts->client_ip,
	    dnslist_zone(rule->dnslist), query))
		return GATE_DUNNO;
	return permit_listed(e, rule->dnslist, client_kind(e), query,
	    e->facts->client_ip);
}

enum gate_result
permit_rhswl_client(struct gate_eval *e, const struct gate_rule *rule)
{
	const char *name = e->facts->client_name;
	enum gate_result may = may_permit(e);
	char query[2 * DNS_NAME_MAX];

	if (may != GATE_PERMIT)
		return may;
	if (span_is(span_str(name), "unknown") ||
	    !may_be_asked(span_str(name)))
		return GATE_DUNNO;
	(void)snprintf(query, sizeof(query), "%s.%s", name,
	    dnslist_zone(rule->dnslist));
	return permit_listed(e, rule->dnslist, LIST_NAMES, query, name);
}

/* --- the score --- */

static enum gate_result
refuse_score(struct gate_eval *e, const struct dnsscore *s)
{
	int64_t code = s->verdict == DNSSCORE_UNSURE ? 450 :
	    gate_conf(e->gate)->maps_rbl_reject_code;
	enum gate_result v = GATE_PARKED;
	struct buf names, why;

	buf_init(&names, DNSSCORE_TEXT_MAX);
	buf_init(&why, GATE_REPLY_MAX);
	if (dnsscore_names(e->gate, s, e->ops, e->arg, &names)) {
		buf_fmt(&why, "Service unavailable; Client host [%s] blocked"
		    "%s%s", e->facts->client_ip, buf_len(&names) > 0 ?
		    " using " : "", buf_cstr(&names));
		v = gate_refuse_plain(e, code, "5.7.1", buf_cstr(&why));
	}
	buf_fini(&why);
	buf_fini(&names);
	return v;
}

enum gate_result
reject_dnsbl_score(struct gate_eval *e, const struct gate_rule *rule)
{
	/* who is allowed is not looked for: only whether it is blocked */
	struct dnsscore_limits limits = { .block = rule->arg != NULL ?
	    rule->score : gate_conf(e->gate)->postscreen_dnsbl_threshold };
	struct dnsscore s;

	dnsscore_count(gate_score_sites(e->gate), e->facts->client_ip,
	    &limits, false, e->ops, e->arg, &s);
	switch (s.verdict) {
	case DNSSCORE_OPEN:
		return GATE_PARKED;
	case DNSSCORE_BLOCK:
	case DNSSCORE_UNSURE:
		return refuse_score(e, &s);
	case DNSSCORE_NEUTRAL:
	case DNSSCORE_ALLOW:
		break;
	}
	return GATE_DUNNO;
}

enum gate_result
permit_dnsbl_score(struct gate_eval *e, const struct gate_rule *rule)
{
	struct dnsscore_limits limits = dnsscore_limits_of(
	    gate_conf(e->gate));
	enum gate_result may = may_permit(e);
	struct dnsscore s;

	(void)rule;
	if (may != GATE_PERMIT)
		return may;
	dnsscore_count(gate_score_sites(e->gate), e->facts->client_ip,
	    &limits, false, e->ops, e->arg, &s);
	return s.verdict == DNSSCORE_OPEN ? GATE_PARKED :
	    s.verdict == DNSSCORE_ALLOW ? GATE_PERMIT : GATE_DUNNO;
}
