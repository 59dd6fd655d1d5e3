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

void
gate_begin(struct gate_eval *e, const struct gate *g, unsigned stages,
    struct gate_facts *facts, const struct gate_ops *ops, void *arg)
{
	e->gate = g;
	e->ops = ops;
	e->arg = arg;
	e->facts = facts;
	e->stages = stages;
	e->stage = 0;
	e->rule = 0;
	e->list_done = false;
	e->reply[0] = '\0';
	e->by = NULL;
	e->notes_now = e->notes_done = e->lists = 0;
	e->if_permit = e->if_reject = NULL;
}

void
gate_end(struct gate_eval *e)
{
	free(e->if_permit);
	free(e->if_reject);
	e->if_permit = e->if_reject = NULL;
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
	case GATE_END_OF_DATA:
		buf_str(out, "<END-OF-MESSAGE>: End-of-data");
		break;
	case GATE_STAGES:
		break;
	}
}

/* Remembers the first reply of a kind: it is the one that is told. */
static void
remember(struct gate_eval *e, char **slot)
{
	if (*slot == NULL)
		*slot = xstrdup(e->reply);
}

static enum gate_result
told_instead(struct gate_eval *e, const char *reply)
{
	(void)snprintf(e->reply, sizeof(e->reply), "%s", reply);
	return GATE_DEFER;
}

void
gate_note(struct gate_eval *e, const char *what, const char *text)
{
	if (e->notes_now++ < e->notes_done)
		return;		/* said before it parked */
	e->notes_done = e->notes_now;
	if (e->ops->note != NULL)
		e->ops->note(what, text, e->arg);
}

/* One rule. What warn_if_reject covers is logged instead of told. */
static enum gate_result
run_rule(struct gate_eval *e, const struct gate_rule *rule)
{
	enum gate_result r = rule->is->fn(e, rule);

	if (rule->warn && r != GATE_DUNNO && r != GATE_PERMIT &&
	    r != GATE_PARKED) {
		gate_note(e, "reject_warning", e->reply);
		return GATE_DUNNO;
	}
	if (r == GATE_DEFER_IF_PERMIT)
		remember(e, &e->if_permit);
	else if (r == GATE_DEFER_IF_REJECT)
		remember(e, &e->if_reject);
	else
		return r;
	return GATE_DUNNO;
}

/* Rules of the present list from e->rule on; DUNNO at its end. */
static enum gate_result
run_list(struct gate_eval *e, const struct gate_list *l)
{
	enum gate_result r;

	for (; e->rule < l->n; e->rule++, e->notes_done = 0) {
		e->notes_now = e->lists = 0;
		r = run_rule(e, &l->rules[e->rule]);
		if (r == GATE_DUNNO)
			continue;
		if (r != GATE_PARKED) {
			e->by = &l->rules[e->rule];
			e->notes_done = 0;
		}
		return r;
	}
	return GATE_DUNNO;
}

/* --- lists that a table names --- */

static enum gate_result
misconfigured(struct gate_eval *e, const char *what, struct span word)
{
	log_warning("restrictions from a table: %s \"%.*s\"", what,
	    SPAN_ARG(word));
	return gate_reply(e, GATE_DEFER, 451, "4.3.5",
	    "Server configuration error");
}

static const struct gate_restriction *
row(struct span word)
{
	size_t n, i;
	const struct gate_restriction *t = gate_restrictions(&n);

	for (i = 0; i < n; i++)
		if (span_is(word, t[i].name))
			return &t[i];
	return NULL;
}

/* The input of a rule that no one checked at start must be there now. */
static bool
has_input(const struct gate_eval *e, const struct gate_restriction *is)
{
	if (!(is->stages & 1u << e->stage))
		return false;
	return gate_conf(e->gate)->smtpd_delay_reject ||
	    e->stage > GATE_SENDER || (is->stages & 1u << GATE_DATA);
}

/* Rules here are made for the moment: a check keeps none of them. */
enum gate_result
gate_run_words(struct gate_eval *e, struct span words)
{
	enum gate_result r = GATE_DUNNO;
	struct gate_rule rule;
	struct span word, arg;

	if (e->lists >= GATE_LISTS_MAX)
		return misconfigured(e, "too many lists:", words);
	e->lists++;
	while (r == GATE_DUNNO && gate_word_next(&words, &word)) {
		rule = (struct gate_rule){ .warn = false };
		if (span_is(word, "warn_if_reject")) {
			rule.warn = true;
			if (!gate_word_next(&words, &word))
				return misconfigured(e, "nothing behind",
				    word);
		}
		rule.is = row(word);
		if (rule.is == NULL || !has_input(e, rule.is))
			return misconfigured(e, rule.is == NULL ?
			    "unknown restriction" : "no input yet for", word);
		if (rule.is->arg == GATE_ARG_TABLE) {
			if (!gate_word_next(&words, &arg) ||
			    (rule.table = gate_table(e->gate, arg)) == NULL)
				return misconfigured(e, "no list in the "
				    "configuration opens the table of", word);
		}
		r = run_rule(e, &rule);
	}
	return r;
}

/*
 * The list, and behind the recipient list the unlisted check, even when the
 * list said permit (as Postfix: an unknown user is never accepted by luck).
 */
static enum gate_result
run_stage(struct gate_eval *e)
{
	enum gate_result r = GATE_DUNNO;

	if (!e->list_done)
		r = run_list(e, gate_list(e->gate, e->stage));
	if (r != GATE_DUNNO && r != GATE_PERMIT)
		return r;
	if (e->stage != GATE_RECIPIENT || !gate_wants_unlisted(e->gate))
		return r;
	e->list_done = true;
	r = gate_unlisted_recipient(e);
	if (r != GATE_DUNNO && r != GATE_PARKED)
		e->by = NULL;
	return r;
}

enum gate_result
gate_run(struct gate_eval *e)
{
	enum gate_result r;

	for (; e->stage < GATE_STAGES; e->stage++) {
		if (!(e->stages & 1u << e->stage))
			continue;
		r = run_stage(e);
		if (r == GATE_PARKED)
			return r;
		if (r == GATE_REJECT && e->if_reject != NULL)
			return told_instead(e, e->if_reject);
		if (r == GATE_REJECT || r == GATE_DEFER)
			return r;
		e->rule = 0;
	}
	if (e->if_permit != NULL)
		return told_instead(e, e->if_permit);
	return GATE_PERMIT;
}
