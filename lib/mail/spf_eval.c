#include "mail/spf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/buf.h"
#include "base/xmalloc.h"
#include "mail/spf_record.h"

#define TERMS_LIMIT	10	/* 4.6.4: terms that look up */
#define VOID_LIMIT	2
#define NAMES_LIMIT	10	/* of one MX or PTR */
#define INCLUDE_DEPTH	12	/* TERMS_LIMIT ends it sooner */

/* One run. */
struct run {
	const struct spf_identity *id;
	const struct spf_source *src;
	struct spf_verdict *v;
	uint8_t ip[16];
	bool v6;
	char sender[1024];
	struct span local, sender_domain;
	unsigned terms, voids;
	bool missing;		/* a fact was not there: the run is void */
};

const char *
spf_result_name(enum spf_result r)
{
	static const char *const names[] = { "none", "neutral", "pass",
	    "fail", "softfail", "temperror", "permerror" };

	return (unsigned)r < ARRAY_LEN(names) ? names[r] : "none";
}

static enum spf_result
spf_error(struct run *r, enum spf_result result, const char *domain,
    const char *why)
{
	/* the innermost reason is the one to tell */
	if (r->v->why[0] == '\0')
		(void)snprintf(r->v->why, sizeof(r->v->why), "%.80s: %s",
		    domain, why);
	return result;
}

/* --- facts --- */

/* The answer, or NULL: it is missing (r->missing), or over a limit or a
 * temporary failure (*bad then is the result to give). */
static const struct spf_fact *
fact_get(struct run *r, const char *name, enum dns_type type, bool counts,
    enum spf_result *bad)
{
	const struct spf_fact *f = r->src->fact(name, type, r->src->arg);

	*bad = SPF_NONE;
	if (f == NULL) {
		r->missing = true;
		*bad = SPF_TEMPERROR;
		return NULL;
	}
	if (f->result == DNS_TEMPFAIL) {
		*bad = spf_error(r, SPF_TEMPERROR, name, "DNS failed");
		return NULL;
	}
	if (counts && f->result != DNS_OK && ++r->voids > VOID_LIMIT) {
		*bad = spf_error(r, SPF_PERMERROR, name,
		    "more than 2 void look-ups");
		return NULL;
	}
	return f;
}

/* Counts a term that looks up (4.6.4). */
static bool
term_allowed(struct run *r)
{
	return ++r->terms <= TERMS_LIMIT;
}

/* --- domains --- */

/* Can it be asked for (4.3)? At least two labels of 1..63 bytes. */
static bool
domain_usable(const char *domain)
{
	struct span rest = span_str(domain), label;
	unsigned labels = 0;

	if (span_ends(rest, "."))
		rest.n--;
	if (rest.n == 0 || rest.n >= DNS_NAME_MAX)
		return false;
	while (span_split(&rest, '.', &label)) {
		if (label.n == 0 || label.n > 63)
			return false;
		labels++;
	}
	return labels >= 2;
}

static enum spf_result validated_name(struct run *r, const char *domain,
    char out[DNS_NAME_MAX]);

/* Expands a domain-spec; over 253 bytes labels go from the left (7.3). */
static enum spf_result
spec_expand(struct run *r, struct span spec, const char *domain,
    char out[DNS_NAME_MAX])
{
	char validated[DNS_NAME_MAX] = "unknown";
	struct spf_macros m = {
		.sender = span_str(r->sender), .local = r->local,
		.sender_domain = r->sender_domain,
		.helo = span_str(r->id->helo),
		.receiver = span_str(r->id->receiver), .domain = domain,
		.ip = r->ip, .v6 = r->v6, .validated = validated,
	};
	enum spf_result bad;
	struct span name;
	struct buf text;
	ptrdiff_t dot;

	if (spf_macro_uses_p(spec) &&
	    (bad = validated_name(r, domain, validated)) != SPF_NONE)
		return bad;
	buf_init(&text, 8192);
	spf_macro_expand(spec, &m, &text);
	name = buf_span(&text);
	if (span_ends(name, "."))
		name.n--;
	while (name.n >= DNS_NAME_MAX && (dot = span_chr(name, '.')) >= 0)
		name = span_sub(name, (size_t)dot + 1, name.n);
	if (name.n >= DNS_NAME_MAX || span_chr(name, '\0') >= 0)
		name.n = 0;
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	buf_fini(&text);
	return SPF_NONE;
}

static enum spf_result
target_of(struct run *r, const struct spf_term *t, const char *domain,
    char out[DNS_NAME_MAX])
{
	if (t->spec.p != NULL)
		return spec_expand(r, t->spec, domain, out);
	(void)snprintf(out, DNS_NAME_MAX, "%s", domain);
	return SPF_NONE;
}

