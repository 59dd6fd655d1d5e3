#include "admin/explain.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/explain_first.h"
#include "admin/explain_grey.h"
#include "admin/secrets.h"
#include "base/clock.h"
#include "base/xmalloc.h"
#include "gate/ask.h"
#include "gate/dnsscore_ask.h"
#include "mail/spf.h"
#include "net/client_name.h"

struct explain {
	struct loop *loop;
	struct conf *conf;
	struct gate *gate;
	struct dns *dns;
	struct gate_world world;
	struct work_pool *names;	/* NULL: policy services are not asked */

	/* the present run */
	const struct explain_who *who;
	struct explain_story *story;
	const char *command;
	struct client_name name;
	uint64_t mailbox_id;
	struct gate_ask ask;
	struct gate_eval eval;
	struct gate_facts facts;
	struct buf asked;	/* by the rule whose turn it is */
	unsigned needed;	/* 1 << enum gate_need, of that rule */
	bool deliverable;	/* the chain said yes: is there such a user? */
	enum gate_result result;
};

static const char *const result_names[] = {
	[GATE_DUNNO] = "dunno", [GATE_PERMIT] = "permit",
	[GATE_REJECT] = "reject", [GATE_DEFER] = "defer",
	[GATE_DEFER_IF_PERMIT] = "defer_if_permit",
	[GATE_DEFER_IF_REJECT] = "defer_if_reject",
	[GATE_PARKED] = "parked",
};

/* --- what is asked --- */

static void asked(struct explain *x, const char *fmt, ...) PRINTF(2, 3);

static void
asked(struct explain *x, const char *fmt, ...)
{
	va_list ap;

	if (x->eval.probing)
		return;
	va_start(ap, fmt);
	buf_vfmt(&x->asked, fmt, ap);
	va_end(ap);
	buf_char(&x->asked, '\n');
}

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	struct explain *x = arg;

	if (!x->eval.probing)
		x->needed |= 1u << what;
	return gate_ask_ops.need(what, f, &x->ask);
}

static const char *
type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_AAAA:
		return "AAAA";
	case DNS_MX:
		return "MX";
	case DNS_NS:
		return "NS";
	case DNS_TXT:
		return "TXT";
	default:
		return "?";
	}
}

static void
records_put(struct buf *out, enum dns_type type, const struct dns_answer *a)
{
	char ip[INET6_ADDRSTRLEN];
	size_t i;

	for (i = 0; i < a->n_records; i++) {
		const struct dns_record *r = &a->record[i];

		buf_str(out, i == 0 ? "" : ", ");
		if (type == DNS_A || type == DNS_AAAA)
			buf_str(out, inet_ntop(type == DNS_A ? AF_INET :
			    AF_INET6, r->addr, ip, sizeof(ip)));
		else if (type == DNS_TXT)
			buf_span_add(out, r->data);
		else if (type == DNS_MX)
			buf_fmt(out, "%u %s", r->preference,
			    r->name[0] == '\0' ? "." : r->name);
		else
			buf_str(out, r->name);
	}
}

static const struct dns_answer *
dns(const char *name, enum dns_type type, void *arg)
{
	static const char *const none[] = { [DNS_NODATA] = "no such record",
		[DNS_NXDOMAIN] = "no such name" };
	struct explain *x = arg;
	const struct dns_answer *a = gate_ask_ops.dns(name, type, &x->ask);
	struct buf text;

	if (a == NULL)
		return NULL;
	buf_init(&text, 2048);
	if (a->result == DNS_OK)
		records_put(&text, type, a);
	else if (a->result == DNS_TEMPFAIL)
		buf_fmt(&text, "no answer (%s)", a->why == NULL ? "" :
		    a->why);
	else
		buf_str(&text, none[a->result]);
	asked(x, "%s %s: %s", name, type_name(type), buf_cstr(&text));
	buf_fini(&text);
	return a;
}

static enum list_use
list(const char *zone, enum list_kind kind, void *arg)
{
	struct explain *x = arg;
	enum list_use use = gate_ask_ops.list(zone, kind, &x->ask);

	if (use == LIST_USE_NO || use == LIST_USE_NEVER)
		asked(x, "%s: suspended, not asked about %s: %s", zone,
		    list_kind_name(kind), dnshealth_why(x->world.lists, zone,
		    kind));
	return use;
}

