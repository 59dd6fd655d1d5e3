#include "net/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>
#include <unbound-event.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "base/xmalloc.h"

#define DNS_MAGIC	0x646e7331u
#define RCODE_NXDOMAIN	3
#define FAILED		"Host not found, try again (SERVFAIL)"
#define CNAMES_MAX	16

struct dns_query {
	uint32_t magic;
	TAILQ_ENTRY(dns_query) link;
	struct dns *dns;
	enum dns_type type;
	char name[DNS_NAME_MAX];
	dns_cb *cb;
	void *arg;
	int async_id;
	bool asked;		/* libunbound holds it under async_id */
	struct defer defer;	/* the answer came inside the call */
	struct timer timer;
	/* the answer */
	struct dns_answer answer;
	struct dns_record *records;
	char *packet, *scratch;
	char why[128];
};

struct dns {
	struct loop *loop;
	struct ub_ctx *ctx;
	uint64_t timeout_ms;
	size_t waiting, most;
	TAILQ_HEAD(, dns_query) queries;
};

/* --- context --- */

static void
option_set(struct ub_ctx *ctx, const char *name, const char *value)
{
	int rc = ub_ctx_set_option(ctx, name, value);

	if (rc != 0)
		log_warning("libunbound option %s %s: %s", name, value,
		    ub_strerror(rc));
}

static int
resolvers_set(struct ub_ctx *ctx, const struct conf *conf, struct err *err)
{
	struct span rest = span_str(conf->dns_resolver), word;
	char *text;
	int rc = 0;
	bool any = false, recurse = false;

	while (rc == 0 && conf_list_next(&rest, &word)) {
		any = true;
		if (span_is(word, "root")) {
			recurse = true;
			continue;
		}
		text = xmemdup0(word.p, word.n);
		rc = ub_ctx_set_fwd(ctx, text);
		free(text);
	}
	if (!any)
		rc = ub_ctx_resolvconf(ctx, NULL);
	if (rc != 0)
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "dns_resolver: %s", ub_strerror(rc));
	/*
	 * A resolver answers at once what it has and later what it must ask
	 * for: to ask again after the default of 50 ms, as is good for name
	 * servers of equal speed, throws away the answer that is on its way.
	 */
	if (!recurse) {
		option_set(ctx, "infra-cache-min-rtt:", "400");
		/* Nor is it down because of a few names nobody answers for. */
		option_set(ctx, "infra-keep-probing:", "yes");
		option_set(ctx, "infra-host-ttl:", "1");
	}
	return 0;
}

static void
options_set(struct ub_ctx *ctx, const struct conf *conf)
{
	struct span rest = span_str(conf->dns_plain_zones), word;
	char *value;

	/* the default of 16 ports starves a busy MX */
	option_set(ctx, "outgoing-range:", "1024");
	option_set(ctx, "num-queries-per-thread:", "1024");
	option_set(ctx, "do-not-query-localhost:", "no");
	option_set(ctx, "cache-max-negative-ttl:", "60");
	option_set(ctx, "val-clean-additional:", "yes");
	while (conf_list_next(&rest, &word)) {
		/* (nodefault is documented for this, and does nothing) */
		value = xasprintf("%.*s. transparent", SPAN_ARG(word));
		option_set(ctx, "local-zone:", value);
		free(value);
	}
	if (conf->dns_trust_anchor_file[0] != '\0' &&
	    access(conf->dns_trust_anchor_file, R_OK) == 0)
		(void)ub_ctx_add_ta_file(ctx, conf->dns_trust_anchor_file);
}

struct dns *
dns_new(struct loop *l, const struct conf *conf, struct err *err)
{
	struct dns *d = xcalloc(1, sizeof(*d));

	d->loop = l;
	d->timeout_ms = (uint64_t)conf->dns_timeout;
	d->most = (size_t)conf->dns_query_limit;
	TAILQ_INIT(&d->queries);
	if ((d->ctx = ub_ctx_create_event(loop_base(l))) == NULL) {
		err_set(err, ERR_TEMP, PS_EIO, "libunbound: no context");
		free(d);
		return NULL;
	}
	options_set(d->ctx, conf);
	if (resolvers_set(d->ctx, conf, err) < 0)
		dns_free(&d);
	return d;
}

