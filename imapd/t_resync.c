/*
 * Conversations about mod-sequences and what a client missed: CONDSTORE and
 * QRESYNC (RFC 7162), and the extended forms of SEARCH (RFC 4731, 5182, 5032),
 * after the examples of these.
 */
#include "imapd/t_imapd.h"

#include "base/xmalloc.h"

static const char mail[] =
    "From: joe@b.example\n"
    "Subject: x\n"
    "\n"
    "hello\n";

/* What the test is about, and one that only looks. */
struct pair {
	struct client *c, *other;
};

/* INBOX with n messages, UIDs 1..n, selected by both. */
static struct pair
pair_ready(int n)
{
	struct pair p = { client_login(), client_login() };
	struct client *first = client_login();
	int i;

	for (i = 0; i < n; i++)
		client_append(first, "", mail);
	/* to neither of the two they are recent */
	client_do(first, "SELECT INBOX", "OK", NULL);
	client_free(&first);
	client_do(p.other, "SELECT INBOX", "OK", NULL);
	client_do(p.c, "SELECT INBOX", "OK", NULL);
	return p;
}

static void
pair_free(struct pair *p)
{
	client_free(&p->c);
	client_free(&p->other);
}

static unsigned long long
number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);

	if (at == NULL)
		fail_msg("no \"%s\" in\n%s", word, text);
	return strtoull(at + strlen(word), NULL, 10);
}

/* HIGHESTMODSEQ of INBOX, asked by a client that no one counts on. */
static unsigned long long
highest(void)
{
	struct client *c = client_login();
	unsigned long long n;

	client_send(c, "a STATUS INBOX (HIGHESTMODSEQ)\r\n");
	n = number_behind(client_wait(c, "a OK"), "HIGHESTMODSEQ ");
	client_free(&c);
	return n;
}

static unsigned
uidvalidity(void)
{
	struct client *c = client_login();
	unsigned n;

	client_send(c, "a STATUS INBOX (UIDVALIDITY)\r\n");
	n = (unsigned)number_behind(client_wait(c, "a OK"), "UIDVALIDITY ");
	client_free(&c);
	return n;
}

/* client_do with numbers in what is wanted. */
static void PRINTF(4, 5)
expect(struct client *c, const char *command, const char *result,
    const char *fmt, ...)
{
	struct buf want;
	va_list ap;

	buf_init(&want, 65536);
	va_start(ap, fmt);
	buf_vfmt(&want, fmt, ap);
	va_end(ap);
	client_do(c, command, result, buf_len(&want) == 0 ? "" :
	    buf_cstr(&want));
	buf_fini(&want);
}

/* What SELECT tells behind HIGHESTMODSEQ. */
static void PRINTF(3, 4)
expect_selected(struct client *c, const char *parameter, const char *fmt, ...)
{
	char *command = xasprintf("s SELECT INBOX %s\r\n", parameter);
	struct buf want;
	const char *all, *at;
	va_list ap;

	buf_init(&want, 65536);
	va_start(ap, fmt);
	buf_vfmt(&want, fmt, ap);
	va_end(ap);
	buf_str(&want, "s OK [READ-WRITE]");
	client_send(c, command);
	all = client_wait(c, "s ");
	at = strstr(all, "[HIGHESTMODSEQ ");
	at = at == NULL ? NULL : strstr(at, "\r\n");
	if (at == NULL || strncmp(at + 2, buf_cstr(&want),
	    buf_len(&want)) != 0)
		fail_msg("%s:\n%s\nwant\n%s", command, all, buf_cstr(&want));
	buf_fini(&want);
	free(command);
}

/* --- ENABLE, CONDSTORE ----------------------------------------------------------------- */

