/*
 * Conversations about mailboxes: LIST in all its forms, STATUS, special uses,
 * quota. The RFCs' own examples where they have some.
 */
#include "imapd/t_imapd.h"

#include "base/xmalloc.h"

/* Makes folders, subscribes to those marked with '+'; '-' only subscribes. */
static struct client *
client_with(const char *const *names)
{
	struct client *c = client_login();
	char *line;

	for (; *names != NULL; names++) {
		const char *name = *names + strspn(*names, "+-");

		line = xasprintf("CREATE \"%s\"", name);
		client_do(c, line, "OK", "");
		free(line);
		if (**names == '+' || **names == '-') {
			line = xasprintf("SUBSCRIBE \"%s\"", name);
			client_do(c, line, "OK", "");
			free(line);
		}
		if (**names == '-') {
			line = xasprintf("DELETE \"%s\"", name);
			client_do(c, line, "OK", "");
			free(line);
		}
	}
	return c;
}

/* The folders of RFC 5258 5's first examples. */
static const char *const fruit[] = { "+Fruit", "+Fruit/Apple",
    "+Fruit/Banana", "-Fruit/Peach", "Tofu", "+Vegetable",
    "+Vegetable/Broccoli", "Vegetable/Corn", NULL };

static void
test_list_selects_and_returns(void **state)
{
	struct client *c = client_with(fruit);

	/* example 1 */
	client_do(c, "LIST \"\" \"*\"", "OK",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LIST (\\HasChildren) \"/\" Fruit\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Fruit/Apple\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Fruit/Banana\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Tofu\r\n"
	    "* LIST (\\HasChildren) \"/\" Vegetable\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Vegetable/Broccoli\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Vegetable/Corn\r\n");
	/* examples 2 and 3: subscribed; children only when asked for */
	client_do(c, "LIST (SUBSCRIBED) \"\" \"*\"", "OK",
	    "* LIST (\\Subscribed) \"/\" Fruit\r\n"
	    "* LIST (\\Subscribed) \"/\" Fruit/Apple\r\n"
	    "* LIST (\\Subscribed) \"/\" Fruit/Banana\r\n"
	    "* LIST (\\NonExistent \\Subscribed) \"/\" Fruit/Peach\r\n"
	    "* LIST (\\Subscribed) \"/\" Vegetable\r\n"
	    "* LIST (\\Subscribed) \"/\" Vegetable/Broccoli\r\n");
	client_do(c, "LIST () \"\" \"%\" RETURN (CHILDREN)", "OK",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LIST (\\HasChildren) \"/\" Fruit\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Tofu\r\n"
	    "* LIST (\\HasChildren) \"/\" Vegetable\r\n");
	/* examples 4 to 6: REMOTE finds nothing more here */
	client_do(c, "LIST (REMOTE) \"\" \"%\" RETURN (CHILDREN)", "OK",
	    "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
	    "* LIST (\\HasChildren) \"/\" Fruit\r\n"
	    "* LIST (\\HasNoChildren) \"/\" Tofu\r\n"
	    "* LIST (\\HasChildren) \"/\" Vegetable\r\n");
	client_do(c, "LIST () \"\" \"*\" RETURN (SUBSCRIBED)", "OK",
	    "* LIST () \"/\" INBOX\r\n"
	    "* LIST (\\Subscribed) \"/\" Fruit\r\n"
	    "* LIST (\\Subscribed) \"/\" Fruit/Apple\r\n"
	    "* LIST (\\Subscribed) \"/\" Fruit/Banana\r\n"
	    "* LIST () \"/\" Tofu\r\n"
	    "* LIST (\\Subscribed) \"/\" Vegetable\r\n"
	    "* LIST (\\Subscribed) \"/\" Vegetable/Broccoli\r\n"
	    "* LIST () \"/\" Vegetable/Corn\r\n");
	/* example 7: several patterns */
	client_do(c, "LIST \"\" (\"INBOX\" \"Tofu\" \"Vegetable/%\")", "OK",
	    "* LIST () \"/\" INBOX\r\n"
	    "* LIST () \"/\" Tofu\r\n"
	    "* LIST () \"/\" Vegetable/Broccoli\r\n"
	    "* LIST () \"/\" Vegetable/Corn\r\n");
	client_free(&c);
}