/* Facts of SPF are asked for beneath the evaluator: the verdict is told. */
static const struct spf_verdict *
spf(const struct conf *conf, const char *helo, const char *sender, void *arg)
{
	struct explain *x = arg;
	const struct spf_verdict *v = gate_ask_ops.spf(conf, helo, sender,
	    &x->ask);

	if (v == NULL)
		return NULL;
	asked(x, "SPF %s%s: %s%s%s%s%s%s%s", sender[0] == '\0' ? "HELO " : "",
	    sender[0] == '\0' ? helo : sender, spf_result_name(v->result),
	    v->mechanism[0] == '\0' ? "" : " by ", v->mechanism,
	    v->mechanism[0] == '\0' ? "" : " of ", v->mechanism[0] == '\0' ?
	    "" : v->domain, v->why[0] == '\0' ? "" : ": ", v->why);
	return v;
}

static enum table_result
table(struct table *t, struct span key, struct buf *out, struct err *err,
    void *arg)
{
	struct explain *x = arg;
	size_t before = buf_len(out);
	enum table_result r = gate_ask_ops.table == NULL ?
	    table_look_up(t, key, out, err) :
	    gate_ask_ops.table(t, key, out, err, &x->ask);

	if (r == TABLE_FOUND)
		asked(x, "%s %.*s: %.*s", table_name(t), SPAN_ARG(key),
		    (int)MIN(buf_len(out) - before, (size_t)500),
		    buf_data(out) + before);
	else if (r == TABLE_NOTFOUND)
		asked(x, "%s %.*s: not there", table_name(t), SPAN_ARG(key));
	else if (r == TABLE_TEMPFAIL)
		asked(x, "%s %.*s: failed: %s", table_name(t), SPAN_ARG(key),
		    err->why);
	return r;
}

static const struct verdict *
verify(struct span address, void *arg)
{
	static const char *const words[] = { [VERDICT_NONE] = "none",
		[VERDICT_OK] = "ok", [VERDICT_DEFER] = "defer",
		[VERDICT_BOUNCE] = "bounce", [VERDICT_TEMP] = "no answer" };
	struct explain *x = arg;
	const struct verdict *v = gate_ask_ops.verify(address, &x->ask);

	if (v != NULL)
		asked(x, "verdict %.*s: %s%s%s", SPAN_ARG(address),
		    words[v->status], v->why[0] == '\0' ? "" : ": ", v->why);
	return v;
}

static const struct grey_answer *
greylist(const struct grey_question *q, void *arg)
{
	struct explain *x = arg;
	const struct grey_answer *a = gate_ask_ops.greylist(q, &x->ask);
	struct span found, line;

	if (a == NULL)
		return NULL;
	asked(x, "greylist, origin %.*s: %s", SPAN_ARG(q->origin),
	    grey_why_text(a->why));
	found = explain_grey_found(x->world.grey);
	while (span_split(&found, '\n', &line) && line.n > 0)
		asked(x, "greylist: %.*s", SPAN_ARG(line));
	return a;
}

/* Who is not asked has nothing against it. */
static const char *
policy(struct policy_spec *spec, void *arg)
{
	struct explain *x = arg;
	const char *action;

	if (x->world.policy == NULL) {
		asked(x, "policy service %s: not asked (--policy asks it)",
		    spec->name);
		return "DUNNO";
	}
	action = gate_ask_ops.policy(spec, &x->ask);
	if (action != NULL)
		asked(x, "policy service %s: %s", spec->name, action);
	return action;
}

static void
note(const char *what, const char *text, void *arg)
{
	asked(arg, "would log %s: %s", what, text);
}

static void
effect(enum gate_do what, struct span text, const char *line, void *arg)
{
	asked(arg, "would act on the message: %s", line);
}

