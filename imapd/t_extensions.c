/*
 * Conversations about contents and their order: BINARY, SORT, THREAD.
 */
#include "imapd/t_imapd.h"

#include <stdio.h>

#include "base/xmalloc.h"

/* --- BINARY (RFC 3516) ---------------------------------------------------- */

static const char mail_binary[] =
    "Subject: parts\n"
    "Content-Type: multipart/mixed; boundary=x\n"
    "\n"
    "--x\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "\n"
    "sch=C3=B6n =\n"
    "ist\n"
    "--x\n"
    "Content-Type: application/octet-stream\n"
    "Content-Transfer-Encoding: base64\n"
    "\n"
    "AAECAwQ=\n"
    "--x\n"
    "Content-Transfer-Encoding: x-uuencode\n"
    "\n"
    "begin 644 x\n"
    "--x\n"
    "\n"
    "plain\n"
    "--x--\n";

/* What a response with NUL in it is, as hex would say: finds `want` within
 * everything up to the tagged line. */
static void
expect_bytes(struct client *c, const char *command, struct span want)
{
	struct span all;
	char *line = xasprintf("x %s\r\n", command);

	client_send(c, line);
	free(line);
	all = client_wait_span(c, "x OK");
	if (all.n < want.n || memcmp(all.p, want.p, want.n) != 0)
		fail_msg("%s: %zu bytes: %.*s", command, all.n,
		    SPAN_ARG(all));
}

static void
test_binary_fetch(void **state)
{
	static const char nul[] = "* 1 FETCH (BINARY[2] ~{5}\r\n"
	    "\0\1\2\3\4)\r\n";
	static const char part[] = "* 1 FETCH (BINARY[2]<1> {2}\r\n"
	    "\1\2)\r\n";
	struct client *c = client_login();

	client_append(c, "", mail_binary);
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "FETCH 1 BINARY.PEEK[1]", "OK",
	    "* 1 FETCH (BINARY[1] {10}\r\nsch\303\266n ist)\r\n");
	client_do(c, "FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2] "
	    "BINARY.SIZE[4] BINARY.SIZE[9])", "OK",
	    "* 1 FETCH (BINARY.SIZE[1] 10 BINARY.SIZE[2] 5 "
	    "BINARY.SIZE[4] 5 BINARY.SIZE[9] 0)\r\n");
	client_do(c, "FETCH 1 FLAGS", "OK",
	    "* 1 FETCH (FLAGS (\\Recent))\r\n");
	client_do(c, "FETCH 1 BINARY[4]", "OK",
	    "* 1 FETCH (FLAGS (\\Seen \\Recent) BINARY[4] {5}\r\nplain)\r\n");
	expect_bytes(c, "FETCH 1 BINARY[2]", span_of(nul, sizeof(nul) - 1));
	expect_bytes(c, "FETCH 1 BINARY[2]<1.2>",
	    span_of(part, sizeof(part) - 1));
	client_do(c, "FETCH 1 BINARY[9]", "OK",
	    "* 1 FETCH (BINARY[9] NIL)\r\n");
	client_do(c, "FETCH 1 BINARY[3]", "NO [UNKNOWN-CTE]", "");
	client_do(c, "FETCH 1 BINARY.SIZE[3]", "NO [UNKNOWN-CTE]", "");
	client_do(c, "FETCH 1 (BODY.PEEK[] BINARY.PEEK[3])",
	    "NO [UNKNOWN-CTE]", "");
	client_do(c, "FETCH 1 BINARY.SIZE[1]<0.2>", "BAD", "");
	client_do(c, "FETCH 1 BINARY[HEADER]", "BAD", "");
	client_do(c, "FETCH 1 BINARY[1.MIME]", "BAD", "");
	client_do(c, "FETCH 1 BINARY", "BAD", "");
	client_do(c, "FETCH 1 BINARY[]<0.9>", "OK",
	    "* 1 FETCH (BINARY[]<0> {9}\r\nSubject: )\r\n");
	client_free(&c);
}