/* --- addresses --- */

static bool
client_in(const struct run *r, const struct dns_record *rec,
    const struct spf_term *t)
{
	return bits_equal(rec->addr, r->ip, r->v6 ? t->bits6 : t->bits4);
}

/* Does one of name's addresses match? */
static enum spf_result
address_match(struct run *r, const char *name, const struct spf_term *t,
    bool counts, bool *hit)
{
	const struct spf_fact *f;
	enum spf_result bad;
	size_t i;

	f = fact_get(r, name, r->v6 ? DNS_AAAA : DNS_A, counts, &bad);
	for (i = 0; f != NULL && f->result == DNS_OK && i < f->n; i++)
		if (client_in(r, &f->record[i], t))
			*hit = true;
	return bad;
}

/* --- PTR (5.5) --- */

static bool
name_under(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	return n >= d && strcasecmp(name + n - d, domain) == 0 &&
	    (n == d || name[n - d - 1] == '.');
}

/* Has `name` the client's address? DNS failures mean no. */
static bool
name_confirmed(struct run *r, const char *name)
{
	struct spf_term exact = { .bits4 = 32, .bits6 = 128 };
	char why[SPF_WHY_MAX];
	bool hit = false;

	memcpy(why, r->v->why, sizeof(why));
	(void)address_match(r, name, &exact, false, &hit);
	memcpy(r->v->why, why, sizeof(why));
	return hit && !r->missing;
}

/* The client's names, at most 10. A failure to look them up is no names. */
static const struct spf_fact *
client_names(struct run *r, size_t *n)
{
	char reverse[DNS_NAME_MAX], ip[INET6_ADDRSTRLEN];
	char why[SPF_WHY_MAX];
	const struct spf_fact *f;
	enum spf_result bad;

	*n = 0;
	(void)inet_ntop(r->v6 ? AF_INET6 : AF_INET, r->ip, ip, sizeof(ip));
	if (!dns_reverse_name(ip, NULL, reverse))
		return NULL;
	memcpy(why, r->v->why, sizeof(why));
	f = fact_get(r, reverse, DNS_PTR, false, &bad);
	memcpy(r->v->why, why, sizeof(why));
	if (f != NULL && f->result == DNS_OK)
		*n = MIN(f->n, (size_t)NAMES_LIMIT);
	return f;
}

/* %{p}: the domain itself, else a name under it, else any, else unknown. */
static enum spf_result
validated_name(struct run *r, const char *domain, char out[DNS_NAME_MAX])
{
	const struct spf_fact *f;
	size_t n, i;
	int best = 0, rank;

	f = client_names(r, &n);
	for (i = 0; i < n; i++) {
		const char *name = f->record[i].name;

		if (!name_confirmed(r, name))
			continue;
		rank = strcasecmp(name, domain) == 0 ? 3 :
		    name_under(name, domain) ? 2 : 1;
		if (rank > best) {
			best = rank;
			(void)snprintf(out, DNS_NAME_MAX, "%s", name);
		}
	}
	return r->missing ? SPF_TEMPERROR : SPF_NONE;
}

/* --- mechanisms; each returns SPF_NONE or an error, and sets *hit --- */

static enum spf_result check_host(struct run *r, const char *domain,
    int depth, bool want_exp);

static enum spf_result
match_include(struct run *r, const char *target, int depth, bool *hit)
{
	switch (check_host(r, target, depth + 1, false)) {
	case SPF_PASS:
		*hit = true;
		return SPF_NONE;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return SPF_NONE;
	case SPF_TEMPERROR:
		return SPF_TEMPERROR;
	default:
		return spf_error(r, SPF_PERMERROR, target,
		    "include: no usable policy there");
	}
}

static enum spf_result
match_mx(struct run *r, const char *target, const struct spf_term *t,
    bool *hit)
{
	const struct spf_fact *f;
	enum spf_result bad;
	size_t i;

	if ((f = fact_get(r, target, DNS_MX, true, &bad)) == NULL ||
	    f->result != DNS_OK)
		return bad;
	if (f->n > NAMES_LIMIT)
		return spf_error(r, SPF_PERMERROR, target,
		    "more than 10 MX names");
	for (i = 0; i < f->n && !*hit; i++) {
		if (f->record[i].name[0] == '\0')
			continue;
		bad = address_match(r, f->record[i].name, t, false, hit);
		if (bad != SPF_NONE)
			return bad;
	}
	return SPF_NONE;
}

