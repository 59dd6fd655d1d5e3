/*
 * The chain with the real gate/ask.c, lists and facts drawn from the input,
 * and everything that can be asked for answered by this file: at once, then
 * late, one by one and in any order, then not to the end. Whatever comes when,
 * the verdict, its reply, what is noted in the log and what is done with the
 * message must be the same; a chain that waits waits for something; 5xx is a
 * reject and 4xx is not; behind the default relay list no stranger relays; and
 * nothing is left behind.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "gate/ask.h"
#include "tests/fuzz/fuzz.h"

#define STAGES	(1u << GATE_CLIENT | 1u << GATE_HELO | 1u << GATE_SENDER | \
		1u << GATE_RELAY | 1u << GATE_RECIPIENT)

/* --- what is drawn from the input --- */

static struct span input;
static uint32_t seed;		/* of all answers */

static unsigned
draw(unsigned below)
{
	unsigned n;

	if (input.n == 0)
		return 0;
	n = (uint8_t)input.p[0] % below;
	input = span_sub(input, 1, input.n);
	return n;
}

static unsigned
answer_to(const char *kind, struct span key, unsigned below)
{
	uint32_t h = crc32c(seed, kind, strlen(kind));

	h = crc32c(h, key.p, key.n);
	return (h ^ h >> 13) % below;
}

/* --- lists --- */

#define ASYNC	"tcp:127.0.0.1:9"

static const char *const rules[] = {
	"permit_mynetworks", "permit_sasl_authenticated",
	"reject_unauth_destination", "reject_unlisted_recipient",
	"permit_auth_destination", "defer_if_permit", "defer_if_reject",
	"reject_unlisted_sender", "reject_sender_login_mismatch",
	"reject_unknown_helo_hostname", "reject_unknown_sender_domain",
	"reject_unknown_recipient_domain", "permit_mx_backup",
	"reject_rbl_client bl.example", "reject_rhsbl_sender dbl.example",
	"reject_rhsbl_helo dbl.example=127.0.0.[2..3]",
	"permit_dnswl_client wl.example", "permit_rhswl_client wl.example",
	"check_client_access " ASYNC, "check_helo_access " ASYNC,
	"check_sender_access " ASYNC, "check_recipient_access " ASYNC,
	"check_sender_mx_access " ASYNC, "check_sender_ns_access " ASYNC,
	"check_helo_a_access " ASYNC, "check_recipient_mx_access " ASYNC,
	"check_sender_access inline:{{b.example=c1, c2} {s@=HOLD} "
	    "{t@=warn_if_reject c2} {<>=WARN null}}",
	"check_recipient_access inline:{{a.example=c2} {k@=PREPEND X: y}}",
	"check_policy_service inet:127.0.0.1:1",
	"check_policy_service inet:127.0.0.1:2",
	"reject_unverified_sender", "reject_unverified_recipient",
	"reject_non_fqdn_sender", "sleep 1",
	"check_spf", "check_spf", "reject_dnsbl_score=2", "permit_dnsbl_score",
};
static const char *const classes[] = { "c1", "c2" };
static const char *const values[] = {
	"OK", "DUNNO", "REJECT", "DEFER", "554 5.7.1 no", "450 later",
	"DEFER_IF_PERMIT 4.7.1 p", "DEFER_IF_REJECT r", "WARN w", "INFO i",
	"HOLD h", "DISCARD", "PREPEND X-Y: z", "REDIRECT r@c.example",
	"BCC b@c.example", "FILTER x:y", "c1", "c2, reject_unlisted_sender",
	"reject_unknown_sender_domain, warn_if_reject reject_rbl_client "
	    "bl.example", "nonsense here", "", "check_sender_access " ASYNC,
	"check_policy_service inet:127.0.0.1:1", "sleep 1", "reject",
	"warn_if_reject c2, permit",
};

static void
list(struct buf *conf, const char *param, bool may_class, const char *end)
{
	unsigned n = draw(5);

	buf_fmt(conf, "%s = ", param);
	for (; n > 0; n--) {
		buf_str(conf, draw(6) == 5 ? "warn_if_reject " : "");
		if (may_class && draw(4) == 3)
			buf_fmt(conf, "%s, ", classes[draw(2)]);
		else
			buf_fmt(conf, "%s, ", rules[draw(ARRAY_LEN(rules))]);
	}
	buf_fmt(conf, "%s\n", end);
}

