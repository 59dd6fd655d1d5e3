/*
 * The evaluator: one loop over stages and rules that can stop anywhere and
 * go on later. Its whole state is in struct gate_eval.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gate/checks.h"

/* Lists that tables name, behind one rule in all: a table that names itself
 * twice would else cost 2^depth. */
#define GATE_LISTS_MAX	50

/* Lists that come before a recipient. Evaluated alone, what they would defer
 * if it were permitted waits for the recipient: nothing is permitted yet. */
#define EARLY	(1u << GATE_CLIENT | 1u << GATE_HELO | 1u << GATE_SENDER)

void
gate_begin(struct gate_eval *e, const struct gate *g, unsigned stages,
    struct gate_facts *facts, const struct gate_ops *ops, void *arg)
{
	e->gate = g;
	e->ops = ops;
	e->arg = arg;
	e->facts = facts;
	e->stages = stages;
	e->carries = (stages & ~EARLY) == 0;
	e->stage = 0;
	e->rule = 0;
	e->list_done = false;
	e->reply[0] = '\0';
	e->by = NULL;
	e->notes_now = e->notes_done = e->lists = 0;
	e->probing = e->broken = e->warning = e->counted = false;
	e->depth = 0;
	e->by_list = NULL;
	e->if_permit = e->if_reject = (struct gate_doubt){ .reply = NULL };
}

static void
forget(struct gate_doubt *d)
{
	free(d->reply);
	*d = (struct gate_doubt){ .reply = NULL };
}

void
gate_end(struct gate_eval *e)
{
	forget(&e->if_permit);
	forget(&e->if_reject);
}

enum gate_result
gate_reply(struct gate_eval *e, enum gate_result r, int code,
    const char *dsn, const char *fmt, ...)
{
	va_list ap;
	int n;
	char *p;

	n = snprintf(e->reply, sizeof(e->reply), "%d %s ", code, dsn);
	va_start(ap, fmt);
	if (n > 0 && (size_t)n < sizeof(e->reply))
		(void)vsnprintf(e->reply + n, sizeof(e->reply) - (size_t)n,
		    fmt, ap);
	va_end(ap);
	for (p = e->reply; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return r;
}

void
gate_subject(const struct gate_eval *e, struct buf *out)
{
	const struct gate_facts *f = e->facts;

	switch (e->stage) {
	case GATE_CLIENT:
		buf_fmt(out, "<%s[%s]>: Client host", f->client_name,
		    f->client_ip);
		break;
	case GATE_HELO:
		buf_fmt(out, "<%s>: Helo command", f->helo);
		break;
	case GATE_SENDER:
		buf_fmt(out, "<%.*s>: Sender address", SPAN_ARG(f->sender));
		break;
	case GATE_RELAY:
	case GATE_RECIPIENT:
		buf_fmt(out, "<%.*s>: Recipient address",
		    SPAN_ARG(f->recipient));
		break;
	case GATE_DATA:
		buf_str(out, "<DATA>: Data command");
		break;
	case GATE_ETRN:
		gate_subject_of(e, GATE_IS_ETRN, out);
		break;
	case GATE_END_OF_DATA:
		buf_str(out, "<END-OF-MESSAGE>: End-of-data");
		break;
	case GATE_STAGES:
		break;
	}
}

/* Remembers the first reply of a kind: it is the one that is told. */
static void
remember(struct gate_eval *e, const struct gate_rule *rule,
    struct gate_doubt *d)
{
	const struct gate_list *l = gate_list(e->gate, e->stage);

	if (d->reply != NULL)
		return;
	d->reply = xstrdup(e->reply);
	/* of what stands inside a rule, the rule of the list is told */
	d->by = e->depth == 0 ? rule : &l->rules[e->rule];
	d->list = l;
}

static enum gate_result
told_instead(struct gate_eval *e, const struct gate_doubt *d)
{
	(void)snprintf(e->reply, sizeof(e->reply), "%s", d->reply);
	e->by = d->by;
	e->by_list = d->list;
	return GATE_DEFER;
}

bool
gate_once(struct gate_eval *e)
{
	if (e->probing || e->notes_now++ < e->notes_done)
		return false;	/* not its turn, or said before it parked */
	e->notes_done = e->notes_now;
	return true;
}

void
gate_note(struct gate_eval *e, const char *what, const char *text)
{
	if (gate_once(e) && e->ops->note != NULL)
		e->ops->note(what, text, e->arg);
}

void
gate_effect(struct gate_eval *e, enum gate_do what, struct span text,
    const char *line)
{
	if (!gate_once(e))
		return;
	if (what == GATE_DO_DISCARD)
		e->facts->discard = true;
	if (e->ops->effect != NULL)
		e->ops->effect(what, text, line, e->arg);
}

void
gate_warn(struct gate_eval *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!gate_once(e))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warning("%s", text);
}

