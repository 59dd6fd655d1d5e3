/*
 * Conversations with a real session. Each is run three ways, with the same
 * outcome: whole sends, one byte at a time, and with a directory that always
 * answers late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/fake.h"
#include "smtpd/judge.h"

#define RELAY(rules) "smtpd_relay_restrictions = " rules "\n" \
	"myhostname = mx.example\nsmtpd_error_sleep_time = 0\n"
#define STRICT	RELAY("reject_unauth_destination")
#define HELLO	{ "EHLO c.example\r\n", "250-mx|250-PIPELINING|250-SIZE|" \
	"250-VRFY|250-ETRN|250-ENHANCED|250-8BITMIME|250-DSN|250-SMTPUTF8|250 CHUNKING|" }
#define FROM	{ "MAIL FROM:<s@s.example>\r\n", "250 2.1.0|" }
#define TO_KIM	{ "RCPT TO:<kim@a.example>\r\n", "250 2.1.5|" }
#define GO	{ "DATA\r\n", "354 |" }
#define BYE	{ "QUIT\r\n", "221 2.0.0|!" }
#define FROM_AGAIN { "MAIL FROM:<a@b.example>\r\n", \
	"503 5.5.1 Error: nested MAIL|" }
#define HELLO_1K { "EHLO c.example\r\n", "250-mx|250-PIPELINING|" \
	"250-SIZE 1024|250-VRFY|250-ETRN|250-ENHANCED|250-8BITMIME|250-DSN|250-SMTPUTF8|" \
	"250 CHUNKING|" }
#define HELLO_AUTH { "EHLO c.example\r\n", "250-mx|250-PIPELINING|" \
	"250-SIZE|250-VRFY|250-ETRN|250-AUTH PLAIN LOGIN SCRAM-SHA-256\r|250-ENHANCED|" \
	"250-8BITMIME|250-DSN|250-SMTPUTF8|250 CHUNKING|" }
#define BELIEVED "smtpd_authorized_xclient_hosts = 192.0.2.7\n" \
	"smtpd_authorized_xforward_hosts = 192.0.2.0/24\n"
#define TRUSTED	STRICT BELIEVED
#define HELLO_X	{ "EHLO c.example\r\n", "250-mx|250-PIPELINING|250-SIZE|" \
	"250-VRFY|250-ETRN|250-XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR " \
	"DESTPORT\r|250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r|" \
	"250-ENHANCED|250-8BITMIME|250-DSN|250-SMTPUTF8|250 CHUNKING|" }
#define TO_OUT_NO { "RCPT TO:<x@b.example>\r\n", "554 5.7.1|" }
#define TO_OUT_YES { "RCPT TO:<x@b.example>\r\n", "250 |" }
#define RESET	{ "RSET\r\n", "250 |" }
#define GREETED	"220 mx.example ESMTP|"
#define SERVICE	"{ inet:127.0.0.1:1, { policy_context = DUNNO } }"
#define LONG	"a line of some sixty bytes that is repeated to be too long\r\n"
#define STEPS	20

struct dialogue {
	const char *name, *conf;
	struct { const char *send, *says; } step[STEPS];
	/* Then: messages in the journal, the first one's envelope and the
	 * end of its body. */
	unsigned messages;
	const char *envelope, *body;
};

