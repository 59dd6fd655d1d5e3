/*
 * Conversations with whole sessions on a real store (t_imapd.h).
 */
#include "imapd/t_imapd.h"

#include "base/xmalloc.h"

#define DATE1 "\"17-Jul-1996 02:44:25 -0700\" "

static const char mail1[] =
    "From: Joe <joe@b.example>\n"
    "To: kim@a.example\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= one\n"
    "Date: Wed, 17 Jul 1996 02:23:25 -0700\n"
    "Message-ID: <1@b.example>\n"
    "\n"
    "hello world\n";
static const char mail2[] =
    "From: ann@c.example\n"
    "Subject: two\n"
    "Content-Type: multipart/mixed; boundary=x\n"
    "\n"
    "--x\n"
    "\n"
    "part one\n"
    "--x\n"
    "Content-Type: text/html; charset=iso-8859-1\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "\n"
    "<p>sch=F6n\n"
    "--x--\n";

/* A client with INBOX selected that holds mail1 (seen) and mail2. */
static struct client *
client_ready(void)
{
	struct client *c = client_login();

	client_append(c, "(\\Seen) " DATE1, mail1);
	client_append(c, DATE1, mail2);
	client_do(c, "SELECT INBOX", "OK [READ-WRITE]", NULL);
	return c;
}

static void
test_login_and_logout(void **state)
{
	struct client *c = client_new();

	client_do(c, "CAPABILITY", "OK", NULL);
	client_do(c, "SELECT INBOX", "BAD Log in first", "");
	client_do(c, "LOGIN kim@a.example wrong",
	    "NO [AUTHENTICATIONFAILED]", "");
	client_do(c, "LOGIN kim@a.example {6+}\r\nsecret",
	    "OK [CAPABILITY IMAP4rev1 ", "");
	client_do(c, "LOGIN kim@a.example secret", "BAD Already logged in",
	    "");
	client_do(c, "NOOP", "OK NOOP completed", "");
	client_do(c, "XYZZY", "BAD Unknown command", "");
	client_do(c, "LOGOUT", "OK", "* BYE Logging out\r\n");
	client_wait_end(c);
	client_free(&c);
}

static void
test_authenticate_with_and_without_initial_response(void **state)
{
	struct client *c = client_new();

	client_do(c, "AUTHENTICATE PLAIN AGtpbUBhLmV4YW1wbGUAc2VjcmV0", "OK",
	    "");
	client_free(&c);
	c = client_new();
	client_send(c, "a AUTHENTICATE PLAIN\r\n");
	client_wait(c, "+ ");
	client_send(c, "AGtpbUBhLmV4YW1wbGUAc2VjcmV0\r\n");
	client_wait(c, "+ dj14");	/* the server's last word */
	client_send(c, "\r\n");
	client_wait(c, "a OK");
	client_free(&c);
	c = client_new();
	client_send(c, "a AUTHENTICATE PLAIN\r\n");
	client_wait(c, "+ ");
	client_send(c, "*\r\n");
	client_wait(c, "a BAD Authentication cancelled");
	client_send(c, "b AUTHENTICATE PLAIN\r\n");
	client_wait(c, "+ ");
	client_send(c, "!!\r\n");
	client_wait(c, "b BAD Bad base64");
	client_do(c, "AUTHENTICATE NOSUCH", "NO [CANNOT]", "");
	client_free(&c);
}

static void
test_select_tells_the_state(void **state)
{
	struct client *c = client_ready();
	const char *all;

	client_do(c, "EXAMINE INBOX", "OK [READ-ONLY]", NULL);
	all = client_do(c, "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)", "OK",
	    "* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UNSEEN 1)\r\n");
	assert_non_null(all);
	client_do(c, "STORE 1 +FLAGS (\\Deleted)", "NO [CANNOT]", "");
	client_do(c, "SELECT nowhere", "NO [NONEXISTENT]",
	    "* OK [CLOSED] Previous mailbox closed\r\n");
	client_do(c, "FETCH 1 FLAGS", "BAD No mailbox selected", "");
	client_send(c, "s SELECT inbox\r\n");
	all = client_wait(c, "s OK");
	assert_non_null(strstr(all, "* 2 EXISTS\r\n"));
	assert_non_null(strstr(all, "* OK [UNSEEN 2]"));
	assert_non_null(strstr(all, "* OK [UIDNEXT 3]"));
	assert_non_null(strstr(all, "\\Answered \\Flagged \\Deleted \\Seen "
	    "\\Draft"));
	client_do(c, "CLOSE", "OK", "");
	client_do(c, "CHECK", "BAD", "");
	client_free(&c);
}

