/*
 * From plain to TLS: STARTTLS, implicit TLS, and what the handshake has shown
 * about the client.
 */
#include <stdlib.h>

#include "base/log.h"
#include "smtpd/command.h"
#include "smtpd/ehlo.h"
#include "smtpd/limits.h"

void
session_tls_begin(struct session *s)
{
	session_enter(s, SESSION_TLS);
	session_clock_tls(s);
	stream_tls_ask_ccert(s->stream, s->prof->ccert);
	s->tls_dropped = stream_tls_accept(s->stream, s->srv->certs) > 0;
}

bool
session_may_tls(const struct session *s)
{
	return !s->tls && !ehlo_discards(s, EHLO_STARTTLS) &&
	    certs_usable(s->srv->certs) &&
	    strcmp(session_conf(s)->smtpd_tls_security_level, "none") != 0;
}

/* No limit is in the way. */
static enum step
starttls(struct session *s, struct span args)
{
	session_reply(s, "220 2.0.0 Ready to start TLS");
	session_reset(s);
	judge_forget(s, GATE_HELO);
	free(s->helo);		/* RFC 3207 4.2: all is forgotten */
	s->helo = NULL;
	s->esmtp = false;
	session_tls_begin(s);
	return s->tls_dropped ? STEP_CLOSE : STEP_MORE_INPUT;
}

enum step
cmd_starttls(struct session *s, struct span args)
{
	if (args.n > 0) {
		session_reply(s, "501 5.5.4 Syntax: STARTTLS");
		return STEP_NEXT;
	}
	if (s->tls) {
		session_reply(s, "554 5.5.1 Error: TLS already active");
		return STEP_NEXT;
	}
	if (!session_may_tls(s)) {
		session_reply(s, "502 5.5.1 Error: command not implemented");
		return STEP_NEXT;
	}
	/* S3: what came in the clear behind STARTTLS must never be taken for
	 * what came in TLS. Such a client is broken or attacked: no TLS. */
	if (buf_len(stream_in(s->stream)) > 0) {
		log_info("improper command pipelining after STARTTLS from %s",
		    session_peer(s));
		session_reply(s,
		    "554 5.5.0 Error: SMTP protocol synchronization");
		return STEP_CLOSE;
	}
	return limits_handshake(s, args, starttls);
}

/* In Postfix's words, so that its log tools count them. */
static void
log_secured(const struct session *s, const struct stream_tls *tls)
{
	const struct ccert *c = s->ccert;

	if (c != NULL)
		log_info("%s: subject_CN=%s, issuer=%s, fingerprint=%s, "
		    "pkey_fingerprint=%s", session_peer(s), c->subject,
		    c->issuer, c->fingerprint, c->pubkey_fingerprint);
	log_info("%s TLS connection established from %s: %s with cipher %s "
	    "(%d/%d bits)", c == NULL ? "Anonymous" : c->trusted ? "Trusted" :
	    "Untrusted", session_peer(s), tls->protocol, tls->cipher,
	    tls->bits, tls->alg_bits);
}

/* --- smtpd_tls_req_ccert, and there is none that we trust --- */

static const char *
what_lacks(const struct session *s)
{
	return s->ccert == NULL ? "No client certificate presented" :
	    "Client certificate not trusted";
}

enum step
session_want_ccert(struct session *s)
{
	session_replyf(s, "421 4.7.1 %s Error: %s",
	    session_conf(s)->myhostname, what_lacks(s));
	return STEP_CLOSE;
}

/* After STARTTLS the client speaks next, and hears it then: who closes while
 * the other writes is not understood. */
static bool
lacks_ccert(struct session *s)
{
	if (ccert_suffices(s->prof->ccert, s->ccert))
		return false;
	log_info("NOQUEUE: abort: TLS from %s: %s", session_peer(s),
	    what_lacks(s));
	s->lacks_ccert = true;
	return true;
}

/* The handshake is over, and no limit is in the way. */
static enum step
go_on(struct session *s, struct span args)
{
	bool lacks = lacks_ccert(s);

	session_clock(s);
	if (s->cmd == NULL)		/* implicit TLS: nothing said yet */
		return lacks ? session_want_ccert(s) : session_greeting(s);
	session_enter(s, SESSION_COMMAND);
	return STEP_NEXT;
}

void
session_secured(struct session *s)
{
	struct stream_tls tls = { .resumed = false };

	s->tls = true;
	ccert_free(&s->ccert);
	s->ccert = stream_ccert(s->stream);
	if (stream_tls_info(s->stream, &tls))
		log_secured(s, &tls);
	session_continue(s, tls.resumed ? go_on(s, SPAN_NONE) :
	    limits_new_tls(s, go_on));
}