/* RFC 5258 5, examples 8 to 10. */
static void
test_list_recursive_match(void **state)
{
	static const char *const names[] = { "Foo", "Foo/Bar", "+Foo/Baz",
	    "Moo", NULL };
	struct client *c = client_with(names);

	client_do(c, "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"", "OK",
	    "* LIST () \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
	client_do(c, "LIST (SUBSCRIBED) \"\" \"%\"", "OK", "");
	client_do(c, "LIST (RECURSIVEMATCH SUBSCRIBED) \"Foo/\" \"*\"", "OK",
	    "* LIST (\\Subscribed) \"/\" Foo/Baz\r\n");
	client_do(c, "DELETE Foo", "OK", "");
	client_do(c, "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"%\"", "OK",
	    "* LIST (\\NonExistent) \"/\" Foo (\"CHILDINFO\" "
	    "(\"SUBSCRIBED\"))\r\n");
	client_do(c, "LIST (RECURSIVEMATCH) \"\" \"%\"", "BAD", "");
	client_do(c, "LIST (REMOTE RECURSIVEMATCH) \"\" \"%\"", "BAD", "");
	client_do(c, "LIST (BOGUS) \"\" \"%\"", "BAD Unknown LIST option",
	    "");
	client_do(c, "LIST \"\" \"%\" RETURN (BOGUS)", "BAD", "");
	client_do(c, "LIST \"\" \"%\" RETURN", "BAD", "");
	client_do(c, "LIST \"\" \"%\" GIVE (CHILDREN)", "BAD", "");
	client_do(c, "LIST \"\" ()", "BAD", "");
	client_do(c, "LSUB (SUBSCRIBED) \"\" \"%\"", "BAD", "");
	client_free(&c);
}

/* The same, example 9. */
static void
test_list_recursive_match_in_place_of_children(void **state)
{
	static const char *const names[] = { "foo2", "+foo2/bar1",
	    "+foo2/bar2", "baz2", "+baz2/bar2", "+baz2/bar22",
	    "+baz2/bar222", "+eps2", "+eps2/mamba", "+qux2/bar2", NULL };
	struct client *c = client_with(names);

	client_do(c, "LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"", "OK",
	    "* LIST (\\Subscribed) \"/\" baz2/bar2\r\n"
	    "* LIST (\\Subscribed) \"/\" baz2/bar22\r\n"
	    "* LIST (\\Subscribed) \"/\" baz2/bar222\r\n"
	    "* LIST (\\Subscribed) \"/\" eps2 (\"CHILDINFO\" "
	    "(\"SUBSCRIBED\"))\r\n"
	    "* LIST () \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
	    "* LIST (\\Subscribed) \"/\" foo2/bar2\r\n"
	    "* LIST (\\Subscribed) \"/\" qux2/bar2\r\n");
	client_free(&c);
}

static void
test_lsub_tells_parents_instead_of_children(void **state)
{
	static const char *const names[] = { "+a/b/c", "+d", "+e/f", NULL };
	struct client *c = client_with(names);

	client_do(c, "LSUB \"\" \"*\"", "OK",
	    "* LSUB () \"/\" a/b/c\r\n"
	    "* LSUB () \"/\" d\r\n"
	    "* LSUB () \"/\" e/f\r\n");
	client_do(c, "LSUB \"\" \"%\"", "OK",
	    "* LSUB (\\Noselect) \"/\" a\r\n"
	    "* LSUB () \"/\" d\r\n"
	    "* LSUB (\\Noselect) \"/\" e\r\n");
	client_do(c, "LSUB \"\" a", "OK", "");
	client_do(c, "LSUB a/ \"%\"", "OK",
	    "* LSUB (\\Noselect) \"/\" a/b\r\n");
	client_do(c, "LIST \"\" \"\"", "OK",
	    "* LIST (\\Noselect) \"/\" \"\"\r\n");
	client_do(c, "DELETE a", "OK", "");
	client_do(c, "LIST \"\" \"a%\"", "OK",
	    "* LIST (\\Noselect \\HasChildren) \"/\" a\r\n");
	client_free(&c);
}

/* RFC 5819 4. */
static void
test_list_status(void **state)
{
	static const char *const names[] = { "bar", "foo/x", NULL };
	struct client *c = client_with(names);

	client_append(c, "", "Subject: one\n\nhello\n");
	client_append(c, "(\\Seen) ", "Subject: two\n\nhello\n");
	client_do(c, "DELETE foo", "OK", "");
	client_do(c, "LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN))", "OK",
	    "* LIST () \"/\" INBOX\r\n"
	    "* STATUS INBOX (MESSAGES 2 UNSEEN 1)\r\n"
	    "* LIST () \"/\" bar\r\n"
	    "* STATUS bar (MESSAGES 0 UNSEEN 0)\r\n"
	    "* LIST (\\NonExistent) \"/\" foo\r\n");
	client_do(c, "CREATE foo", "OK", "");
	client_do(c, "SUBSCRIBE foo/x", "OK", "");
	client_do(c, "SUBSCRIBE INBOX", "OK", "");
	client_do(c, "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN "
	    "(STATUS (MESSAGES))", "OK",
	    "* LIST (\\Subscribed) \"/\" INBOX\r\n"
	    "* STATUS INBOX (MESSAGES 2)\r\n"
	    "* LIST () \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n");
	client_do(c, "LIST \"\" % RETURN (STATUS ())", "BAD", "");
	client_do(c, "LIST \"\" % RETURN (STATUS)", "BAD", "");
	client_do(c, "LIST \"\" % RETURN (STATUS (BOGUS))", "BAD", "");
	client_free(&c);
}

static void
test_status_items(void **state)
{
	struct client *c = client_login();

	client_append(c, "", "Subject: one\n\nhello\n");
	client_append(c, "(\\Deleted) ", "Subject: two\n\nhello you\n");
	client_do(c, "STATUS INBOX (SIZE)", "OK",
	    "* STATUS INBOX (SIZE 50)\r\n");
	client_do(c, "STATUS INBOX (DELETED DELETED-STORAGE APPENDLIMIT)",
	    "OK", "* STATUS INBOX (APPENDLIMIT 52428800 DELETED 1 "
	    "DELETED-STORAGE 27)\r\n");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "EXPUNGE", "OK", "* 2 EXPUNGE\r\n"
	    "* 1 RECENT\r\n");
	client_do(c, "STATUS INBOX (SIZE DELETED-STORAGE)", "OK",
	    "* STATUS INBOX (SIZE 23 DELETED-STORAGE 0)\r\n");
	client_free(&c);
}