static void
query_free(struct dns_query *q)
{
	TAILQ_REMOVE(&q->dns->queries, q, link);
	q->dns->waiting--;
	defer_cancel(&q->defer);
	timer_clear(&q->timer);
	free(q->records);
	free(q->packet);
	free(q->scratch);
	q->magic = 0;
	free(q);
}

void
dns_cancel(struct dns_query **qp)
{
	struct dns_query *q = *qp;

	*qp = NULL;
	if (q == NULL)
		return;
	if (q->asked)
		(void)ub_cancel(q->dns->ctx, q->async_id);
	query_free(q);
}

void
dns_free(struct dns **dp)
{
	struct dns *d = *dp;
	struct dns_query *q;

	if (d == NULL)
		return;
	while ((q = TAILQ_FIRST(&d->queries)) != NULL)
		dns_cancel(&q);
	ub_ctx_delete(d->ctx);
	free(d);
	*dp = NULL;
}

size_t
dns_waiting(const struct dns *d)
{
	return d->waiting;
}

/* --- parsing a reply --- */

static bool
name_at(ns_msg *msg, const u_char *at, char out[DNS_NAME_MAX])
{
	char text[NS_MAXDNAME];
	size_t n;

	if (ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), at, text,
	    sizeof(text)) < 0)
		return false;
	n = strlen(text);
	if (n == 1 && text[0] == '.')
		n = 0;
	if (n >= DNS_NAME_MAX)
		return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

/* Character strings joined without a gap (RFC 7208 3.3) at *to. */
static bool
txt_join(const u_char *p, size_t n, char **to, struct span *out)
{
	char *from = *to;
	size_t len;

	while (n > 0) {
		len = *p++;
		n--;
		if (len > n)
			return false;
		memcpy(*to, p, len);
		*to += len;
		p += len;
		n -= len;
	}
	*out = span_of(from, (size_t)(*to - from));
	return true;
}

static bool
record_fill(ns_msg *msg, ns_rr *rr, char **scratch, struct dns_record *r)
{
	const u_char *p = ns_rr_rdata(*rr);
	size_t n = ns_rr_rdlen(*rr);

	*r = (struct dns_record){ .ttl = (uint32_t)ns_rr_ttl(*rr) };
	switch (ns_rr_type(*rr)) {
	case ns_t_a:
	case ns_t_aaaa:
		if (n != (ns_rr_type(*rr) == ns_t_a ? 4u : 16u))
			return false;
		memcpy(r->addr, p, n);
		return true;
	case ns_t_mx:
		if (n < 3)
			return false;
		r->preference = (uint16_t)ns_get16(p);
		return name_at(msg, p + 2, r->name);
	case ns_t_srv:
		if (n < 7)
			return false;
		r->preference = (uint16_t)ns_get16(p);
		r->weight = (uint16_t)ns_get16(p + 2);
		r->port = (uint16_t)ns_get16(p + 4);
		return name_at(msg, p + 6, r->name);
	case ns_t_ns:
	case ns_t_cname:
	case ns_t_ptr:
		return name_at(msg, p, r->name);
	case ns_t_txt:
		return txt_join(p, n, scratch, &r->data);
	default:
		r->data = span_of(p, n);
		return true;
	}
}

/* Follows CNAMEs among the answers from the question's name. */
static bool
canonical_find(ns_msg *msg, enum dns_type type, char name[DNS_NAME_MAX])
{
	char target[DNS_NAME_MAX];
	ns_rr rr;
	int hops, i, n = ns_msg_count(*msg, ns_s_an);
	bool moved = true;

	for (hops = 0; moved && type != DNS_CNAME; hops++) {
		if (hops == CNAMES_MAX)
			return false;
		moved = false;
		for (i = 0; i < n && !moved; i++) {
			if (ns_parserr(msg, ns_s_an, i, &rr) != 0)
				return false;
			if (ns_rr_type(rr) != ns_t_cname ||
			    strcasecmp(ns_rr_name(rr), name) != 0)
				continue;
			if (!name_at(msg, ns_rr_rdata(rr), target))
				return false;
			memcpy(name, target, sizeof(target));
			moved = true;
		}
	}
	return true;
}

/* How long a "no" may be kept: the SOA of the authority part says so (RFC
 * 2308 5: the lesser of its own ttl and of MINIMUM, its last number). */