static void
test_enable(void **state)
{
	struct client *c = client_new();

	client_do(c, "ENABLE CONDSTORE", "BAD Log in first", "");
	client_do(c, "LOGIN kim@a.example secret", "OK", "");
	client_do(c, "ENABLE X-GOOD-IDEA", "OK", "* ENABLED\r\n");
	client_do(c, "ENABLE CONDSTORE X-GOOD-IDEA", "OK",
	    "* ENABLED CONDSTORE\r\n");
	client_do(c, "ENABLE CONDSTORE", "OK", "* ENABLED\r\n");
	client_do(c, "ENABLE condstore qresync", "OK", "* ENABLED QRESYNC\r\n");
	client_do(c, "ENABLE (QRESYNC)", "BAD", "");
	client_do(c, "ENABLE", "BAD", "");
	client_free(&c);
}

/* RFC 7162 3.1.2.1, 3.1.7, 3.1.8, 3.2.11 */
static void
test_highestmodseq_is_told(void **state)
{
	struct pair p = pair_ready(2);
	unsigned long long n = highest();
	const char *all;

	client_send(p.c, "a EXAMINE INBOX\r\n");
	all = client_wait(p.c, "a OK");
	assert_int_equal(number_behind(all, "[HIGHESTMODSEQ "), n);
	assert_int_equal(strncmp(all, "* OK [CLOSED] ", 14), 0);
	/* the first command that has to do with it, once */
	expect(p.c, "FETCH 2 MODSEQ", "OK", "* OK [HIGHESTMODSEQ %llu] "
	    "Highest\r\n* 2 FETCH (MODSEQ (%llu))\r\n", n, n);
	expect(p.c, "STATUS INBOX (HIGHESTMODSEQ MESSAGES)", "OK",
	    "* STATUS INBOX (MESSAGES 2 HIGHESTMODSEQ %llu)\r\n", n);
	client_do(p.other, "SELECT INBOX (CONDSTORE)", "OK", NULL);
	expect(p.other, "STORE 1 +FLAGS.SILENT \\Seen", "OK",
	    "* 1 FETCH (UID 1 MODSEQ (%llu))\r\n", n + 1);
	client_do(p.c, "SELECT INBOX (X)", "BAD Unknown parameter", "");
	client_do(p.c, "SELECT INBOX ()", "BAD", "");
	client_do(p.c, "SELECT INBOX (QRESYNC (1 2))",
	    "BAD ENABLE QRESYNC first", "");
	/* and it is still selected */
	client_do(p.c, "FETCH 1 UID", "OK", NULL);
	pair_free(&p);
}

/* RFC 7162 3.1.3, examples 5, 6, 7, 8, 10 */
static void
test_conditional_store(void **state)
{
	struct pair p = pair_ready(5);
	unsigned long long n = highest();
	char *command;

	client_do(p.other, "STORE 3 +FLAGS.SILENT ($Processed)", "OK",
	    NULL);
	command = xasprintf("STORE 2:4 (UNCHANGEDSINCE %llu) +FLAGS.SILENT "
	    "(\\Deleted)", n);
	client_send(p.c, "x NOOP\r\n");
	client_wait(p.c, "x OK");
	expect(p.c, command, "OK [MODIFIED 3] Conditional STORE failed",
	    "* OK [HIGHESTMODSEQ %llu] Highest\r\n"
	    "* 2 FETCH (UID 2 MODSEQ (%llu))\r\n"
	    "* 4 FETCH (UID 4 MODSEQ (%llu))\r\n", n + 1, n + 2, n + 2);
	free(command);
	client_do(p.c, "STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)",
	    "OK [MODIFIED 1]", NULL);
	command = xasprintf("UID STORE 1,3 (UNCHANGEDSINCE %llu) FLAGS "
	    "(\\Seen)", n + 1);
	expect(p.c, command, "OK UID STORE completed",
	    "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (%llu))\r\n"
	    "* 3 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (%llu))\r\n",
	    n + 3, n + 3);
	free(command);
	/* adding what is there changes nothing (3.1.11) */
	expect(p.c, "STORE 1 +FLAGS \\Seen", "OK",
	    "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (%llu))\r\n", n + 3);
	assert_int_equal(highest(), n + 3);
	client_do(p.c, "STORE 1 (UNCHANGEDSINCE) FLAGS ()", "BAD", "");
	client_do(p.c, "STORE 1 (UNCHANGEDSINCE -1) FLAGS ()", "BAD", "");
	client_do(p.c, "STORE 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS "
	    "()", "BAD", "");
	client_do(p.c, "STORE 1 (X 1) FLAGS ()", "BAD", "");
	pair_free(&p);
}