static const struct dialogue dialogues[] = {
	{ "a message goes in", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "Subject: x\r\n\r\nhi\r\n.\r\n", "250 2.0.0 Ok: queued as |" },
	  BYE }, 1, "s@s.example|MAILBOX 1 kim@a.example",
	  "\r\nSubject: x\r\n\r\nhi\r\n" },
	{ "dots are unstuffed", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "..a\r\n...\r\n.b\r\nc.\r\n.\r\n", "250 |" }, BYE }, 1, NULL,
	  "\r\n.a\r\n..\r\nb\r\nc.\r\n" },
	{ "an empty text", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { ".\r\n", "250 2.0.0|" }, BYE }, 1, NULL, ")\r\n" },
	{ "two messages in one session", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "a\r\n.\r\n", "250 |" }, FROM, TO_KIM, GO,
	  { "b\r\n.\r\n", "250 |" }, BYE }, 2, NULL, "a\r\n" },
	{ "a pipelined envelope", STRICT, { HELLO,
	  { "MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "RCPT TO:<nobody@a.example>\r\nDATA\r\n",
	    "250 2.1.0|250 2.1.5|550 5.1.1 <nobody@a.example>: Recipient|"
	    "354|" }, { "x\r\n.\r\n", "250 |" } }, 1,
	  "|MAILBOX 1 kim@a.example", NULL },
	{ "aliases of one mailbox give one copy", STRICT, { HELLO, FROM,
	  TO_KIM, { "RCPT TO:<k@a.example>\r\n", "250 |" },
	  { "RCPT TO:<both@a.example>\r\n", "250 |" }, GO,
	  { "x\r\n.\r\n", "250 |" } }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example|MAILBOX 2 both@a.example",
	  NULL },
	{ "a forward is external", STRICT, { HELLO, FROM,
	  { "RCPT TO:<FWD@A.example>\r\n", "250 |" }, GO,
	  { "x\r\n.\r\n", "250 |" } }, 1,
	  "s@s.example|EXTERNAL x@out.example", NULL },
	{ "another host's mailbox is not opened here", STRICT, { HELLO, FROM,
	  { "RCPT TO:<far@a.example>\r\n", "250 |" }, GO,
	  { "x\r\n.\r\n", "250 |" } }, 1,
	  "s@s.example|EXTERNAL far@a.example", NULL },
	{ "a relay domain is ours", STRICT, { HELLO, FROM,
	  { "RCPT TO:<x@relay.example>\r\n", "250 |" } }, 0, NULL, NULL },
	{ "refusals at RCPT", STRICT, { HELLO, FROM,
	  { "RCPT TO:<x@b.example>\r\n",
	    "554 5.7.1 <x@b.example>: Relay access denied|" },
	  { "RCPT TO:<off@a.example>\r\n", "550 5.2.1|" },
	  { "RCPT TO:<x@temp.example>\r\n", "451 4.3.0|" },
	  { "RCPT TO:<kim>\r\n", "504 5.5.2|" },
	  { "RCPT TO:<@a.example:x@b.example>\r\n", "554 5.7.1|" },
	  { "RCPT TO:<x%b.example@a.example>\r\n", "554 5.7.1|" },
	  { "RCPT TO:<\"x@b.example\"@a.example>\r\n", "554 5.7.1|" },
	  { "RCPT TO:kim@a.example>\r\n", "501 5.1.3|" },
	  { "DATA\r\n", "554 5.5.1 Error: no valid recipients|" } }, 0, NULL,
	  NULL },
	{ "my networks may relay", "myhostname = mx.example\nsmtpd_relay_restrictions = "
	  "permit_mynetworks reject\nmynetworks = 192.0.2.0/24\n", { HELLO,
	  FROM, { "RCPT TO:<X@B.example>\r\n", "250 |" }, GO,
	  { "x\r\n.\r\n", "250 |" } }, 1,
	  "s@s.example|EXTERNAL x@b.example", NULL },
	{ "commands out of order", STRICT, {
	  { "RCPT TO:<kim@a.example>\r\n", "503 5.5.1 Error: need MAIL|" },
	  { "DATA\r\n", "503 5.5.1 Error: need RCPT|" }, FROM, FROM_AGAIN,
	  { "RSET\r\n", "250 2.0.0|" }, { "DATA\r\n", "503 |" } }, 0, NULL,
	  NULL },
	{ "syntax errors", STRICT, { { "EHLO\r\n", "501 Syntax: EHLO|" },
	  { "MAIL\r\n", "501 5.5.4|" }, { "MAIL FROM:<a\r\n", "501 5.1.7|" },
	  { "FOO\r\n", "500 5.5.2|" }, { "\r\n", "500 5.5.2|" },
	  { "\xff\r\n", "500 5.5.2|" }, { "RSET x\r\n", "501 |" },
	  { "MAIL FROM:<a@b.example> FOO\r\n", "555 5.5.4|" },
	  { "MAIL FROM:<a@b.example> SIZE=x\r\n", "501 5.5.4|" } }, 0, NULL,
	  NULL },
	{ "other commands", STRICT, { { "HELO c\r\n", "250 mx.example|" },
	  { "NOOP x\r\n", "250 |" }, { "VRFY kim@a.example\r\n",
	    "252 2.0.0 kim@a.example|" },
	  { "VRFY <nobody@a.example>\r\n", "550 5.1.1 <nobody@a.example>|" },
	  { "VRFY x@b.example\r\n", "554 5.7.1 <x@b.example>: Relay|" },
	  { "VRFY x@temp.example\r\n", "451 4.3.0|" },
	  { "VRFY kim\r\n", "504 5.5.2|" }, { "VRFY a b\r\n", "501 |" },
	  { "VRFY j\xc3\xb6@a.example\r\n", "553 5.6.7|" },
	  { "VRFY j\xc3\xb6@a.example SMTPUTF8\r\n", "550 5.1.1|" },
	  { "HELP\r\n", "214 |" }, { "vrfy\r\n", "501 |" }, BYE }, 0, NULL,
	  NULL },
	{ "helo required", STRICT "smtpd_helo_required = yes\n", {
	  { "MAIL FROM:<a@b.example>\r\n", "503 5.5.1 Error: send HELO|" } },
	  0, NULL, NULL },
	{ "sizes", STRICT "message_size_limit = 1024\n", { HELLO_1K,
	  { "MAIL FROM:<a@b.example> SIZE=1025\r\n", "552 5.3.4|" },
	  { "MAIL FROM:<a@b.example> SIZE=1024\r\n", "250 |" }, TO_KIM, GO,
	  { LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG
	    LONG LONG LONG LONG "\r\n.\r\n", "552 5.3.4|" }, FROM, BYE }, 0,
	  NULL, NULL },
	{ "too many recipients", STRICT "smtpd_recipient_limit = 1\n", {
	  HELLO, FROM, TO_KIM,
	  { "RCPT TO:<lee@a.example>\r\n", "452 4.5.3|" } }, 0, NULL, NULL },
	{ "a mail loop", STRICT "hopcount_limit = 2\n", { HELLO, FROM,
	  TO_KIM, GO, { "Received: a\r\nReceived: b\r\nRECEIVED: c\r\n\r\n"
	  "Received: d\r\n.\r\n", "554 5.4.0 Error: too many hops|" }, FROM,
	  TO_KIM, GO, { "Received: a\r\nReceived: b\r\n\r\nReceived: c\r\n"
	  ".\r\n", "250 |" } }, 1, NULL, NULL },
	{ "bare LF in a command", STRICT, { { "NOOP\n",
	  "521 5.5.2 mx.example Error: bare <LF> received|!" } }, 0, NULL,
	  NULL },
	{ "bare CR in a command", STRICT, { { "NO\rOP\r\n",
	  "521 5.5.2 mx.example Error: bare <CR> received|!" } }, 0, NULL,
	  NULL },
	{ "LF dot LF", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "a\n.\nMAIL FROM:<x@y>\r\n.\r\n", "521 5.5.2|!" } }, 0, NULL,
	  NULL },
	{ "LF dot CR LF", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "a\n.\r\nb\r\n.\r\n", "521 5.5.2|!" } }, 0, NULL, NULL },
	{ "CR LF dot LF", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "a\r\n.\nb\r\n.\r\n", "521 5.5.2|!" } }, 0, NULL, NULL },
	{ "CR LF dot CR", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "a\r\n.\rb\r\n.\r\n", "521 5.5.2|!" } }, 0, NULL, NULL },
	{ "CR dot CR", STRICT, { HELLO, FROM, TO_KIM, GO,
	  { "a\r.\rb\r\n.\r\n", "521 5.5.2|!" } }, 0, NULL, NULL },
	{ "BDAT", STRICT, { HELLO, FROM, TO_KIM,
	  { "BDAT 5\r\na\r\n.\r", "250 2.0.0 Ok: 5 bytes|" },
	  { "MAIL FROM:<x@y.example>\r\n", "503 5.5.1|" },
	  { "BDAT 2 LAST\r\n\nb", "250 2.0.0 Ok: queued|" }, BYE }, 1,
	  NULL, "\r\na\r\n.\r\nb\r\n" },
	{ "bare LF in a chunk", STRICT, { HELLO, FROM, TO_KIM,
	  { "BDAT 3\r\na\r\n", "250 |" },
	  { "BDAT 4 LAST\r\nb\nc\n", "521 5.5.2|!" } }, 0, NULL, NULL },
	{ "bare CR at the end of chunks", STRICT, { HELLO, FROM, TO_KIM,
	  { "BDAT 2 LAST\r\na\r", "521 5.5.2|!" } }, 0, NULL, NULL },
	{ "an empty last chunk", STRICT, { HELLO, FROM, TO_KIM,
	  { "BDAT 3\r\na\r\n", "250 |" }, { "BDAT 0 LAST\r\n", "250 |" } },
	  1, NULL, "\r\na\r\n" },
	{ "a refused chunk is dropped", STRICT, { HELLO,
	  { "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "503 5.5.1|250 |" }, FROM,
	  TO_KIM, BYE }, 0, NULL, NULL },
	{ "a chunk size that is none", STRICT, { HELLO, FROM, TO_KIM,
	  { "BDAT x LAST\r\nQUIT\r\n", "521 5.5.4|!" } }, 0, NULL, NULL },
	{ "a chunk over the limit", STRICT "message_size_limit = 1024\n", {
	  HELLO_1K, FROM, TO_KIM,
	  { "BDAT 1025\r\n", "552 5.3.4|" } }, 0, NULL, NULL },
	{ "talking ahead", STRICT, { { "EHLO c.example\r\nNOOP\r\n",
	  "554 5.5.0 Error: SMTP protocol synchronization|!" } }, 0, NULL,
	  NULL },
	{ "talking ahead of XCLIENT", TRUSTED, {
	  { "XCLIENT NAME=a.example\r\nMAIL FROM:<>\r\n",
	  "554 5.5.0 Error: SMTP protocol synchronization|!" } }, 0, NULL,
	  NULL },
	{ "a browser", STRICT, { { "POST / HTTP/1.1\r\nMAIL FROM:<a@b>\r\n",
	  "221 2.7.0|!" } }, 0, NULL, NULL },
	{ "too many errors", STRICT "smtpd_hard_error_limit = 2\n", {
	  { "FOO\r\n", "500 5.5.2|" }, { "FOO\r\n", "500 5.5.2|421 4.7.0|!" } }, 0,
	  NULL, NULL },
	{ "UTF-8 addresses want SMTPUTF8", STRICT, { HELLO,
	  { "MAIL FROM:<\xc3\xb6@s.example>\r\n", "553 5.6.7|" },
	  { "MAIL FROM:<\xc3\xb6@s.example> SMTPUTF8 BODY=8BITMIME\r\n",
	    "250 |" },
	  { "RCPT TO:<j\xc3\xb6@a.example>\r\n", "550 5.1.1|" } }, 0, NULL,
	  NULL },
	{ "DSN parameters", STRICT, { HELLO,
	  { "MAIL FROM:<a@b.example> RET=HDRS ENVID=x+41\r\n", "250 |" },
	  { "RCPT TO:<kim@a.example> NOTIFY=NEVER,DELAY\r\n", "501 |" },
	  { "RCPT TO:<kim@a.example> NOTIFY=SUCCESS,DELAY "
	    "ORCPT=rfc822;k+2Bm@a.example\r\n", "250 |" }, GO,
	  { "x\r\n.\r\n", "250 |" } }, 1, NULL, NULL },
	{ "AUTH is off", STRICT, { HELLO,
	  { "AUTH PLAIN AGEAYg==\r\n", "503 5.5.1|" } }, 0, NULL, NULL },
	{ "AUTH without authd", STRICT "smtpd_sasl_auth_enable = yes\n"
	  "smtpd_tls_auth_only = no\n", { HELLO_AUTH,
	  { "AUTH PLAIN AGEAYg==\r\n", "454 4.7.0|" },
	  { "AUTH FOO\r\n", "504 5.5.4|" },
	  { "AUTH PLAIN !!\r\n", "501 5.5.2|" },
	  { "AUTH SCRAM-SHA-256-PLUS\r\n", "504 |" } }, 0, NULL, NULL },
	{ "client list at connect", STRICT "smtpd_delay_reject = no\n"
	  "smtpd_client_restrictions = reject\n", {
	  { "EHLO x\r\n", "503 5.7.0|" }, BYE }, 0, NULL, NULL },
	{ "sender list at MAIL", STRICT "smtpd_delay_reject = no\n"
	  "smtpd_sender_restrictions = reject\n", { HELLO,
	  { "MAIL FROM:<s@s.example>\r\n",
	    "554 5.7.1 <s@s.example>: Sender address rejected|" },
	  { "RCPT TO:<kim@a.example>\r\n", "503 |" } }, 0, NULL, NULL },
	{ "VRFY between MAIL and RCPT changes neither", STRICT
	  "smtpd_recipient_restrictions = check_recipient_access "
	  "inline:{ lee@a.example = HOLD }\n", { HELLO, FROM,
	  { "VRFY lee@a.example\r\n", "252 |" }, TO_KIM, GO,
	  { "x\r\n.\r\n", "250 |" }, BYE }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example", NULL },
	{ "no VRFY", STRICT "disable_vrfy_command = yes\n", {
	  { "VRFY kim@a.example\r\n", "502 5.5.1 VRFY command is|" },
	  { "EHLO c.example\r\n", "250-mx|250-PIPELINING|250-SIZE|250-ETRN|"
	    "250-ENHANCED|250-8BITMIME|250-DSN|250-SMTPUTF8|250 CHUNKING|" } },
	  0, NULL, NULL },
	{ "ETRN", STRICT "smtpd_etrn_restrictions = check_etrn_access "
	  "inline:{ b.example = REJECT }\n", { HELLO,
	  { "ETRN\r\n", "500 Syntax: ETRN domain|" },
	  { "ETRN a b\r\n", "500 Syntax|" },
	  { "ETRN a..b\r\n", "501 Error: invalid parameter syntax|" },
	  { "ETRN sub.b.example\r\n",
	    "554 5.7.1 <sub.b.example>: Etrn command rejected|" },
	  { "ETRN @c.example\r\n", "459 <c.example>: service unavailable|" },
	  { "ETRN [192.0.2.1]\r\n", "459 <[192.0.2.1]>|" }, FROM,
	  { "ETRN c.example\r\n", "503 Error: MAIL transaction|" }, BYE }, 0,
	  NULL, NULL },
	{ "ETRN wants HELO where that is required", STRICT
	  "smtpd_helo_required = yes\n", {
	  { "ETRN c.example\r\n", "503 Error: send HELO/EHLO first|" } }, 0,
	  NULL, NULL },
	{ "forbidden commands", STRICT "smtpd_forbidden_commands = "
	  "FOO, regexp:{{/^B/ x}}\n", { { "GET / HTTP/1.1\r\n", "500 5.5.2|" },
	  { "BDAT\r\n", "521 |!" } }, 0, NULL, NULL },
	{ "a forbidden word", STRICT "smtpd_forbidden_commands = FOO\n", {
	  { "foo bar\r\n", "221 2.7.0|!" } }, 0, NULL, NULL },
	{ "a forbidden pattern", STRICT "smtpd_forbidden_commands = "
	  "regexp:{{/^B/ x}}\n", { { "BAR\r\n", "221 2.7.0|!" } }, 0, NULL,
	  NULL },
	{ "a header where a command should be", STRICT, {
	  { "Subject: x\r\n", "221 2.7.0|!" } }, 0, NULL, NULL },
	{ "no letter where a command should be", STRICT, {
	  { "\x16\x03\x01\r\n", "221 2.7.0|!" } }, 0, NULL, NULL },
	{ "noop commands", STRICT "smtpd_noop_commands = ETRN, foo\n", {
	  { "ETRN\r\n", "250 2.0.0 Ok|" }, { "FOO bar\r\n", "250 2.0.0|" },
	  { "BAR\r\n", "500 5.5.2|" }, BYE }, 0, NULL, NULL },
	{ "discarded keywords", STRICT "smtpd_discard_ehlo_keywords = "
	  "chunking, dsn etrn silent-discard\n", {
	  { "EHLO c.example\r\n", "250-mx|250-PIPELINING|250-SIZE|250-VRFY|"
	    "250-ENHANCED|250-8BITMIME|250 SMTPUTF8|" },
	  { "MAIL FROM:<s@s.example> RET=FULL\r\n", "501 5.7.1 DSN|" },
	  FROM, { "RCPT TO:<kim@a.example> NOTIFY=NEVER\r\n", "501 5.7.1|" },
	  TO_KIM, { "BDAT 4\r\nab\r\n", "521 5.5.1|!" } }, 0, NULL, NULL },
	{ "discarded for one client", STRICT
	  "smtpd_discard_ehlo_keyword_address_maps = "
	  "inline:{ {192.0.2.7 = pipelining, chunking} }\n"
	  "smtpd_discard_ehlo_keywords = auth\nsmtpd_sasl_auth_enable = yes\n"
	  "smtpd_tls_auth_only = no\n", {
	  { "EHLO c.example\r\n", "250-mx|250-SIZE|250-VRFY|250-ETRN|"
	    "250-AUTH|250-ENHANCED|250-8BITMIME|250-DSN|250 SMTPUTF8|" } }, 0,
	  NULL, NULL },
	{ "nothing is left to be told", STRICT
	  "smtpd_discard_ehlo_keywords = pipelining size vrfy etrn starttls "
	  "auth xclient xforward enhancedstatuscodes 8bitmime dsn smtputf8 "
	  "chunking\n", { { "EHLO c.example\r\n", "250 mx.example|" } }, 0,
	  NULL, NULL },
	{ "AUTH that is not told", STRICT "smtpd_discard_ehlo_keywords = auth\n"
	  "smtpd_sasl_auth_enable = yes\nsmtpd_tls_auth_only = no\n", { HELLO,
	  { "AUTH PLAIN AGEAYg==\r\n", "503 5.5.1 Error: auth|" } }, 0, NULL,
	  NULL },
	{ "a command filter", STRICT "smtpd_command_filter = "
	  "pcre:{{/^ehlo (.*)/ HELO $$1} {/^(RCPT TO:<kim)@c(.*)/ $$1@a$$2}}\n", {
	  { "  EHLO c.example\r\n", "250 mx.example|" }, FROM,
	  { "RCPT TO:<kim@c.example>\r\n", "250 |" }, GO,
	  { "RCPT TO:<kim@c.example>\r\n.\r\n", "250 |" }, BYE }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example", NULL },
	{ "a command filter that fails", STRICT
	  "smtpd_command_filter = fail:x\n", { { "NOOP\r\n",
	  "421 4.3.0 mx.example Server local data error|!" } }, 0, NULL,
	  NULL },
	{ "soft bounces", STRICT "soft_bounce = yes\n", {
	  { "FOO\r\n", "400 4.5.2|" }, HELLO, FROM,
	  { "RCPT TO:<nobody@a.example>\r\n",
	    "450 4.1.1 <nobody@a.example>: R|" },
	  { "RCPT TO:<x@b.example>\r\n", "454 4.7.1|" },
	  { "RCPT TO:<x@temp.example>\r\n", "451 4.3.0|" },
	  { "NOOP\n", "421 4.5.2 mx.example Error: bare <LF>|!" } }, 0, NULL,
	  NULL },
	{ "a footer", STRICT "smtpd_reject_footer = See $server_name\\nfor "
	  "$client_address ${recipient?(}$recipient${recipient?)}\n", { HELLO,
	  FROM, { "RCPT TO:<nobody@a.example>\r\n",
	  "550-5.1.1 <nobody@a.example>: Recipient address rejected: User "
	  "unknown in virtual mailbox table\r|550-5.1.1 See mx.example\r|"
	  "550 5.1.1 for 192.0.2.7 (nobody@a.example)\r|" }, BYE }, 0, NULL,
	  NULL },
	{ "a footer that goes on in the line", STRICT
	  "smtpd_reject_footer = \\c. Call $$5\n", { HELLO,
	  { "DATA\r\n", "503 5.5.1 Error: need RCPT command. Call $5\r|" },
	  { "EHLO\r\n", "501 Syntax: EHLO hostname. Call $5\r|" }, BYE }, 0,
	  NULL, NULL },
	{ "a footer for one reply", STRICT "smtpd_reject_footer_maps = "
	  "regexp:{{/^500/ \\c, $$$$client_name\\nReally}}\n", {
	  { "FOO\r\n", "500-5.5.2 Error: command not recognized, unknown\r|"
	    "500 5.5.2 Really\r|" }, { "DATA\r\n", "503 5.5.1 Error: need|" },
	  BYE }, 0, NULL, NULL },
	{ "XCLIENT and XFORWARD are for listed peers",
	  RELAY("permit_mynetworks reject") "smtpd_authorized_xclient_hosts = "
	  "192.0.2.8\nmynetworks = 127.0.0.0/8\n",
	  { HELLO, { "XCLIENT ADDR=127.0.0.1\r\n", "550 5.7.0 Error: "
	  "insufficient authorization|" },
	  { "XFORWARD ADDR=127.0.0.1\r\n", "550 5.7.0|" },
	  { "XCLIENT\r\n", "501 5.5.4 Syntax: XCLIENT attribute=value...|" },
	  FROM, { "XCLIENT ADDR=127.0.0.1\r\n", "503 5.5.1 Error: MAIL|" },
	  TO_OUT_NO, BYE }, 0, NULL, NULL },
	{ "XCLIENT makes another client", BELIEVED
	  "mynetworks = 127.0.0.0/8\n"
	  RELAY("permit_mynetworks reject_unauth_destination"), { HELLO_X, FROM, TO_OUT_NO, RESET,
	  { "XCLIENT ADDR=127.0.0.1 NAME=localhost\r\n", GREETED },
	  /* who it is now is no listed peer */
	  HELLO, { "XCLIENT ADDR=192.0.2.7\r\n", "550 5.7.0|" }, FROM,
	  TO_OUT_YES, GO, { "x\r\n.\r\n", "250 |" }, BYE }, 1,
	  "s@s.example|EXTERNAL x@b.example", NULL },
	{ "XCLIENT forgets what the session was", BELIEVED
	  "smtpd_helo_required = yes\n"
	  RELAY("permit_sasl_authenticated reject_unauth_destination"), { HELLO_X,
	  { "XCLIENT LOGIN=kim@a.example HELO=h.example\r\n", GREETED },
	  FROM, TO_OUT_YES, RESET,
	  { "XCLIENT NAME=[TEMPUNAVAIL]\r\n", GREETED },
	  { "MAIL FROM:<s@s.example>\r\n", "503 5.5.1 Error: send HELO|" },
	  HELLO_X, FROM, TO_OUT_NO, BYE }, 0, NULL, NULL },
	{ "XCLIENT LOGIN owns its addresses", TRUSTED
	  "smtpd_sender_restrictions = reject_sender_login_mismatch\n", {
	  { "XCLIENT LOGIN=Kim@A.example\r\n", GREETED },
	  { "MAIL FROM:<kim@a.example>\r\n", "250 |" }, TO_KIM, RESET,
	  { "MAIL FROM:<lee@a.example>\r\n", "250 |" },
	  { "RCPT TO:<kim@a.example>\r\n", "553 5.7.1|" }, BYE }, 0, NULL,
	  NULL },
	{ "XCLIENT LOGIN when the directory does not answer", TRUSTED
	  "smtpd_sender_restrictions = reject_sender_login_mismatch\n", {
	  { "XCLIENT LOGIN=x@temp.example\r\n", "421 4.3.0|!" } }, 0, NULL,
	  NULL },
	{ "XCLIENT is judged like a connection", TRUSTED
	  "smtpd_delay_reject = no\nsmtpd_client_restrictions = "
	  "check_client_access inline:{ 198.51.100.1 = REJECT }\n", {
	  { "XCLIENT ADDR=198.51.100.1\r\n",
	    "554 5.7.1 <unknown[198.51.100.1]>: Client host rejected|" },
	  { "MAIL FROM:<s@s.example>\r\n", "503 5.7.0 Error: access|" },
	  BYE }, 0, NULL, NULL },
	{ "XCLIENT that is wrong changes nothing", BELIEVED
	  RELAY("permit_mynetworks reject"), {
	  { "XCLIENT ADDR=127.0.0.1 ADDR=127.0.0\r\n",
	    "501 5.5.4 Bad ADDR syntax: 127.0.0|" }, FROM, TO_OUT_NO, BYE },
	  0, NULL, NULL },
	{ "XFORWARD", TRUSTED, { HELLO_X,
	  { "XFORWARD NAME=a.example ADDR=198.51.100.1 IDENT=1234\r\n",
	    "250 2.0.0 Ok|" }, { "XFORWARD FOO=1\r\n",
	    "501 5.5.4 Bad XFORWARD attribute name: FOO|" },
	  { "XFORWARD SOURCE=here\r\n", "501 5.5.4 Bad SOURCE syntax|" },
	  FROM, { "XFORWARD NAME=b.example\r\n", "503 5.5.1|" }, TO_KIM, GO,
	  { "x\r\n.\r\n", "250 |" }, BYE }, 1,
	  "s@s.example|MAILBOX 1 kim@a.example", NULL },
	{ "data list", STRICT "smtpd_data_restrictions = defer\n", { HELLO,
	  FROM, TO_KIM, { "DATA\r\n", "450 4.3.2 <DATA>: Data command|" } },
	  0, NULL, NULL },
	{ "an unverified sender", STRICT "smtpd_sender_restrictions = "
	  "reject_unverified_sender\n", { { "MAIL FROM:<>\r\n", "250 |" },
	  TO_KIM, { "RSET\r\nMAIL FROM:<ok@far.example>\r\n", "250 |250 |" },
	  TO_KIM, { "RSET\r\nMAIL FROM:<\"NO\"@Far.example>\r\n",
	  "250 |250 |" }, { "RCPT TO:<kim@a.example>\r\n", "450 4.1.7 "
	  "<\"NO\"@Far.example>: Sender address rejected: unverified address: "
	  "said so\r|" }, { "RSET\r\nMAIL FROM:<slow@far.example>\r\n",
	  "250 |250 |" }, { "RCPT TO:<kim@a.example>\r\n", "450 4.1.7 "
	  "<slow@far.example>: Sender address rejected: unverified address: "
	  "said so\r|" }, { "RSET\r\nMAIL FROM:<x@q.example>\r\n",
	  "250 |250 |" }, { "RCPT TO:<kim@a.example>\r\n", "450 4.1.7 "
	  "<x@q.example>: Sender address rejected: unverified address: Address "
	  "verification in progress: probes of other servers are not built "
	  "yet\r|" }, { "RSET\r\nMAIL FROM:<x@temp.far.example>\r\n",
	  "250 |250 |" }, { "RCPT TO:<kim@a.example>\r\n", "450 4.1.7 "
	  "<x@temp.far.example>: Sender address rejected: address verification "
	  "problem\r|" }, { "RSET\r\nMAIL FROM:<nobody@a.example>\r\n",
	  "250 |250 |" }, { "RCPT TO:<kim@a.example>\r\n", "450 4.1.7 "
	  "<nobody@a.example>: Sender address rejected: unverified address: "
	  "User unknown in virtual mailbox table\r|" } }, 0, NULL, NULL },
	{ "an undeliverable sender", STRICT "smtpd_sender_restrictions = "
	  "reject_unverified_sender\nunverified_sender_reject_code = 550\n"
	  "unverified_sender_defer_code = 250\n", {
	  { "MAIL FROM:<no@far.example>\r\n", "250 |" },
	  { "RCPT TO:<kim@a.example>\r\n", "550 5.1.7 <no@far.example>: "
	  "Sender address rejected: undeliverable address: said so\r|" },
	  { "RSET\r\nMAIL FROM:<off@a.example>\r\n", "250 |250 |" },
	  { "RCPT TO:<kim@a.example>\r\n", "550 5.1.7 <off@a.example>: Sender "
	  "address rejected: undeliverable address: Mailbox disabled\r|" },
	  { "RSET\r\nMAIL FROM:<x@q.example>\r\n", "250 |250 |" }, TO_KIM,
	  /* an outage is no 250 */
	  { "RSET\r\nMAIL FROM:<x@temp.far.example>\r\n", "250 |250 |" },
	  { "RCPT TO:<kim@a.example>\r\n", "450 4.1.7|" } }, 0, NULL, NULL },
	{ "an unverified recipient", "myhostname = mx.example\n"
	  "mynetworks = 192.0.2.0/24\nsmtpd_error_sleep_time = 0\n"
	  "smtpd_recipient_restrictions = reject_unverified_recipient\n"
	  "unverified_recipient_reject_code = 550\n"
	  "unverified_recipient_reject_reason = try the phone\n"
	  "unverified_recipient_tempfail_action = defer\n", { HELLO, FROM,
	  TO_KIM, { "RCPT TO:<ok@far.example>\r\n", "250 |" },
	  { "RCPT TO:<no@far.example>\r\n", "550 5.1.1 <no@far.example>: "
	  "Recipient address rejected: undeliverable address: try the "
	  "phone\r|" }, { "RCPT TO:<slow@far.example>\r\n", "450 4.1.1 "
	  "<slow@far.example>: Recipient address rejected: unverified address: "
	  "try the phone\r|" }, { "RCPT TO:<nobody@a.example>\r\n",
	  "550 5.1.1 <nobody@a.example>: Recipient address rejected: "
	  "undeliverable address: try the phone\r|" },
	  { "RCPT TO:<x@temp.far.example>\r\n", "450 4.1.1 "
	  "<x@temp.far.example>: Recipient address rejected: address "
	  "verification problem\r|" } }, 0, NULL, NULL },
	{ "end of data list", STRICT "smtpd_end_of_data_restrictions = "
	  "reject\n", { HELLO, FROM, TO_KIM, GO,
	  { "x\r\n.\r\n", "554 5.7.1 <END-OF-MESSAGE>|" }, FROM }, 0, NULL,
	  NULL },
};

static void
expect(struct fake *f, const char *says)
{
	struct buf why;

	buf_init(&why, 65536);
	if (!fake_said(f, says, &why))
		fail_msg("%s", buf_cstr(&why));
	buf_fini(&why);
}

static void
converse(const struct dialogue *d, size_t step, bool late)
{
	struct fake f;
	struct span send, tail;
	size_t i, at;

	fake_init(&f, d->conf);
	f.late = late;
	fake_connect(&f);
	buf_clear(&f.sent);		/* the greeting */
	for (i = 0; i < STEPS && d->step[i].send != NULL; i++) {
		send = span_str(d->step[i].send);
		for (at = 0; at < send.n; at += step)
			fake_send(&f, span_sub(send, at, step));
		expect(&f, d->step[i].says);
	}
	assert_int_equal(f.n_messages, d->messages);
	if (d->envelope != NULL)
		assert_string_equal(buf_cstr(&f.message[0].envelope),
		    d->envelope);
	if (d->body != NULL) {
		tail = buf_span(&f.message[0].body);
		assert_true(span_ends(tail, d->body));
		assert_true(span_starts(tail, "Received: from c.example "
		    "(unknown [192.0.2.7])\r\n\tby mx.example (Postern) "
		    "with ESMTP id "));
	}
	fake_fini(&f);
}

static void
conversations(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(dialogues); i++) {
		print_message("%s\n", dialogues[i].name);
		converse(&dialogues[i], 1 << 20, false);
		converse(&dialogues[i], 1 << 20, true);
		/* Who talks ahead does so in one packet. */
		if (strncmp(dialogues[i].name, "talking ahead", 13) != 0)
			converse(&dialogues[i], 1, false);
	}
}

static void
a_failed_journal_is_451(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f, STRICT);
	fake_connect(&f);
	f.journal_fails = true;
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "DATA\r\n"));
	buf_clear(&f.sent);
	fake_send(&f, SPAN_LIT("x\r\n.\r\n"));
	expect(&f, "451 4.3.0|");
	fake_send(&f, SPAN_LIT("NOOP\r\n"));
	expect(&f, "250 |");
	fake_fini(&f);
}

