/*
 * check_greylist: who sends for the first time waits. Here is decided who is
 * asked about at all, and under which name; gatekeeper decides the rest.
 */
#include <stdio.h>
#include <string.h>

#include "gate/checks.h"
#include "gate/dnslist.h"
#include "gate/grey.h"
#include "gate/greywhite.h"
#include "mail/address.h"

/* Name and address vouch for each other. */
static struct span
confirmed_name(const struct gate_facts *f)
{
	return f->name_state == CLIENT_NAME_OK ? span_str(f->client_name) :
	    SPAN_NONE;
}

/* Is the client on this list? One that fails, or is suspended (dnshealth.h),
 * says nothing. */
static enum gate_result
on_list(struct gate_eval *e, const struct dnslist *l)
{
	const char *ip = e->facts->client_ip, *zone = dnslist_zone(l);
	enum list_kind kind = strchr(ip, ':') == NULL ? LIST_IPV4 : LIST_IPV6;
	const struct dns_answer *a;
	char query[DNS_NAME_MAX];
	enum list_use use;

	if (!dns_reverse_name(ip, zone, query))
		return GATE_DUNNO;
	use = e->ops->list == NULL ? LIST_USE_YES :
	    e->ops->list(zone, kind, e->arg);
	if (use != LIST_USE_YES)
		return use == LIST_USE_WAIT ? GATE_PARKED : GATE_DUNNO;
	if ((a = gate_dns(e, query, DNS_A)) == NULL)
		return GATE_PARKED;
	if (dnslist_find(l, a) != NULL)
		return GATE_PERMIT;
	if (dnslist_is_odd(a) && e->ops->list_odd != NULL)
		e->ops->list_odd(zone, kind, e->arg);
	return GATE_DUNNO;
}

/* DUNNO: on none; PERMIT: on one of them. All are asked at once. */
static enum gate_result
on_allow_list(struct gate_eval *e)
{
	enum gate_result r = GATE_DUNNO, one;
	const struct dnslist *l;
	size_t i;

	for (i = 0; (l = gate_grey_dnswl(e->gate, i)) != NULL; i++) {
		if ((one = on_list(e, l)) == GATE_PERMIT)
			return one;
		if (one == GATE_PARKED)
			r = one;
	}
	return r;
}

/* In normal form; as it stands if it has none. */
static void
normal_add(struct span address, struct buf *out)
{
	struct err err;

	if (address.n > 0 && address_normal_text(address, out, &err) != 0) {
		buf_clear(out);
		buf_span_add(out, address);
	}
}

/* Who is not there, or not ours, is another rule's to refuse. */
static bool
is_receiver(const struct resolution *r)
{
	return r != NULL && (r->class == RESOLVE_MAILBOX ||
	    r->class == RESOLVE_RELAY);
}

/* The mailbox where all names of it lead to one; else as given. */
static void
recipient_add(const struct gate_facts *f, struct buf *out)
{
	const struct resolution *r = f->rcpt;

	if (r->n_mailboxes == 1 && r->n_forwards == 0)
		buf_str(out, r->mailboxes[0].address);
	else
		normal_add(f->recipient, out);
}

struct scraps {
	struct buf origin, from, sender, to, recipient;
};

/* What is proved best: SPF, then the client's name, else its network. */
static enum gate_result
origin_find(struct gate_eval *e, struct buf *out)
{
	const struct conf *conf = gate_conf(e->gate);
	const struct gate_facts *f = e->facts;
	struct span org = SPAN_NONE;
	struct buf domain;
	enum gate_result r = GATE_DUNNO;

	buf_init(&domain, DNS_NAME_MAX);
	if (e->ops->spf != NULL)
		r = gate_spf_domain(e, &domain);
	if (r != GATE_PARKED) {
		org = grey_organisation(buf_span(&domain), &f->client);
		if (org.n == 0)
			org = grey_organisation(confirmed_name(f),
			    &f->client);
		if (org.n > 0)
			buf_span_add(out, org);
		else
			grey_network(&f->client,
			    (unsigned)conf->greylist_ipv4_prefix_length,
			    (unsigned)conf->greylist_ipv6_prefix_length,
			    out);
	}
	buf_fini(&domain);
	return r == GATE_PARKED ? r : GATE_DUNNO;
}

static void
question_fill(const struct gate_eval *e, struct scraps *b,
    struct grey_question *q)
{
	const struct gate_facts *f = e->facts;

	q->client = confirmed_name(f);
	q->address = f->client;
	normal_add(f->sender, &b->from);
	grey_sender(buf_span(&b->from), &b->sender);
	grey_recipient(buf_span(&b->to), &b->recipient);
	q->origin = buf_span(&b->origin);
	q->sender = buf_span(&b->sender);
	q->sender_as_is = buf_span(&b->from);
	q->recipient = buf_span(&b->recipient);
}

/* Like 450 of Postfix' policy services: what follows may still refuse it for
 * good. */
static enum gate_result
wait_reply(struct gate_eval *e, const struct grey_answer *a)
{
	char why[160];

	(void)snprintf(why, sizeof(why), "Greylisted: a test that only mail "
	    "servers pass, by trying again; please retry in %u seconds",
	    a->wait_s);
	return gate_unsure(e, "defer_if_permit", GATE_IS_RECIPIENT, 450,
	    "4.7.1", why);
}

static enum gate_result
ask(struct gate_eval *e, struct scraps *b)
{
	struct grey_question q;
	const struct grey_answer *a;

	if (origin_find(e, &b->origin) == GATE_PARKED)
		return GATE_PARKED;
	question_fill(e, b, &q);
	if (buf_failed(&b->origin) || buf_failed(&b->from) ||
	    buf_failed(&b->sender) || buf_failed(&b->recipient))
		return GATE_DUNNO;
	if ((a = e->ops->greylist(&q, e->arg)) == NULL)
		return GATE_PARKED;
	return a->wait ? wait_reply(e, a) : GATE_DUNNO;
}

enum gate_result
check_greylist(struct gate_eval *e, const struct gate_rule *rule)
{
	const struct gate_facts *f = e->facts;
	const struct greywhite *w = gate_greywhite(e->gate);
	enum gate_result r;
	struct scraps b;

	(void)rule;
	if (e->ops->greylist == NULL || f->recipient.n == 0 ||
	    f->authenticated || gate_is_mynetworks(e->gate, &f->client) ||
	    greywhite_client(w, confirmed_name(f), span_str(f->client_ip),
	    &f->client))
		return GATE_DUNNO;
	if (!e->ops->need(GATE_NEED_RCPT, e->facts, e->arg))
		return GATE_PARKED;
	if (!is_receiver(f->rcpt))
		return GATE_DUNNO;
	if ((r = on_allow_list(e)) != GATE_DUNNO)
		return r == GATE_PERMIT ? GATE_DUNNO : r;
	buf_init(&b.origin, GREY_ORIGIN_MAX);
	buf_init(&b.from, GREY_ADDRESS_MAX);
	buf_init(&b.sender, GREY_ADDRESS_MAX);
	buf_init(&b.to, GREY_ADDRESS_MAX);
	buf_init(&b.recipient, GREY_ADDRESS_MAX);
	recipient_add(f, &b.to);
	r = buf_failed(&b.to) || greywhite_recipient(w, buf_span(&b.to)) ?
	    GATE_DUNNO : ask(e, &b);
	buf_fini(&b.origin);
	buf_fini(&b.from);
	buf_fini(&b.sender);
	buf_fini(&b.to);
	buf_fini(&b.recipient);
	return r;
}
