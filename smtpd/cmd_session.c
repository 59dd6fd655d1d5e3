/* Commands about the session: HELO EHLO RSET NOOP VRFY HELP QUIT. */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "mail/address.h"
#include "smtpd/command.h"
#include "smtpd/reply.h"
#include "smtpd/sasl.h"
#include "smtpd/xattr.h"

/* --- HELO, EHLO --- */

/* One line of the EHLO reply; a row is left out when `when` says false. */
struct feature {
	const char *keyword;
	bool (*when)(const struct session *s);
	void (*value)(const struct session *s, struct buf *out);
};

static void
size_value(const struct session *s, struct buf *out)
{
	buf_dec(out, (uint64_t)session_conf(s)->message_size_limit);
}

static bool
when_xclient(const struct session *s)
{
	return s->may_xclient;
}

static void
xclient_value(const struct session *s, struct buf *out)
{
	xattrs_names(XATTR_XCLIENT, out);
}

static bool
when_xforward(const struct session *s)
{
	return s->may_xforward;
}

static void
xforward_value(const struct session *s, struct buf *out)
{
	xattrs_names(XATTR_XFORWARD, out);
}

static const struct feature features[] = {
	{ "PIPELINING", NULL, NULL },
	{ "SIZE", NULL, size_value },
	{ "STARTTLS", session_may_tls, NULL },
	{ "AUTH", sasl_offered, sasl_mechanisms },
	{ "XCLIENT", when_xclient, xclient_value },
	{ "XFORWARD", when_xforward, xforward_value },
	{ "ENHANCEDSTATUSCODES", NULL, NULL },
	{ "8BITMIME", NULL, NULL },
	{ "DSN", NULL, NULL },
	{ "SMTPUTF8", NULL, NULL },
	{ "CHUNKING", NULL, NULL },
};

static void
ehlo_reply(struct session *s)
{
	struct buf *out = stream_out(s->stream);
	struct buf line;
	size_t i, n;

	buf_init(&line, REPLY_LINE_MAX);
	session_reply_begins(s);
	reply_part(out, 250, false, "%s", session_conf(s)->myhostname);
	n = ARRAY_LEN(features);
	for (i = 0; i < n; i++) {
		const struct feature *f = &features[i];

		if (f->when != NULL && !f->when(s))
			continue;
		buf_clear(&line);
		buf_str(&line, f->keyword);
		if (f->value != NULL) {
			buf_char(&line, ' ');
			f->value(s, &line);
		}
		reply_part(out, 250, i + 1 == n, "%s", buf_cstr(&line));
	}
	buf_fini(&line);
}

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

/* RFC 5321 3.5.3: 252 tells nothing and is always right. */
enum step
cmd_vrfy(struct session *s, struct span args)
{
	if (session_conf(s)->disable_vrfy_command)
		session_reply(s, "502 5.5.1 VRFY command is disabled");
	else if (args.n == 0)
		session_reply(s, "501 5.5.4 Syntax: VRFY address");
	else
		session_reply(s, "252 2.0.0 Cannot VRFY user, but will take "
		    "message for this user and attempt delivery");
	return STEP_NEXT;
}

enum step
cmd_help(struct session *s, struct span args)
{
	session_reply(s, "214 2.0.0 Commands: HELO EHLO STARTTLS AUTH MAIL "
	    "RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
	return STEP_NEXT;
}

enum step
cmd_quit(struct session *s, struct span args)
{
	session_reply(s, "221 2.0.0 Bye");
	return STEP_CLOSE;
}