static void
a_large_text_goes_through_a_file(void **state)
{
	struct fake f;
	struct buf text;
	int i;

	(void)state;
	buf_init(&text, BUF_NO_CAP);
	for (i = 0; i < 20000; i++)
		buf_fmt(&text, "line %d of many\r\n", i);
	fake_init(&f, STRICT);
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "DATA\r\n"));
	buf_clear(&f.sent);
	for (i = 0; i < 40 && f.n_messages == 0; i++) {
		fake_send(&f, span_sub(buf_span(&text), (size_t)i * 30000,
		    30000));
		while (body_memory_used() > BODY_MEMORY)
			fake_settle(&f);
	}
	fake_send(&f, SPAN_LIT(".\r\n"));
	for (i = 0; i < 1000 && f.n_messages == 0; i++)
		fake_settle(&f);
	fake_settle(&f);
	expect(&f, "250 2.0.0 Ok: queued as|");
	assert_int_equal(f.n_messages, 1);
	assert_true(span_ends(buf_span(&f.message[0].body),
	    buf_cstr(&text)));
	fake_fini(&f);
	buf_fini(&text);
	assert_int_equal(body_memory_used(), 0);
}

static void
written_cb(void *arg)
{
	loop_stop(arg);
}

/* What a thread has yet to write takes memory, too. */
static void
texts_under_way_to_files_count(void **state)
{
	struct loop *l = loop_new();
	struct work_pool *pool = work_pool_new(l, 1);
	char text[1000] = "";
	struct body b;

	(void)state;
	body_cap_set(500);
	body_init(&b);
	assert_false(body_memory_tight());
	body_add(&b, span_of(text, sizeof(text)));
	body_flush(&b, pool, written_cb, l);
	assert_int_equal(body_memory_used(), sizeof(text));
	assert_true(body_memory_tight());
	loop_run(l);
	assert_int_equal(b.in_file, sizeof(text));
	assert_int_equal(body_memory_used(), 0);
	/* of a message that is gone meanwhile, and of one more behind it */
	body_add(&b, span_of(text, sizeof(text)));
	body_flush(&b, pool, written_cb, l);
	body_fini(&b);
	assert_int_equal(body_memory_used(), sizeof(text));
	body_add(&b, span_of(text, 1));
	body_flush(&b, pool, written_cb, l);
	loop_run(l);
	assert_int_equal(body_memory_used(), 0);
	body_fini(&b);
	body_cap_set(64 * 1024 * 1024);
	work_pool_free(&pool);
	loop_free(&l);
}