static uint32_t
negative_ttl(ns_msg *msg)
{
	uint32_t minimum;
	ns_rr rr;
	int i;

	for (i = 0; i < ns_msg_count(*msg, ns_s_ns); i++) {
		if (ns_parserr(msg, ns_s_ns, i, &rr) != 0)
			return 0;
		if (ns_rr_type(rr) != ns_t_soa || ns_rr_rdlen(rr) < 22)
			continue;
		minimum = (uint32_t)ns_get32(ns_rr_rdata(rr) +
		    ns_rr_rdlen(rr) - 4);
		return MIN(minimum, (uint32_t)ns_rr_ttl(rr));
	}
	return 0;
}

/* libunbound remembers failures for some seconds and hands them out as an
 * answer: only the packet says then that it is none. */
static enum dns_result
result_of(int rcode, bool found)
{
	if (rcode != 0 && rcode != RCODE_NXDOMAIN)
		return DNS_TEMPFAIL;
	if (found)
		return DNS_OK;
	return rcode == RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
}

bool
dns_parse(struct span packet, enum dns_type type, struct dns_answer *a,
    struct dns_record **records, char **scratch)
{
	ns_msg msg;
	ns_rr rr;
	char *to;
	uint32_t no;
	int i, n;

	*a = (struct dns_answer){ .result = DNS_NODATA, .ttl = UINT32_MAX };
	*records = NULL;
	*scratch = NULL;
	if (packet.n > UINT16_MAX || ns_initparse((const u_char *)packet.p,
	    (int)packet.n, &msg) != 0 || ns_msg_count(msg, ns_s_qd) != 1 ||
	    ns_parserr(&msg, ns_s_qd, 0, &rr) != 0)
		return false;
	(void)snprintf(a->canonical, sizeof(a->canonical), "%.*s",
	    DNS_NAME_MAX - 1, ns_rr_name(rr));
	if (!canonical_find(&msg, type, a->canonical))
		return false;
	n = MIN(ns_msg_count(msg, ns_s_an), DNS_RECORDS_MAX);
	*records = xcalloc((size_t)MAX(n, 1), sizeof(**records));
	to = *scratch = xmalloc(packet.n);	/* TXT never grows by joining */
	for (i = 0; i < n; i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) != 0)
			return false;
		a->ttl = MIN(a->ttl, (uint32_t)ns_rr_ttl(rr));
		if ((int)ns_rr_type(rr) != (int)type ||
		    ns_rr_class(rr) != ns_c_in ||
		    strcasecmp(ns_rr_name(rr), a->canonical) != 0)
			continue;
		if (!record_fill(&msg, &rr, &to, &(*records)[a->n_records]))
			return false;
		a->n_records++;
	}
	a->record = *records;
	a->result = result_of(ns_msg_getflag(msg, ns_f_rcode),
	    a->n_records > 0);
	if (a->result != DNS_OK) {
		no = negative_ttl(&msg);
		a->ttl = MIN(a->ttl, no);
	}
	return true;
}

/* --- asking --- */

/* `why` may be NULL when result is not TEMPFAIL. */
static void
query_answer(struct dns_query *q, enum dns_result result, const char *why)
{
	q->answer.result = result;
	if (result != DNS_OK) {
		q->answer.n_records = 0;
		q->answer.record = NULL;
	}
	if (result == DNS_TEMPFAIL)
		q->answer.ttl = 0;
	(void)snprintf(q->why, sizeof(q->why), "%s", why == NULL ? "" : why);
	q->answer.why = q->why;
	defer_call(&q->defer);
}

static void
deliver_cb(void *arg)
{
	struct dns_query *q = OBJ_CAST(arg, dns_query, DNS_MAGIC);
	dns_cb *cb = q->cb;
	void *cb_arg = q->arg;
	struct dns_query copy = *q;

	/* off the list first: cb may free the whole dns */
	q->records = NULL;
	q->packet = q->scratch = NULL;
	copy.answer.why = copy.why;
	query_free(q);
	cb(&copy.answer, cb_arg);
	free(copy.records);
	free(copy.packet);
	free(copy.scratch);
}