/* NULL: what was drawn is no configuration. */
static struct gate *
gate_draw(bool *default_relay)
{
	struct buf text, complaints;
	struct conf *conf;
	struct gate *g = NULL;

	buf_init(&text, BUF_NO_CAP);
	buf_init(&complaints, BUF_NO_CAP);
	buf_str(&text, "myhostname = mx1.example\n"
	    "permit_mx_backup_networks = 192.0.2.0/24\n"
	    "smtpd_restriction_classes = c1, c2\n"
	    /* of several above zero a reply names those that came in time */
	    "postscreen_dnsbl_sites = bl.example*2 wl.example*-3\n"
	    "postscreen_dnsbl_allowlist_threshold = -1\n");
	buf_fmt(&text, "spf_helo_reject = %s\n", draw(2) ? "Fail" :
	    "No_Check");
	buf_fmt(&text, "spf_permerror_reject = %s\n", draw(2) ? "yes" :
	    "no");
	buf_fmt(&text, "spf_temperror_defer = %s\n", draw(2) ? "yes" : "no");
	if (draw(4) == 1)
		buf_str(&text, "spf_domain_whitelist = w1.example "
		    "w2.example\nspf_helo_whitelist = h.example\n"
		    "spf_mail_from_pass_restriction = c1\n");
	buf_fmt(&text, "smtpd_reject_unlisted_sender = %s\n",
	    draw(2) ? "yes" : "no");
	buf_fmt(&text, "smtpd_reject_unlisted_recipient = %s\n",
	    draw(2) ? "yes" : "no");
	list(&text, "c1", false, "reject_non_fqdn_sender");
	list(&text, "c2", false, "reject_non_fqdn_helo_hostname");
	list(&text, "smtpd_client_restrictions", true, "");
	list(&text, "smtpd_helo_restrictions", true, "");
	list(&text, "smtpd_sender_restrictions", true, "");
	*default_relay = draw(2) == 0;
	if (*default_relay)
		buf_str(&text, "smtpd_relay_restrictions = "
		    "permit_mynetworks, permit_sasl_authenticated, "
		    "reject_unauth_destination\n");
	else
		list(&text, "smtpd_relay_restrictions", true,
		    "reject_unauth_destination");
	list(&text, "smtpd_recipient_restrictions", true, "");
	conf = conf_parse("fuzz", buf_span(&text), &complaints);
	if (conf != NULL)
		g = gate_new(conf, &complaints);
	if (getenv("FUZZ_GATE_SHOW") != NULL)
		fprintf(stderr, "%s%s", buf_cstr(&text),
		    buf_cstr(&complaints));
	conf_unref(&conf);
	buf_fini(&text);
	buf_fini(&complaints);
	return g;
}

/* --- who is asked --- */

enum kind { ADDRESS, DOMAIN, NAME, TABLE, VERDICT, POLICY };

struct pending {
	TAILQ_ENTRY(pending) link;
	enum kind kind;
	enum dns_type type;
	union {
		directory_cb *directory;
		dnscache_cb *dns;
		table_ask_cb *table;
		verdict_cb *verdict;
		policy_cb *policy;
	} cb;
	void *arg;
	size_t n;
	char key[];
};

static TAILQ_HEAD(, pending) pending = TAILQ_HEAD_INITIALIZER(pending);
static unsigned n_pending;
static long held;		/* answers that are referenced */
static bool late;

static struct pending *
ask(enum kind kind, struct span key, void *arg)
{
	struct pending *p = xcalloc(1, sizeof(*p) + key.n + 1);

	p->kind = kind;
	p->arg = arg;
	p->n = key.n;
	if (key.n > 0)
		memcpy(p->key, key.p, key.n);
	TAILQ_INSERT_TAIL(&pending, p, link);
	n_pending++;
	return p;
}

static void
forget(struct pending *p)
{
	if (p == NULL)
		return;
	TAILQ_REMOVE(&pending, p, link);
	n_pending--;
	free(p);
}

/* --- the directory --- */