/* What the directory knew. */
static void
needed_put(struct explain *x)
{
	const struct gate_facts *f = &x->facts;
	const struct {
		enum gate_need what;
		const struct resolution *res;
		const char *is;
	} t[] = {
		{ GATE_NEED_RCPT_DOMAIN, f->rcpt_domain, "domain" },
		{ GATE_NEED_RCPT, f->rcpt, "recipient" },
		{ GATE_NEED_SENDER, f->from, "sender" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++)
		if ((x->needed & 1u << t[i].what) && t[i].res != NULL)
			asked(x, "directory, %s %s: %s", t[i].is,
			    t[i].what == GATE_NEED_RCPT_DOMAIN ?
			    t[i].res->domain : t[i].res->address,
			    resolve_class_name(t[i].res->class));
	x->needed = 0;
}

/* --- the story --- */

static void
step_fini(struct explain_step *s)
{
	free(s->list);
	free(s->where);
	free(s->rule);
	free(s->reply);
	buf_fini(&s->asked);
}

void
explain_story_fini(struct explain_story *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		step_fini(&s->step[i]);
	free(s->step);
	free(s->reply);
	free(s->rule);
	free(s->list);
	free(s->where);
	*s = (struct explain_story){ .n = 0 };
}

/* Rules inside a rule were told before it: where do they begin? */
static size_t
deeper_from(const struct explain_story *s, unsigned depth)
{
	size_t i = s->n;

	while (i > 0 && s->step[i - 1].depth > depth &&
	    s->step[i - 1].list == NULL)
		i--;
	return i;
}

static char *
rule_text(const struct gate_rule *r)
{
	if (r == NULL)
		return xstrdup("");
	return xasprintf("%s%s%s%s", r->warn ? "warn_if_reject " : "",
	    gate_rule_name(r), r->arg == NULL ? "" : " ",
	    r->arg == NULL ? "" : r->arg);
}

static bool
is_refusal(enum gate_result r)
{
	return r != GATE_DUNNO && r != GATE_PERMIT && r != GATE_PARKED;
}

/* List and place are given to a whole rule of the list only when it is done:
 * until then they mark what belongs to a rule under way. */
static void
trace(const struct gate_eval *e, const struct gate_rule *rule,
    enum gate_result r, unsigned depth, void *arg)
{
	struct explain *x = arg;
	struct explain_story *s = x->story;
	const struct gate_list *l = gate_list(e->gate, e->stage);
	size_t at = deeper_from(s, depth), i;
	struct explain_step *step;

	if (r == GATE_PARKED) {
		while (s->n > at)
			step_fini(&s->step[--s->n]);
		buf_clear(&x->asked);
		return;
	}
	needed_put(x);
	s->step = xreallocarray(s->step, s->n + 1, sizeof(*s->step));
	memmove(&s->step[at + 1], &s->step[at],
	    (s->n - at) * sizeof(*s->step));
	s->n++;
	step = &s->step[at];
	*step = (struct explain_step){ .command = x->command,
		.depth = depth, .rule = rule_text(rule),
		.result = result_names[r],
		.reply = xstrdup(is_refusal(r) ? e->reply : "") };
	step->asked = x->asked;
	buf_init(&x->asked, 65536);
	for (i = at; depth == 0 && i < s->n; i++) {
		s->step[i].list = xstrdup(l->param);
		s->step[i].where = xstrdup(l->where);
	}
}

static const struct gate_ops explain_ops = { .need = need, .note = note,
	.dns = dns, .list = list, .spf = spf, .table = table, .effect = effect, .verify = verify,
	.policy = policy, .greylist = greylist, .trace = trace };

/* --- one moment --- */

static void
turn(void *arg)
{
	struct explain *x = arg;

	if (!x->deliverable) {
		x->result = gate_run(&x->eval);
		if (x->result == GATE_PERMIT && x->facts.recipient.n > 0 &&
		    !x->facts.discard)
			x->deliverable = true;
	}
	if (x->deliverable) {
		x->result = gate_unlisted_recipient(&x->eval);
		if (x->result == GATE_DUNNO)
			x->result = GATE_PERMIT;
	}
	if (x->result != GATE_PARKED)
		loop_stop(x->loop);
}

static struct gate_facts
facts_of(const struct explain *x, enum gate_moment m)
{
	const struct explain_who *w = x->who;
	struct gate_facts f = {
		.where = m == GATE_AT_HELO ? "EHLO" : x->command,
		.queue_id = "",
		.client_ip = w->ip, .client_port = "0",
		.client_name = x->name.name,
		.reverse_name = strcmp(x->name.name, x->name.reverse_name) ==
		    0 ? NULL : x->name.reverse_name,
		.name_state = x->name.name_state,
		.reverse_state = x->name.reverse_state,
		.server_ip = "127.0.0.1", .server_port = "25",
		.helo = m >= GATE_AT_HELO ? w->helo : "",
		.authenticated = w->login != NULL, .user = w->login,
		.mailbox_id = x->mailbox_id, .tls = w->tls, .esmtp = true,
		.tls_protocol = w->tls ? "TLSv1.3" : NULL,
		.tls_cipher = w->tls ? "TLS_AES_256_GCM_SHA384" : NULL,
		.tls_bits = w->tls ? 256 : 0,
		/* of a rule at MAIL, when that is not delayed */
		.discard = m > GATE_AT_MAIL && x->facts.discard,
	};

	if (!net_addr_parse(span_str(w->ip), &f.client))
		memset(&f.client, 0, sizeof(f.client));
	if (m >= GATE_AT_MAIL) {
		f.sender = span_str(w->from);
		f.size = w->size;
	}
	if (m >= GATE_AT_RCPT)
		f.message_us = clock_wall_us();
	if (m == GATE_AT_RCPT)
		f.recipient = span_str(w->to);
	if (m >= GATE_AT_DATA) {
		f.n_recipients = 1;
		f.sole_recipient = span_str(w->to);
	}
	return f;
}

static void
decided(struct explain *x)
{
	struct explain_story *s = x->story;
	const struct gate_list *l = x->eval.by_list;

	s->verdict = x->result == GATE_REJECT && !x->conf->soft_bounce ?
	    "reject" : "defer";
	s->command = x->command;
	s->reply = xstrdup(x->eval.reply);
	if (x->conf->soft_bounce && s->reply[0] == '5') {
		s->reply[0] = '4';
		if (strncmp(s->reply + 3, " 5.", 3) == 0)
			s->reply[4] = '4';
	}
	s->rule = rule_text(x->deliverable ? NULL : x->eval.by);
	s->list = xstrdup(l == NULL ? "" : l->param);
	s->where = xstrdup(l == NULL ? "" : l->where);
}

/* True: it may go on. */
static bool
moment(struct explain *x, enum gate_moment m, struct span normal)
{
	static const char *const names[] = { "CONNECT", "HELO", "MAIL",
		"RCPT", "DATA", "END-OF-MESSAGE" };
	char *carry;

	x->command = names[m];
	x->facts = facts_of(x, m);
	x->deliverable = false;
	x->needed = 0;
	x->ask.world = &x->world;
	x->ask.facts = &x->facts;
	x->ask.come = turn;
	x->ask.arg = x;
	carry = gate_carried(&x->eval);
	gate_end(&x->eval);
	gate_ask_begin(&x->ask, normal);
	gate_begin(&x->eval, x->gate, gate_stages_at(x->gate, m), &x->facts,
	    &explain_ops, x);
	gate_carry(&x->eval, carry);
	free(carry);
	turn(x);
	if (x->result == GATE_PARKED)
		loop_run(x->loop);
	if (x->result != GATE_PERMIT)
		decided(x);
	gate_ask_end(&x->ask);
	return x->result == GATE_PERMIT;
}

/* --- who it is --- */

static void
named_cb(const struct client_name *n, void *arg)
{
	struct explain *x = arg;

	x->name = *n;
	loop_stop(x->loop);
}

static void
name_find(struct explain *x)
{
	const struct explain_who *w = x->who;
	const char *reverse = w->reverse_name != NULL ? w->reverse_name :
	    w->name;

	if (w->name == NULL && x->world.dns != NULL &&
	    x->conf->smtpd_peername_lookup) {
		if (client_name_find(x->world.dns, w->ip, &x->name, named_cb,
		    x) != NULL)
			loop_run(x->loop);
		return;
	}
	x->name = (struct client_name){ .name = "unknown",
		.reverse_name = "unknown", .name_state = CLIENT_NAME_TEMP,
		.reverse_state = CLIENT_NAME_TEMP };
	if (w->name == NULL)
		return;
	(void)snprintf(x->name.name, sizeof(x->name.name), "%s", w->name);
	(void)snprintf(x->name.reverse_name, sizeof(x->name.reverse_name),
	    "%s", reverse);
	x->name.name_state = strcmp(w->name, "unknown") == 0 ?
	    CLIENT_NAME_NONE : CLIENT_NAME_OK;
	x->name.reverse_state = strcmp(reverse, "unknown") == 0 ?
	    CLIENT_NAME_NONE : CLIENT_NAME_OK;
}

static void
login_cb(const struct resolution *res, void *arg)
{
	struct explain *x = arg;

	if (res->n_mailboxes > 0)
		x->mailbox_id = res->mailboxes[0].id;
	loop_stop(x->loop);
}

static int
login_find(struct explain *x, struct err *err)
{
	struct buf normal;
	int rc = 0;

	x->mailbox_id = 0;
	if (x->who->login == NULL)
		return 0;
	buf_init(&normal, ADDRESS_MAX + 1);
	rc = address_normal_text(span_str(x->who->login), &normal, err);
	if (rc == 0) {
		(void)directory_resolve(x->world.dir, buf_span(&normal),
		    login_cb, x);
		loop_run(x->loop);
	}
	buf_fini(&normal);
	return rc;
}

/* The recipient as the directory knows it. */
static int
rcpt_normal(struct explain *x, struct buf *normal, struct err *err)
{
	const char *to = x->who->to;

	if (span_is(span_str(to), "postmaster")) {
		buf_fmt(normal, "postmaster@%s", x->conf->myorigin);
		return 0;
	}
	return address_normal_text(span_str(to), normal, err);
}

/* --- the dialogue --- */

/* What smtpd refuses before any list is looked at. */
static bool
refused_before(struct explain *x)
{
	const struct conf *c = x->conf;

	x->command = "MAIL";
	x->result = GATE_REJECT;
	x->deliverable = true;		/* no rule decides it */
	x->eval.by_list = NULL;
	if (!x->who->tls &&
	    strcmp(c->smtpd_tls_security_level, "encrypt") == 0)
		(void)snprintf(x->eval.reply, sizeof(x->eval.reply),
		    "530 5.7.0 Must issue a STARTTLS command first");
	else if (x->who->size > (uint64_t)c->message_size_limit)
		(void)snprintf(x->eval.reply, sizeof(x->eval.reply),
		    "552 5.3.4 Message size exceeds fixed limit");
	else
		return false;
	decided(x);
	return true;
}

/* The first step, where the listener has first-contact tests. */
static void
first_told(struct explain *x)
{
	const struct explain_first *f = x->who->first;
	struct explain_step *step;

	if (f == NULL)
		return;
	x->story->step = xcalloc(1, sizeof(*x->story->step));
	x->story->n = 1;
	step = x->story->step;
	*step = (struct explain_step){ .command = "CONNECT",
		.list = xstrdup("smtpd_first_contact"),
		.where = xstrdup(conf_where(x->conf, "smtpd_first_contact")),
		.rule = xstrdup("first-contact tests"), .result = f->result,
		.reply = xstrdup(f->reply) };
	buf_init(&step->asked, 65536);
	buf_span_add(&step->asked, buf_span(&f->told));
}

/* By a first-contact test: at connect, or each recipient of who does not log
 * in. */
static bool
refused_first(struct explain *x, enum gate_moment m)
{
	const struct explain_first *f = x->who->first;
	struct explain_story *s = x->story;

	if (f == NULL || *f->reply == '\0' || (!f->ends &&
	    (m != GATE_AT_RCPT || x->who->login != NULL)))
		return false;
	s->verdict = f->reply[0] == '5' ? "reject" : "defer";
	s->command = f->ends ? "CONNECT" : "RCPT";
	s->reply = xstrdup(f->reply);
	s->rule = xstrdup("first-contact tests");
	s->list = xstrdup("smtpd_first_contact");
	s->where = xstrdup(conf_where(x->conf, "smtpd_first_contact"));
	return true;
}

static void
dialogue(struct explain *x, struct span normal)
{
	enum gate_moment m;

	first_told(x);
	for (m = GATE_AT_CONNECT; m <= GATE_AT_END_OF_DATA; m++) {
		if (refused_first(x, m))
			return;
		if (m == GATE_AT_MAIL && refused_before(x))
			return;
		if (!moment(x, m, m == GATE_AT_RCPT ? normal : SPAN_NONE))
			return;
	}
	x->story->verdict = "accept";
	x->story->command = x->command;
	x->story->reply = xstrdup("");
	x->story->rule = xstrdup("");
	x->story->list = xstrdup("");
	x->story->where = xstrdup("");
}

int
explain_run(struct explain *x, const struct explain_who *who,
    struct explain_story *story, struct err *err)
{
	struct buf normal;
	int rc;

	*story = (struct explain_story){ .n = 0 };
	x->who = who;
	x->story = story;
	memset(&x->eval, 0, sizeof(x->eval));
	buf_init(&x->asked, 65536);
	buf_init(&normal, ADDRESS_MAX + 1);
	rc = rcpt_normal(x, &normal, err);
	if (rc == 0)
		rc = login_find(x, err);
	if (rc == 0) {
		name_find(x);
		dialogue(x, buf_span(&normal));
	}
	gate_end(&x->eval);
	buf_fini(&normal);
	buf_fini(&x->asked);
	return rc;
}

/* --- the score --- */

struct scoring {
	struct explain *x;
	struct dnsscore *out;
	struct buf *reply;
};

static void
scored_cb(const struct dnsscore *s, const char *reply, void *arg)
{
	struct scoring *g = arg;

	*g->out = *s;
	buf_str(g->reply, reply);
	loop_stop(g->x->loop);
}

void
explain_score(struct explain *x, const char *ip, struct dnsscore *out,
    struct buf *reply)
{
	struct scoring g = { x, out, reply };

	(void)dnsscore_ask(&x->world, x->gate, ip, scored_cb, &g);
	loop_run(x->loop);
}

/* --- life --- */

struct explain *
explain_new(struct conf *conf, struct err *err)
{
	struct explain *x = xcalloc(1, sizeof(*x));
	char *password;

	err_clear(err);
	password = secret_database_password(conf, conf->database_role_lookup,
	    err);
	if (err->kind != ERR_NONE) {
		free(x);
		return NULL;
	}
	x->loop = x->world.loop = loop_new();
	x->world.dir = directory_new(x->loop, conf, password);
	x->world.verdicts = verdicts_new(x->loop, conf, password);
	x->world.grey = explain_grey_new(x->loop, conf, password);
	x->world.tables = table_env_new(x->loop, conf,
	    conf->database_role_lookup, password);
	secret_free(&password);
	x->dns = dns_new(x->loop, conf, err);
	if (x->dns != NULL) {
		x->world.dns = dnscache_new(x->loop, x->dns, conf);
		x->world.lists = dnshealth_new(x->loop, x->dns, conf);
	}
	return x;
}

int
explain_listener(struct explain *x, struct conf *section, struct err *err)
{
	struct buf complaints;
	struct gate *gate;
	int rc = 0;

	if (x->conf == section)
		return 0;
	buf_init(&complaints, 65536);
	gate = gate_new(section, &complaints);
	if (gate == NULL) {
		rc = err_set(err, ERR_PERM, PS_ESYNTAX, "%s",
		    buf_cstr(&complaints));
	} else {
		gate_unref(&x->gate);
		conf_unref(&x->conf);
		x->gate = gate;
		x->conf = conf_ref(section);
	}
	buf_fini(&complaints);
	return rc;
}

const struct conf *
explain_conf(const struct explain *x)
{
	return x->conf;
}

void
explain_free(struct explain **xp)
{
	struct explain *x = *xp;

	*xp = NULL;
	if (x == NULL)
		return;
	policy_free(&x->world.policy);
	if (x->names != NULL)
		work_pool_free(&x->names);
	dnshealth_free(&x->world.lists);
	dnscache_free(&x->world.dns);
	dns_free(&x->dns);
	directory_free(&x->world.dir);
	verdicts_free(&x->world.verdicts);
	explain_grey_free(&x->world.grey);
	table_env_free(&x->world.tables);
	gate_unref(&x->gate);
	conf_unref(&x->conf);
	loop_free(&x->loop);
	free(x);
}

void
explain_ask_policy(struct explain *x)
{
	if (x->world.policy != NULL)
		return;
	x->names = work_pool_new(x->loop, 1);
	x->world.policy = policy_new(x->loop, x->names);
}