static void
a_lagging_queue_slows_and_a_full_one_refuses(void **state)
{
	struct fake f;
	uint64_t until = clock_mono_ms() + 30000;
	struct session *s;

	(void)state;
	fake_init(&f, STRICT);
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "DATA\r\n"));
	buf_clear(&f.sent);
	f.srv.pressure = 1;
	fake_send(&f, SPAN_LIT("x\r\n.\r\n"));
	assert_int_equal(f.n_messages, 1);	/* stored, not yet told */
	s = TAILQ_FIRST(&f.srv.sessions);
	assert_int_equal(buf_len(&f.sent) == 0, s->nap.set);
	while (buf_len(&f.sent) == 0 && clock_mono_ms() < until)
		fake_settle(&f);
	expect(&f, "250 2.0.0|");
	f.srv.pressure = 2;
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\n"));
	expect(&f, "452 4.3.1|");
	fake_fini(&f);
}

static void
a_message_is_kept_when_its_client_goes_too_early(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f, STRICT);
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "DATA\r\n"));
	f.journal_holds = true;
	fake_send(&f, SPAN_LIT("x\r\n.\r\n"));
	assert_int_equal(f.srv.n_committing, 1);
	fake_hangup(&f);
	assert_int_equal(f.srv.n_sessions, 0);
	assert_int_equal(f.srv.n_committing, 1);
	fake_journal_release(&f);
	fake_settle(&f);
	assert_int_equal(f.srv.n_committing, 0);
	assert_int_equal(f.srv.stat.messages, 1);
	assert_int_equal(body_memory_used(), 0);
	fake_fini(&f);
}