static struct resolution *
resolve(struct span key, bool domain)
{
	static const struct resolved_mailbox box = { .id = 1, .local = true,
		.address = "k@a.example", .extension = "" };
	static const enum resolve_class users[] = { RESOLVE_MAILBOX,
		RESOLVE_MAILBOX, RESOLVE_UNKNOWN, RESOLVE_DISABLED,
		RESOLVE_TEMP }, domains[] = { RESOLVE_NOT_LOCAL,
		RESOLVE_NOT_LOCAL, RESOLVE_MAILBOX, RESOLVE_MAILBOX,
		RESOLVE_RELAY, RESOLVE_TEMP };
	struct resolution *r = xcalloc(1, sizeof(*r));
	ptrdiff_t at = span_rchr(key, '@');

	r->refs = 1;
	held++;
	r->class = domains[answer_to("domain", span_sub(key,
	    (size_t)(at + 1), key.n), ARRAY_LEN(domains))];
	if (!domain && r->class == RESOLVE_MAILBOX)
		r->class = users[answer_to("user", key, ARRAY_LEN(users))];
	if (!domain && r->class == RESOLVE_MAILBOX) {
		r->n_mailboxes = 1;
		r->mailboxes = &box;
	}
	r->why = "";
	return r;
}

struct resolution *
resolution_ref(const struct resolution *r)
{
	struct resolution *mine = (struct resolution *)(uintptr_t)r;

	mine->refs++;
	return mine;
}

void
resolution_unref(struct resolution **rp)
{
	struct resolution *r = *rp;

	*rp = NULL;
	if (r == NULL || --r->refs > 0)
		return;
	held--;
	free(r);
}

struct resolution *
directory_peek(struct directory *d, struct span address)
{
	return late ? NULL : resolve(address, false);
}

struct resolution *
directory_domain_peek(struct directory *d, struct span domain)
{
	return late ? NULL : resolve(domain, true);
}

struct directory_ask *
directory_resolve(struct directory *d, struct span address, directory_cb *cb,
    void *arg)
{
	struct pending *p = ask(ADDRESS, address, arg);

	p->cb.directory = cb;
	return (void *)p;
}

struct directory_ask *
directory_domain(struct directory *d, struct span domain, directory_cb *cb,
    void *arg)
{
	struct pending *p = ask(DOMAIN, domain, arg);

	p->cb.directory = cb;
	return (void *)p;
}

void
directory_cancel(struct directory_ask **a)
{
	forget((void *)*a);
	*a = NULL;
}

/* --- the DNS --- */

#define RECORDS	3

struct kept {
	struct dns_kept kept;
	struct dns_record record[RECORDS];
};

static void
record_fill(struct dns_record *r, enum dns_type type, struct span name,
    unsigned i)
{
	static const char *const hosts[] = { "mx1.example", "mx2.b.example",
		"192.0.2.3", "h.example", "a.example" };
	static const char *const texts[] = { "listed\r\nbecause",
		"v=spf1 a mx ptr ~all", "v=spf1 include:b.example -all",
		"v=spf1 exists:%{i}.%{h} redirect=a.example",
		"v=spf1 a:h.example exp=%{p}.example -all", "v=spf1 -all",
		"v=spf1 +all", "v=spf1 nonsense", "see %{d}: %{i}" };
	unsigned n = answer_to("record", name, 1000) + i;

	r->preference = (uint16_t)(n % 3);
	if (type == DNS_A) {
		memcpy(r->addr, n % 2 ? (uint8_t[]){ 127, 0, 0, 2 } :
		    (uint8_t[]){ 192, 0, 2, 9 }, 4);
		r->addr[3] = (uint8_t)(n % 7);
	} else if (type == DNS_AAAA)
		r->addr[15] = (uint8_t)n;
	else if (type == DNS_TXT)
		r->data = span_str(texts[n % ARRAY_LEN(texts)]);
	else
		(void)snprintf(r->name, sizeof(r->name), "%s",
		    hosts[n % ARRAY_LEN(hosts)]);
}

static struct dns_kept *
kept_make(const char *name, enum dns_type type)
{
	static const enum dns_result results[] = { DNS_OK, DNS_OK, DNS_OK,
		DNS_NXDOMAIN, DNS_NODATA, DNS_TEMPFAIL };
	struct kept *k = xcalloc(1, sizeof(*k));
	struct dns_answer *a = &k->kept.answer;
	char key[DNS_NAME_MAX + 16];
	struct span s;
	unsigned i;

	(void)snprintf(key, sizeof(key), "%d %s", (int)type, name);
	s = span_str(key);
	k->kept.refs = 1;
	held++;
	a->result = results[answer_to("dns", s, ARRAY_LEN(results))];
	a->record = k->record;
	if (a->result == DNS_OK)
		a->n_records = 1 + answer_to("records", s, RECORDS);
	for (i = 0; i < a->n_records; i++)
		record_fill(&k->record[i], type, s, i);
	if (type == DNS_MX && answer_to("null", s, 8) == 0) {
		a->n_records = MIN(a->n_records, (size_t)1);
		k->record[0].name[0] = '\0';
	}
	a->why = "";
	return &k->kept;
}

