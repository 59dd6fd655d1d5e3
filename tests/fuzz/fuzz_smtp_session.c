/*
 * Any bytes as an SMTP conversation with the real session (directory and
 * journal are fakes). Sent line by line and byte by byte the session must say
 * the same and accept the same messages; sent as one packet, or left by its
 * client while it waits for an answer, or by a client that is still being
 * tested, it must survive.
 * No accepted text may hold a bare CR or LF (S1).
 */
#include <stdlib.h>

#include "base/log.h"
#include "smtpd/fake.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX	4096
#define SERVICE		"{ inet:127.0.0.1:1, { policy_context = DUNNO } }"

static struct fake fake;
static bool ready;
static bool tested;	/* the client has passed no first-contact test */

static void
quit(void)
{
	fake_fini(&fake);
}

static void
start(void)
{
	log_level_set(LOG_L_FATAL);
	fake_init(&fake, "smtpd_relay_restrictions = "
	    "reject_unauth_destination\nmyhostname = mx.example\n"
	    "smtpd_error_sleep_time = 0\nmessage_size_limit = 2048\n"
	    "hopcount_limit = 3\nsmtpd_recipient_limit = 3\n"
	    "smtpd_line_length_limit = 512\nsmtpd_sasl_auth_enable = yes\n"
	    "smtpd_tls_auth_only = no\nsmtpd_authorized_xclient_hosts = "
	    "192.0.2.7\nsmtpd_authorized_xforward_hosts = 0.0.0.0/0\n"
	    "smtpd_hard_error_limit = 100\n"
	    /* what rules do to a message, by who sends and to whom */
	    "smtpd_sender_restrictions = check_sender_access inline:{ "
	    "{hold@ = HOLD}, {discard@ = DISCARD}, {filter@ = FILTER x:y}, "
	    "{prepend@ = PREPEND X: y}, {redirect@ = REDIRECT k@a.example}, "
	    "{lost@ = REDIRECT nobody@a.example}, "
	    "{far.example = check_policy_service " SERVICE ", "
	    "reject_unverified_sender} }\n"
	    "smtpd_client_restrictions = check_policy_service " SERVICE "\n"
	    "smtpd_end_of_data_restrictions = check_policy_service " SERVICE
	    "\nsmtpd_recipient_restrictions = check_recipient_access inline:{ "
	    "{lee@ = BCC both@a.example}, {k@ = BCC x@out.example}, "
	    "{fwd@ = PREPEND X: z} }\n");
	(void)atexit(quit);
	ready = true;
}

/* Queue ids grow from session to session and dates with time: not compared. */
static void
mask(struct buf *b)
{
	static const char mark[] = "queued as ";
	char *p = buf_data(b), *end = p + buf_len(b);

	while ((p = memmem(p, (size_t)(end - p), mark, sizeof(mark) - 1)) !=
	    NULL) {
		p += sizeof(mark) - 1;
		memset(p, 'x', MIN((size_t)QUEUE_ID_LEN, (size_t)(end - p)));
	}
}

static void
check_text(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			__builtin_trap();
		if (s.p[i] == '\r' && (++i == s.n || s.p[i] != '\n'))
			__builtin_trap();
	}
}

/* One conversation; its transcript and what the journal got. */
static void
run(struct span in, size_t step, struct buf *out)
{
	ptrdiff_t lf;
	size_t n;
	unsigned i;

	fake_connect(&fake);
	if (tested)
		TAILQ_FIRST(&fake.srv.sessions)->first.todo =
		    PASS_BIT(PASS_PIPELINING) | PASS_BIT(PASS_NON_SMTP) |
		    PASS_BIT(PASS_BARE_NEWLINE);
	while (in.n > 0 && !fake.closed) {
		lf = span_chr(in, '\n');
		n = step != 0 ? step : lf == -1 ? in.n : (size_t)lf + 1;
		fake_send(&fake, span_sub(in, 0, n));
		in = span_sub(in, n, in.n);
	}
	fake_settle(&fake);
	buf_span_add(out, buf_span(&fake.sent));
	for (i = 0; i < fake.n_messages; i++) {
		buf_span_add(out, buf_span(&fake.message[i].envelope));
		check_text(buf_span(&fake.message[i].body));
	}
	fake_hangup(&fake);
	if (fake.srv.n_sessions != 0 || fake.srv.n_committing != 0 ||
	    body_memory_used() != 0)
		__builtin_trap();
	mask(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, MIN(size, (size_t)INPUT_MAX));
	struct buf lines, bytes, whole;

	if (!ready)
		start();
	buf_init(&lines, BUF_NO_CAP);
	buf_init(&bytes, BUF_NO_CAP);
	buf_init(&whole, BUF_NO_CAP);
	run(in, 0, &lines);
	run(in, 1, &bytes);
	if (!span_eq(buf_span(&lines), buf_span(&bytes)))
		__builtin_trap();
	fake.late = true;
	run(in, INPUT_MAX, &whole);
	fake.hangs_up = 1 + (unsigned)size % 50;
	run(in, 0, &whole);
	fake.hangs_up = 0;
	fake.late = false;
	tested = true;
	run(in, INPUT_MAX, &whole);
	tested = false;
	buf_fini(&lines);
	buf_fini(&bytes);
	buf_fini(&whole);
	return 0;
}