/* `sleep' holds the answer back, and nobody else; who hangs up leaves
 * nothing. */
/* The certificate is the proxy's: what it lets the proxy do is nothing that
 * its clients may. */
static void
xclient_takes_the_certificate_away(void **state)
{
	struct session *s;
	struct fake f;

	(void)state;
	fake_init(&f, BELIEVED RELAY("permit_tls_all_clientcerts "
	    "reject_unauth_destination"));
	fake_connect(&f);
	f.tls = true;
	s = TAILQ_FIRST(&f.srv.sessions);
	s->tls = true;
	s->ccert = xmalloc(sizeof(*s->ccert));
	*s->ccert = (struct ccert){ .trusted = true,
		.subject = xstrdup("proxy"), .issuer = xstrdup("ca"),
		.fingerprint = xstrdup("AA"),
		.pubkey_fingerprint = xstrdup("BB") };
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<x@b.example>\r\n"
	    "RSET\r\n"));
	buf_clear(&f.sent);
	fake_send(&f, SPAN_LIT("XCLIENT ADDR=198.51.100.1\r\n"));
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<x@b.example>\r\n"));
	expect(&f, GREETED "250 2.1.0|554 5.7.1|");
	fake_hangup(&f);
	fake_fini(&f);
}

static void
sleep_parks_the_session(void **state)
{
	struct timeval at, now;
	struct session *s;
	struct fake f;

	(void)state;
	fake_init(&f, STRICT "smtpd_sender_restrictions = sleep 200\n");
	fake_connect(&f);
	buf_clear(&f.sent);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "NOOP\r\n"));
	expect(&f, "250 2.1.0|");
	fake_settle(&f);
	assert_int_equal(buf_len(&f.sent), 0);
	s = TAILQ_FIRST(&f.srv.sessions);
	assert_true(evtimer_pending(&s->judge->ask.nap.ev, &at));
	(void)gettimeofday(&now, NULL);
	assert_in_range(at.tv_sec - now.tv_sec, 100, 200);
	timer_set_ms(&s->judge->ask.nap, 0);	/* it is over */
	fake_settle(&f);
	expect(&f, "250 2.1.5|250 2.0.0|");
	fake_send(&f, SPAN_LIT("RCPT TO:<lee@a.example>\r\n"));
	buf_clear(&f.sent);
	fake_hangup(&f);
	assert_int_equal(f.srv.n_sessions, 0);
	fake_fini(&f);
}