/* What the rule has slept before it is asked again is over; what it sleeps
 * now goes on, whatever else has come meanwhile. */
enum gate_result
gate_sleep(struct gate_eval *e, uint32_t seconds)
{
	if (e->notes_now >= e->notes_done && e->ops->sleep != NULL &&
	    (e->probing || !e->ops->sleep(seconds, e->arg)))
		return GATE_PARKED;
	(void)gate_once(e);
	return GATE_DUNNO;
}

enum gate_result
gate_broken(struct gate_eval *e, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (!e->probing)
		log_warning("%s", why);
	e->broken = true;
	return gate_reply(e, GATE_DEFER, 451, "4.3.5",
	    "Server configuration error");
}

enum gate_result
gate_lookup_failed(struct gate_eval *e, struct span what)
{
	e->broken = true;
	return gate_reply(e, GATE_DEFER, 451, "4.3.0",
	    "<%.*s>: Temporary lookup failure", SPAN_ARG(what));
}

/* "action=permit_mynetworks for Client host=mx.example.net[192.0.2.7]". Not
 * when it is overruled by a doubt. */
static void
log_permit(struct gate_eval *e, const struct gate_rule *rule)
{
	struct buf subject, text;
	struct span class, name;
	const char *end;

	if (rule->class != NULL || e->if_permit.reply != NULL ||
	    !gate_logs_permit(e->gate, rule->is->name))
		return;
	buf_init(&subject, GATE_REPLY_MAX);
	buf_init(&text, 2 * GATE_REPLY_MAX);
	gate_subject(e, &subject);
	name = class = buf_span(&subject);
	end = memmem(name.p, name.n, ">: ", 3);
	if (end != NULL) {
		name = span_of(name.p + 1, (size_t)(end - name.p) - 1);
		class = span_sub(class, name.n + 4, class.n);
	}
	buf_fmt(&text, "action=%s for %.*s=%.*s", rule->is->name,
	    SPAN_ARG(class), SPAN_ARG(name));
	gate_note(e, "permit", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&subject);
}

/* gate_ops.count. */
static void
count(struct gate_eval *e, const struct gate_rule *rule, enum gate_result r,
    bool warn)
{
	static const char *const names[] = { [GATE_PERMIT] = "permit",
		[GATE_REJECT] = "reject", [GATE_DEFER] = "defer",
		[GATE_DEFER_IF_PERMIT] = "defer_if_permit",
		[GATE_DEFER_IF_REJECT] = "defer_if_reject" };
	bool final = r == GATE_PERMIT || ((r == GATE_REJECT ||
	    r == GATE_DEFER) && !warn);

	if (r == GATE_DUNNO || r == GATE_PARKED || e->ops->count == NULL)
		return;
	if (!e->counted && gate_once(e))
		e->ops->count(gate_list(e->gate, e->stage)->param,
		    gate_rule_name(rule), rule->arg,
		    warn && r != GATE_PERMIT ? "warn" : names[r], e->arg);
	e->counted = final;
}

/* One rule. What warn_if_reject covers is logged instead of told. */
static enum gate_result
run_rule(struct gate_eval *e, const struct gate_rule *rule)
{
	bool was = e->warning, warn = was || rule->warn;
	enum gate_result r;

	e->broken = false;
	e->warning = warn;	/* also for what stands in a class */
	r = rule->is->fn(e, rule);
	e->warning = was;
	if (e->probing)
		return r;
	if (e->ops->trace != NULL)
		e->ops->trace(e, rule, r, e->depth, e->arg);
	count(e, rule, r, warn && !e->broken);
	if (r == GATE_PERMIT)
		log_permit(e, rule);
	if (warn && !e->broken && r != GATE_DUNNO &&
	    r != GATE_PERMIT && r != GATE_PARKED) {
		gate_note(e, "reject_warning", e->reply);
		return GATE_DUNNO;
	}
	if (r == GATE_DEFER_IF_PERMIT)
		remember(e, rule, &e->if_permit);
	else if (r == GATE_DEFER_IF_REJECT)
		remember(e, rule, &e->if_reject);
	else
		return r;
	return GATE_DUNNO;
}