struct dns_kept *
dns_kept_ref(struct dns_kept *k)
{
	k->refs++;
	return k;
}

void
dns_kept_unref(struct dns_kept **kp)
{
	struct dns_kept *k = *kp;

	*kp = NULL;
	if (k == NULL || --k->refs > 0)
		return;
	held--;
	free(k);
}

struct dns_kept *
dnscache_peek(struct dnscache *c, const char *name, enum dns_type type)
{
	return late ? NULL : kept_make(name, type);
}

struct dnscache_ask *
dnscache_ask(struct dnscache *c, const char *name, enum dns_type type,
    dnscache_cb *cb, void *arg)
{
	struct pending *p = ask(NAME, span_str(name), arg);

	p->type = type;
	p->cb.dns = cb;
	return (void *)p;
}

void
dnscache_cancel(struct dnscache_ask **a)
{
	forget((void *)*a);
	*a = NULL;
}

/* --- tables that ask others --- */

static enum table_result
found(struct span key, struct span *value)
{
	unsigned n = answer_to("table", key, 3);

	*value = span_str(values[answer_to("value", key,
	    ARRAY_LEN(values))]);
	return n == 0 ? TABLE_FOUND : n == 1 ||
	    answer_to("fails", key, 4) > 0 ? TABLE_NOTFOUND : TABLE_TEMPFAIL;
}

enum table_result
table_peek(struct table_env *env, struct table *t, struct span key,
    struct buf *out, struct err *err)
{
	struct span value;
	enum table_result r;

	if (late)
		return TABLE_PARKED;
	if ((r = found(key, &value)) == TABLE_FOUND)
		buf_span_add(out, value);
	if (r == TABLE_TEMPFAIL)
		(void)err_set(err, ERR_TEMP, PS_EIO, "fails");
	return r;
}

struct table_ask *
table_ask(struct table_env *env, struct table *t, struct span key,
    table_ask_cb *cb, void *arg)
{
	struct pending *p = ask(TABLE, key, arg);

	p->cb.table = cb;
	return (void *)p;
}

void
table_ask_cancel(struct table_ask **a)
{
	forget((void *)*a);
	*a = NULL;
}

/* --- verdicts --- */

static struct verdict *
verdict_make(struct span address)
{
	struct verdict *v = xcalloc(1, sizeof(*v) + 2);

	v->refs = 1;
	held++;
	v->status = (enum verdict_status)answer_to("verdict", address,
	    VERDICT_TEMP + 1);
	v->why[0] = 'x';
	return v;
}

struct verdict *
verdict_ref(const struct verdict *v)
{
	struct verdict *mine = (struct verdict *)(uintptr_t)v;

	mine->refs++;
	return mine;
}

void
verdict_unref(struct verdict **vp)
{
	struct verdict *v = *vp;

	*vp = NULL;
	if (v == NULL || --v->refs > 0)
		return;
	held--;
	free(v);
}

struct verdict *
verdicts_peek(struct verdicts *v, struct span address)
{
	return late ? NULL : verdict_make(address);
}

struct verdict_ask *
verdicts_ask(struct verdicts *v, struct span address, verdict_cb *cb,
    void *arg)
{
	struct pending *p = ask(VERDICT, address, arg);

	p->cb.verdict = cb;
	return (void *)p;
}

void
verdicts_cancel(struct verdict_ask **a)
{
	forget((void *)*a);
	*a = NULL;
}

/* --- policy services: never at once --- */

struct policy_ask *
policy_ask(struct policy *policy, struct policy_spec *spec,
    struct span request, policy_cb *cb, void *arg)
{
	struct pending *p = ask(POLICY, span_str(spec->name), arg);

	p->cb.policy = cb;
	return (void *)p;
}

void
policy_cancel(struct policy_ask **a)
{
	forget((void *)*a);
	*a = NULL;
}

/* --- an answer comes --- */

static void
tell_directory(struct pending *p, struct span key)
{
	struct resolution *r = resolve(key, p->kind == DOMAIN);

	p->cb.directory(r, p->arg);
	resolution_unref(&r);
}

static void
tell_name(struct pending *p, struct span key)
{
	struct dns_kept *k = kept_make(p->key, p->type);

	p->cb.dns(k, p->arg);
	dns_kept_unref(&k);
}