static void
resolved_cb(void *arg, int rcode, void *packet, int packet_len, int sec,
    char *why_bogus, int was_ratelimited)
{
	struct dns_query *q = OBJ_CAST(arg, dns_query, DNS_MAGIC);
	enum { INSECURE = 0, BOGUS = 1, SECURE = 2 };

	(void)was_ratelimited;
	q->asked = false;
	timer_clear(&q->timer);
	if (sec == BOGUS) {
		query_answer(q, DNS_TEMPFAIL,
		    why_bogus != NULL ? why_bogus : "DNSSEC: bogus");
		return;
	}
	if (rcode != 0 && rcode != RCODE_NXDOMAIN) {
		query_answer(q, DNS_TEMPFAIL, rcode == 2 ?
		    FAILED :
		    "name server refused to answer");
		return;
	}
	q->packet = xmemdup0(packet, (size_t)MAX(packet_len, 0));
	if (packet_len <= 0 || !dns_parse(span_of(q->packet,
	    (size_t)packet_len), q->type, &q->answer, &q->records,
	    &q->scratch)) {
		query_answer(q, DNS_TEMPFAIL, "malformed DNS reply");
		return;
	}
	q->answer.secure = sec == SECURE;
	query_answer(q, q->answer.result,
	    q->answer.result == DNS_TEMPFAIL ? FAILED : NULL);
}

static void
timeout_cb(void *arg)
{
	struct dns_query *q = OBJ_CAST(arg, dns_query, DNS_MAGIC);

	if (q->asked)
		(void)ub_cancel(q->dns->ctx, q->async_id);
	q->asked = false;
	query_answer(q, DNS_TEMPFAIL, "no answer in time");
}

/* RFC 1035 2.3.4 sizes; takes one dot off the end. */
static bool
name_take(const char *name, char out[DNS_NAME_MAX])
{
	struct span rest = span_str(name), label;

	if (span_ends(rest, "."))
		rest.n--;
	if (rest.n == 0 || rest.n >= DNS_NAME_MAX)
		return false;
	memcpy(out, rest.p, rest.n);
	out[rest.n] = '\0';
	while (span_split(&rest, '.', &label))
		if (label.n == 0 || label.n > 63)
			return false;
	return true;
}

struct dns_query *
dns_lookup(struct dns *d, const char *name, enum dns_type type, dns_cb *cb,
    void *arg)
{
	struct dns_query *q = xcalloc(1, sizeof(*q));
	int rc;

	q->magic = DNS_MAGIC;
	q->dns = d;
	q->type = type;
	q->cb = cb;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&d->queries, q, link);
	d->waiting++;
	defer_init(&q->defer, d->loop, deliver_cb, q);
	timer_init(&q->timer, d->loop, timeout_cb, q);
	if (!name_take(name, q->name)) {
		query_answer(q, DNS_NXDOMAIN, NULL);
		return q;
	}
	if (d->waiting > d->most) {
		query_answer(q, DNS_TEMPFAIL, "too many look-ups");
		return q;
	}
	timer_set_ms(&q->timer, d->timeout_ms);
	q->asked = true;	/* resolved_cb may run inside the call */
	rc = ub_resolve_event(d->ctx, q->name, (int)type, 1, q, resolved_cb,
	    &q->async_id);
	if (rc != 0) {
		q->asked = false;
		timer_clear(&q->timer);
		query_answer(q, DNS_TEMPFAIL, ub_strerror(rc));
	}
	return q;
}

/* --- reverse names --- */

bool
dns_reverse_name(const char *ip, const char *zone, char out[DNS_NAME_MAX])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t a[16];
	char text[80];
	size_t n = 0;
	int i, len;

	if (inet_pton(AF_INET, ip, a) == 1) {
		len = snprintf(out, DNS_NAME_MAX, "%u.%u.%u.%u.%s", a[3],
		    a[2], a[1], a[0], zone == NULL ? "in-addr.arpa" : zone);
		return len > 0 && len < DNS_NAME_MAX;
	}
	if (inet_pton(AF_INET6, ip, a) != 1)
		return false;
	for (i = 15; i >= 0; i--) {
		text[n++] = hex[a[i] & 15];
		text[n++] = '.';
		text[n++] = hex[a[i] >> 4];
		text[n++] = '.';
	}
	text[n] = '\0';
	len = snprintf(out, DNS_NAME_MAX, "%s%s", text,
	    zone == NULL ? "ip6.arpa" : zone);
	return len > 0 && len < DNS_NAME_MAX;
}
