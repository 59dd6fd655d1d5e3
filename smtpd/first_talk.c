#include "smtpd/first_int.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/verdict_count.h"

/* --- the tests as data --- */

static const struct {
	enum pass_test test;
	const char *event;	/* in the log */
	size_t action;		/* in struct conf */
	size_t counter;		/* in struct first */
} tests[] = {
	{ PASS_PIPELINING, "COMMAND PIPELINING",
	  offsetof(struct conf, postscreen_pipelining_action),
	  offsetof(struct first, stat.pipelining) },
	{ PASS_NON_SMTP, "NON-SMTP COMMAND",
	  offsetof(struct conf, postscreen_non_smtp_command_action),
	  offsetof(struct first, stat.non_smtp_command) },
	{ PASS_BARE_NEWLINE, "BARE NEWLINE",
	  offsetof(struct conf, postscreen_bare_newline_action),
	  offsetof(struct first, stat.bare_newline) },
};

static size_t
row_of(enum pass_test t)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(tests); i++)
		if (tests[i].test == t)
			return i;
	ps_assert(!"a test of the dialogue");
	return 0;
}

static enum first_action
action_of(const struct session *s, size_t row)
{
	const char *word;

	memcpy(&word, (const char *)session_conf(s) + tests[row].action,
	    sizeof(word));
	return first_action_of(word);
}

/* --- what a session knows --- */

void
first_take(struct session *s, struct first_verdict *v)
{
	s->first = *v;
	*v = (struct first_verdict){ .todo = 0 };
}

void
first_forget(struct session *s)
{
	free(s->first.refusal);
	s->first = (struct first_verdict){ .todo = 0 };
}

void
first_anew(struct session *s)
{
	const struct manners *m = s->prof->manners;
	enum iplist_verdict verdict;
	struct first_verdict v = { .watched = true };
	struct pass_left left;
	const char *by;

	first_forget(s);
	if (!m->first_contact || s->may_xclient ||
	    strcmp(s->ip, "unknown") == 0)
		return;
	verdict = iplist_find(m->first_access, s->ip, &s->addr, &by);
	if (verdict == IPLIST_PERMIT)
		return;
	pass_key_set(&v.key, &s->addr);
	if (verdict == IPLIST_REJECT && first_action_of(
	    session_conf(s)->postscreen_denylist_action) != FIRST_IGNORE) {
		log_info("DENYLISTED [%s]:%s", s->ip, s->port);
		s->srv->first->stat.denylisted++;
		v.refusal = xstrdup("550 " FIRST_UNAVAILABLE);
	} else {
		(void)passes_get(s->srv->first->own, pass_key_span(&v.key),
		    first_now_s(s->srv), &left);
		v.todo = (uint8_t)(first_tests(s->prof) & ~PASS_EARLY &
		    pass_missing(&left));
	}
	first_take(s, &v);
}

const char *
first_refusal(const struct session *s)
{
	return session_authenticated(s) ? NULL : s->first.refusal;
}

bool
first_withholds_pipelining(const struct session *s)
{
	return s->first.todo & PASS_BIT(PASS_PIPELINING);
}

/* --- what it shows --- */

/* The test is over, and not passed; false: it was not being made. */
static bool
note(struct session *s, size_t row, const char *where, struct span text)
{
	uint64_t *counter = (void *)((char *)s->srv->first +
	    tests[row].counter);

	if (!(s->first.todo & PASS_BIT(tests[row].test)))
		return false;
	s->first.todo &= (uint8_t)~PASS_BIT(tests[row].test);
	(*counter)++;
	verdict_count(s->srv, "smtpd_first_contact",
	    pass_names[tests[row].test], NULL, action_of(s, row) ==
	    FIRST_IGNORE ? "warn" : "reject");
	log_info("%s from [%s]:%s after %s%s%.*s", tests[row].event, s->ip,
	    s->port, where, text.n > 0 ? ": " : "",
	    (int)MIN(text.n, (size_t)100), text.n > 0 ? text.p : "");
	return true;
}

void
first_bare_newline(struct session *s)
{
	(void)note(s, row_of(PASS_BARE_NEWLINE), s->where, SPAN_NONE);
}

bool
first_failed(struct session *s, enum pass_test t, const char *where,
    struct span text)
{
	size_t row = row_of(t);

	if (!note(s, row, where, text))
		return false;
	switch (action_of(s, row)) {
	case FIRST_IGNORE:
		break;
	case FIRST_ENFORCE:
		if (s->first.refusal == NULL)
			s->first.refusal =
			    xstrdup("550 " FIRST_PROTOCOL_ERROR);
		break;
	case FIRST_DROP:
		session_reply(s, "521 " FIRST_PROTOCOL_ERROR);
		return true;
	}
	return false;
}

static void
passed(struct session *s, unsigned bits)
{
	bits &= s->first.todo;
	if (bits == 0)
		return;
	s->first.todo &= (uint8_t)~bits;
	first_passed(s->srv, session_conf(s), &s->first.key, bits, false);
}

void
first_at_rcpt(struct session *s)
{
	passed(s, PASS_BIT(PASS_PIPELINING) | PASS_BIT(PASS_NON_SMTP));
}

void
first_at_text_end(struct session *s)
{
	passed(s, PASS_BIT(PASS_BARE_NEWLINE));
}