static enum spf_result
match_ptr(struct run *r, const char *target, bool *hit)
{
	const struct spf_fact *f;
	size_t n, i;

	f = client_names(r, &n);
	for (i = 0; i < n && !*hit; i++)
		if (name_under(f->record[i].name, target))
			*hit = name_confirmed(r, f->record[i].name);
	return r->missing ? SPF_TEMPERROR : SPF_NONE;
}

static enum spf_result
match_exists(struct run *r, const char *target, bool *hit)
{
	const struct spf_fact *f;
	enum spf_result bad;

	f = fact_get(r, target, DNS_A, true, &bad);
	*hit = f != NULL && f->result == DNS_OK;
	return bad;
}

static enum spf_result
term_match(struct run *r, const struct spf_term *t, const char *domain,
    int depth, bool *hit)
{
	char target[DNS_NAME_MAX];
	enum spf_result bad;

	*hit = false;
	switch (t->mech) {
	case SPF_ALL:
		*hit = true;
		return SPF_NONE;
	case SPF_IP4:
		*hit = !r->v6 && bits_equal(t->addr, r->ip, t->bits4);
		return SPF_NONE;
	case SPF_IP6:
		*hit = r->v6 && bits_equal(t->addr, r->ip, t->bits6);
		return SPF_NONE;
	default:
		break;
	}
	if (!term_allowed(r))
		return spf_error(r, SPF_PERMERROR, domain,
		    "more than 10 terms that look up");
	if ((bad = target_of(r, t, domain, target)) != SPF_NONE)
		return bad;
	switch (t->mech) {
	case SPF_INCLUDE:
		return match_include(r, target, depth, hit);
	case SPF_A:
		return address_match(r, target, t, true, hit);
	case SPF_MX:
		return match_mx(r, target, t, hit);
	case SPF_PTR:
		return match_ptr(r, target, hit);
	default:
		return match_exists(r, target, hit);
	}
}

/* --- policies --- */

/* The one SPF record of a domain; SPF_PASS when *text holds it. */
static enum spf_result
record_find(struct run *r, const char *domain, struct span *text)
{
	const struct spf_fact *f;
	enum spf_result bad;
	unsigned found = 0;
	size_t i;

	if ((f = fact_get(r, domain, DNS_TXT, false, &bad)) == NULL)
		return bad;
	for (i = 0; f->result == DNS_OK && i < f->n; i++)
		if (spf_record_is(f->record[i].data)) {
			*text = f->record[i].data;
			found++;
		}
	if (found > 1)
		return spf_error(r, SPF_PERMERROR, domain,
		    "more than one SPF record");
	return found == 1 ? SPF_PASS : SPF_NONE;
}

/* exp= (6.2): any trouble with it just means no explanation. */
static void
explain(struct run *r, struct span exp, const char *domain)
{
	char target[DNS_NAME_MAX], validated[DNS_NAME_MAX] = "unknown";
	char why[SPF_WHY_MAX];
	const struct spf_fact *f;
	enum spf_result bad;
	struct spf_macros m;
	struct buf text;

	memcpy(why, r->v->why, sizeof(why));
	if (spec_expand(r, exp, domain, target) != SPF_NONE ||
	    target[0] == '\0' ||
	    (f = fact_get(r, target, DNS_TXT, false, &bad)) == NULL ||
	    f->result != DNS_OK || f->n != 1 ||
	    !spf_macro_valid(f->record[0].data, true))
		goto out;
	if (spf_macro_uses_p(f->record[0].data) &&
	    validated_name(r, domain, validated) != SPF_NONE)
		goto out;
	m = (struct spf_macros){
		.sender = span_str(r->sender), .local = r->local,
		.sender_domain = r->sender_domain,
		.helo = span_str(r->id->helo),
		.receiver = span_str(r->id->receiver), .domain = domain,
		.ip = r->ip, .v6 = r->v6, .validated = validated,
	};
	buf_init(&text, 4096);
	spf_macro_expand(f->record[0].data, &m, &text);
	if (!buf_failed(&text) && span_is_ascii(buf_span(&text)))
		(void)snprintf(r->v->explanation, sizeof(r->v->explanation),
		    "%s", buf_cstr(&text));
	buf_fini(&text);
out:
	memcpy(r->v->why, why, sizeof(why));
}

static enum spf_result
qualifier_result(char q)
{
	return q == '-' ? SPF_FAIL : q == '~' ? SPF_SOFTFAIL :
	    q == '?' ? SPF_NEUTRAL : SPF_PASS;
}

static void
decided_by(struct run *r, const char *domain, struct span text)
{
	(void)snprintf(r->v->domain, sizeof(r->v->domain), "%s", domain);
	(void)snprintf(r->v->mechanism, sizeof(r->v->mechanism), "%.*s",
	    (int)MIN(text.n, sizeof(r->v->mechanism) - 1), text.p);
}

