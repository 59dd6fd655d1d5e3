/*
 * What access rules want done with a message, in conversations with a real
 * session: what the journal gets, what the client and the log are told. Each
 * is run three ways: whole sends, one byte at a time, and with a directory
 * that always answers late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/log.h"
#include "smtpd/fake.h"

#define CONF	"myhostname = mx.example\nsmtpd_error_sleep_time = 0\n" \
	"smtpd_relay_restrictions = reject_unauth_destination\n"
/* values by sender and by recipient */
#define FROM(value)	CONF "smtpd_sender_restrictions = " \
	"check_sender_access inline:{ {s@s.example = " value "} }\n"
#define TO(values)	CONF "smtpd_recipient_restrictions = " \
	"check_recipient_access inline:{ " values " }\n"
#define AT(list, value)	CONF "smtpd_" list "_restrictions = " \
	"check_sender_access inline:{ {s@s.example = " value "} }\n"

#define MAIL	{ "MAIL FROM:<s@s.example>\r\n", "250 2.1.0|" }
#define RCPT	{ "RCPT TO:<kim@a.example>\r\n", "250 2.1.5|" }
#define LEE	{ "RCPT TO:<lee@a.example>\r\n", "250 2.1.5|" }
#define DATA	{ "DATA\r\n", "354 |" }
#define TEXT	{ "Subject: x\r\n\r\nhi\r\n.\r\n", \
	"250 2.0.0 Ok: queued as |" }
#define LATER	{ "Subject: x\r\n\r\nhi\r\n.\r\n", \
	"451 4.3.5 Server configuration error|" }
#define RSET	{ "RSET\r\n", "250 2.0.0|" }
#define STEPS	12

