#include "gate/ask.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/ask_spf.h"
#include "gate/ask_table.h"
#include "gate/policy_facts.h"

/* Look-ups of one evaluation: a chain of ten rules needs some twenty, one
 * with hostile MX and NS records behind it must not need thousands. */
#define DNS_MAX_ASKED	400
/* And of their answers, which stay until the verdict: usual ones have 1 KiB,
 * but whose name is asked for may give 75 KiB each time. */
#define DNS_MAX_BYTES	(1024 * 1024)

struct gate_ask_dns {
	SLIST_ENTRY(gate_ask_dns) link;
	struct gate_ask *ask;
	struct dnscache_ask *query;	/* NULL: it has come */
	struct dns_kept *kept;
	struct spf_fact fact;		/* the same once more, for SPF */
	enum dns_type type;
	char name[];
};

/* One service is asked once, however many rules name it. */
struct gate_ask_policy {
	SLIST_ENTRY(gate_ask_policy) link;
	struct gate_ask *ask;
	const struct policy_spec *spec;
	struct policy_ask *query;
	char *action;			/* NULL: it has not come */
};

/* --- the directory --- */

static struct span
normal_domain(const struct gate_ask *a)
{
	struct span all = span_of(a->normal, a->normal_n);
	ptrdiff_t at = span_rchr(all, '@');

	return at == -1 ? SPAN_NONE : span_sub(all, (size_t)at + 1, all.n);
}

/* Takes over res. A domain that is not ours has no recipients of ours. */
static void
learn(struct gate_ask *a, enum gate_need what, struct resolution *res)
{
	a->known[what] = res;
	switch (what) {
	case GATE_NEED_RCPT:
		a->facts->rcpt = res;
		break;
	case GATE_NEED_SENDER:
		a->facts->from = res;
		break;
	case GATE_NEED_RCPT_DOMAIN:
		a->facts->rcpt_domain = res;
		if (res->class == RESOLVE_NOT_LOCAL &&
		    a->known[GATE_NEED_RCPT] == NULL &&
		    a->asked[GATE_NEED_RCPT] == NULL)
			learn(a, GATE_NEED_RCPT, resolution_ref(res));
		break;
	}
}

static void
came(struct gate_ask *a, enum gate_need what, const struct resolution *res)
{
	a->asked[what] = NULL;
	learn(a, what, resolution_ref(res));
	defer_call(&a->again);
}

static void
domain_cb(const struct resolution *res, void *arg)
{
	came(arg, GATE_NEED_RCPT_DOMAIN, res);
}

static void
rcpt_cb(const struct resolution *res, void *arg)
{
	came(arg, GATE_NEED_RCPT, res);
}

static void
sender_cb(const struct resolution *res, void *arg)
{
	came(arg, GATE_NEED_SENDER, res);
}

static bool
ask_directory(struct gate_ask *a, enum gate_need what, struct span key)
{
	static directory_cb *const cbs[3] = {
		[GATE_NEED_RCPT_DOMAIN] = domain_cb,
		[GATE_NEED_RCPT] = rcpt_cb,
		[GATE_NEED_SENDER] = sender_cb,
	};
	struct directory *dir = a->world->dir;
	bool domain = what == GATE_NEED_RCPT_DOMAIN;
	struct resolution *res;

	ps_assert(what < ARRAY_LEN(cbs));
	res = domain ? directory_domain_peek(dir, key) :
	    directory_peek(dir, key);
	if (res != NULL) {
		learn(a, what, res);
		return true;
	}
	a->asked[what] = domain ?
	    directory_domain(dir, key, cbs[what], a) :
	    directory_resolve(dir, key, cbs[what], a);
	return false;
}

/* MAIL was accepted with it, so it has a normal form; if not, then as it
 * stands it is in no one's domain. */
static bool
ask_sender(struct gate_ask *a)
{
	struct buf normal;
	struct err err;
	bool known;

	buf_init(&normal, ADDRESS_MAX + 1);
	if (address_normal_text(a->facts->sender, &normal, &err) != 0) {
		buf_clear(&normal);
		buf_span_add(&normal, a->facts->sender);
	}
	known = ask_directory(a, GATE_NEED_SENDER, buf_span(&normal));
	buf_fini(&normal);
	return known;
}

bool
gate_ask_need(struct gate_ask *a, enum gate_need what)
{
	if (a->known[what] != NULL)
		return true;
	if (a->asked[what] != NULL)
		return false;
	switch (what) {
	case GATE_NEED_SENDER:
		return ask_sender(a);
	case GATE_NEED_RCPT:
		return ask_directory(a, what, span_of(a->normal,
		    a->normal_n));
	case GATE_NEED_RCPT_DOMAIN:
		break;
	}
	return ask_directory(a, what, normal_domain(a));
}

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	return gate_ask_need(arg, what);
}

/* --- the DNS --- */

/* Takes k over. */
static void
dns_keep(struct gate_ask_dns *d, struct dns_kept *k)
{
	d->kept = k;
	d->ask->dns_bytes += k->bytes;
}