static void
test_fetch_items(void **state)
{
	struct client *c = client_ready();

	client_do(c, "FETCH 1 (UID INTERNALDATE RFC822.SIZE)", "OK",
	    "* 1 FETCH (UID 1 INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" "
	    "RFC822.SIZE 169)\r\n");
	client_do(c, "FETCH 1 ENVELOPE", "OK",
	    "* 1 FETCH (ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" "
	    "\"=?utf-8?q?Gr=C3=BC=C3=9Fe?= one\" "
	    "((\"Joe\" NIL \"joe\" \"b.example\")) "
	    "((\"Joe\" NIL \"joe\" \"b.example\")) "
	    "((\"Joe\" NIL \"joe\" \"b.example\")) "
	    "((NIL NIL \"kim\" \"a.example\")) NIL NIL NIL "
	    "\"<1@b.example>\"))\r\n");
	client_do(c, "UID FETCH 2 BODY", "OK",
	    "* 2 FETCH (UID 2 BODY ((\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 8 0)(\"text\" \"html\" "
	    "(\"charset\" \"iso-8859-1\") NIL NIL \"quoted-printable\" 10 0) "
	    "\"mixed\"))\r\n");
	client_do(c, "FETCH 2 BODY.PEEK[1]", "OK",
	    "* 2 FETCH (BODY[1] {8}\r\npart one)\r\n");
	client_do(c, "FETCH 2 BODY.PEEK[2.MIME]<0.25>", "OK",
	    "* 2 FETCH (BODY[2.MIME]<0> {25}\r\nContent-Type: text/html; )"
	    "\r\n");
	client_do(c, "FETCH 1 (BODY.PEEK[TEXT] BODY.PEEK[HEADER.FIELDS (to "
	    "x)])", "OK", "* 1 FETCH (BODY[TEXT] {13}\r\nhello world\r\n "
	    "BODY[HEADER.FIELDS (to x)] {21}\r\nTo: kim@a.example\r\n\r\n)"
	    "\r\n");
	client_do(c, "FETCH 1 BODY.PEEK[3]", "OK",
	    "* 1 FETCH (BODY[3] NIL)\r\n");
	client_do(c, "FETCH 1 BODY.PEEK[]<10.6>", "OK",
	    "* 1 FETCH (BODY[]<10> {6}\r\n<joe@b)\r\n");
	client_do(c, "FETCH 1 BODY.PEEK[]<1000.6>", "OK",
	    "* 1 FETCH (BODY[]<1000> {0}\r\n)\r\n");
	client_do(c, "FETCH 3 FLAGS", "BAD No such message number", "");
	client_do(c, "UID FETCH 3:* FLAGS", "OK",
	    "* 2 FETCH (UID 2 FLAGS (\\Recent))\r\n");
	client_do(c, "UID FETCH 7 FLAGS", "OK", "");
	client_free(&c);
}

static void
test_fetching_a_body_sets_seen(void **state)
{
	struct client *c = client_ready();

	client_do(c, "FETCH 2 BODY[1]", "OK",
	    "* 2 FETCH (FLAGS (\\Seen \\Recent) BODY[1] {8}\r\npart one)"
	    "\r\n");
	client_do(c, "FETCH 2 FLAGS", "OK",
	    "* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n");
	client_do(c, "EXAMINE INBOX", "OK", NULL);
	client_do(c, "FETCH 2 FLAGS", "OK", "* 2 FETCH (FLAGS (\\Seen))\r\n");
	client_free(&c);
}

static void
test_store_and_expunge(void **state)
{
	struct client *c = client_ready();

	client_do(c, "STORE 1:2 +FLAGS (\\Flagged $Work)", "OK", NULL);
	client_do(c, "FETCH 1 FLAGS", "OK",
	    "* 1 FETCH (FLAGS (\\Flagged \\Seen $Work \\Recent))\r\n");
	client_do(c, "STORE 1 -FLAGS.SILENT $Work", "OK", "");
	client_do(c, "STORE 2 FLAGS \\Deleted", "OK",
	    "* 2 FETCH (FLAGS (\\Deleted \\Recent))\r\n");
	client_do(c, "UID STORE 1 +FLAGS (\\Deleted)", "OK",
	    "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Deleted \\Seen \\Recent))"
	    "\r\n");
	client_do(c, "UID EXPUNGE 2", "OK",
	    "* 2 EXPUNGE\r\n* 1 RECENT\r\n");
	client_do(c, "EXPUNGE", "OK", "* 1 EXPUNGE\r\n* 0 RECENT\r\n");
	client_do(c, "STORE 1 +FLAGS (\\Bogus)", "BAD", "");
	client_do(c, "STORE 1 +FLAGS (foo*)", "BAD", "");
	client_do(c, "STORE 1 +FLAGS (a]b)", "BAD", "");
	client_do(c, "FETCH 1:* FLAGS", "OK", "");
	client_free(&c);
}

