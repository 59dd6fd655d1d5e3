/*
 * Questions about an address or a domain, outside a message: VRFY, ETRN.
 * s->asked is what they are about while the lists look at it.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "mail/address.h"
#include "smtpd/command.h"
#include "smtpd/rcpt.h"

static void
forget(struct session *s)
{
	judge_end(s);
	free(s->asked);
	s->asked = NULL;
}

static enum step
refused(struct session *s, struct span to)
{
	session_log_reject(s, s->where, s->judge->eval.reply, to);
	session_reply(s, s->judge->eval.reply);
	forget(s);
	return STEP_NEXT;
}

/* --- VRFY: what RCPT would say, as far as the lists go --- */

static enum step
vrfy_judged(struct session *s, enum gate_result r)
{
	if (r != GATE_PERMIT)
		return refused(s, span_str(s->asked));
	/* 252 and not 250: the lists let it pass, no one has looked further
	 * (RFC 5321 3.5.3). */
	session_replyf(s, "252 2.0.0 %s", s->asked);
	forget(s);
	return STEP_NEXT;
}

/* "kim@a.example" or "<kim@a.example>", then SMTPUTF8 or nothing. NULL, or
 * the reply that refuses it. */
static const char *
vrfy_parse(struct session *s, struct span args, struct address *a,
    struct buf *normal)
{
	struct span word, more;

	if (session_conf(s)->disable_vrfy_command)
		return "502 5.5.1 VRFY command is disabled";
	if (args.n == 0)
		return "501 5.5.4 Syntax: VRFY address [SMTPUTF8]";
	if (address_path(&args, ADDRESS_UTF8 | ADDRESS_LOOSE |
	    ADDRESS_NO_DOMAIN, a, NULL) != 0)
		return "501 5.1.3 Bad recipient address syntax";
	if (span_word(&args, &word)) {
		if (!span_is(word, "SMTPUTF8") || span_word(&args, &more))
			return "501 5.1.3 Bad recipient address syntax";
	} else if (a->utf8)
		return "553 5.6.7 Must declare SMTPUTF8 to send unicode "
		    "address";
	switch (rcpt_normal(s, a, normal)) {
	case 0:
		return NULL;
	case PS_ENOTFOUND:
		return rcpt_bare(a->text);
	default:
		return "501 5.1.3 Bad recipient address syntax";
	}
}

enum step
cmd_vrfy(struct session *s, struct span args)
{
	struct address a;
	struct buf normal;
	const char *refusal;
	enum step st = STEP_NEXT;

	buf_init(&normal, ADDRESS_MAX);
	refusal = vrfy_parse(s, args, &a, &normal);
	if (refusal != NULL) {
		session_reply(s, refusal);
	} else {
		s->asked = xmemdup0(a.text.p, a.text.n);
		st = judge_begin(s, GATE_AT_RCPT, span_str(s->asked),
		    buf_span(&normal), vrfy_judged);
	}
	buf_fini(&normal);
	return st;
}

/* --- ETRN (RFC 1985), with Postfix's replies --- */

/* Mail for elsewhere waits for the relay, which is not built: there is no
 * domain that could be flushed, and that is what is said. */
static enum step
etrn_judged(struct session *s, enum gate_result r)
{
	if (r != GATE_PERMIT)
		return refused(s, SPAN_NONE);
	log_warning("reject: ETRN %.100s... from %s", s->asked,
	    session_peer(s));
	session_replyf(s, "459 <%s>: service unavailable", s->asked);
	forget(s);
	return STEP_NEXT;
}

enum step
cmd_etrn(struct session *s, struct span args)
{
	struct span domain, more;

	if (s->helo == NULL && session_conf(s)->smtpd_helo_required) {
		session_reply(s, "503 Error: send HELO/EHLO first");
		return STEP_NEXT;
	}
	if (!span_word(&args, &domain) || span_word(&args, &more)) {
		session_reply(s, "500 Syntax: ETRN domain");
		return STEP_NEXT;
	}
	/* "@" is "and all below", "#" a queue: we know neither. */
	if (domain.p[0] == '@' || domain.p[0] == '#')
		domain = span_sub(domain, 1, domain.n);
	if (!address_is_domain(domain, 0) && !address_is_literal(domain)) {
		session_reply(s, "501 Error: invalid parameter syntax");
		return STEP_NEXT;
	}
	s->asked = xmemdup0(domain.p, domain.n);
	return judge_begin(s, GATE_AT_ETRN, SPAN_NONE, SPAN_NONE,
	    etrn_judged);
}