static void
dns_came(struct dns_kept *k, void *arg)
{
	struct gate_ask_dns *d = arg;

	d->query = NULL;
	dns_keep(d, dns_kept_ref(k));
	defer_call(&d->ask->again);
}

/* NULL: no DNS, or too many look-ups, or too long answers. */
static struct gate_ask_dns *
dns_entry(struct gate_ask *a, const char *name, enum dns_type type)
{
	size_t n = strlen(name) + 1;
	struct gate_ask_dns *d;
	struct dns_kept *k;

	SLIST_FOREACH(d, &a->dns, link)
		if (d->type == type && strcmp(d->name, name) == 0)
			return d;
	if (a->world->dns == NULL || a->n_dns >= DNS_MAX_ASKED ||
	    a->dns_bytes >= DNS_MAX_BYTES)
		return NULL;
	d = xcalloc(1, sizeof(*d) + n);
	d->ask = a;
	d->type = type;
	memcpy(d->name, name, n);
	SLIST_INSERT_HEAD(&a->dns, d, link);
	a->n_dns++;
	k = dnscache_peek(a->world->dns, name, type);
	if (k != NULL)
		dns_keep(d, k);
	else
		d->query = dnscache_ask(a->world->dns, name, type, dns_came,
		    d);
	return d;
}

static const struct dns_answer *
dns(const char *name, enum dns_type type, void *arg)
{
	static const struct dns_answer failed = { .result = DNS_TEMPFAIL,
		.why = "no DNS, or too many look-ups or too long answers" };
	const struct gate_ask_dns *d = dns_entry(arg, name, type);

	if (d == NULL)
		return &failed;
	return d->kept == NULL ? NULL : &d->kept->answer;
}

const struct spf_fact *
gate_ask_spf_fact(struct gate_ask *a, const char *name, enum dns_type type)
{
	static const struct spf_fact failed = { .result = DNS_TEMPFAIL };
	struct gate_ask_dns *d = dns_entry(a, name, type);

	if (d == NULL)
		return &failed;
	if (d->kept == NULL)
		return NULL;
	d->fact = (struct spf_fact){ .result = d->kept->answer.result,
		.n = d->kept->answer.n_records,
		.record = d->kept->answer.record };
	return &d->fact;
}

/* --- DNS lists --- */

static void
list_tested(void *arg)
{
	struct gate_ask *a = arg;

	defer_call(&a->again);
}

static enum list_use
list(const char *zone, enum list_kind kind, void *arg)
{
	struct gate_ask *a = arg;
	enum list_use use = LIST_USE_YES;

	if (a->world->lists != NULL)
		use = dnshealth_use(a->world->lists, zone, kind);
	if (use == LIST_USE_WAIT)
		dnshealth_wait(a->world->lists, &a->lists, list_tested, a);
	return use;
}

static void
list_odd(const char *zone, enum list_kind kind, void *arg)
{
	struct gate_ask *a = arg;

	if (a->world->lists != NULL)
		dnshealth_doubt(a->world->lists, zone, kind);
}

/* --- verdicts --- */

static void
verdict_came(const struct verdict *v, void *arg)
{
	struct gate_ask_verdict *d = arg;

	d->query = NULL;
	d->verdict = verdict_ref(v);
	defer_call(&d->ask->again);
}

static const struct verdict *
verify(struct span address, void *arg)
{
	static const struct verdict none = { .status = VERDICT_TEMP };
	struct gate_ask *a = arg;
	struct verdicts *from = a->world->verdicts;
	struct gate_ask_verdict *d = a->verdict;

	if (from == NULL)
		return &none;
	if (d->address != NULL && !span_eq(span_str(d->address), address))
		d++;
	ps_assert(d->address == NULL ||
	    span_eq(span_str(d->address), address));
	if (d->address != NULL)
		return d->verdict;
	d->ask = a;
	d->address = xmemdup0(address.p, address.n);
	d->verdict = verdicts_peek(from, address);
	if (d->verdict == NULL)
		d->query = verdicts_ask(from, address, verdict_came, d);
	return d->verdict;
}

/* --- greylisting --- */

static void
grey_came(const struct grey_answer *answer, void *arg)
{
	struct gate_ask *a = arg;

	a->grey_asked = NULL;
	a->grey = *answer;
	a->grey_known = true;
	defer_call(&a->again);
}

/* One evaluation has one recipient, so one question. */
static const struct grey_answer *
greylist(const struct grey_question *q, void *arg)
{
	static const struct grey_answer none = { .why = GREY_AWAY };
	struct gate_ask *a = arg;
	struct grey_source *from = a->world->grey;

	if (from == NULL)
		return &none;
	if (!a->grey_known && a->grey_asked == NULL) {
		a->grey_asked = from->ask(from, q, &a->grey, grey_came, a);
		a->grey_known = a->grey_asked == NULL;
	}
	return a->grey_known ? &a->grey : NULL;
}

/* --- time --- */