static bool gone;

static void
gone_cb(struct server *srv, void *arg)
{
	gone = true;
}

static void
stopping_lets_a_message_finish(void **state)
{
	struct fake f;

	(void)state;
	gone = false;
	fake_init(&f, STRICT);
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"
	    "DATA\r\n"));
	fake_send(&f, SPAN_LIT("x\r\n"));
	buf_clear(&f.sent);
	server_stop(&f.srv, gone_cb, NULL);
	assert_false(gone);
	fake_send(&f, SPAN_LIT(".\r\n"));
	expect(&f, "250 2.0.0|421 4.3.2|!");
	assert_true(gone);
	assert_int_equal(f.n_messages, 1);
	fake_fini(&f);
}

static void
stopping_ends_idle_sessions(void **state)
{
	struct fake f;

	(void)state;
	gone = false;
	fake_init(&f, STRICT);
	fake_connect(&f);
	buf_clear(&f.sent);
	server_stop(&f.srv, gone_cb, NULL);
	fake_settle(&f);
	expect(&f, "421 4.3.2|!");
	assert_true(gone);
	fake_fini(&f);
}

static void
stopping_wakes_who_sleeps(void **state)
{
	struct fake f;

	(void)state;
	gone = false;
	fake_init(&f, STRICT "smtpd_sender_restrictions = sleep 300\n");
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\nRCPT TO:<kim@a.example>\r\n"));
	buf_clear(&f.sent);
	server_stop(&f.srv, gone_cb, NULL);
	fake_settle(&f);
	expect(&f, "421 4.3.2|!");
	assert_true(gone);
	fake_fini(&f);
}