/* RFC 6154 5. */
static void
test_special_use(void **state)
{
	static const char *const names[] = { "Sent", "Spam", "ToDo", NULL };
	struct client *c = client_with(names);

	/* by their names, as imap_special_use says */
	client_do(c, "LIST \"\" \"S*\"", "OK",
	    "* LIST (\\HasNoChildren \\Sent) \"/\" Sent\r\n"
	    "* LIST (\\HasNoChildren \\Junk) \"/\" Spam\r\n");
	/* 5.3 */
	client_do(c, "CREATE MySpecial (USE (\\Drafts \\Sent))", "OK", "");
	client_do(c, "CREATE Everything (USE (\\All))", "NO [USEATTR]", "");
	client_do(c, "CREATE Other (USE (\\Sent))", "NO [USEATTR]", "");
	client_do(c, "LIST \"\" Other", "OK", "");
	client_do(c, "LIST (SPECIAL-USE) \"\" \"*\"", "OK",
	    "* LIST (\\Drafts \\Sent) \"/\" MySpecial\r\n"
	    "* LIST (\\Junk) \"/\" Spam\r\n");
	client_do(c, "LIST \"\" \"%\" RETURN (SPECIAL-USE)", "OK",
	    "* LIST () \"/\" INBOX\r\n"
	    "* LIST (\\Drafts \\Sent) \"/\" MySpecial\r\n"
	    "* LIST () \"/\" Sent\r\n"
	    "* LIST (\\Junk) \"/\" Spam\r\n"
	    "* LIST () \"/\" ToDo\r\n");
	/* the use goes with the folder, and ends with it */
	client_do(c, "RENAME MySpecial Work/Special", "OK", "");
	client_do(c, "LIST (SPECIAL-USE) \"\" W*", "OK",
	    "* LIST (\\Drafts \\Sent) \"/\" Work/Special\r\n");
	client_do(c, "LIST (SPECIAL-USE RECURSIVEMATCH) \"\" W%", "OK",
	    "* LIST () \"/\" Work (\"CHILDINFO\" (\"SPECIAL-USE\"))\r\n");
	client_do(c, "RENAME Work Play", "OK", "");
	client_do(c, "LIST (SPECIAL-USE) \"\" P*", "OK",
	    "* LIST (\\Drafts \\Sent) \"/\" Play/Special\r\n");
	client_do(c, "DELETE Play/Special", "OK", "");
	client_do(c, "LIST (SPECIAL-USE) \"\" \"*\"", "OK",
	    "* LIST (\\Sent) \"/\" Sent\r\n"
	    "* LIST (\\Junk) \"/\" Spam\r\n");
	client_do(c, "CREATE x (USE \\Sent)", "BAD", "");
	client_do(c, "CREATE x (BOGUS (\\Sent))", "BAD", "");
	client_do(c, "CREATE x USE", "BAD", "");
	client_free(&c);
}