/* Whatever the rest of the list says, the client is told to come again. */
static bool
decided(const struct gate_eval *e)
{
	return e->if_permit.reply != NULL && e->if_reject.reply != NULL;
}

/* A rule is parked: lets those behind it ask, so that look-ups of one list
 * run together. One that must wait for its turn ends it. */
static void
probe(struct gate_eval *e, const struct gate_list *l)
{
	unsigned lists = e->lists;
	enum gate_result r;
	size_t i;

	e->probing = true;
	for (i = e->rule + 1; i < l->n; i++) {
		if (l->rules[i].is->flags & GATE_IN_ORDER)
			break;
		r = run_rule(e, &l->rules[i]);
		if (r == GATE_PERMIT || r == GATE_REJECT || r == GATE_DEFER)
			break;
	}
	e->probing = false;
	e->lists = lists;
}

/* Rules of the present list from e->rule on; DUNNO at its end. */
static enum gate_result
run_list(struct gate_eval *e, const struct gate_list *l)
{
	enum gate_result r;

	for (; e->rule < l->n && !decided(e); e->rule++, e->notes_done = 0) {
		e->notes_now = e->lists = 0;
		e->counted = false;
		r = run_rule(e, &l->rules[e->rule]);
		if (r == GATE_DUNNO)
			continue;
		if (r != GATE_PARKED) {
			e->by = &l->rules[e->rule];
			e->by_list = l;
			e->notes_done = 0;
		} else if (!(l->rules[e->rule].is->flags & GATE_IN_ORDER))
			probe(e, l);
		return r;
	}
	return GATE_DUNNO;
}

/* --- lists inside a rule: classes, and what tables name --- */

/* Inside a rule nothing is remembered of where it was: it begins anew. */
static bool
list_enter(struct gate_eval *e)
{
	if (e->lists >= GATE_LISTS_MAX)
		return false;
	e->lists++;
	e->depth++;
	return true;
}

enum gate_result
gate_run_class(struct gate_eval *e, const struct gate_rule *rule)
{
	const struct gate_list *l = rule->class;
	enum gate_result r = GATE_DUNNO;
	size_t i;

	if (!list_enter(e))
		return gate_broken(e, "%s: too many lists inside one rule",
		    l->param);
	for (i = 0; i < l->n && r == GATE_DUNNO && !decided(e); i++) {
		if (e->probing && (l->rules[i].is->flags & GATE_IN_ORDER))
			r = GATE_PARKED;
		else if (!gate_has_input(e, &l->rules[i]))
			r = gate_broken(e, "%s: no input yet for \"%s\"",
			    l->param, gate_rule_name(&l->rules[i]));
		else
			r = run_rule(e, &l->rules[i]);
	}
	e->depth--;
	return r;
}

/* Rules here are made for the moment: a check keeps none of them. */
enum gate_result
gate_run_words(struct gate_eval *e, struct span words)
{
	enum gate_result r = GATE_DUNNO;
	struct gate_rule rule;
	struct buf why;
	int got = 1;

	if (!list_enter(e))
		return gate_broken(e, "restrictions from a table: too many "
		    "lists: \"%.*s\"", SPAN_ARG(words));
	buf_init(&why, 512);
	while (r == GATE_DUNNO && !decided(e) &&
	    (got = gate_rule_next(e->gate, e->stage, &words, &rule,
	    &why)) == 1) {
		if (e->probing && (rule.is->flags & GATE_IN_ORDER))
			r = GATE_PARKED;
		else if (!gate_has_input(e, &rule))
			r = gate_broken(e, "restrictions from a table: no "
			    "input yet for \"%s\"", gate_rule_name(&rule));
		else
			r = run_rule(e, &rule);
		gate_rule_fini(&rule);
	}
	if (got < 0)
		r = gate_broken(e, "restrictions from a table: %s",
		    buf_cstr(&why));
	buf_fini(&why);
	e->depth--;
	return r;
}

