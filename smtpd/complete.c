#include "smtpd/complete.h"

#include <time.h>

#include "smtpd/received.h"

bool
complete_is_due(const struct session *s)
{
	const struct conf *conf = session_conf(s);

	return conf->always_add_missing_headers || session_authenticated(s) ||
	    strcmp(conf->protocol, "submission") == 0;
}

/* As Postfix makes it. */
void
complete_message_id(const struct session *s, struct buf *out)
{
	const struct txn *t = s->txn;
	time_t at = (time_t)(t->arrival_us / 1000000);
	char stamp[16] = "";
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
	buf_fmt(out, "<%s.%s@%s>", stamp, t->queue_id,
	    session_conf(s)->myhostname);
}

void
complete_supply(enum supplied which, struct buf *out, void *arg)
{
	const struct session *s = arg;
	struct span sender = txn_sender(s->txn);
	char date[RECEIVED_DATE_MAX];

	switch (which) {
	case SUPPLY_DATE:
		received_date(s->txn->arrival_us, date);
		buf_fmt(out, "Date: %s\r\n", date);
		break;
	case SUPPLY_FROM:
		if (sender.n > 0)
			buf_fmt(out, "From: %.*s\r\n", SPAN_ARG(sender));
		break;
	case SUPPLY_MESSAGE_ID:
		buf_str(out, "Message-ID: ");
		complete_message_id(s, out);
		buf_str(out, "\r\n");
		break;
	case SUPPLIED:
		break;
	}
}