/* RFC 7162 3.1.4, examples 12, 13, 14 */
static void
test_fetch_changedsince(void **state)
{
	struct pair p = pair_ready(4);
	unsigned long long n = highest();
	char *command = xasprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %llu)",
	    n);

	expect(p.c, command, "OK", "* OK [HIGHESTMODSEQ %llu] Highest\r\n", n);
	/* another's changes are seen at once, and told once */
	client_do(p.other, "STORE 2,4 +FLAGS.SILENT (\\Deleted)", "OK", "");
	expect(p.c, command, "OK",
	    "* 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ (%llu))\r\n"
	    "* 4 FETCH (UID 4 FLAGS (\\Deleted) MODSEQ (%llu))\r\n",
	    n + 1, n + 1);
	client_do(p.c, "NOOP", "OK", "");
	client_do(p.other, "STORE 2 -FLAGS.SILENT (\\Deleted)", "OK", "");
	expect(p.c, "NOOP", "OK",
	    "* 2 FETCH (UID 2 FLAGS () MODSEQ (%llu))\r\n", n + 2);
	/* an implied \Seen is told with all (3.2.4) */
	expect(p.c, "FETCH 1 BODY[TEXT]", "OK", "* 1 FETCH (UID 1 FLAGS "
	    "(\\Seen) MODSEQ (%llu) BODY[TEXT] {7}\r\nhello\r\n)\r\n", n + 3);
	client_do(p.c, "FETCH 1 BODY[TEXT]", "OK",
	    "* 1 FETCH (BODY[TEXT] {7}\r\nhello\r\n)\r\n");
	free(command);
	client_do(p.c, "FETCH 1 FLAGS (CHANGEDSINCE 0)", "BAD", "");
	client_do(p.c, "FETCH 1 FLAGS (CHANGEDSINCE x)", "BAD", "");
	client_do(p.c, "FETCH 1 FLAGS (X)", "BAD", "");
	client_do(p.c, "FETCH 1 FLAGS ()", "BAD", "");
	client_do(p.c, "UID FETCH 1 FLAGS (VANISHED)", "BAD", "");
	client_do(p.c, "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
	    "BAD", "");
	pair_free(&p);
}

/* RFC 7162 3.1.5, 3.1.6, 3.1.10, examples 15, 16, 19 */
static void
test_search_modseq(void **state)
{
	struct pair p = pair_ready(4);
	unsigned long long n = highest();
	char *command;

	client_do(p.c, "STORE 2 +FLAGS.SILENT (\\Draft)", "OK", "");
	client_do(p.c, "STORE 4 +FLAGS.SILENT (\\Draft)", "OK", "");
	command = xasprintf("SEARCH MODSEQ \"/flags/\\\\draft\" all %llu",
	    n + 1);
	expect(p.c, command, "OK", "* OK [HIGHESTMODSEQ %llu] Highest\r\n"
	    "* SEARCH 2 4 (MODSEQ %llu)\r\n", n + 2, n + 2);
	free(command);
	command = xasprintf("SEARCH OR NOT MODSEQ 1 LARGER 50000");
	client_do(p.c, command, "OK", "* SEARCH\r\n");
	free(command);
	command = xasprintf("UID SEARCH RETURN (ALL) MODSEQ %llu", n);
	expect(p.c, command, "OK", "* ESEARCH (TAG \"t%u\") UID ALL 2,4 "
	    "MODSEQ %llu\r\n", 7, n + 2);
	free(command);
	command = xasprintf("SEARCH RETURN (MIN) MODSEQ %llu", n);
	expect(p.c, command, "OK", "* ESEARCH (TAG \"t%u\") MIN 2 "
	    "MODSEQ %llu\r\n", 8, n + 1);
	free(command);
	client_do(p.c, "SEARCH MODSEQ", "BAD", "");
	client_do(p.c, "SEARCH MODSEQ \"/flags/x\" some 1", "BAD", "");
	client_do(p.c, "SEARCH MODSEQ \"/x\" all 1", "BAD", "");
	pair_free(&p);
}