/* --- facts --- */

const struct dns_answer *
gate_dns(struct gate_eval *e, const char *name, enum dns_type type)
{
	static const struct dns_answer none = { .result = DNS_TEMPFAIL,
		.why = "no DNS" };

	return e->ops->dns == NULL ? &none : e->ops->dns(name, type, e->arg);
}

enum table_result
gate_look_up(struct gate_eval *e, struct table *t, struct span key,
    struct buf *out, struct err *err)
{
	return e->ops->table == NULL ? table_look_up(t, key, out, err) :
	    e->ops->table(t, key, out, err, e->arg);
}

/* --- the chain --- */

/* What is looked at behind a list that was good: is there such a sender, such
 * a recipient? Before it comes what some rule could not decide. Who is to be
 * fooled by DISCARD is not told that either. */
static gate_check_fn *
behind(const struct gate_eval *e)
{
	if (e->facts->discard)
		return NULL;
	if (e->stage == GATE_SENDER &&
	    gate_conf(e->gate)->smtpd_reject_unlisted_sender)
		return reject_unlisted_sender;
	if (e->stage == GATE_RECIPIENT && e->if_permit.reply == NULL &&
	    gate_wants_unlisted(e->gate))
		return reject_unlisted_recipient;
	return NULL;
}

/* The parameter that has it looked at stands for the list. */
static void
count_unlisted(struct gate_eval *e, gate_check_fn *check, enum gate_result r)
{
	bool sender = check == reject_unlisted_sender;

	e->ops->count(sender ? "smtpd_reject_unlisted_sender" :
	    "smtpd_reject_unlisted_recipient", sender ?
	    "reject_unlisted_sender" : "reject_unlisted_recipient", NULL,
	    r == GATE_REJECT ? "reject" : "defer", e->arg);
}

/*
 * The list, and behind it the unlisted check, even when the list said permit
 * (as Postfix: an unknown user is never accepted by luck).
 */
static enum gate_result
run_stage(struct gate_eval *e)
{
	enum gate_result r = GATE_DUNNO;
	gate_check_fn *check;

	if (!e->list_done)
		r = run_list(e, gate_list(e->gate, e->stage));
	if (r != GATE_DUNNO && r != GATE_PERMIT)
		return r;
	if ((check = behind(e)) == NULL)
		return r;
	e->list_done = true;
	r = check(e, NULL);
	if (r != GATE_DUNNO && r != GATE_PARKED) {
		if (e->ops->count != NULL)
			count_unlisted(e, check, r);
		e->by = NULL;
		e->by_list = NULL;
	}
	return r;
}

/* A doubt about a reject holds for its own list; the two lists of RCPT count
 * as one. */
static void
stage_over(struct gate_eval *e)
{
	if (e->stage != GATE_RELAY)
		forget(&e->if_reject);
}

/* The helo list judges a HELO. Who sent none is smtpd_helo_required's. */
static bool
is_unsaid(const struct gate_eval *e)
{
	return e->stage == GATE_HELO && e->facts->helo[0] == '\0';
}

enum gate_result
gate_run(struct gate_eval *e)
{
	enum gate_result r;

	/* What is thrown away anyhow is judged no more, as in Postfix: also
	 * who may not relay is told 250. */
	for (; e->stage < GATE_STAGES && !e->facts->discard; e->stage++) {
		if (!(e->stages & 1u << e->stage) || is_unsaid(e))
			continue;
		r = run_stage(e);
		if (r == GATE_PARKED)
			return r;
		if (r == GATE_REJECT && e->if_reject.reply != NULL)
			return told_instead(e, &e->if_reject);
		if (r == GATE_REJECT || r == GATE_DEFER)
			return r;
		stage_over(e);
		e->rule = 0;
		e->list_done = false;
	}
	if (e->if_permit.reply != NULL && !e->carries)
		return told_instead(e, &e->if_permit);
	return GATE_PERMIT;
}

void
gate_carry(struct gate_eval *e, const char *reply)
{
	if (reply != NULL)
		e->if_permit.reply = xstrdup(reply);
}

char *
gate_carried(struct gate_eval *e)
{
	char *reply = e->carries ? e->if_permit.reply : NULL;

	if (e->carries)
		e->if_permit.reply = NULL;
	return reply;
}