static const struct dialogue {
	const char *name, *conf;
	struct { const char *send, *says; } step[STEPS];
	/* messages in the journal; the last one's envelope and where its
	 * text begins; pieces of the log, and how many lines have the first */
	unsigned messages;
	const char *envelope, *top, *log;
	unsigned times;
} dialogues[] = {
	{ "HOLD", FROM("HOLD"), { MAIL, RCPT, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example|HOLD <s@s.example>: Sender "
	  "address triggers HOLD action", NULL,
	  "NOQUEUE: hold: RCPT from unknown[192.0.2.7]: <s@s.example>: Sender "
	  "address triggers HOLD action; from=<s@s.example> "
	  "to=<kim@a.example> proto=SMTP", 1 },
	{ "HOLD is logged once", FROM("HOLD look at it"), { MAIL, RCPT, LEE,
	  DATA, TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 "
	  "lee@a.example|HOLD <s@s.example>: Sender address look at it", NULL,
	  ": hold: RCPT from unknown[192.0.2.7]: <s@s.example>: Sender "
	  "address look at it;", 1 },
	{ "HOLD at the end of the text", AT("end_of_data", "HOLD late"),
	  { MAIL, RCPT, DATA, TEXT }, 1, "s@s.example|MAILBOX 1 "
	  "kim@a.example|HOLD <s@s.example>: Sender address late", NULL,
	  ": hold: END-OF-MESSAGE from unknown[192.0.2.7]: <s@s.example>: "
	  "Sender address late; from=<s@s.example> to=<kim@a.example> proto=",
	  1 },
	{ "RSET forgets", TO("{lee@a.example = HOLD}"), { MAIL, LEE, RSET,
	  MAIL, RCPT, DATA, TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example",
	  NULL, ": hold: ", 1 },
	{ "the next message begins anew", TO("{lee@a.example = PREPEND X: y}, "
	  "{k@a.example = BCC kim@a.example}"), { MAIL, LEE, DATA, TEXT,
	  MAIL, RCPT, DATA, TEXT }, 2, "s@s.example|MAILBOX 1 "
	  "kim@a.example", "Received: from ", NULL, 0 },
	{ "a refused recipient takes nothing back",
	  TO("{nobody@a.example = HOLD}"), { MAIL,
	  { "RCPT TO:<nobody@a.example>\r\n", "550 5.1.1|" }, RCPT, DATA,
	  TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example|HOLD "
	  "<nobody@a.example>: Recipient address triggers HOLD action", NULL,
	  NULL, 0 },

	{ "DISCARD", FROM("DISCARD rubbish"), { MAIL, RCPT, DATA, TEXT },
	  0, NULL, NULL, ": discard: RCPT from unknown[192.0.2.7]: "
	  "<s@s.example>: Sender address rubbish; from=<s@s.example> "
	  "to=<kim@a.example> proto=SMTP", 1 },
	{ "DISCARD tells nobody who exists", FROM("DISCARD"), { MAIL,
	  { "RCPT TO:<nobody@a.example>\r\n", "250 2.1.5|" },
	  { "RCPT TO:<x@temp.example>\r\n", "250 2.1.5|" },
	  { "RCPT TO:<x@far.example>\r\n", "250 2.1.5|" }, DATA, TEXT,
	  { "MAIL FROM:<x@y.example>\r\n", "250 2.1.0|" },
	  { "RCPT TO:<x@far.example>\r\n", "554 5.7.1|" } }, 0, NULL, NULL,
	  ": discarded size=18 nrcpt=3", 1 },
	{ "DISCARD of one discards all", TO("{lee@a.example = DISCARD}"),
	  { MAIL, RCPT, LEE, DATA, TEXT }, 0, NULL, NULL,
	  ": discard: RCPT from ", 1 },
	{ "behind DISCARD nothing is judged any more", CONF
	  "smtpd_sender_restrictions = check_sender_access static:DISCARD, "
	  "reject\nsmtpd_recipient_restrictions = reject\n"
	  "smtpd_data_restrictions = reject\n", { MAIL, RCPT, RCPT, DATA,
	  TEXT }, 0, NULL, NULL, "triggers DISCARD action", 1 },
	{ "what was refused before stays refused", CONF
	  "smtpd_sender_restrictions = defer_if_permit, "
	  "check_sender_access static:DISCARD\n",
	  { MAIL, { "RCPT TO:<kim@a.example>\r\n", "450 4.7.0|" } }, 0, NULL,
	  NULL, "triggers DISCARD action", 1 },
	{ "DISCARD at the end of the text", AT("end_of_data", "DISCARD"),
	  { MAIL, RCPT, DATA, TEXT, MAIL }, 0, NULL, NULL,
	  "triggers DISCARD action", 1 },
	{ "DISCARD of chunks", FROM("DISCARD"), { MAIL, RCPT,
	  { "BDAT 3\r\na\r\n", "250 2.0.0 Ok: 3 bytes|" },
	  { "BDAT 2 LAST\r\nb\r", "521 |!" } }, 0, NULL, NULL, NULL, 0 },

	{ "PREPEND stands on top", FROM("PREPEND X-From: known"), { MAIL,
	  RCPT, DATA, TEXT }, 1, NULL, "X-From: known\r\nReceived: from ",
	  NULL, 0 },
	{ "the first PREPEND stands first", TO("{kim@a.example = PREPEND "
	  "X-One: 1}, {lee@a.example = PREPEND X-Two:2}"), { MAIL, RCPT, LEE,
	  DATA, TEXT }, 1, NULL, "X-One: 1\r\nX-Two:2\r\nReceived: from ",
	  NULL, 0 },
	{ "PREPEND before DATA's reply", AT("data", "PREPEND X-Data: y"),
	  { MAIL, RCPT, DATA, TEXT }, 1, NULL, "X-Data: y\r\nReceived: from ",
	  NULL, 0 },
	{ "PREPEND in chunks", AT("data", "PREPEND X-Data: y"), { MAIL, RCPT,
	  { "BDAT 3 LAST\r\na\r\n", "250 |" } }, 1, NULL,
	  "X-Data: y\r\nReceived: from ", NULL, 0 },
	{ "PREPEND comes too late", AT("end_of_data", "PREPEND X: y"), { MAIL,
	  RCPT, DATA, TEXT }, 1, NULL, "Received: from ", "warning: access "
	  "table inline:{ {s@s.example = PREPEND X: y} }: action PREPEND must "
	  "be used before smtpd_end_of_data_restrictions", 1 },
	{ "PREPEND wants a header", FROM("PREPEND no header"), { MAIL, RCPT,
	  DATA, TEXT }, 1, NULL, "Received: from ",
	  "entry \"s@s.example\" requires header: text", 1 },

	{ "REDIRECT", FROM("REDIRECT lee@a.example"), { MAIL, RCPT, DATA,
	  TEXT }, 1, "s@s.example|MAILBOX 2 lee@a.example", NULL,
	  ": redirect: RCPT from unknown[192.0.2.7]: <s@s.example>: Sender "
	  "address triggers REDIRECT lee@a.example; from=<s@s.example> "
	  "to=<kim@a.example> proto=SMTP", 1 },
	{ "the last REDIRECT counts, for all",
	  TO("{kim@a.example = REDIRECT x@out.example}, {lee@a.example = "
	  "REDIRECT both@a.example}"), { MAIL, RCPT, LEE, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 both@a.example|MAILBOX 2 both@a.example",
	  NULL, "triggers REDIRECT", 2 },
	{ "REDIRECT overrides BCC and FILTER", TO("{kim@a.example = BCC "
	  "x@out.example}, {lee@a.example = FILTER f:g}, "
	  "{k@a.example = REDIRECT x@far.example}"), { MAIL, RCPT, LEE,
	  { "RCPT TO:<k@a.example>\r\n", "250 |" }, DATA, TEXT }, 1,
	  "s@s.example|EXTERNAL x@far.example", NULL, NULL, 0 },
	{ "REDIRECT to nobody", FROM("REDIRECT nobody@a.example"), { MAIL,
	  RCPT, DATA, LATER, MAIL }, 0, NULL, NULL, "REDIRECT "
	  "nobody@a.example of an access rule: there is no such address", 1 },
	{ "REDIRECT to who is off", FROM("REDIRECT off@a.example"), { MAIL,
	  RCPT, DATA, LATER }, 0, NULL, NULL, "that mailbox is disabled", 1 },
	{ "REDIRECT and no answer", FROM("REDIRECT x@temp.example"), { MAIL,
	  RCPT, DATA, { "x\r\n.\r\n",
	  "451 4.3.0 Temporary lookup failure|" } }, 0, NULL, NULL, NULL, 0 },
	{ "REDIRECT wants an address", FROM("REDIRECT lee"), { MAIL, RCPT,
	  DATA, TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example", NULL,
	  "requires user@domain target", 1 },

	{ "BCC", FROM("BCC lee@a.example"), { MAIL, RCPT, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 lee@a.example never",
	  NULL, ": bcc: RCPT from unknown[192.0.2.7]: <s@s.example>: Sender "
	  "address triggers BCC lee@a.example;", 1 },
	{ "BCC adds up, each once", TO("{kim@a.example = BCC x@out.example}, "
	  "{lee@a.example = BCC fwd@a.example}, {k@a.example = BCC "
	  "far@a.example}"), { MAIL, RCPT, LEE,
	  { "RCPT TO:<k@a.example>\r\n", "250 |" }, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 lee@a.example|"
	  "EXTERNAL x@out.example never|EXTERNAL far@a.example never", NULL,
	  "triggers BCC", 3 },
	{ "BCC at the end of the text", AT("end_of_data", "BCC x@o.example"),
	  { MAIL, RCPT, DATA, TEXT }, 1, "s@s.example|MAILBOX 1 "
	  "kim@a.example|EXTERNAL x@o.example never", NULL, NULL, 0 },
	{ "BCC to nobody", FROM("BCC nobody@a.example"), { MAIL, RCPT, DATA,
	  LATER }, 0, NULL, NULL, "BCC nobody@a.example", 2 },

	{ "FILTER", FROM("FILTER smtp:[127.0.0.1]:10025"), { MAIL, RCPT,
	  DATA, TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example|FILTER "
	  "smtp:[127.0.0.1]:10025", NULL, ": filter: RCPT from "
	  "unknown[192.0.2.7]: <s@s.example>: Sender address triggers FILTER "
	  "smtp:[127.0.0.1]:10025;", 1 },
	{ "the last FILTER counts", TO("{kim@a.example = FILTER a:b}, "
	  "{lee@a.example = FILTER c:d}"), { MAIL, RCPT, LEE, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 lee@a.example|"
	  "FILTER c:d", NULL, NULL, 0 },
	{ "FILTER wants a transport", FROM("FILTER x"), { MAIL, RCPT, DATA,
	  TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example", NULL,
	  "requires transport:destination", 1 },
	{ "FILTER wants anything", FROM("FILTER"), { MAIL, RCPT, DATA, TEXT },
	  1, "s@s.example|MAILBOX 1 kim@a.example", NULL,
	  "has FILTER entry without value", 1 },

	{ "behind a rule that parks, and when it refuses not at all", CONF
	  "smtpd_recipient_restrictions = reject_unlisted_recipient, "
	  "check_sender_access static:{PREPEND X: y}, "
	  "check_sender_access static:{BCC lee@a.example}\n", { MAIL,
	  { "RCPT TO:<nobody@a.example>\r\n", "550 5.1.1|" }, RCPT, DATA,
	  TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 "
	  "lee@a.example never", "X: y\r\nReceived: from ", "triggers BCC",
	  1 },
	{ "by the client, delayed", CONF "smtpd_client_restrictions = "
	  "check_client_access inline:{ {192.0.2 = HOLD} }\n", { MAIL, RCPT,
	  DATA, TEXT }, 1, "s@s.example|MAILBOX 1 kim@a.example|HOLD "
	  "<unknown[192.0.2.7]>: Client host triggers HOLD action", NULL,
	  ": hold: RCPT from unknown[192.0.2.7]: <unknown[192.0.2.7]>: Client "
	  "host triggers HOLD action;", 1 },
	{ "before there is a message", CONF "smtpd_delay_reject = no\n"
	  "smtpd_client_restrictions = check_client_access static:HOLD\n",
	  { MAIL, RCPT, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example", NULL, "warning: access table "
	  "static:HOLD: with smtpd_delay_reject=no, action HOLD is always "
	  "skipped in client or helo restrictions", 1 },
	{ "at MAIL, not delayed", FROM("BCC lee@a.example")
	  "smtpd_delay_reject = no\n", { MAIL, RCPT, DATA, TEXT }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 lee@a.example never",
	  NULL, "NOQUEUE: bcc: MAIL from unknown[192.0.2.7]: <s@s.example>",
	  1 },
};

static struct buf heard;

static void
tap(enum log_level level, const char *line, void *arg)
{
	buf_fmt(&heard, "%s%s\n", level == LOG_L_WARNING ? "warning: " : "",
	    line);
}

static unsigned
count(const char *in, const char *what)
{
	unsigned n = 0;

	for (; (in = strstr(in, what)) != NULL; in++)
		n++;
	return n;
}

static void
converse(const struct dialogue *d, size_t step, bool late)
{
	struct fake f;
	struct fake_message *last;
	struct span send;
	struct buf why;
	size_t i, at;

	buf_init(&why, 65536);
	buf_clear(&heard);
	fake_init(&f, d->conf);
	f.late = late;
	fake_connect(&f);
	buf_clear(&f.sent);		/* the greeting */
	for (i = 0; i < STEPS && d->step[i].send != NULL; i++) {
		send = span_str(d->step[i].send);
		for (at = 0; at < send.n; at += step)
			fake_send(&f, span_sub(send, at, step));
		if (!fake_said(&f, d->step[i].says, &why))
			fail_msg("%s", buf_cstr(&why));
	}
	assert_int_equal(f.n_messages, d->messages);
	last = &f.message[MAX(f.n_messages, 1u) - 1];
	if (d->envelope != NULL)
		assert_string_equal(buf_cstr(&last->envelope), d->envelope);
	if (d->top != NULL && !span_starts(buf_span(&last->body), d->top))
		fail_msg("%s", buf_cstr(&last->body));
	if (d->log != NULL && count(buf_cstr(&heard), d->log) != d->times)
		fail_msg("want %u of \"%s\" in: %s", d->times, d->log,
		    buf_cstr(&heard));
	fake_fini(&f);
	buf_fini(&why);
}

static void
rules_act_on_the_message(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(dialogues); i++) {
		print_message("%s\n", dialogues[i].name);
		converse(&dialogues[i], 1 << 20, false);
		converse(&dialogues[i], 1 << 20, true);
		converse(&dialogues[i], 1, false);
	}
}

/* One rule, a thousand recipients: what it prepends stays bounded. */
static void
prepended_lines_are_bounded(void **state)
{
	struct fake f;
	struct buf line;
	unsigned i;

	(void)state;
	buf_clear(&heard);
	buf_init(&line, 8192);
	fake_init(&f, "myhostname = mx.example\nmynetworks = 192.0.2.0/24\n"
	    "smtpd_relay_restrictions = permit_mynetworks reject\n"
	    "smtpd_sender_restrictions = check_sender_access "
	    "static:{PREPEND X: a line of some forty bytes in the header}\n");
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\n"));
	for (i = 0; i < 1000; i++) {
		buf_clear(&line);
		buf_fmt(&line, "RCPT TO:<u%u@b.example>\r\n", i);
		fake_send(&f, buf_span(&line));
	}
	fake_send(&f, SPAN_LIT("DATA\r\n"));
	fake_send(&f, SPAN_LIT("x\r\n.\r\n"));
	assert_int_equal(f.n_messages, 1);
	assert_in_range(buf_len(&f.message[0].body), 32000, 33500);
	assert_int_equal(count(buf_cstr(&heard), "bytes of PREPEND"), 1);
	assert_non_null(strstr(buf_cstr(&f.message[0].body),
	    "in the header\r\nReceived: from "));
	fake_fini(&f);
	buf_fini(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_act_on_the_message),
		cmocka_unit_test(prepended_lines_are_bounded),
	};
	int rc;

	buf_init(&heard, BUF_NO_CAP);
	log_tap(tap, NULL);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	log_tap(NULL, NULL);
	buf_fini(&heard);
	return rc;
}