/* RFC 3516 4.4: the part becomes base64, what encloses it 8bit. */
static void
test_binary_append(void **state)
{
	static const char message[] =
	    "Content-Type: multipart/mixed; boundary=x\r\n"
	    "Content-Transfer-Encoding: BINARY\r\n"
	    "\r\n"
	    "--x\r\n"
	    "Content-Transfer-Encoding: binary (it is)\r\n"
	    "\r\n"
	    "a\0b\r\n"
	    "--x\r\n"
	    "\r\n"
	    "text\r\n"
	    "--x--\r\n";
	static const char nowhere[] = "Subject: a\0b\r\n\r\n";
	struct client *c = client_login();

	client_send(c, "a APPEND INBOX ~{155}\r\n");
	assert_int_equal(sizeof(message) - 1, 155);
	client_wait(c, "+ ");
	client_send_span(c, span_of(message, sizeof(message) - 1));
	client_send(c, "\r\n");
	client_wait(c, "a OK [APPENDUID ");
	client_send(c, "b APPEND INBOX ~{16+}\r\n");
	client_send_span(c, span_of(nowhere, 16));
	client_send(c, "\r\n");
	client_wait(c, "b NO [UNKNOWN-CTE]");
	client_do(c, "APPEND INBOX ~{4+}\r\na: b {4+}\r\na: c", "OK", "");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "FETCH 1 BODY.PEEK[]", "OK",
	    "* 1 FETCH (BODY[] {146}\r\n"
	    "Content-Type: multipart/mixed; boundary=x\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n"
	    "\r\n"
	    "--x\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "\r\n"
	    "YQBi\r\n"
	    "--x\r\n"
	    "\r\n"
	    "text\r\n"
	    "--x--\r\n"
	    ")\r\n");
	client_do(c, "FETCH 1 BINARY.SIZE[1]", "OK",
	    "* 1 FETCH (BINARY.SIZE[1] 3)\r\n");
	client_do(c, "FETCH 2:3 BODY.PEEK[]", "OK",
	    "* 2 FETCH (BODY[] {4}\r\na: b)\r\n"
	    "* 3 FETCH (BODY[] {4}\r\na: c)\r\n");
	/* literal8 has no other place */
	client_do(c, "SELECT ~{5+}\r\nINBOX", "BAD", "");
	client_free(&c);
}

/* A NUL that came otherwise is shown as 0x80. */
static void
test_nul_is_hidden_in_plain_literals(void **state)
{
	static const char message[] = "a: b\r\n\r\nx\0y\r\n";
	struct client *c = client_login();

	client_send(c, "a APPEND INBOX {13+}\r\n");
	client_send_span(c, span_of(message, 13));
	client_send(c, "\r\n");
	client_wait(c, "a OK");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "FETCH 1 BODY.PEEK[TEXT]", "OK",
	    "* 1 FETCH (BODY[TEXT] {5}\r\nx\200y\r\n)\r\n");
	client_do(c, "FETCH 1 BODY.PEEK[1]", "OK",
	    "* 1 FETCH (BODY[1] {5}\r\nx\200y\r\n)\r\n");
	client_free(&c);
}

/* --- SORT and THREAD (RFC 5256) ------------------------------------------- */

static const char *const letters[] = {
	"From: zoe@x.example\nTo: bob@x.example\nSubject: apple\n"
	"Date: Wed, 17 Jul 1996 12:00:00 +0000\nMessage-ID: <1@x>\n\nhi\n",
	"From: Ann <Ann@x.example>\nCc: c1@x.example\nSubject: Re: Apple\n"
	"Date: Wed, 17 Jul 1996 13:00:00 +0200\nMessage-ID: <2@x>\n"
	"References: <1@x>\n\nlonger text\n",
	"From: \303\244hn@x.example\nTo: list: bob@x.example;\n"
	"Subject: =?utf-8?q?=C3=84pfel?=\nMessage-ID: <3@x>\n"
	"In-Reply-To: <2@x> <9@x>\n\nno date\n",
	"Subject: [list] \303\244pfel (fwd)\nMessage-ID: <4@x>\n"
	"Date: Wed, 17 Jul 1996 12:30:00 +0000\n\nx\n",
};

static struct client *
client_sorting(void)
{
	static const char *const dates[] = {
	    "\"17-Jul-1996 05:00:00 +0000\" ",
	    "\"17-Jul-1996 04:00:00 +0000\" ",
	    "\"17-Jul-1996 20:00:00 +0000\" ",
	    "\"17-Jul-1996 04:00:00 +0000\" " };
	struct client *c = client_login();
	size_t i;

	for (i = 0; i < ARRAY_LEN(letters); i++)
		client_append(c, dates[i], letters[i]);
	client_do(c, "SELECT INBOX", "OK", NULL);
	return c;
}