/* --- QRESYNC ------------------------------------------------------------------------------ */

/* RFC 7162 3.2.7, 3.2.8, 3.2.9, 3.2.10.2 */
static void
test_vanished_instead_of_expunge(void **state)
{
	struct pair p = pair_ready(11);
	unsigned long long n = highest();

	client_do(p.c, "ENABLE QRESYNC", "OK", NULL);
	client_do(p.other, "STORE 3,4,7,11 +FLAGS.SILENT \\Deleted", "OK", "");
	client_do(p.c, "EXPUNGE", "OK [HIGHESTMODSEQ ", NULL);
	assert_int_equal(highest(), n + 2);
	client_do(p.other, "NOOP", "OK", "* 3 EXPUNGE\r\n* 3 EXPUNGE\r\n"
	    "* 5 EXPUNGE\r\n* 8 EXPUNGE\r\n");
	/* 504 and 508 of the RFC are our 2 and 6 */
	client_do(p.other, "UID STORE 2,6 +FLAGS.SILENT \\Deleted", "OK", "");
	client_do(p.c, "NOOP", "OK", NULL);
	client_do(p.c, "UID EXPUNGE 1:6", "OK [HIGHESTMODSEQ ",
	    NULL);
	client_do(p.c, "EXPUNGE", "OK EXPUNGE completed", "");
	client_do(p.other, "UID STORE 1 +FLAGS.SILENT \\Deleted", "OK", NULL);
	client_do(p.c, "CLOSE", "OK CLOSE completed", "");
	client_do(p.other, "NOOP", "OK", "* 1 EXPUNGE\r\n");
	pair_free(&p);
}

/* RFC 7162 3.2 and 6: not while numbers are in use, and then no modseq that
 * says more than was told. */
static void
test_vanished_is_held_back(void **state)
{
	struct pair p = pair_ready(4);
	unsigned long long n = highest();
	char *command;

	client_do(p.c, "ENABLE QRESYNC", "OK", NULL);
	client_do(p.other, "STORE 3 +FLAGS.SILENT \\Deleted", "OK", "");
	client_do(p.c, "NOOP", "OK", NULL);
	client_do(p.other, "EXPUNGE", "OK", NULL);
	command = xasprintf("STORE 1:2 (UNCHANGEDSINCE %llu) +FLAGS.SILENT "
	    "\\Seen", n);
	expect(p.c, command, "OK",
	    "* 1 FETCH (UID 1 MODSEQ (%llu))\r\n"
	    "* 2 FETCH (UID 2 MODSEQ (%llu))\r\n"
	    "* OK [HIGHESTMODSEQ %llu] Expunges wait\r\n", n + 3, n + 3,
	    n + 1);
	free(command);
	expect(p.c, "UID SEARCH 1:4 SEEN", "OK", "* SEARCH 1 2\r\n"
	    "* OK [HIGHESTMODSEQ %llu] Expunges wait\r\n", n + 1);
	expect(p.c, "UID SEARCH SEEN", "OK", "* SEARCH 1 2\r\n"
	    "* VANISHED 3\r\n* OK [HIGHESTMODSEQ %llu] All was told\r\n",
	    n + 3);
	pair_free(&p);
}