/* Whatever it waits for: directory, policy service, verdict, an address of a
 * rule, the journal. */
static void
a_client_that_hangs_up_at_any_turn_leaves_nothing(void **state)
{
	static const char *const lines[] = {
		"XCLIENT LOGIN=kim@a.example ADDR=198.51.100.1\r\n",
		"EHLO c.example\r\n", "ETRN b.example\r\n",
		"VRFY both@a.example\r\n", "MAIL FROM:<ok@far.example>\r\n",
		"RCPT TO:<lee@a.example>\r\n", "RCPT TO:<kim@a.example>\r\n",
		"DATA\r\n", "x: y\r\n\r\n.\r\n", "QUIT\r\n",
	};
	struct fake f;
	unsigned turn;
	size_t i;
	bool over = false;

	(void)state;
	fake_init(&f, BELIEVED RELAY("reject_unauth_destination")
	    "smtpd_delay_reject = no\n"
	    "smtpd_client_restrictions = check_policy_service " SERVICE "\n"
	    "smtpd_sender_restrictions = reject_unverified_sender, "
	    "reject_known_sender_login_mismatch\n"
	    "smtpd_recipient_restrictions = check_recipient_access inline:{ "
	    "{kim@ = REDIRECT k@a.example}, {lee@ = BCC fwd@a.example} }, "
	    "check_policy_service " SERVICE "\n"
	    "smtpd_etrn_restrictions = check_policy_service " SERVICE "\n"
	    "smtpd_end_of_data_restrictions = check_policy_service " SERVICE
	    "\n");
	f.late = true;
	for (turn = 1; !over; turn++) {
		f.hangs_up = turn;
		fake_connect(&f);
		for (i = 0; i < ARRAY_LEN(lines) && !f.closed; i++)
			fake_send(&f, span_str(lines[i]));
		over = f.hangs_up > 0;	/* all was said before */
		fake_hangup(&f);
		assert_int_equal(f.srv.n_sessions, 0);
		assert_int_equal(f.srv.n_committing, 0);
		assert_int_equal(body_memory_used(), 0);
	}
	assert_in_range(turn, 15, 200);
	assert_int_equal(f.n_messages, 1);
	fake_fini(&f);
}