static void
test_search_keys(void **state)
{
	static const struct {
		const char *keys, *want;
	} cases[] = {
		{ "ALL", " 1 2" }, { "SEEN", " 1" }, { "UNSEEN", " 2" },
		{ "NOT SEEN", " 2" }, { "OR SEEN UNSEEN", " 1 2" },
		{ "(SEEN UNSEEN)", "" }, { "2", " 2" }, { "UID 1:*", " 1 2" },
		{ "FROM joe", " 1" }, { "FROM JOE@B", " 1" },
		{ "SUBJECT gr\xc3\xbc\xc3\x9f", "BAD" },
		{ "CHARSET UTF-8 SUBJECT {6+}\r\nGR\xc3\x9c\xc3\x9f", " 1" },
		{ "CHARSET ISO-8859-1 SUBJECT {4+}\r\ngr\xfc\xdf", " 1" },
		{ "BODY \"HELLO world\"", " 1" }, { "BODY boundary", "" },
		{ "BODY \"part one\"", " 2" }, { "TEXT ann@c", " 2" },
		{ "CHARSET UTF-8 BODY {6+}\r\nsch\xc3\xb6n", " 2" },
		{ "HEADER message-id \"\"", " 1" },
		{ "HEADER Subject two", " 2" }, { "TO kim", " 1" },
		{ "SENTON 17-Jul-1996", " 1" }, { "SENTSINCE 18-Jul-1996", "" },
		{ "ON 17-Jul-1996", " 1 2" }, { "BEFORE 17-Jul-1996", "" },
		{ "SINCE 1-Jan-1996 SMALLER 200", " 1" },
		{ "LARGER 190", " 2" }, { "KEYWORD nope", "" },
		{ "UNKEYWORD nope", " 1 2" }, { "RECENT", " 1 2" },
		{ "NEW", " 2" }, { "OLD", "" },
		{ "OR (FROM joe SEEN) (FROM ann NOT BODY nothing)", " 1 2" },
	};
	struct client *c = client_ready();
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		char *command = xasprintf("SEARCH %s", cases[i].keys);
		char *want = xasprintf("* SEARCH%s\r\n", cases[i].want);
		/* 8-bit bytes in an atom are taken, as UTF-8 */
		bool bad = strcmp(cases[i].want, "BAD") == 0;

		client_do(c, command, "OK", bad ? "* SEARCH 1\r\n" : want);
		free(command);
		free(want);
	}
	client_do(c, "UID SEARCH FROM ann", "OK", "* SEARCH 2\r\n");
	client_do(c, "SEARCH CHARSET x-none ALL", "NO [BADCHARSET", "");
	client_do(c, "SEARCH FROM", "BAD", "");
	client_do(c, "SEARCH", "BAD", "");
	client_do(c, "SEARCH NOT", "BAD", "");
	client_do(c, "SEARCH 3", "BAD No such message number", "");
	client_do(c, "SEARCH BEFORE yesterday", "BAD Date expected", "");
	client_free(&c);
}