/* RFC 7162 3.2.6 */
static void
test_fetch_vanished(void **state)
{
	struct pair p = pair_ready(6);
	unsigned long long n = highest();
	char *command = xasprintf("UID FETCH 2:5 (FLAGS) (CHANGEDSINCE %llu "
	    "VANISHED)", n);

	client_do(p.c, "ENABLE QRESYNC", "OK", NULL);
	client_do(p.other, "STORE 1:3,6 +FLAGS.SILENT \\Deleted", "OK", "");
	client_do(p.other, "EXPUNGE", "OK", NULL);
	client_do(p.other, "UID STORE 5 +FLAGS.SILENT \\Seen", "OK", "");
	/* a session that had them hears it as news, once */
	client_send(p.c, "a ");
	client_send(p.c, command);
	client_send(p.c, "\r\n");
	assert_non_null(strstr(client_wait(p.c, "a OK"),
	    "* VANISHED 1:3,6\r\n"));
	client_do(p.c, "SELECT INBOX", "OK", NULL);
	expect(p.c, command, "OK", "* VANISHED (EARLIER) 2:3\r\n"
	    "* 2 FETCH (UID 5 FLAGS (\\Seen) MODSEQ (%llu))\r\n", n + 3);
	free(command);
	command = xasprintf("UID FETCH 1:5 (UID) (VANISHED CHANGEDSINCE "
	    "%llu)", n + 3);
	client_do(p.c, command, "OK", "");
	free(command);
	/* of a time that nobody remembers, nor of one that never was, all
	 * that is not there */
	client_do(p.c, "UID FETCH 1:9 UID (CHANGEDSINCE 9000000000 VANISHED)",
	    "OK", "* VANISHED (EARLIER) 1:3,6\r\n");
	pair_free(&p);
}

/* RFC 7162 3.2.5 */
static void
test_select_qresync(void **state)
{
	struct pair p = pair_ready(8);
	unsigned long long n = highest();
	unsigned v = uidvalidity();
	char *parameter;

	client_do(p.other, "STORE 1,4:5 +FLAGS.SILENT \\Deleted", "OK", "");
	client_do(p.other, "EXPUNGE", "OK", NULL);
	client_do(p.other, "UID STORE 6,8 +FLAGS.SILENT (\\Draft)", "OK", "");
	client_do(p.c, "ENABLE QRESYNC", "OK", NULL);

	parameter = xasprintf("(QRESYNC (%u %llu))", v, n);
	expect_selected(p.c, parameter, "* VANISHED (EARLIER) 1,4:5\r\n"
	    "* 3 FETCH (UID 6 FLAGS (\\Draft) MODSEQ (%llu))\r\n"
	    "* 5 FETCH (UID 8 FLAGS (\\Draft) MODSEQ (%llu))\r\n", n + 3,
	    n + 3);
	free(parameter);
	/* only what the client knows */
	parameter = xasprintf("(QRESYNC (%u %llu 2:4,6) CONDSTORE)", v, n);
	expect_selected(p.c, parameter, "* VANISHED (EARLIER) 4\r\n"
	    "* 3 FETCH (UID 6 FLAGS (\\Draft) MODSEQ (%llu))\r\n", n + 3);
	free(parameter);
	/* up to date, or of another mailbox */
	parameter = xasprintf("(QRESYNC (%u %llu 1:8))", v, n + 3);
	expect_selected(p.c, parameter, "%s", "");
	free(parameter);
	parameter = xasprintf("(QRESYNC (%u %llu))", v + 1, n);
	expect_selected(p.c, parameter, "%s", "");
	free(parameter);
	/* the pair (2, UID 3) is as it was: what went below it is known */
	parameter = xasprintf("(QRESYNC (%u %llu (2,4 3,4)))", v, n);
	expect_selected(p.c, parameter, "* VANISHED (EARLIER) 4:5\r\n"
	    "* 3 FETCH (UID 6 FLAGS (\\Draft) MODSEQ (%llu))\r\n"
	    "* 5 FETCH (UID 8 FLAGS (\\Draft) MODSEQ (%llu))\r\n", n + 3,
	    n + 3);
	free(parameter);
	pair_free(&p);
}

