#include "smtpd/received.h"

#include <stdio.h>
#include <time.h>

const char *
received_protocol(const struct session *s)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};
	bool utf8 = s->txn != NULL && (s->txn->flags & ENVELOPE_SMTPUTF8);

	if (!s->esmtp && !s->tls)
		return "SMTP";
	return names[utf8][s->tls][session_authenticated(s)];
}

/* Formatting a date costs as much as a small message: once per second. */
void
received_date(int64_t wall_us, char out[RECEIVED_DATE_MAX])
{
	static char text[RECEIVED_DATE_MAX];
	static time_t of = -1;
	time_t now = (time_t)(wall_us / 1000000);
	struct tm tm;

	if (now != of) {
		/* No locale is ever set: the names are English. */
		(void)localtime_r(&now, &tm);
		if (strftime(text, sizeof(text),
		    "%a, %e %b %Y %H:%M:%S %z (%Z)", &tm) == 0)
			text[0] = '\0';
		of = now;
	}
	memcpy(out, text, sizeof(text));
}

/* What a certificate says must not end the comment it stands in. */
static void
comment(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_char(out, strchr("()<>\\\"", *text) == NULL ? *text : '?');
}

static void
certificate(const struct session *s, struct buf *out)
{
	if (s->ccert != NULL) {
		buf_str(out, "\t(Client CN \"");
		comment(out, s->ccert->subject);
		buf_str(out, "\", Issuer \"");
		comment(out, s->ccert->issuer);
		buf_fmt(out, "\" (%s))\r\n", s->ccert->trusted ?
		    "verified OK" : "not verified");
	} else
		buf_fmt(out, "\t(%s)\r\n", s->prof->ccert == NULL ?
		    "No client certificate requested" :
		    "Client did not present a certificate");
}

void
received_write(const struct session *s, struct buf *out)
{
	const struct conf *conf = session_conf(s);
	const struct txn *t = s->txn;
	char date[RECEIVED_DATE_MAX];
	struct stream_tls tls;
	bool v6 = strchr(s->ip, ':') != NULL;

	buf_fmt(out, "Received: from %s (%s [%s%s])\r\n",
	    s->helo == NULL ? s->name : s->helo, s->name, v6 ? "IPv6:" : "",
	    s->ip);
	if (conf->smtpd_tls_received_header && stream_tls_info(s->stream,
	    &tls)) {
		buf_fmt(out, "\t(using %s with cipher %s (%d/%d bits))\r\n",
		    tls.protocol, tls.cipher, tls.bits, tls.alg_bits);
		certificate(s, out);
	}
	buf_fmt(out, "\tby %s (%s) with %s id %s", conf->myhostname,
	    conf->mail_name, received_protocol(s), t->queue_id);
	received_date(t->arrival_us, date);
	if (t->n_accepted == 1)
		buf_fmt(out, "\r\n\tfor <%.*s>; %s\r\n",
		    SPAN_ARG(txn_span(t, t->last_rcpt)), date);
	else
		buf_fmt(out, "; %s\r\n", date);
}
