#include "smtpd/command.h"

#include <stdio.h>

#include "base/log.h"
#include "smtpd/reply.h"

static enum step
cmd_unknown(struct session *s, struct span args)
{
	session_reply(s, "500 5.5.2 Error: command not recognized");
	return STEP_NEXT;
}

#define AFTER_BDAT	"503 5.5.1 Error: out of place between BDAT commands"

/* In the order in which the disconnect line names them. */
const struct command commands[] = {
	{ "HELO", IN_ANY, COMMAND_JUNK | COMMAND_LAST | COMMAND_PRE_TLS,
	  NULL, cmd_helo },
	{ "EHLO", IN_ANY, COMMAND_JUNK | COMMAND_LAST | COMMAND_PRE_TLS,
	  NULL, cmd_ehlo },
	{ "STARTTLS", IN_ANY & ~IN_CHUNKS, COMMAND_PRE_TLS, NULL,
	  cmd_starttls },
	{ "AUTH", IN_START | IN_READY, 0,
	  "503 5.5.1 Error: MAIL transaction in progress", cmd_auth },
	{ "MAIL", IN_START | IN_READY, 0,
	  "503 5.5.1 Error: nested MAIL command", cmd_mail },
	{ "RCPT", IN_MAIL | IN_RCPT, 0,
	  "503 5.5.1 Error: need MAIL command", cmd_rcpt },
	{ "DATA", IN_MAIL | IN_RCPT, COMMAND_LAST,
	  "503 5.5.1 Error: need RCPT command", cmd_data },
	{ "BDAT", IN_ANY, 0, NULL, cmd_bdat },
	{ "RSET", IN_ANY, COMMAND_JUNK, NULL, cmd_rset },
	{ "NOOP", IN_ANY, COMMAND_JUNK | COMMAND_PRE_TLS, NULL, cmd_noop },
	{ "VRFY", IN_ANY, COMMAND_JUNK | COMMAND_LAST, NULL, cmd_vrfy },
	{ "ETRN", IN_START | IN_READY, COMMAND_JUNK,
	  "503 Error: MAIL transaction in progress", cmd_etrn },
	{ "HELP", IN_ANY, COMMAND_JUNK | COMMAND_PRE_TLS, NULL, cmd_help },
	{ "XCLIENT", IN_START | IN_READY, COMMAND_LAST,
	  "503 5.5.1 Error: MAIL transaction in progress", cmd_xclient },
	{ "XFORWARD", IN_START | IN_READY, 0,
	  "503 5.5.1 Error: MAIL transaction in progress", cmd_xforward },
	{ "QUIT", IN_ANY, COMMAND_PRE_TLS, NULL, cmd_quit },
	{ "UNKNOWN", IN_ANY, 0, NULL, cmd_unknown },
};
const size_t n_commands = ARRAY_LEN(commands);
const struct command *const command_unknown =
    &commands[ARRAY_LEN(commands) - 1];

_Static_assert(ARRAY_LEN(commands) <= COMMANDS_MAX, "session.counts");

/* Verbs of other protocols, and header lines: a web page that posts to us must
 * not be able to go on until it finds a line we understand (S30). */
static bool
is_foreign(const struct session *s, struct span verb)
{
	return span_chr(verb, ':') > 0 ||
	    matchlist_has(s->prof->manners->forbidden, verb);
}

static const struct command *
find(struct span verb)
{
	size_t i;

	for (i = 0; i + 1 < n_commands; i++)
		if (span_is(verb, commands[i].verb))
			return &commands[i];
	return command_unknown;
}

static unsigned
phase(const struct session *s)
{
	if (s->txn != NULL && s->txn->bdat)
		return IN_CHUNKS;
	if (s->txn != NULL)
		return s->txn->n_accepted == 0 ? IN_MAIL : IN_RCPT;
	return s->helo == NULL ? IN_START : IN_READY;
}

/* What comes behind a command that ends a group was sent before our reply
 * was known: RFC 2920 forbids it, and mailers that blast do it (S38). */
static bool
talks_ahead(struct session *s, const struct command *c)
{
	struct span more = buf_span(stream_in(s->stream));

	/* Without EHLO nobody has offered PIPELINING. */
	if (more.n > 0 && !s->esmtp && c->fn != cmd_bdat)
		s->talked_ahead = true;
	if (more.n > 0 && c->fn != cmd_bdat &&
	    first_failed(s, PASS_PIPELINING, c->verb, more))
		return true;
	if (!(c->flags & COMMAND_LAST) || more.n == 0)
		return false;
	log_info("improper command pipelining after %s from %s: %.*s",
	    c->verb, session_peer(s), (int)MIN(more.n, (size_t)100), more.p);
	session_reply(s, "554 5.5.0 Error: SMTP protocol synchronization");
	return true;
}