static void
test_bad_qresync_parameters(void **state)
{
	static const char *const bad[] = {
		"QRESYNC", "QRESYNC ()", "QRESYNC (1)", "QRESYNC (0 1)",
		"QRESYNC (1 0)", "QRESYNC (1 2 *)", "QRESYNC (1 2 1:*)",
		"QRESYNC (1 2 x)", "QRESYNC (1 2 3 4)", "QRESYNC (1 2 ())",
		"QRESYNC (1 2 (1))", "QRESYNC (1 2 (1 2 3))",
		"QRESYNC (1 2 (1 *))", "QRESYNC (1 2 (1 2) 3)",
		"QRESYNC (1 2) QRESYNC (1 2)", "(QRESYNC)", "1",
	};
	struct client *c = client_login();
	size_t i;

	client_do(c, "ENABLE QRESYNC", "OK", NULL);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		char *command = xasprintf("SELECT INBOX (%s)", bad[i]);

		client_do(c, command, "BAD", "");
		free(command);
	}
	client_free(&c);
}

/* --- ESEARCH, SEARCHRES, WITHIN --------------------------------------------------------------- */

/* RFC 4731 3.1 */
static void
test_esearch(void **state)
{
	struct pair p = pair_ready(5);

	client_do(p.c, "STORE 2,4:5 +FLAGS.SILENT \\Flagged", "OK", "");
	client_do(p.c, "SEARCH RETURN (MIN COUNT) FLAGGED", "OK",
	    "* ESEARCH (TAG \"t4\") MIN 2 COUNT 3\r\n");
	client_do(p.c, "SEARCH RETURN () FLAGGED FROM joe", "OK",
	    "* ESEARCH (TAG \"t5\") ALL 2,4:5\r\n");
	client_do(p.c, "UID SEARCH RETURN (MIN MAX) CHARSET UTF-8 FLAGGED",
	    "OK", "* ESEARCH (TAG \"t6\") UID MIN 2 MAX 5\r\n");
	client_do(p.c, "SEARCH RETURN (MIN MAX ALL COUNT) ANSWERED", "OK",
	    "* ESEARCH (TAG \"t7\") COUNT 0\r\n");
	client_do(p.c, "SEARCH RETURN (ALL) DRAFT", "OK",
	    "* ESEARCH (TAG \"t8\")\r\n");
	client_do(p.c, "SEARCH RETURN (MAX) 1:3", "OK",
	    "* ESEARCH (TAG \"t9\") MAX 3\r\n");
	client_do(p.c, "SEARCH RETURN (X) ALL", "BAD Bad RETURN options", "");
	client_do(p.c, "SEARCH RETURN MIN ALL", "BAD", "");
	client_do(p.c, "SEARCH RETURN (MIN)", "BAD", "");
	pair_free(&p);
}