static void
tell_table(struct pending *p, struct span key)
{
	struct err err;
	struct span value;
	enum table_result r = found(key, &value);

	err_clear(&err);
	if (r == TABLE_TEMPFAIL)
		(void)err_set(&err, ERR_TEMP, PS_EIO, "fails");
	p->cb.table(r, r == TABLE_FOUND ? value : SPAN_NONE, &err, p->arg);
}

static void
tell_verdict(struct pending *p, struct span key)
{
	struct verdict *v = verdict_make(key);

	p->cb.verdict(v, p->arg);
	verdict_unref(&v);
}

static void
tell_policy(struct pending *p, struct span key)
{
	struct policy_answer a = { .action = values[answer_to("policy", key,
	    ARRAY_LEN(values))] };

	p->cb.policy(&a, p->arg);
}

static void
come_one(unsigned which)
{
	static void (*const tell[])(struct pending *p, struct span key) = {
		[ADDRESS] = tell_directory, [DOMAIN] = tell_directory,
		[NAME] = tell_name, [TABLE] = tell_table,
		[VERDICT] = tell_verdict, [POLICY] = tell_policy,
	};
	struct pending *p = TAILQ_FIRST(&pending);

	while (which-- > 0)
		p = TAILQ_NEXT(p, link);
	TAILQ_REMOVE(&pending, p, link);
	n_pending--;
	tell[p->kind](p, span_of(p->key, p->n));
	free(p);
}

/* --- one evaluation --- */

struct run {
	struct gate_eval eval;
	struct gate_facts facts;
	struct gate_ask ask;
	enum gate_result r;
	bool again;
	struct buf log;		/* what was noted and done */
};

static struct loop *loop;
static struct gate_world world;

static void
come(void *arg)
{
	((struct run *)arg)->again = true;
}

static void
note(const char *what, const char *text, void *arg)
{
	buf_fmt(&((struct run *)arg)->log, "%s: %s\n", what, text);
}

static void
effect(enum gate_do what, struct span text, const char *line, void *arg)
{
	buf_fmt(&((struct run *)arg)->log, "do %d %.*s: %s\n", (int)what,
	    SPAN_ARG(text), line);
}

static void
count(const char *list, const char *rule, const char *argument,
    const char *action, void *arg)
{
	buf_fmt(&((struct run *)arg)->log, "%s: %s %s: %s\n", list, rule,
	    argument == NULL ? "" : argument, action);
}

static void
stop_cb(void *arg)
{
	loop_stop(arg);
}

/* Answers come until the verdict, or so many of them. */
static void
run(struct run *u, const struct gate *g, const struct gate_facts *facts,
    uint32_t order, unsigned answers)
{
	memset(u, 0x5a, sizeof(*u));	/* a judge comes from the spares */
	u->facts = *facts;
	u->again = false;
	buf_init(&u->log, BUF_NO_CAP);
	u->ask.world = &world;
	u->ask.facts = &u->facts;
	u->ask.come = come;
	u->ask.note = note;
	u->ask.effect = effect;
	u->ask.count = count;
	u->ask.sleeps = false;
	u->ask.arg = u;
	gate_ask_begin(&u->ask, facts->recipient);
	gate_begin(&u->eval, g, STAGES, &u->facts, &gate_ask_ops, &u->ask);
	while ((u->r = gate_run(&u->eval)) == GATE_PARKED && answers > 0) {
		if (n_pending == 0)
			__builtin_trap();	/* it waits for ever */
		do {
			order = order * 1664525u + 1013904223u;
			come_one((order >> 16) % n_pending);
			answers--;
		} while (answers > 0 && n_pending > 0 && order >> 30 == 0);
		loop_post(loop, stop_cb, loop);
		loop_run(loop);
		if (!u->again)
			__builtin_trap();
		u->again = false;
	}
	gate_ask_end(&u->ask);
	gate_end(&u->eval);
	if (n_pending != 0 || held != 0)
		__builtin_trap();
}

static void
check_reply(const struct run *u)
{
	const char *reply = u->eval.reply;

	if (u->r == GATE_PERMIT)
		return;
	if ((u->r == GATE_REJECT) != (reply[0] == '5') ||
	    (u->r == GATE_DEFER) != (reply[0] == '4') ||
	    strpbrk(reply, "\r\n") != NULL)
		__builtin_trap();
}

