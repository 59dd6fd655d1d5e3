/*
 * What a session says, to its client and to the log.
 */
#include <stdio.h>

#include "base/log.h"
#include "smtpd/footer.h"
#include "smtpd/reply.h"
#include "smtpd/session.h"

const char *
session_peer(const struct session *s)
{
	static char text[DNS_NAME_MAX + 64];

	(void)snprintf(text, sizeof(text), "%s[%s]", s->name, s->ip);
	return text;
}

const char *
session_queue_id(const struct session *s)
{
	return s->txn == NULL || s->txn->queue_id[0] == '\0' ? "NOQUEUE" :
	    s->txn->queue_id;
}

bool
session_authenticated(const struct session *s)
{
	return s->sasl_user != NULL;
}

/* --- replies --- */

void
session_reply_begins(struct session *s)
{
	s->reply_at = buf_len(stream_out(s->stream));
}

/* Looks at what was just put into the output. */
static void
reply_ends(struct session *s)
{
	struct buf *out = stream_out(s->stream);

	if (buf_len(out) < s->reply_at + 6 || buf_failed(out) ||
	    buf_data(out)[s->reply_at] < '4')
		return;
	s->failed = true;
	if (session_conf(s)->soft_bounce)
		reply_soften(buf_data(out) + s->reply_at,
		    buf_len(out) - s->reply_at);
	if (s->prof->manners->has_footer)
		footer_add(s, out, s->reply_at);
}

void
session_forgive(struct session *s)
{
	s->failed = false;
}

void
session_reply(struct session *s, const char *text)
{
	session_reply_begins(s);
	reply_line(stream_out(s->stream), text);
	reply_ends(s);
}

void
session_replyf(struct session *s, const char *fmt, ...)
{
	struct buf *out = stream_out(s->stream);
	size_t from;
	va_list ap;

	session_reply_begins(s);
	from = buf_len(out);
	va_start(ap, fmt);
	buf_vfmt(out, fmt, ap);
	va_end(ap);
	reply_clean(out, from);
	buf_append(out, "\r\n", 2);
	reply_ends(s);
}

void
session_log_note(struct session *s, const char *what, const char *stage,
    const char *reply, struct span to)
{
	struct buf line;

	/* behind RCPT only where it was one, as in Postfix */
	if (to.n == 0 && s->txn != NULL && s->txn->n_accepted == 1)
		to = txn_span(s->txn, s->txn->last_rcpt);
	buf_init(&line, 4096);
	buf_fmt(&line, "%s: %s: %s from %s: %s;", session_queue_id(s), what,
	    stage, session_peer(s), reply);
	if (s->txn != NULL)
		buf_fmt(&line, " from=<%.*s>", SPAN_ARG(txn_sender(s->txn)));
	if (to.n > 0)
		buf_fmt(&line, " to=<%.*s>", SPAN_ARG(to));
	buf_fmt(&line, " proto=%s", s->esmtp ? "ESMTP" : "SMTP");
	if (s->helo != NULL)
		buf_fmt(&line, " helo=<%s>", s->helo);
	log_info("%s", buf_cstr(&line));
	buf_fini(&line);
}

void
session_log_reject(struct session *s, const char *stage, const char *reply,
    struct span to)
{
	char soft[GATE_REPLY_MAX];

	s->srv->stat.rejects++;
	if (session_conf(s)->soft_bounce) {
		(void)snprintf(soft, sizeof(soft), "%s", reply);
		reply_soften(soft, strlen(soft));
		reply = soft;
	}
	session_log_note(s, "reject", stage, reply, to);
}