/* Each key of RFC 3501 6.4.4, with messages that match and others. */
static void
test_every_search_key(void **state)
{
	static const char first[] =
	    "From: \"Fred Foobar\" <foobar@Blurdybloop.example>\n"
	    "To: mooch@owatagu.example\n"
	    "Cc: minutes@CNRI.example\n"
	    "Bcc: hidden@b.example\n"
	    "Subject: =?iso-8859-15?q?price_5=A4?= afternoon\n"
	    "Date: Fri, 2 Feb 2024 23:30:00 -0800\n"
	    "X-Loop: yes\n"
	    "\n"
	    "Hello Joe, =?utf-8?q?not_a_word?=\n";
	static const char second[] =
	    "From: joe@owatagu.example\n"
	    "Subject: other\n"
	    "Content-Type: text/plain; charset=koi8-r\n"
	    "\n"
	    "\xf0\xf2\xe9\xf7\xe5\xf4\n";
	static const struct {
		const char *keys, *want;
	} cases[] = {
		{ "1:*", " 1 2 3" }, { "2:3", " 2 3" }, { "*", " 3" },
		{ "1,3", " 1 3" }, { "ALL", " 1 2 3" },
		{ "ANSWERED", " 1" }, { "UNANSWERED", " 2 3" },
		{ "DELETED", " 2" }, { "UNDELETED", " 1 3" },
		{ "DRAFT", " 2" }, { "UNDRAFT", " 1 3" },
		{ "FLAGGED", " 1" }, { "UNFLAGGED", " 2 3" },
		{ "SEEN", " 1" }, { "UNSEEN", " 2 3" },
		{ "KEYWORD $work", " 2" }, { "UNKEYWORD $Work", " 1 3" },
		{ "KEYWORD $Forwarded", " 3" }, { "NEW", " 2 3" },
		{ "OLD", "" }, { "RECENT", " 1 2 3" },
		{ "BCC hidden", " 1" }, { "CC cnri", " 1" },
		{ "TO mooch", " 1" }, { "TO nobody", "" },
		{ "FROM \"fred foobar\"", " 1" }, { "FROM owatagu", " 2 3" },
		{ "SUBJECT AFTERNOON", " 1" }, { "SUBJECT \"\"", " 1 2 3" },
		{ "HEADER X-Loop YES", " 1" }, { "HEADER X-LOOP \"\"", " 1" },
		{ "HEADER X-None \"\"", "" }, { "BODY \"hello joe\"", " 1" },
		{ "BODY mooch", "" }, { "TEXT mooch", " 1" },
		{ "CHARSET UTF-8 TEXT {12+}\r\n\xd0\xbf\xd1\x80\xd0\xb8"
		    "\xd0\xb2\xd0\xb5\xd1\x82", " 2 3" },
		{ "CHARSET KOI8-R BODY {6+}\r\n\xd0\xd2\xc9\xd7\xc5\xd4",
		    " 2 3" },
		{ "CHARSET ISO-8859-5 BODY {6+}\r\n\xbf\xc0\xb8\xb2\xb5"
		    "\xc2", " 2 3" },
		{ "CHARSET ISO-8859-15 SUBJECT {2+}\r\n5\xa4", " 1" },
		{ "CHARSET UTF-8 SUBJECT {4+}\r\n5\xe2\x82\xac", " 1" },
		{ "CHARSET US-ASCII SUBJECT other", " 2 3" },
		{ "SENTON 2-Feb-2024", " 1" }, { "SENTON 3-Feb-2024", "" },
		{ "SENTBEFORE 3-Feb-2024", " 1" },
		{ "SENTBEFORE 2-Feb-2024", "" },
		{ "SENTSINCE \"02-Feb-2024\"", " 1" },
		{ "SENTSINCE 3-Feb-2024", "" },
		{ "ON 17-Jul-1996", " 1" }, { "BEFORE 18-Jul-1996", " 1" },
		{ "BEFORE 17-Jul-1996", "" }, { "SINCE 18-Jul-1996", " 2 3" },
		{ "LARGER 0", " 1 2 3" }, { "LARGER 100000", "" },
		{ "SMALLER 100000", " 1 2 3" }, { "SMALLER 0", "" },
		{ "UID 1,3:*", " 1 3" }, { "NOT UID 2", " 1 3" },
		{ "NOT NOT 2", " 2" }, { "OR 1 (3 UNSEEN)", " 1 3" },
		{ "OR OR 1 2 3 NOT SEEN", " 2 3" },
		{ "UNDELETED (UNSEEN NOT 1) OLD", "" },
	};
	struct client *c = client_login();
	size_t i;

	client_append(c, "(\\Seen \\Answered \\Flagged) " DATE1, first);
	client_append(c, "(\\Deleted \\Draft $Work) ", second);
	client_append(c, "($Forwarded) ", second);
	client_do(c, "SELECT INBOX", "OK", NULL);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		char *command = xasprintf("SEARCH %s", cases[i].keys);
		char *want = xasprintf("* SEARCH%s\r\n", cases[i].want);

		client_do(c, command, "OK", want);
		free(command);
		free(want);
	}
	client_free(&c);
}

/* What the index cache says of a header must be what the header says. */
static void
test_search_header(void **state)
{
	static const char first[] =
	    "Received: from a\n"
	    "Received: from b\n"
	    "Message-ID: <1@b.example>\n"
	    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
	    " folded\n"
	    "References: <r1@b.example>\n"
	    "\t<r2@b.example>\n"
	    "Empty:\n"
	    "\n"
	    "X-Body: in the body\n";
	static const char second[] =
	    "message-id: <2@b.example>\n"
	    "SUBJECT: one\n"
	    "Subject: another\n"
	    "In-Reply-To: <1@b.example>\n"
	    "Date: Wed, 17 Jul 1996 02:23:25 -0700\n"
	    "\n"
	    "text\n";
	static const struct {
		const char *keys, *want;
	} cases[] = {
		{ "HEADER Received \"\"", " 1" },
		{ "HEADER Received \"from b\"", " 1" },
		{ "HEADER Received c", "" },
		{ "HEADER Message-ID \"\"", " 1 2" },
		{ "HEADER MESSAGE-ID <2@", " 2" },
		{ "HEADER Message-ID 3@", "" },
		{ "HEADER Subject \"\xc3\xbc\xc3\x9f" "e folded\"", " 1" },
		{ "HEADER Subject ONE", " 2" },
		{ "HEADER Subject another", " 2" },
		{ "HEADER References \"r1@b.example>\t<r2\"", " 1" },
		{ "HEADER References \"\"", " 1" },
		{ "HEADER In-Reply-To 1@b", " 2" },
		{ "HEADER Date 1996", " 2" },
		{ "HEADER Empty \"\"", " 1" },
		{ "HEADER Empty x", "" },
		{ "HEADER X-Body \"\"", "" },
		{ "NOT HEADER X-Body \"\"", " 1 2" },
		{ "HEADER \"\" \"\"", "" },
		{ "TEXT \"in the body\"", " 1" },
		{ "TEXT \"from b\"", " 1" },
	};
	struct client *c = client_login();
	size_t i;

	client_append(c, "", first);
	client_append(c, "", second);
	client_do(c, "SELECT INBOX", "OK", NULL);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		char *command = xasprintf("SEARCH %s", cases[i].keys);
		char *want = xasprintf("* SEARCH%s\r\n", cases[i].want);

		client_do(c, command, "OK", want);
		free(command);
		free(want);
	}
	client_free(&c);
}

