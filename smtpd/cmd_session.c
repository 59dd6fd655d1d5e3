/* Commands about the session: HELO EHLO RSET NOOP HELP QUIT. */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "smtpd/command.h"
#include "smtpd/ehlo.h"

/* --- HELO, EHLO --- */

static enum step
helo_judged(struct session *s, enum gate_result r)
{
	if (r != GATE_PERMIT) {
		session_log_reject(s, s->where, s->judge->eval.reply,
		    SPAN_NONE);
		session_reply(s, s->judge->eval.reply);
		free(s->helo);
		s->helo = NULL;
	} else if (s->esmtp)
		ehlo_reply(s);
	else
		session_replyf(s, "250 %s", session_conf(s)->myhostname);
	judge_end(s);
	return STEP_NEXT;
}

/* It goes into headers and logs: printable, and nothing that could close
 * what we put around it. */
static char *
printable(struct span args)
{
	char *name = xmalloc(args.n + 1), *to = name;
	struct span word;
	size_t i;

	while (span_word(&args, &word)) {
		if (to != name)
			*to++ = '?';
		for (i = 0; i < word.n; i++)
			*to++ = (unsigned char)word.p[i] <= 0x20 ||
			    word.p[i] == 0x7f ||
			    strchr("<>()\\\";@", word.p[i]) != NULL ? '?' :
			    word.p[i];
	}
	*to = '\0';
	return name;
}

static enum step
helo(struct session *s, struct span args, bool esmtp)
{
	if (args.n == 0 || args.n > HELO_MAX) {
		session_replyf(s, "501 Syntax: %s hostname",
		    esmtp ? "EHLO" : "HELO");
		return STEP_NEXT;
	}
	session_reset(s);
	judge_forget(s, GATE_HELO);
	s->esmtp = esmtp;
	free(s->helo);
	s->helo = printable(args);
	return judge_begin(s, GATE_AT_HELO, SPAN_NONE, SPAN_NONE,
	    helo_judged);
}

enum step
cmd_helo(struct session *s, struct span args)
{
	return helo(s, args, false);
}

enum step
cmd_ehlo(struct session *s, struct span args)
{
	return helo(s, args, true);
}

/* --- the rest --- */

enum step
cmd_rset(struct session *s, struct span args)
{
	if (args.n > 0) {
		session_reply(s, "501 5.5.4 Syntax: RSET");
		return STEP_NEXT;
	}
	session_reset(s);
	session_reply(s, "250 2.0.0 Ok");
	return STEP_NEXT;
}

enum step
cmd_noop(struct session *s, struct span args)
{
	session_reply(s, "250 2.0.0 Ok");
	return STEP_NEXT;
}

enum step
cmd_help(struct session *s, struct span args)
{
	session_reply(s, "214 2.0.0 Commands: HELO EHLO STARTTLS AUTH MAIL "
	    "RCPT DATA BDAT RSET NOOP VRFY ETRN HELP QUIT");
	return STEP_NEXT;
}

enum step
cmd_quit(struct session *s, struct span args)
{
	session_reply(s, "221 2.0.0 Bye");
	stream_peer_done(s->stream);
	return STEP_CLOSE;
}