static void
test_sort(void **state)
{
	static const char *const rows[][2] = {
		{ "(ARRIVAL) UTF-8 ALL", "2 4 1 3" },
		{ "(REVERSE ARRIVAL) UTF-8 ALL", "3 1 2 4" },
		{ "(DATE) UTF-8 ALL", "2 1 4 3" },	/* 3: INTERNALDATE */
		{ "(REVERSE DATE) US-ASCII ALL", "3 4 1 2" },
		{ "(SIZE) UTF-8 ALL", "4 1 3 2" },
		{ "(FROM) UTF-8 ALL", "4 2 3 1" },
		{ "(TO) UTF-8 ALL", "2 4 1 3" },	/* 3: group's name */
		{ "(CC) UTF-8 ALL", "1 3 4 2" },
		/* A-umlaut decomposed sorts behind "AP" */
		{ "(SUBJECT) UTF-8 ALL", "1 2 3 4" },
		{ "(SUBJECT REVERSE DATE) UTF-8 ALL", "1 2 3 4" },
		{ "(REVERSE SUBJECT DATE) UTF-8 ALL", "4 3 2 1" },
		{ "(ARRIVAL) UTF-8 NOT FROM zoe", "2 4 3" },
		{ "(ARRIVAL) UTF-8 2,3", "2 3" },
		{ "(ARRIVAL) UTF-8 FROM nobody", "" },
	};
	struct client *c = client_sorting();
	char *line, *want;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		line = xasprintf("SORT %s", rows[i][0]);
		want = xasprintf("* SORT%s%s\r\n", *rows[i][1] != '\0' ?
		    " " : "", rows[i][1]);
		client_do(c, line, "OK SORT completed", want);
		free(line);
		free(want);
	}
	client_do(c, "STORE 1 +FLAGS (\\Deleted)", "OK", NULL);
	client_do(c, "EXPUNGE", "OK", NULL);
	client_do(c, "SORT (ARRIVAL) UTF-8 ALL", "OK", "* SORT 1 3 2\r\n");
	client_do(c, "UID SORT (ARRIVAL) UTF-8 ALL",
	    "OK UID SORT completed", "* SORT 2 4 3\r\n");
	client_do(c, "SORT (ARRIVAL) BOGUS ALL", "NO [BADCHARSET", "");
	client_do(c, "SORT (ARRIVAL ARRIVAL SIZE TO CC FROM DATE SUBJECT TO "
	    "REVERSE ARRIVAL) UTF-8 ALL", "OK", "* SORT 3 1 2\r\n");
	client_do(c, "SORT () UTF-8 ALL", "BAD", "");
	client_do(c, "SORT (REVERSE) UTF-8 ALL", "BAD", "");
	client_do(c, "SORT (BOGUS) UTF-8 ALL", "BAD Unknown sort key", "");
	client_do(c, "SORT ARRIVAL UTF-8 ALL", "BAD", "");
	client_do(c, "SORT (ARRIVAL) UTF-8", "BAD", "");
	client_do(c, "SORT (ARRIVAL) UTF-8 BOGUS", "BAD", "");
	client_do(c, "SORT (ARRIVAL)", "BAD", "");
	client_free(&c);
}

static void
test_thread(void **state)
{
	struct client *c = client_sorting();

	/* 3 refers to 2 by In-Reply-To, 2 to 1; 4 is a forward of what 3 is
	 * about, but 3 is no root */
	client_do(c, "THREAD REFERENCES UTF-8 ALL", "OK THREAD completed",
	    "* THREAD (1 2 3)(4)\r\n");
	client_do(c, "THREAD ORDEREDSUBJECT UTF-8 ALL", "OK",
	    "* THREAD (2 1)(4 3)\r\n");
	client_do(c, "THREAD REFERENCES US-ASCII 2:4", "OK",
	    "* THREAD (2 3)(4)\r\n");
	client_do(c, "THREAD REFERENCES UTF-8 FROM nobody", "OK",
	    "* THREAD\r\n");
	client_do(c, "STORE 1 +FLAGS (\\Deleted)", "OK", NULL);
	client_do(c, "EXPUNGE", "OK", NULL);
	client_do(c, "UID THREAD REFERENCES UTF-8 ALL",
	    "OK UID THREAD completed", "* THREAD (2 3)(4)\r\n");
	client_do(c, "THREAD BOGUS UTF-8 ALL", "BAD Unknown threading", "");
	client_do(c, "THREAD REFERENCES BOGUS ALL", "NO [BADCHARSET", "");
	client_do(c, "THREAD REFERENCES UTF-8", "BAD", "");
	client_do(c, "THREAD", "BAD", "");
	client_free(&c);
}

/* References too long for the cache are read from the message. */
static void
test_thread_with_long_references(void **state)
{
	struct client *c = client_login();
	struct buf mail;
	int i;

	buf_init(&mail, BUF_NO_CAP);
	client_append(c, "", "Message-ID: <root@x>\nSubject: a\n\n.\n");
	buf_str(&mail, "Subject: b\nReferences:");
	for (i = 0; i < 400; i++)
		buf_fmt(&mail, " <%d.a.rather.long.message.id@x.example>\n",
		    i);
	buf_str(&mail, " <root@x>\n\n.\n");
	client_append(c, "", buf_cstr(&mail));
	client_append(c, "", "Subject: c\nReferences: <7.a.rather.long."
	    "message.id@x.example>\n <root@x>\n\n.\n");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "THREAD REFERENCES UTF-8 ALL", "OK",
	    "* THREAD (1 (2)(3))\r\n");
	buf_fini(&mail);
	client_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_binary_fetch),
		T(test_binary_append),
		T(test_nul_is_hidden_in_plain_literals),
		T(test_sort),
		T(test_thread),
		WHOLE(test_thread_with_long_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