/* RFC 5182 2.1, 2.4 */
static void
test_search_results_are_kept(void **state)
{
	struct pair p = pair_ready(6);

	client_do(p.c, "SEARCH $", "OK", "* SEARCH\r\n");
	client_do(p.c, "FETCH $ UID", "OK", "");
	client_do(p.c, "STORE 2:4,6 +FLAGS.SILENT \\Flagged", "OK", "");
	client_do(p.c, "SEARCH RETURN (SAVE) FLAGGED", "OK", "");
	client_do(p.c, "FETCH $ UID", "OK", "* 2 FETCH (UID 2)\r\n"
	    "* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\n* 6 FETCH (UID 6)\r\n");
	client_do(p.c, "UID SEARCH RETURN (COUNT) $ UID 3:5", "OK",
	    "* ESEARCH (TAG \"t8\") UID COUNT 2\r\n");
	client_do(p.c, "SEARCH OR $ 1", "OK", "* SEARCH 1 2 3 4 6\r\n");
	client_do(p.c, "SEARCH UID $ SEEN", "OK", "* SEARCH\r\n");
	/* what is expunged falls out, the others keep their place */
	client_do(p.other, "STORE 3 +FLAGS.SILENT \\Deleted", "OK", NULL);
	client_do(p.other, "EXPUNGE", "OK", NULL);
	client_do(p.c, "NOOP", "OK", NULL);
	client_do(p.c, "SEARCH $", "OK", "* SEARCH 2 3 5\r\n");
	client_do(p.c, "UID STORE $ +FLAGS.SILENT \\Seen", "OK", "");
	client_do(p.c, "CREATE To", "OK", "");
	assert_non_null(strstr(client_do(p.c, "COPY $ To",
	    "OK [COPYUID ", ""), " 2,4,6 1:3]"));
	/* the ends alone */
	client_do(p.c, "SEARCH RETURN (SAVE MIN) SEEN", "OK",
	    "* ESEARCH (TAG \"t16\") MIN 2\r\n");
	client_do(p.c, "SEARCH $", "OK", "* SEARCH 2\r\n");
	client_do(p.c, "SEARCH RETURN (MAX SAVE MIN) SEEN", "OK",
	    "* ESEARCH (TAG \"t18\") MIN 2 MAX 5\r\n");
	client_do(p.c, "SEARCH $", "OK", "* SEARCH 2 5\r\n");
	client_do(p.c, "SEARCH RETURN (SAVE COUNT MIN) SEEN", "OK",
	    "* ESEARCH (TAG \"t20\") MIN 2 COUNT 3\r\n");
	client_do(p.c, "SEARCH $", "OK", "* SEARCH 2 3 5\r\n");
	/* BAD leaves it, NO empties it, so does SELECT */
	client_do(p.c, "SEARCH RETURN (SAVE) NOSUCH", "BAD", "");
	client_do(p.c, "SEARCH $", "OK", "* SEARCH 2 3 5\r\n");
	client_do(p.c, "SEARCH RETURN (SAVE) CHARSET x-none ALL", "NO", "");
	client_do(p.c, "SEARCH $", "OK", "* SEARCH\r\n");
	client_do(p.c, "SEARCH RETURN (SAVE) ALL", "OK", "");
	client_do(p.c, "SELECT INBOX", "OK", NULL);
	client_do(p.c, "SEARCH $", "OK", "* SEARCH\r\n");
	client_do(p.c, "UID SEARCH RETURN (SAVE) UID 5", "OK", "");
	client_do(p.c, "MOVE $ To", "OK", NULL);
	client_do(p.c, "UID SEARCH ALL", "OK", "* SEARCH 1 2 4 6\r\n");
	pair_free(&p);
}

/* RFC 5032 */
static void
test_within(void **state)
{
	struct client *c = client_login();

	client_append(c, "", mail);
	client_append(c, "\"17-Jul-1996 02:44:25 -0700\" ", mail);
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "SEARCH YOUNGER 259200", "OK", "* SEARCH 1\r\n");
	client_do(c, "SEARCH OLDER 259200", "OK", "* SEARCH 2\r\n");
	client_do(c, "SEARCH UNSEEN YOUNGER 4294967295", "OK",
	    "* SEARCH 1 2\r\n");
	client_do(c, "SEARCH OLDER 0", "BAD", "");
	client_do(c, "SEARCH YOUNGER x", "BAD", "");
	client_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_enable),
		T(test_highestmodseq_is_told),
		T(test_conditional_store),
		T(test_fetch_changedsince),
		T(test_search_modseq),
		T(test_vanished_instead_of_expunge),
		T(test_vanished_is_held_back),
		T(test_fetch_vanished),
		T(test_select_qresync),
		T(test_bad_qresync_parameters),
		T(test_esearch),
		T(test_search_results_are_kept),
		T(test_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