/* Reasons that hold for any command; true when one was told. */
static bool
held_off(struct session *s, const struct command *c)
{
	if (s->refused && c->fn != cmd_quit) {
		session_replyf(s, "503 5.7.0 Error: access denied for %s",
		    session_peer(s));
		return true;
	}
	if (!s->tls && !(c->flags & COMMAND_PRE_TLS) &&
	    strcmp(session_conf(s)->smtpd_tls_security_level,
	    "encrypt") == 0) {
		session_reply(s,
		    "530 5.7.0 Must issue a STARTTLS command first");
		return true;
	}
	if (!(c->phases & phase(s))) {
		session_reply(s, phase(s) == IN_CHUNKS ? AFTER_BDAT :
		    c->wrong);
		return true;
	}
	return false;
}

/* A line that is one, from the client or from the filter. */
static enum step
line_run(struct session *s, struct span line)
{
	const struct command *c;
	const char *before = s->where;
	struct span verb, args = span_trim(line);

	if (!span_word(&args, &verb)) {
		s->cmd = command_unknown;
		session_reply(s, "500 5.5.2 Error: bad syntax");
		return STEP_NEXT;
	}
	c = s->cmd = find(matchlist_has(s->prof->manners->noops, verb) ?
	    SPAN_LIT("NOOP") : verb);
	s->where = c->verb;
	if (c == command_unknown && is_foreign(s, verb)) {
		log_warning("non-SMTP command from %s: %.*s", session_peer(s),
		    (int)MIN(line.n, (size_t)100), line.p);
		if (!first_failed(s, PASS_NON_SMTP, before, line))
			session_reply(s, "221 2.7.0 Error: I can break "
			    "rules, too. Goodbye.");
		return STEP_CLOSE;
	}
	if (talks_ahead(s, c))
		return STEP_CLOSE;
	/* A chunk's bytes follow whatever is wrong with its command. */
	if (c->fn != cmd_bdat && held_off(s, c))
		return STEP_NEXT;
	return c->fn(s, span_trim(args));
}

/* smtpd_command_filter. What a client meant that says something else can't be
 * known while the table fails. */
static enum step
filter_run(struct session *s, struct span line)
{
	struct buf other;
	char reply[320];
	enum step st;

	buf_init(&other, TABLE_VALUE_MAX);
	switch (matchlist_find(s->prof->manners->filter, line, &other)) {
	case TABLE_FOUND:
		log_info("%s: replacing command \"%.*s\" with \"%.*s\"",
		    session_peer(s), (int)MIN(line.n, (size_t)100), line.p,
		    (int)MIN(buf_len(&other), (size_t)100),
		    buf_data(&other));
		st = line_run(s, buf_span(&other));
		break;
	case TABLE_NOTFOUND:
		st = line_run(s, line);
		break;
	default:
		(void)snprintf(reply, sizeof(reply), "421 4.3.0 %s Server "
		    "local data error", session_conf(s)->myhostname);
		session_log_reject(s, s->where, reply, SPAN_NONE);
		session_reply(s, reply);
		st = STEP_CLOSE;
		break;
	}
	buf_fini(&other);
	return st;
}

enum step
command_run(struct session *s, struct span line)
{
	if (s->lacks_ccert)
		return session_want_ccert(s);
	if (!span_is_utf8(line)) {
		s->cmd = command_unknown;
		session_reply(s, "500 5.5.2 Error: bad UTF-8 syntax");
		return STEP_NEXT;
	}
	return matchlist_empty(s->prof->manners->filter) ? line_run(s, line) :
	    filter_run(s, span_trim(line));
}

void
command_counts(const struct session *s, struct buf *out)
{
	unsigned ok = 0, all = 0;
	size_t i;
	const char *p;

	for (i = 0; i < n_commands; i++) {
		if (s->counts[i].all == 0)
			continue;
		for (p = commands[i].verb; *p != '\0'; p++)
			buf_char(out, ascii_lower(*p));
		buf_fmt(out, "=%u", s->counts[i].ok);
		if (s->counts[i].ok != s->counts[i].all)
			buf_fmt(out, "/%u", s->counts[i].all);
		buf_char(out, ' ');
		ok += s->counts[i].ok;
		all += s->counts[i].all;
	}
	buf_fmt(out, "commands=%u", ok);
	if (ok != all)
		buf_fmt(out, "/%u", all);
}