static void
test_mailboxes(void **state)
{
	struct client *c = client_login();

	client_do(c, "LIST \"\" \"\"", "OK",
	    "* LIST (\\Noselect) \"/\" \"\"\r\n");
	client_do(c, "LIST \"\" *", "OK",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n");
	client_do(c, "CREATE Work/2026/Q4", "OK", "");
	client_do(c, "CREATE work.dot/", "OK", "");
	client_do(c, "CREATE Entw&APw-rfe", "OK", "");
	client_do(c, "CREATE Work", "NO [ALREADYEXISTS]", "");
	client_do(c, "CREATE inbox", "NO", "");
	client_do(c, "CREATE a//b", "NO [CANNOT]", "");
	client_do(c, "CREATE ../x", "OK", NULL);
	client_do(c, "LIST \"\" %", "OK", NULL);
	client_do(c, "LIST Work/ %", "OK",
	    "* LIST (\\HasChildren) \"/\" Work/2026\r\n");
	client_do(c, "LIST \"\" Work/*", "OK",
	    "* LIST (\\HasChildren) \"/\" Work/2026\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Work/2026/Q4\r\n");
	client_do(c, "SUBSCRIBE Work/2026", "OK", "");
	client_do(c, "SUBSCRIBE nowhere", "NO", "");
	client_do(c, "LSUB \"\" *", "OK", "* LSUB () \"/\" Work/2026\r\n");
	client_do(c, "LSUB \"\" %", "OK", "* LSUB (\\Noselect) \"/\" Work\r\n");
	client_do(c, "RENAME Work Job", "OK", "");
	client_do(c, "LIST \"\" Job*", "OK",
	    "* LIST (\\HasChildren) \"/\" Job\r\n"
	    "* LIST (\\HasChildren) \"/\" Job/2026\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Job/2026/Q4\r\n");
	client_do(c, "DELETE Job/2026", "OK", "");
	client_do(c, "DELETE Job/2026", "NO [NONEXISTENT]", "");
	client_do(c, "LIST \"\" Job/%", "OK",
	    "* LIST (\\Noselect \\HasChildren) \"/\" Job/2026\r\n");
	client_do(c, "DELETE INBOX", "NO", "");
	client_do(c, "UNSUBSCRIBE Work/2026", "OK", "");
	client_do(c, "LSUB \"\" *", "OK", "");
	client_do(c, "NAMESPACE", "OK",
	    "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	client_free(&c);
}

static void
test_copy_and_move(void **state)
{
	struct client *c = client_ready();

	client_do(c, "COPY 1:2 Archive", "NO [TRYCREATE]", "");
	client_do(c, "CREATE Archive", "OK", "");
	assert_non_null(strstr(client_do(c, "COPY 1:2 Archive",
	    "OK [COPYUID ", ""), " 1:2 1:2]"));
	client_do(c, "UID MOVE 1 Archive", "OK", NULL);
	client_do(c, "FETCH 1:* UID", "OK", "* 1 FETCH (UID 2)\r\n");
	client_do(c, "STATUS Archive (MESSAGES UIDNEXT)", "OK",
	    "* STATUS Archive (MESSAGES 3 UIDNEXT 4)\r\n");
	client_do(c, "SELECT Archive", "OK", NULL);
	client_do(c, "FETCH 3 (FLAGS BODY.PEEK[TEXT])", "OK",
	    "* 3 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {13}\r\n"
	    "hello world\r\n)\r\n");
	client_do(c, "RENAME INBOX Old", "OK", NULL);
	client_do(c, "STATUS Old (MESSAGES)", "OK",
	    "* STATUS Old (MESSAGES 1)\r\n");
	client_do(c, "STATUS INBOX (MESSAGES)", "OK",
	    "* STATUS INBOX (MESSAGES 0)\r\n");
	client_free(&c);
}

static void
test_append_forms(void **state)
{
	struct client *c = client_login();
	struct buf big;
	size_t i;

	client_send(c, "a APPEND INBOX (\\Seen kw) {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "a: b\n\r\n");
	client_wait(c, "a OK [APPENDUID ");
	client_do(c, "APPEND nowhere {5+}\r\na: b\n", "NO [TRYCREATE]", "");
	client_send(c, "b APPEND nowhere {5}\r\n");
	client_wait(c, "b NO [TRYCREATE]");
	client_do(c, "APPEND INBOX (\\Bad) {5+}\r\na: b\n", "BAD", "");
	client_do(c, "APPEND INBOX \"no date\" {5+}\r\na: b\n", "BAD", "");
	client_do(c, "APPEND INBOX {5+}\r\na: b\n x", "BAD", "");
	client_do(c, "APPEND INBOX x", "BAD", "");
	client_do(c, "APPEND {5+}\r\nINBOX {5+}\r\na: b\n", "OK", "");
	client_send(c, "c APPEND INBOX {99999999}\r\n");
	client_wait(c, "c NO [TOOBIG]");
	/* past the memory limit it goes through a file */
	buf_init(&big, BUF_NO_CAP);
	buf_str(&big, "APPEND INBOX {300006+}\r\nS: x\r\n");
	for (i = 0; i < 30000; i++)
		buf_str(&big, "12345678\r\n");
	client_do(c, buf_cstr(&big), "OK [APPENDUID ", "");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "FETCH 3 (RFC822.SIZE BODY.PEEK[]<300000.100>)", "OK",
	    "* 3 FETCH (RFC822.SIZE 300006 BODY[]<300000> {6}\r\n5678\r\n)"
	    "\r\n");
	client_do(c, "FETCH 1 FLAGS", "OK",
	    "* 1 FETCH (FLAGS (\\Seen kw \\Recent))\r\n");
	buf_fini(&big);
	client_free(&c);
}

/* A folder that the last APPEND went to is not looked for before the literal:
 * that it has gone is found at the end, once. */
static void
test_append_where_the_last_went(void **state)
{
	struct client *c = client_login();

	client_do(c, "CREATE Sent", "OK", NULL);
	client_do(c, "APPEND Sent {5+}\r\na: b\n", "OK [APPENDUID ", "");
	client_send(c, "a APPEND Sent {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "a: b\n\r\n");
	client_wait(c, "a OK [APPENDUID ");
	client_do(c, "STATUS Sent (MESSAGES)", "OK",
	    "* STATUS Sent (MESSAGES 2)\r\n");
	client_do(c, "DELETE Sent", "OK", NULL);
	client_send(c, "b APPEND Sent {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "a: b\n\r\n");
	client_wait(c, "b NO [TRYCREATE]");
	client_send(c, "c APPEND Sent {5}\r\n");
	client_wait(c, "c NO [TRYCREATE]");
	client_free(&c);
}

static void
test_multiappend(void **state)
{
	struct client *c = client_login();

	assert_non_null(strstr(client_do(c, "APPEND INBOX {5+}\r\na: b\n "
	    "(\\Seen) {5+}\r\nc: d\n " DATE1 "{5+}\r\ne: f\n",
	    "OK [APPENDUID ", ""), " 1:3]"));
	/* all or none */
	client_do(c, "APPEND INBOX {5+}\r\na: b\n (\\No) {5+}\r\nc: d\n "
	    "{5+}\r\nc: d\n", "BAD", "");
	client_do(c, "APPEND INBOX {5+}\r\na: b\n x", "BAD", "");
	client_send(c, "a APPEND INBOX {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "a: b\n {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "a: b\n {999999999}\r\n");
	client_wait(c, "a NO [TOOBIG]");
	client_send(c, "b APPEND INBOX {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "a: b\n {5}\r\n");
	client_wait(c, "+ OK");
	client_send(c, "g: h\n\r\n");
	client_wait(c, "b OK [APPENDUID ");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "FETCH 2:3 (FLAGS BODY.PEEK[])", "OK",
	    "* 2 FETCH (FLAGS (\\Seen \\Recent) BODY[] {6}\r\nc: d\r\n)\r\n"
	    "* 3 FETCH (FLAGS (\\Recent) BODY[] {6}\r\ne: f\r\n)\r\n");
	client_do(c, "STATUS INBOX (MESSAGES)", "OK",
	    "* STATUS INBOX (MESSAGES 5)\r\n");
	client_free(&c);
}

/* RFC 3501 7.4.1: numbers must not move under a client that is asking. */
static void
test_two_sessions(void **state)
{
	struct client *a = client_ready(), *b = client_login();

	client_do(b, "SELECT INBOX", "OK", NULL);
	client_do(a, "STORE 1 +FLAGS.SILENT (\\Deleted)", "OK", "");
	client_do(b, "NOOP", "OK",
	    "* 1 FETCH (FLAGS (\\Deleted \\Seen))\r\n");
	client_do(a, "EXPUNGE", "OK", "* 1 EXPUNGE\r\n* 1 RECENT\r\n");
	client_do(b, "FETCH 2 UID", "OK", "* 2 FETCH (UID 2)\r\n");
	client_do(b, "STORE 2 +FLAGS (\\Flagged)", "OK",
	    "* 2 FETCH (FLAGS (\\Flagged))\r\n");
	client_do(b, "SEARCH ALL", "OK", NULL);
	client_do(b, "NOOP", "OK", "* 1 EXPUNGE\r\n");
	client_do(b, "FETCH 1 UID", "OK", "* 1 FETCH (UID 2)\r\n");
	client_append(a, "", mail1);
	client_do(b, "NOOP", "OK", "* 2 EXISTS\r\n* 0 RECENT\r\n");
	client_free(&a);
	client_free(&b);
}

static void
test_idle_wakes(void **state)
{
	struct client *a = client_ready(), *b = client_login();

	client_do(b, "SELECT INBOX", "OK", NULL);
	client_send(b, "i IDLE\r\n");
	client_wait(b, "+ idling");
	client_append(a, "", mail2);
	client_wait(b, "* 3 EXISTS");
	client_do(a, "STORE 3 +FLAGS.SILENT (\\Deleted)", "OK", "");
	client_wait(b, "* 3 FETCH (FLAGS (\\Deleted");
	client_do(a, "EXPUNGE", "OK", NULL);
	client_wait(b, "* 3 EXPUNGE");
	client_send(b, "DONE\r\n");
	client_wait(b, "i OK");
	client_send(b, "j IDLE\r\n");
	client_wait(b, "+ idling");
	client_send(b, "STOP\r\n");
	client_wait(b, "j BAD");
	client_free(&a);
	client_free(&b);
}

static void
test_pipelined_commands_are_answered_in_order(void **state)
{
	struct client *c = client_login();
	struct buf in;
	char *at;
	const char *all;
	int i;

	buf_init(&in, BUF_NO_CAP);
	buf_str(&in, "a SELECT INBOX\r\nb FETCH 1:* FLAGS\r\n");
	for (i = 0; i < 300; i++)
		buf_fmt(&in, "n%d NOOP\r\n", i);
	buf_str(&in, "z LOGOUT\r\n");
	client_send_span(c, buf_span(&in));
	all = client_wait_end(c);
	at = strstr(all, "a OK");
	assert_non_null(at);
	assert_non_null(at = strstr(at, "b OK"));
	assert_non_null(at = strstr(at, "n0 OK"));
	assert_non_null(at = strstr(at, "n299 OK"));
	assert_non_null(strstr(at, "z OK"));
	buf_fini(&in);
	client_free(&c);
}

static void
test_limits(void **state)
{
	struct client *c = client_new();
	struct buf in;

	/* 8 KiB before login, literals included (S4) */
	client_do(c, "LOGIN {9000}", "BAD [TOOBIG]", "");
	client_do(c, "LOGIN {9000+}\r\n", "BAD [TOOBIG]", "");
	client_free(&c);
	c = client_new();
	client_send(c, "a LOGIN {99000000+}\r\n");
	assert_non_null(strstr(client_wait_end(c), "* BYE [TOOBIG]"));
	client_free(&c);
	c = client_new();
	buf_init(&in, BUF_NO_CAP);
	while (buf_len(&in) < 9000)
		buf_str(&in, "xxxxxxxx");
	client_send_span(c, buf_span(&in));
	assert_non_null(strstr(client_wait_end(c), "* BYE [TOOBIG]"));
	client_free(&c);
	c = client_new();
	client_send(c, "a NOOP\n");
	client_wait(c, "* BAD Lines end in CR LF");
	client_send(c, "b \r\n");
	client_wait(c, "b BAD Command expected");
	client_send(c, "\r\n");
	client_wait(c, "* BAD Bad tag");
	client_free(&c);
	/* S30 */
	c = client_new();
	client_send(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(strstr(client_wait_end(c), "* BYE This is no"));
	client_free(&c);
	/* five failures end it */
	c = client_new();
	client_send(c, "a LOGIN x y\r\nb LOGIN x y\r\nc LOGIN x y\r\n"
	    "d LOGIN x y\r\ne LOGIN x y\r\n");
	assert_non_null(strstr(client_wait_end(c), "* BYE Too many"));
	client_free(&c);
	buf_fini(&in);
}

/* "a SEARCH 1,1,1..." of so many bytes with its CR LF. */
static void
send_long(struct client *c, size_t n)
{
	struct buf line;

	buf_init(&line, BUF_NO_CAP);
	buf_str(&line, "a SEARCH 1");
	while (buf_len(&line) < n - 2)
		buf_str(&line, (n - buf_len(&line)) % 2 == 0 ? ",1" : "1");
	buf_str(&line, "\r\n");
	assert_int_equal(buf_len(&line), n);
	client_send_span(c, buf_span(&line));
	buf_fini(&line);
}

/* `open` and `close` so many times around "1". */
static void
search_nested(struct client *c, const char *open, const char *end, int n,
    const char *result)
{
	struct buf line;
	int i;

	buf_init(&line, BUF_NO_CAP);
	buf_str(&line, "SEARCH ");
	for (i = 0; i < n; i++)
		buf_str(&line, open);
	buf_str(&line, "1");
	for (i = 0; i < n; i++)
		buf_str(&line, end);
	client_do(c, buf_cstr(&line), result, NULL);
	buf_fini(&line);
}

/* 64 KiB of command after login, and only that session pays for more (S4). */
static void
test_limits_after_login(void **state)
{
	struct client *c = client_ready(), *other = client_ready();

	send_long(c, 64 * 1024);
	client_wait(c, "a OK");
	search_nested(c, "(", ")", 30, "OK");
	search_nested(c, "(", ")", 1000, "BAD");
	search_nested(c, "NOT ", "", 60, "OK");
	search_nested(c, "NOT ", "", 10000, "BAD");
	search_nested(c, "OR ", " 1", 60, "OK");
	search_nested(c, "1 ", "", 30000, "BAD");
	client_do(c, "SEARCH SUBJECT {70000}", "BAD [TOOBIG]", "");
	client_free(&c);
	c = client_ready();
	send_long(c, 64 * 1024 + 2);
	assert_non_null(strstr(client_wait_end(c), "* BYE [TOOBIG]"));
	client_free(&c);
	client_do(other, "NOOP", "OK", NULL);
	client_free(&other);
}

/* Whoever says nothing for imap_idle_timeout, also in IDLE; others stay. */
static void
test_autologout(void **state)
{
	struct client *quiet, *idle, *busy;
	int i;

	/* more than a busy machine stands still */
	t_server()->conf->imap_idle_timeout = 5000;
	quiet = client_login();
	idle = client_login();
	busy = client_login();
	client_do(idle, "SELECT INBOX", "OK", NULL);
	client_send(idle, "i IDLE\r\n");
	client_wait(idle, "+ ");
	for (i = 0; i < 6; i++) {
		t_run_ms(1000);
		client_do(busy, "NOOP", "OK", "");
	}
	assert_non_null(strstr(client_wait_end(quiet), "* BYE Autologout"));
	assert_non_null(strstr(client_wait_end(idle), "* BYE Autologout"));
	client_do(busy, "NOOP", "OK", "");
	client_free(&quiet);
	client_free(&idle);
	client_free(&busy);
}

/* Closing in the middle of anything frees everything. */
static void
test_disconnects(void **state)
{
	static const char *const partial[] = {
		"a LOGIN kim@a.example secret\r\n",
		"a AUTHENTICATE PLAIN\r\n", "a LOGIN {5}\r\n",
	};
	static const char *const after[] = {
		"a SELECT INBOX\r\nb FETCH 1:* BODY[]\r\n",
		"a APPEND INBOX {100}\r\nabc", "a SELECT INBOX\r\nb IDLE\r\n",
		"a APPEND INBOX {200000+}\r\nabc",
		"a SELECT INBOX\r\nb SEARCH BODY x\r\n",
		"a SELECT INBOX\r\nb STORE 1:* +FLAGS \\Deleted\r\nc CLOSE\r\n",
	};
	struct client *c;
	size_t i;
	unsigned ms;

	for (i = 0; i < ARRAY_LEN(partial); i++)
		for (ms = 0; ms < 3; ms++) {
			c = client_new();
			client_send(c, partial[i]);
			t_run_ms(ms);
			client_free(&c);
		}
	for (i = 0; i < ARRAY_LEN(after); i++)
		for (ms = 0; ms < 6; ms += 2) {
			c = client_login();
			client_append(c, "", mail1);
			client_send(c, after[i]);
			t_run_ms(ms);
			client_free(&c);
		}
}

static void
test_small_commands(void **state)
{
	struct client *c = client_login();

	client_do(c, "ID NIL", "OK", "* ID (\"name\" \"Postern\")\r\n");
	client_do(c, "ID (\"name\" \"x\" \"version\" NIL)", "OK", NULL);
	client_do(c, "ID x", "BAD", "");
	client_do(c, "UNSELECT", "BAD", "");
	client_do(c, "STATUS INBOX (BOGUS)", "BAD", "");
	client_do(c, "STATUS INBOX ()", "BAD", "");
	client_do(c, "STARTTLS", "BAD", "");
	client_do(c, "UID NOOP", "BAD", "");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "CHECK", "OK", "");
	client_do(c, "UNSELECT", "OK", "");
	client_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_login_and_logout),
		T(test_authenticate_with_and_without_initial_response),
		T(test_select_tells_the_state),
		T(test_fetch_items),
		T(test_fetching_a_body_sets_seen),
		T(test_store_and_expunge),
		T(test_search_keys),
		T(test_every_search_key),
		T(test_search_header),
		T(test_mailboxes),
		T(test_copy_and_move),
		T(test_append_forms),
		T(test_append_where_the_last_went),
		T(test_multiappend),
		T(test_two_sessions),
		T(test_idle_wakes),
		WHOLE(test_pipelined_commands_are_answered_in_order),
		T(test_limits),
		WHOLE(test_limits_after_login),
		WHOLE(test_autologout),
		WHOLE(test_disconnects),
		T(test_small_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