static void
check_same(const struct run *a, const struct run *b)
{
	if (a->r == b->r && a->facts.discard == b->facts.discard &&
	    (a->r == GATE_PERMIT ||
	    strcmp(a->eval.reply, b->eval.reply) == 0) &&
	    a->eval.by == b->eval.by &&
	    span_eq(buf_span(&a->log), buf_span(&b->log)))
		return;
	fprintf(stderr, "%d %s by %s\n%s--- late:\n%d %s by %s\n%s", a->r,
	    a->eval.reply, a->eval.by == NULL ? "" : a->eval.by->is->name,
	    buf_cstr((struct buf *)(uintptr_t)&a->log), b->r, b->eval.reply,
	    b->eval.by == NULL ? "" : b->eval.by->is->name,
	    buf_cstr((struct buf *)(uintptr_t)&b->log));
	__builtin_trap();
}

static struct gate_facts
facts_draw(void)
{
	static const char *const helos[] = { "h.example", "", "b.example",
		"[192.0.2.1]", "c" };
	static const char *const senders[] = { "s@b.example", "",
		"t@b.example", "k@a.example", "x@deep.c.example", "bare" };
	static const char *const rcpts[] = { "k@a.example", "l@a.example",
		"x@b.example", "x%y@a.example", "z@c.example" };
	struct gate_facts f = { .where = "RCPT", .queue_id = "",
		.client_name = draw(2) ? "h.example" : "unknown",
		.client_ip = draw(4) == 3 ? "127.0.0.1" : "192.0.2.7",
		.client_port = "1", .server_ip = "192.0.2.1",
		.server_port = "25", .helo = helos[draw(ARRAY_LEN(helos))],
		.esmtp = true };

	f.sender = span_str(senders[draw(ARRAY_LEN(senders))]);
	f.recipient = span_str(rcpts[draw(ARRAY_LEN(rcpts))]);
	if (draw(4) == 3) {
		f.authenticated = true;
		f.user = "k@a.example";
		f.mailbox_id = 1;
		f.sasl_method = "PLAIN";
	}
	if (!net_addr_parse(span_str(f.client_ip), &f.client))
		__builtin_trap();
	return f;
}

/* Neither known to us nor ours to take it for. */
static void
check_relay(const struct run *u, const struct gate_facts *f)
{
	struct resolution *res;
	ptrdiff_t at = span_rchr(f->recipient, '@');
	bool ours;

	if (u->r != GATE_PERMIT || u->facts.discard || f->authenticated ||
	    f->client.b[12] == 127)
		return;
	res = resolve(span_sub(f->recipient, (size_t)at + 1,
	    f->recipient.n), true);
	ours = res->class != RESOLVE_NOT_LOCAL &&
	    res->class != RESOLVE_TEMP &&
	    span_chr(f->recipient, '%') < 0;
	resolution_unref(&res);
	if (!ours)
		__builtin_trap();
}

static void
start(void)
{
	static char nobody;

	log_level_set(LOG_L_FATAL);
	loop = loop_new();
	world = (struct gate_world){ .loop = loop, .dir = (void *)&nobody,
		.dns = (void *)&nobody, .tables = (void *)&nobody,
		.policy = (void *)&nobody, .verdicts = (void *)&nobody };
}

static void
quit(void)
{
	loop_free(&loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run now, then;
	struct gate_facts facts;
	bool default_relay;
	struct gate *g;
	unsigned i;

	if (loop == NULL) {
		start();
		(void)atexit(quit);
	}
	input = span_of(data, size);
	seed = draw(256) << 8;
	seed |= draw(256);
	facts = facts_draw();
	if ((g = gate_draw(&default_relay)) == NULL)
		return 0;
	late = false;
	run(&now, g, &facts, 0, UINT32_MAX);
	if (getenv("FUZZ_GATE_SHOW") != NULL)
		fprintf(stderr, "%s%d %s\n", buf_cstr(&now.log), (int)now.r,
		    now.eval.reply);
	check_reply(&now);
	if (default_relay)
		check_relay(&now, &facts);
	late = true;
	for (i = 0; i < 4; i++) {
		run(&then, g, &facts, seed + i * 7919u, UINT32_MAX);
		check_same(&now, &then);
		buf_fini(&then.log);
		run(&then, g, &facts, seed + i * 7919u, i * 3);
		buf_fini(&then.log);
	}
	buf_fini(&now.log);
	gate_unref(&g);
	return 0;
}