static enum spf_result
redirect_follow(struct run *r, const struct spf_record *rec,
    const char *domain, int depth, bool want_exp)
{
	char target[DNS_NAME_MAX];
	enum spf_result res;

	if (!term_allowed(r))
		return spf_error(r, SPF_PERMERROR, domain,
		    "more than 10 terms that look up");
	if ((res = spec_expand(r, rec->redirect, domain, target)) != SPF_NONE)
		return res;
	res = check_host(r, target, depth + 1, want_exp);
	return res == SPF_NONE ? spf_error(r, SPF_PERMERROR, target,
	    "redirect: no policy there") : res;
}

static enum spf_result
record_eval(struct run *r, const struct spf_record *rec, const char *domain,
    int depth, bool want_exp)
{
	enum spf_result res;
	size_t i;
	bool hit;

	r->v->sends_no_mail = depth == 0 && rec->n == 1 &&
	    rec->term[0].mech == SPF_ALL && rec->term[0].qualifier == '-';
	for (i = 0; i < rec->n; i++) {
		res = term_match(r, &rec->term[i], domain, depth, &hit);
		if (res != SPF_NONE || r->missing)
			return res;
		if (!hit)
			continue;
		res = qualifier_result(rec->term[i].qualifier);
		decided_by(r, domain, rec->term[i].text);
		if (res == SPF_FAIL && want_exp && rec->exp.p != NULL)
			explain(r, rec->exp, domain);
		return res;
	}
	if (rec->redirect.p != NULL)
		return redirect_follow(r, rec, domain, depth, want_exp);
	decided_by(r, domain, SPAN_LIT("default"));
	return SPF_NEUTRAL;
}

static enum spf_result
check_host(struct run *r, const char *domain, int depth, bool want_exp)
{
	struct spf_record *rec;
	enum spf_result res;
	const char *why;
	struct span text;

	if (depth > INCLUDE_DEPTH)
		return spf_error(r, SPF_PERMERROR, domain, "too deep");
	if (!domain_usable(domain))
		return SPF_NONE;
	if ((res = record_find(r, domain, &text)) != SPF_PASS)
		return res;
	rec = xmalloc(sizeof(*rec));
	if (spf_record_parse(text, rec, &why))
		res = record_eval(r, rec, domain, depth, want_exp);
	else
		res = spf_error(r, SPF_PERMERROR, domain, why);
	free(rec);
	return res;
}

/* --- the whole --- */

/* IPv4-mapped addresses count as IPv4. */
static bool
client_parse(struct run *r, const char *ip)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	    0xff, 0xff };

	if (inet_pton(AF_INET, ip, r->ip) == 1)
		return true;
	if (inet_pton(AF_INET6, ip, r->ip) != 1)
		return false;
	r->v6 = memcmp(r->ip, mapped, sizeof(mapped)) != 0;
	if (!r->v6)
		memmove(r->ip, r->ip + 12, 4);
	return true;
}

static void
sender_split(struct run *r)
{
	struct span all = span_str(r->sender);
	ptrdiff_t at = span_rchr(all, '@');

	r->local = at > 0 ? span_sub(all, 0, (size_t)at) :
	    SPAN_LIT("postmaster");
	r->sender_domain = span_sub(all, (size_t)(at + 1), all.n);
}

bool
spf_run(const struct spf_identity *id, const struct spf_source *src,
    struct spf_verdict *v)
{
	struct run r = { .id = id, .src = src, .v = v };
	char domain[DNS_NAME_MAX];
	int n;

	memset(v, 0, sizeof(*v));
	n = snprintf(r.sender, sizeof(r.sender), "%s%s%s",
	    strchr(id->sender, '@') == NULL ||
	    id->sender[0] == '@' ? "postmaster" : "",
	    strchr(id->sender, '@') == NULL ? "@" : "",
	    id->sender[0] == '\0' ? id->helo : id->sender);
	if (n < 0 || (size_t)n >= sizeof(r.sender) ||
	    !client_parse(&r, id->ip)) {
		v->result = SPF_NONE;
		return true;
	}
	sender_split(&r);
	if (r.sender_domain.n >= sizeof(domain)) {
		v->result = SPF_NONE;
		return true;
	}
	memcpy(domain, r.sender_domain.p, r.sender_domain.n);
	domain[r.sender_domain.n] = '\0';
	(void)snprintf(v->domain, sizeof(v->domain), "%s", domain);
	v->result = check_host(&r, domain, 0, true);
	return !r.missing;
}