static void
many_destinations_are_told_apart(void **state)
{
	struct fake f;
	struct buf line;
	int i;

	(void)state;
	buf_init(&line, 65536);
	fake_init(&f, "myhostname = mx.example\nmynetworks = 192.0.2.0/24\n");
	fake_connect(&f);
	fake_send(&f, SPAN_LIT("MAIL FROM:<>\r\n"));
	for (i = 0; i < 400; i++) {
		buf_fmt(&line, "RCPT TO:<u%d@b.example>\r\n", i % 200);
		fake_send(&f, buf_span(&line));
		buf_clear(&line);
	}
	fake_send(&f, SPAN_LIT("DATA\r\n"));
	buf_clear(&f.sent);
	fake_send(&f, SPAN_LIT("x\r\n.\r\n"));
	expect(&f, "250 2.0.0|");
	for (i = 0; i < 200; i++)
		buf_fmt(&line, "|EXTERNAL u%d@b.example", i);
	assert_string_equal(buf_cstr(&f.message[0].envelope),
	    buf_cstr(&line));
	fake_fini(&f);
	buf_fini(&line);
}

static void
a_client_that_hangs_up_anywhere_leaves_nothing(void **state)
{
	static const char all[] = "EHLO c.example\r\nMAIL FROM:<s@s.example>"
	    "\r\nRCPT TO:<both@a.example>\r\nDATA\r\nx: y\r\n\r\n.\r\nQUIT";
	struct fake f;
	size_t n, i;

	(void)state;
	fake_init(&f, STRICT);
	for (n = 0; n < sizeof(all); n++) {
		f.late = n % 2;
		fake_connect(&f);
		for (i = 0; i < n; i++)
			fake_send(&f, span_of(all + i, 1));
		fake_hangup(&f);
		assert_int_equal(f.srv.n_sessions, 0);
		assert_int_equal(f.srv.n_committing, 0);
		assert_int_equal(body_memory_used(), 0);
	}
	fake_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations),
		cmocka_unit_test(a_failed_journal_is_451),
		cmocka_unit_test(a_large_text_goes_through_a_file),
		cmocka_unit_test(texts_under_way_to_files_count),
		cmocka_unit_test(
		    a_lagging_queue_slows_and_a_full_one_refuses),
		cmocka_unit_test(
		    a_message_is_kept_when_its_client_goes_too_early),
		cmocka_unit_test(xclient_takes_the_certificate_away),
		cmocka_unit_test(sleep_parks_the_session),
		cmocka_unit_test(stopping_lets_a_message_finish),
		cmocka_unit_test(stopping_ends_idle_sessions),
		cmocka_unit_test(stopping_wakes_who_sleeps),
		cmocka_unit_test(many_destinations_are_told_apart),
		cmocka_unit_test(
		    a_client_that_hangs_up_anywhere_leaves_nothing),
		cmocka_unit_test(
		    a_client_that_hangs_up_at_any_turn_leaves_nothing),
	};

	log_level_set(LOG_L_FATAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