static void
test_quota(void **state)
{
	struct client *c;

	t_quota(0, 0);
	c = client_login();
	client_do(c, "GETQUOTAROOT INBOX", "OK", "* QUOTAROOT INBOX\r\n");
	client_do(c, "GETQUOTA \"\"", "NO [NONEXISTENT]", "");
	client_free(&c);
	t_quota(512 * 1024, 2);
	c = client_login();
	client_append(c, "", "Subject: one\n\nhello\n");
	client_do(c, "GETQUOTA \"\"", "OK",
	    "* QUOTA \"\" (STORAGE 1 512 MESSAGE 1 2)\r\n");
	client_do(c, "GETQUOTA other", "NO [NONEXISTENT]", "");
	client_do(c, "GETQUOTAROOT INBOX", "OK",
	    "* QUOTAROOT INBOX \"\"\r\n"
	    "* QUOTA \"\" (STORAGE 1 512 MESSAGE 1 2)\r\n");
	client_do(c, "GETQUOTAROOT nowhere", "NO [NONEXISTENT]", "");
	client_do(c, "SETQUOTA \"\" (STORAGE 512)", "NO [NOPERM]", "");
	client_do(c, "SETQUOTA \"\"", "BAD", "");
	client_do(c, "GETQUOTA", "BAD", "");
	client_append(c, "", "Subject: two\n\nhello\n");
	client_do(c, "APPEND INBOX {4+}\r\na: b", "NO [OVERQUOTA]", "");
	client_free(&c);
	t_quota(0, 7);
	c = client_login();
	client_do(c, "GETQUOTA \"\"", "OK", "* QUOTA \"\" (MESSAGE 2 7)\r\n");
	client_free(&c);
	t_quota(0, 0);
}

static void
test_pools_are_roots(void **state)
{
	struct client *c;
	unsigned held;

	t_quota(0, 7);
	t_pool(2);
	c = client_login();
	held = t_reservations();
	client_append(c, "", "Subject: one\n\nhello\n");
	assert_int_equal(t_reservations(), held);
	client_do(c, "GETQUOTAROOT INBOX", "OK",
	    "* QUOTAROOT INBOX \"\" \"organisation:A & B\"\r\n"
	    "* QUOTA \"\" (MESSAGE 1 7)\r\n"
	    "* QUOTA \"organisation:A & B\" (MESSAGE 1 2)\r\n");
	client_do(c, "GETQUOTA \"organisation:A & B\"", "OK",
	    "* QUOTA \"organisation:A & B\" (MESSAGE 1 2)\r\n");
	client_do(c, "GETQUOTA \"domain:a.example\"", "NO [NONEXISTENT]",
	    "");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "COPY 1 INBOX", "OK", NULL);
	client_do(c, "COPY 1 INBOX", "NO [OVERQUOTA]", "");
	client_do(c, "APPEND INBOX {4+}\r\na: b", "NO [OVERQUOTA]", "");
	client_free(&c);
	t_quota(0, 0);
	t_pool(0);
}

/* Then the index and the limits of the login have to do. */
static void
test_a_silent_deliver_holds_nobody_up(void **state)
{
	struct client *c;

	t_server()->conf->quota_timeout = 50;
	t_quota(0, 2);
	t_deliver_silent(true);
	c = client_login();
	client_append(c, "", "Subject: one\n\nhello\n");
	client_do(c, "GETQUOTA \"\"", "OK", "* QUOTA \"\" (MESSAGE 1 2)\r\n");
	client_do(c, "SELECT INBOX", "OK", NULL);
	client_do(c, "COPY 1 INBOX", "OK", NULL);
	client_do(c, "COPY 1 INBOX", "NO [OVERQUOTA]", "");
	/* one that leaves while we wait */
	client_send(c, "x GETQUOTA \"\"\r\n");
	client_free(&c);
	t_deliver_silent(false);
	t_quota(0, 0);
}

/* Nor one that goes while we wait. */
static void
test_a_deliver_that_dies_holds_nobody_up(void **state)
{
	struct client *c;

	t_server()->conf->quota_timeout = 60000;	/* ten minutes for us */
	t_quota(0, 2);
	t_deliver_silent(true);
	c = client_login();
	client_send(c, "x GETQUOTA \"\"\r\n");
	t_run_ms(20);
	t_deliver_dies();
	client_wait(c, "x OK");
	client_do(c, "GETQUOTA \"\"", "OK", "* QUOTA \"\" (MESSAGE 0 2)\r\n");
	client_free(&c);
	t_deliver_silent(false);
	t_quota(0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_list_selects_and_returns),
		T(test_list_recursive_match),
		T(test_list_recursive_match_in_place_of_children),
		T(test_lsub_tells_parents_instead_of_children),
		T(test_list_status),
		T(test_status_items),
		T(test_special_use),
		T(test_quota),
		T(test_pools_are_roots),
		T(test_a_silent_deliver_holds_nobody_up),
		T(test_a_deliver_that_dies_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