static void
nap_cb(void *arg)
{
	struct gate_ask *a = arg;

	a->napping = NAP_OVER;
	a->come(a->arg);
}

/* One at a time, as rules that sleep come one after the other. */
static bool
nap(uint32_t seconds, void *arg)
{
	struct gate_ask *a = arg;

	if (!a->sleeps || seconds == 0)
		return true;
	if (a->napping == NAP_OVER) {
		a->napping = NAP_NONE;
		return true;
	}
	if (a->napping == NAP_NONE)
		timer_set_ms(&a->nap, (uint64_t)seconds * 1000);
	a->napping = NAP_ON;
	return false;
}

/* --- policy services --- */

static void
policy_came(const struct policy_answer *answer, void *arg)
{
	struct gate_ask_policy *p = arg;

	p->query = NULL;
	p->action = xstrdup(answer->action);
	defer_call(&p->ask->again);
}

static const char *
policy(struct policy_spec *spec, void *arg)
{
	struct gate_ask *a = arg;
	struct gate_ask_policy *p;
	struct buf request;

	SLIST_FOREACH(p, &a->policies, link)
		if (p->spec == spec)
			return p->action;
	if (a->world->policy == NULL)
		return "DUNNO";
	p = xcalloc(1, sizeof(*p));
	p->ask = a;
	p->spec = spec;
	SLIST_INSERT_HEAD(&a->policies, p, link);
	buf_init(&request, POLICY_REQUEST_MAX);
	policy_facts_write(a->facts, spec, &request);
	if (buf_failed(&request))
		p->action = xstrdup(spec->default_action);
	else
		p->query = policy_ask(a->world->policy, spec,
		    buf_span(&request), policy_came, p);
	buf_fini(&request);
	return p->action;
}

/* --- life --- */

static void
note(const char *what, const char *text, void *arg)
{
	struct gate_ask *a = arg;

	if (a->note != NULL)
		a->note(what, text, a->arg);
}

static void
effect(enum gate_do what, struct span text, const char *line, void *arg)
{
	struct gate_ask *a = arg;

	if (a->effect != NULL)
		a->effect(what, text, line, a->arg);
}

static void
count(const char *list, const char *rule, const char *argument,
    const char *action, void *arg)
{
	struct gate_ask *a = arg;

	if (a->count != NULL)
		a->count(list, rule, argument, action, a->arg);
}

const struct gate_ops gate_ask_ops = { .need = need, .note = note,
	.effect = effect, .dns = dns, .table = gate_ask_table, .verify = verify,
	.sleep = nap, .policy = policy, .greylist = greylist, .list = list,
	.list_odd = list_odd, .spf = gate_ask_spf, .count = count };

static void
again_cb(void *arg)
{
	struct gate_ask *a = arg;

	a->come(a->arg);
}

void
gate_ask_begin(struct gate_ask *a, struct span normal)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(a->known); i++) {
		a->known[i] = NULL;
		a->asked[i] = NULL;
	}
	SLIST_INIT(&a->dns);
	SLIST_INIT(&a->tables);
	a->n_dns = a->n_tables = 0;
	a->dns_bytes = 0;
	memset(&a->lists, 0, sizeof(a->lists));
	SLIST_INIT(&a->spf);
	SLIST_INIT(&a->policies);
	memset(a->verdict, 0, sizeof(a->verdict));
	defer_init(&a->again, a->world->loop, again_cb, a);
	timer_init(&a->nap, a->world->loop, nap_cb, a);
	a->napping = NAP_NONE;
	a->grey_asked = NULL;
	a->grey_known = false;
	ps_assert(normal.n <= ADDRESS_MAX);
	if (normal.n > 0)
		memcpy(a->normal, normal.p, normal.n);
	a->normal_n = normal.n;
}

void
gate_ask_end(struct gate_ask *a)
{
	struct gate_ask_policy *p;
	struct gate_ask_dns *d;
	size_t i;

	for (i = 0; i < ARRAY_LEN(a->known); i++) {
		directory_cancel(&a->asked[i]);
		resolution_unref(&a->known[i]);
	}
	while ((d = SLIST_FIRST(&a->dns)) != NULL) {
		SLIST_REMOVE_HEAD(&a->dns, link);
		dnscache_cancel(&d->query);
		dns_kept_unref(&d->kept);
		free(d);
	}
	gate_ask_tables_end(a);
	dnshealth_wait_end(&a->lists);
	gate_ask_spf_end(a);
	for (i = 0; i < ARRAY_LEN(a->verdict); i++) {
		verdicts_cancel(&a->verdict[i].query);
		verdict_unref(&a->verdict[i].verdict);
		free(a->verdict[i].address);
	}
	if (a->grey_asked != NULL)
		a->world->grey->cancel(&a->grey_asked);
	timer_clear(&a->nap);
	while ((p = SLIST_FIRST(&a->policies)) != NULL) {
		SLIST_REMOVE_HEAD(&a->policies, link);
		policy_cancel(&p->query);
		free(p->action);
		free(p);
	}
	defer_cancel(&a->again);
}
