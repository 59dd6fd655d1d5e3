/*
 * access(5): values, orders of look-ups, and the restrictions that need no
 * one else's answer, each with a case that passes and one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gate/testgate.h"

#include "gate/access.h"
#include "gate/checks.h"

static const struct {
	const char *value;
	enum access_what what;
	int code;
	const char *dsn, *text;
} values[] = {
	{ "OK", ACCESS_OK, 0, "", "" },
	{ "ok then", ACCESS_OK, 0, "", "then" },
	{ "12345", ACCESS_OK, 0, "", "" },
	{ "250", ACCESS_OK, 0, "", "" },
	{ "DUNNO", ACCESS_DUNNO, 0, "", "" },
	{ "REJECT", ACCESS_REJECT, 0, "", "" },
	{ "reject  5.7.9  go away ", ACCESS_REJECT, 0, "5.7.9", "go away" },
	{ "REJECT 5.7. x", ACCESS_REJECT, 0, "", "5.7. x" },
	{ "REJECT 5.7.1.2 x", ACCESS_REJECT, 0, "", "5.7.1.2 x" },
	{ "REJECT 5.1234.1 x", ACCESS_REJECT, 0, "", "5.1234.1 x" },
	{ "550", ACCESS_OK, 0, "", "" },
	{ "550 5.1.1 no", ACCESS_REJECT, 550, "5.1.1", "no" },
	{ "450 later", ACCESS_DEFER, 450, "", "later" },
	{ "421 bye", ACCESS_DEFER, 421, "", "bye" },
	{ "521 bye", ACCESS_REJECT, 521, "", "bye" },
	{ "DEFER x", ACCESS_DEFER, 0, "", "x" },
	{ "DEFER_IF_PERMIT 4.7.0 x", ACCESS_DEFER_IF_PERMIT, 0, "4.7.0", "x" },
	{ "DEFER_IF_REJECT", ACCESS_DEFER_IF_REJECT, 0, "", "" },
	{ "WARN look", ACCESS_WARN, 0, "", "look" },
	{ "INFO look", ACCESS_INFO, 0, "", "look" },
	{ "HOLD", ACCESS_HOLD, 0, "", "" },
	{ "hold 4.7.1 please look", ACCESS_HOLD, 0, "", "4.7.1 please look" },
	{ "DISCARD", ACCESS_DISCARD, 0, "", "" },
	{ "PREPEND X: y", ACCESS_PREPEND, 0, "", "X: y" },
	{ "REDIRECT a@b.example", ACCESS_REDIRECT, 0, "", "a@b.example" },
	{ "BCC a@b.example", ACCESS_BCC, 0, "", "a@b.example" },
	{ "FILTER smtp:[h]:10025", ACCESS_FILTER, 0, "", "smtp:[h]:10025" },
	{ "FILTERED x", ACCESS_LIST, 0, "", "FILTERED x" },
	{ "reject_unauth_destination, permit", ACCESS_LIST, 0, "",
	  "reject_unauth_destination, permit" },
	{ "permit", ACCESS_LIST, 0, "", "permit" },
	{ "", ACCESS_LIST, 0, "", "" },
};

static void
values_mean_what_access_5_says(void **state)
{
	struct access a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(values); i++) {
		print_message("%s\n", values[i].value);
		access_parse(span_str(values[i].value), &a);
		assert_int_equal(a.what, values[i].what);
		assert_int_equal(a.code, values[i].code);
		assert_string_equal(a.dsn, values[i].dsn);
		assert_true(span_eq(a.text, span_str(values[i].text)));
	}
}

#define MAPS	"inline:{ d.example = d, kim@ = local, " \
		"kim@d.example = whole, a+x@b.example = ext, lee@ = bare, " \
		"b.example = b, sub.example = s, <> = null }"

static const struct {
	const char *table, *address, *key;	/* key NULL: not found */
} mails[] = {
	{ MAPS, "kim@d.example", "kim@d.example" },
	{ MAPS, "kim+z@d.example", "kim@d.example" },
	{ MAPS, "a+x@b.example", "a+x@b.example" },
	{ MAPS, "a+y@b.example", "b.example" },
	{ MAPS, "o@x.y.sub.example", "sub.example" },
	{ MAPS, "kim@other.example", "kim@" },
	{ MAPS, "lee+q@other.example", "lee@" },
	{ MAPS, "o@other.example", NULL },
	{ MAPS, "o@notsub.example", NULL },
	{ MAPS, "", "<>" },
	{ "static:x", "o@p.example", "o@p.example" },
};

static void
addresses_are_looked_up_in_order(void **state)
{
	struct buf value, key;
	enum table_result r;
	struct table *t;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&value, 4096);
	buf_init(&key, 4096);
	for (i = 0; i < ARRAY_LEN(mails); i++) {
		print_message("%s\n", mails[i].address);
		t = table_open(span_str(mails[i].table), &err);
		assert_non_null(t);
		r = access_mail(&(struct access_ask){ .table = t,
		    .value = &value, .key = &key, .err = &err },
		    span_str(mails[i].address), "+");
		assert_int_equal(r, mails[i].key == NULL ? TABLE_NOTFOUND :
		    TABLE_FOUND);
		if (mails[i].key != NULL)
			assert_string_equal(buf_cstr(&key), mails[i].key);
		table_unref(&t);
	}
	buf_fini(&value);
	buf_fini(&key);
}

static void
clients_are_looked_up_by_prefix(void **state)
{
	static const struct { const char *ip, *key; } t[] = {
		{ "192.0.2.7", "192.0.2" }, { "192.0.3.7", NULL },
		{ "198.51.100.1", "198.51.100.1" }, { "10.1.2.3", "10" },
		{ "100.1.2.3", NULL },
	};
	struct table *table;
	struct buf value, key;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&value, 4096);
	buf_init(&key, 4096);
	table = table_open(SPAN_LIT("inline:{ 192.0.2 = a, 10 = b, "
	    "198.51.100.1 = c }"), &err);
	assert_non_null(table);
	for (i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(access_address(&(struct access_ask){
		    .table = table, .value = &value, .key = &key,
		    .err = &err }, span_str(t[i].ip)), t[i].key == NULL ? TABLE_NOTFOUND :
		    TABLE_FOUND);
		if (t[i].key != NULL)
			assert_string_equal(buf_cstr(&key), t[i].key);
	}
	table_unref(&table);
	buf_fini(&value);
	buf_fini(&key);
}

/* --- restrictions --- */

#define OURS	"smtpd_relay_restrictions = reject_unauth_destination\n" \
		"smtpd_reject_unlisted_recipient = no\n"
#define LIST(l)	OURS "smtpd_recipient_restrictions = " l "\n"

static const struct {
	const char *conf, *helo, *sender, *rcpt;
	enum gate_result want;
	const char *reply;
	unsigned notes;
} cases[] = {
	{ LIST("check_sender_access inline:{ s.example = REJECT }"),
	  "h.example", "x@s.example", "kim@a.example", GATE_REJECT,
	  "554 5.7.1 <x@s.example>: Sender address rejected: Access denied",
	  0 },
	{ LIST("check_sender_access inline:{ {x@s.example = 450 4.2.0 wait} }"),
	  "h.example", "\"x\"@S.example", "kim@a.example", GATE_DEFER,
	  "450 4.2.0 <\"x\"@S.example>: Sender address rejected: wait", 0 },
	{ LIST("check_sender_access inline:{ <> = REJECT }"), "h.example", "",
	  "kim@a.example", GATE_REJECT,
	  "554 5.7.1 <>: Sender address rejected: Access denied", 0 },
	{ LIST("check_recipient_access static:DUNNO"), "h.example", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("check_recipient_access inline:{ a.example = OK } reject"),
	  "h.example", "s@s.example", "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("check_recipient_access inline:{ b.example = OK } reject"),
	  "h.example", "s@s.example", "kim@a.example", GATE_REJECT,
	  "554 5.7.1 <kim@a.example>: Recipient address rejected: "
	  "Access denied", 0 },
	{ LIST("check_client_access cidr:/nowhere"), NULL, NULL, NULL,
	  GATE_DUNNO, NULL, 0 },
	{ LIST("check_client_access inline:{ {192.0.2 = 554 5.7.9 no} }"),
	  "h.example", "s@s.example", "kim@a.example", GATE_REJECT,
	  "554 5.7.9 <unknown[192.0.2.1]>: Client host rejected: no", 0 },
	{ LIST("check_helo_access inline:{ example = REJECT }"), "h.example",
	  "s@s.example", "kim@a.example", GATE_REJECT,
	  "554 5.7.1 <h.example>: Helo command rejected: Access denied", 0 },
	{ LIST("check_sender_access fail:broken"), "h.example", "s@s.example",
	  "kim@a.example", GATE_DEFER, "451 4.3.5 <s@s.example>: Sender "
	  "address rejected: Server configuration error", 0 },
	{ LIST("check_sender_access static:frobnicate"), "h.example",
	  "s@s.example", "kim@a.example", GATE_DEFER,
	  "451 4.3.5 Server configuration error", 0 },
	{ LIST("check_sender_access static:reject_non_fqdn_sender"),
	  "h.example", "s@s", "kim@a.example", GATE_REJECT,
	  "504 5.5.2 <s@s>: Sender address rejected: need fully-qualified "
	  "address", 0 },
	{ LIST("check_sender_access inline:{ {s.example = WARN seen} }"),
	  "h.example", "s@s.example", "kim@a.example", GATE_PERMIT, "", 1 },
	/* the note is made once though the rule parks behind it */
	{ LIST("check_sender_access inline:{ {s.example = check_helo_access "
	  "static:INFO, permit_auth_destination} } check_helo_access "
	  "static:INFO"), "h.example", "s@s.example", "kim@a.example",
	  GATE_PERMIT, "", 1 },
	{ LIST("check_sender_access inline:{ {s.example = DEFER_IF_PERMIT} }"),
	  "h.example", "s@s.example", "kim@a.example", GATE_DEFER,
	  "450 4.7.1 <s@s.example>: Sender address rejected: "
	  "Service unavailable", 0 },
	{ LIST("permit_auth_destination reject")
	  "smtpd_log_access_permit_actions = permit_auth_destination\n",
	  "h.example", "s@s.example", "kim@a.example", GATE_PERMIT, "", 1 },
	{ LIST("permit_auth_destination reject")
	  "smtpd_log_access_permit_actions = permit_mynetworks\n",
	  "h.example", "s@s.example", "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("check_sender_access static:OK")
	  "smtpd_log_access_permit_actions = static:all\n",
	  "h.example", "s@s.example", "kim@a.example", GATE_PERMIT, "", 1 },
	/* overruled by a doubt: it is no permit */
	{ LIST("defer_if_permit permit_auth_destination")
	  "smtpd_log_access_permit_actions = static:all\n",
	  "h.example", "s@s.example", "kim@a.example", GATE_DEFER,
	  "450 4.7.0 <kim@a.example>: Recipient address rejected: "
	  "defer_if_permit requested", 0 },
	{ LIST("warn_if_reject reject_non_fqdn_sender"), "h.example", "s@s",
	  "kim@a.example", GATE_PERMIT, "", 1 },
	{ LIST("reject_invalid_helo_hostname"), "h_1.example", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_invalid_helo_hostname"), "h..example", "s@s.example",
	  "kim@a.example", GATE_REJECT,
	  "501 5.5.2 <h..example>: Helo command rejected: Invalid name", 0 },
	{ LIST("reject_invalid_hostname"), "192.0.2.1", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_invalid_hostname"), "192.0.2", "s@s.example",
	  "kim@a.example", GATE_REJECT,
	  "501 5.5.2 <192.0.2>: Helo command rejected: Invalid name", 0 },
	{ LIST("reject_invalid_helo_hostname"), "[192.0.2.1]", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_invalid_helo_hostname"), "[192.0.2.x]", "s@s.example",
	  "kim@a.example", GATE_REJECT,
	  "501 5.5.2 <[192.0.2.x]>: Helo command rejected: "
	  "invalid ip address", 0 },
	{ LIST("reject_non_fqdn_helo_hostname"), "bogus", "s@s.example",
	  "kim@a.example", GATE_REJECT,
	  "504 5.5.2 <bogus>: Helo command rejected: "
	  "need fully-qualified hostname", 0 },
	{ LIST("reject_non_fqdn_helo_hostname"), "h.example", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_non_fqdn_sender"), "h.example", "",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_non_fqdn_sender"), "h.example", "kim",
	  "kim@a.example", GATE_REJECT, "504 5.5.2 <kim>: Sender address "
	  "rejected: need fully-qualified address", 0 },
	{ LIST("reject_non_fqdn_recipient"), "h.example", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_non_fqdn_recipient"), "h.example", "s@s.example",
	  "postmaster", GATE_PERMIT, "", 0 },
	{ LIST("reject_non_fqdn_recipient"), "h.example", "s@s.example",
	  "kim@a", GATE_REJECT, "504 5.5.2 <kim@a>: Recipient address "
	  "rejected: need fully-qualified address", 0 },
	{ LIST("reject_plaintext_session"), "h.example", "s@s.example",
	  "kim@a.example", GATE_DEFER,
	  "450 4.7.1 Session encryption is required", 0 },
	{ LIST("reject_unauth_pipelining"), "h.example", "s@s.example",
	  "kim@a.example", GATE_REJECT, "503 5.5.0 <kim@a.example>: Recipient "
	  "address rejected: Improper use of SMTP command pipelining", 0 },
	{ LIST("reject_multi_recipient_bounce"), "h.example", "",
	  "kim@a.example", GATE_REJECT, "550 5.5.3 <kim@a.example>: Recipient "
	  "address rejected: Multi-recipient bounce", 0 },
	{ LIST("reject_multi_recipient_bounce"), "h.example", "s@s.example",
	  "kim@a.example", GATE_PERMIT, "", 0 },
	{ LIST("reject_unknown_client_hostname"), "h.example", "s@s.example",
	  "kim@a.example", GATE_DEFER, "450 4.7.25 Client host rejected: "
	  "cannot find your hostname, [192.0.2.1]", 0 },
	{ LIST("reject_unknown_reverse_client_hostname") "unknown_client_"
	  "reject_code = 550\n", "h.example", "s@s.example", "kim@a.example",
	  GATE_REJECT, "550 5.7.1 Client host rejected: "
	  "cannot find your reverse hostname, [192.0.2.1]", 0 },
	{ LIST("reject_unknown_forward_client_hostname"), "h.example",
	  "s@s.example", "kim@a.example", GATE_PERMIT, "", 0 },
	/* it could not be found out: never for good */
	{ LIST("reject_unknown_client_hostname") "unknown_client_reject_code "
	  "= 550\n", "h.example", "s@s.example", "kim@a.example", GATE_DEFER,
	  "450 4.7.25 Client host rejected: cannot find your hostname, "
	  "[192.0.2.1]", 0 },
	{ LIST("reject_sender_login_mismatch"), "h.example", "kim@a.example", "kim@a.example", GATE_REJECT,
	  "553 5.7.1 <kim@a.example>: Sender address rejected: "
	  "not logged in", 0 },
	{ LIST("reject_sender_login_mismatch"), "h.example", "x@other.example", "kim@a.example", GATE_PERMIT,
	  "", 0 },
	{ LIST("reject_sender_login_mismatch"), "h.example", "", "kim@a.example", GATE_PERMIT,
	  "", 0 },
	{ LIST("reject_unauthenticated_sender_login_mismatch"), "h.example", "x@temp.example", "kim@a.example", GATE_DEFER,
	  "451 4.3.0 <x@temp.example>: Temporary lookup failure", 0 },
	{ LIST("reject_authenticated_sender_login_mismatch"), "h.example", "kim@a.example", "kim@a.example", GATE_PERMIT,
	  "", 0 },
	{ LIST("reject_unlisted_sender"), "h.example", "x@gone.example", "kim@a.example", GATE_REJECT,
	  "550 5.1.0 <x@gone.example>: Sender address rejected: User "
	  "unknown in virtual mailbox table", 0 },
	{ LIST("reject_unlisted_sender"), "h.example", "x@temp.example", "kim@a.example", GATE_DEFER,
	  "451 4.3.0 <x@temp.example>: Temporary lookup failure", 0 },
	{ LIST("reject_unlisted_sender"), "h.example", "x@other.example", "kim@a.example", GATE_PERMIT,
	  "", 0 },
};

struct asker {
	bool late;
	unsigned notes;
};

static const struct resolved_mailbox kim = { .id = 7 };
static const struct resolution ours = { .class = RESOLVE_MAILBOX,
	.mailboxes = &kim, .n_mailboxes = 1 };
static const struct resolution away = { .class = RESOLVE_TEMP };
static const struct resolution unknown = { .class = RESOLVE_UNKNOWN };
static const struct resolution elsewhere = { .class = RESOLVE_NOT_LOCAL };

static bool
need(enum gate_need what, struct gate_facts *f, void *arg)
{
	const struct asker *a = arg;

	if (a->late)
		return false;
	f->rcpt_domain = f->rcpt = f->from = &ours;
	if (span_ends(f->sender, "@temp.example"))
		f->from = &away;
	else if (span_ends(f->sender, "@gone.example"))
		f->from = &unknown;
	else if (!span_ends(f->sender, "@a.example"))
		f->from = &elsewhere;
	return true;
}

static void
note(const char *what, const char *text, void *arg)
{
	((struct asker *)arg)->notes++;
}

/* What was asked for last, and what the log was told of it. */
static struct {
	unsigned n;
	enum gate_do what;
	char text[2000], line[GATE_REPLY_MAX];
} done;

static void
effect(enum gate_do what, struct span text, const char *line, void *arg)
{
	done.n++;
	done.what = what;
	(void)snprintf(done.text, sizeof(done.text), "%.*s", SPAN_ARG(text));
	(void)snprintf(done.line, sizeof(done.line), "%s", line);
}

static const struct gate_ops ops = { .need = need, .note = note,
	.effect = effect };

static void
judge(size_t i, bool late)
{
	struct asker a = { .late = late };
	struct buf complaints;
	struct gate *g;
	struct gate_eval e;
	enum gate_result r;
	struct gate_facts f = { .client_name = "unknown",
		.client_ip = "192.0.2.1", .helo = cases[i].helo,
		.name_state = CLIENT_NAME_TEMP,
		.reverse_state = CLIENT_NAME_NONE, .early_input = true,
		.n_recipients = 1 };

	buf_init(&complaints, 65536);
	g = gate_try(cases[i].conf, &complaints);
	buf_fini(&complaints);
	if (cases[i].reply == NULL) {		/* refused at start */
		assert_null(g);
		return;
	}
	assert_non_null(g);
	f.sender = span_str(cases[i].sender);
	f.recipient = span_str(cases[i].rcpt);
	gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, &a);
	while ((r = gate_run(&e)) == GATE_PARKED) {
		assert_true(a.late);
		a.late = false;
	}
	if (r != GATE_PERMIT)
		assert_string_equal(e.reply, cases[i].reply);
	assert_int_equal(r, cases[i].want);
	assert_int_equal(a.notes, cases[i].notes);
	gate_end(&e);
	gate_unref(&g);
}

static void
restrictions_say_what_postfix_says(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s", cases[i].conf);
		judge(i, false);
		judge(i, true);
	}
}

/* The login and the sender's owner, together. */
static void
who_logged_in_sends_as_himself(void **state)
{
	static const struct {
		const char *rule, *sender;
		uint64_t mailbox;
		enum gate_result want;
	} t[] = {
		{ "reject_sender_login_mismatch", "kim@a.example", 7,
		  GATE_PERMIT },
		{ "reject_sender_login_mismatch", "kim@a.example", 8,
		  GATE_REJECT },
		{ "reject_sender_login_mismatch", "x@other.example", 7,
		  GATE_REJECT },
		{ "reject_known_sender_login_mismatch", "x@other.example", 7,
		  GATE_PERMIT },
		{ "reject_known_sender_login_mismatch", "kim@a.example", 8,
		  GATE_REJECT },
		{ "reject_authenticated_sender_login_mismatch",
		  "x@temp.example", 7, GATE_DEFER },
		{ "reject_unauthenticated_sender_login_mismatch",
		  "kim@a.example", 8, GATE_PERMIT },
	};
	struct asker a = { .late = false };
	struct gate_eval e;
	struct gate *g;
	char conf[512];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct gate_facts f = { .client_name = "unknown",
			.client_ip = "192.0.2.1", .helo = "h.example",
			.sender = span_str(t[i].sender),
			.recipient = SPAN_LIT("kim@a.example"),
			.authenticated = true, .user = "u@a.example",
			.mailbox_id = t[i].mailbox };

		print_message("%s %s\n", t[i].rule, t[i].sender);
		(void)snprintf(conf, sizeof(conf), OURS
		    "smtpd_recipient_restrictions = %s\n", t[i].rule);
		g = gate_of(conf);
		assert_non_null(g);
		gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, &a);
		assert_int_equal(gate_run(&e), t[i].want);
		if (t[i].want == GATE_REJECT)
			assert_non_null(strstr(e.reply, "Sender address "
			    "rejected: not owned by user u@a.example"));
		gate_end(&e);
		gate_unref(&g);
	}
}

/* It names itself twice: 2^n look-ups, were nothing to end it. That is a
 * mistake of ours, which warn_if_reject does not turn into a warning. */
static void
a_table_that_names_itself_ends(void **state)
{
	struct asker a = { .late = false };
	struct gate_eval e;
	struct gate *g;
	struct gate_facts f = { .client_name = "unknown",
		.client_ip = "192.0.2.1", .helo = "h.example",
		.sender = SPAN_LIT("s@s.example"),
		.recipient = SPAN_LIT("kim@a.example") };
	char path[] = "t_access.XXXXXX", conf[512];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "s.example warn_if_reject check_sender_access"
	    " hash:%s, warn_if_reject check_sender_access hash:%s\n", path,
	    path) > 0);
	assert_int_equal(close(fd), 0);
	(void)snprintf(conf, sizeof(conf), OURS
	    "smtpd_recipient_restrictions = check_sender_access hash:%s\n",
	    path);
	g = gate_of(conf);
	assert_int_equal(unlink(path), 0);
	assert_non_null(g);
	gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, &a);
	assert_int_equal(gate_run(&e), GATE_DEFER);
	assert_string_equal(e.reply, "451 4.3.5 Server configuration error");
	assert_int_equal(a.notes, 0);
	gate_end(&e);
	gate_unref(&g);
}

/* A table may hold anything: no byte of it ends a header or a log line, and
 * what is no argument is left undone with a warning, as in Postfix. */
static void
values_are_cleaned_and_checked(void **state)
{
	static const struct {
		enum gate_stage stage;
		const char *sender;	/* NULL: before MAIL */
		struct span value;
		enum gate_result want;
		unsigned n;
		enum gate_do what;
		const char *text, *line;
	} t[] = {
#define V(s)	{ s, sizeof(s) - 1 }
#define X	"<x@y.example>: Sender address "
		{ GATE_SENDER, "x@y.example", V("HOLD a\r\n\0\1\x7f\tz"),
		  GATE_DUNNO, 1, GATE_DO_HOLD, "a?????\tz",
		  X "a?????\tz" },
		{ GATE_SENDER, "x@y.example", V("PREPEND X: a\r\nB: c"),
		  GATE_DUNNO, 1, GATE_DO_PREPEND, "X: a??B: c",
		  X "triggers PREPEND X: a??B: c" },
		{ GATE_SENDER, "x@y.example", V("PREPEND X :a"), GATE_DUNNO,
		  1, GATE_DO_PREPEND, "X :a", X "triggers PREPEND X :a" },
		{ GATE_SENDER, "x@y.example", V("PREPEND : a"), GATE_DUNNO,
		  0, 0, "", "" },
		{ GATE_SENDER, "x@y.example", V("PREPEND a b: c"), GATE_DUNNO,
		  0, 0, "", "" },
		{ GATE_SENDER, "x@y.example", V("PREPEND a"), GATE_DUNNO, 0,
		  0, "", "" },
		{ GATE_END_OF_DATA, "x@y.example", V("PREPEND a: b"),
		  GATE_DUNNO, 0, 0, "", "" },
		{ GATE_SENDER, NULL, V("PREPEND a: b"), GATE_DUNNO, 0, 0, "",
		  "" },
		{ GATE_SENDER, NULL, V("DISCARD"), GATE_DUNNO, 0, 0, "", "" },
		{ GATE_SENDER, "", V("DISCARD"), GATE_PERMIT, 1,
		  GATE_DO_DISCARD, "", "<>: Sender address triggers DISCARD "
		  "action" },
		{ GATE_SENDER, "x@y.example", V("REDIRECT @b.example"),
		  GATE_DUNNO, 0, 0, "", "" },
		{ GATE_SENDER, "x@y.example", V("REDIRECT a b@c.example"),
		  GATE_DUNNO, 0, 0, "", "" },
		{ GATE_SENDER, "x@y.example", V("BCC a@b.example\n"),
		  GATE_DUNNO, 1, GATE_DO_BCC, "a@b.example",
		  X "triggers BCC a@b.example" },
		{ GATE_SENDER, "x@y.example", V("FILTER smtp:"), GATE_DUNNO,
		  1, GATE_DO_FILTER, "smtp:", X "triggers FILTER smtp:" },
#undef X
#undef V
	};
	struct gate *g = gate_of(OURS);
	struct asker asker = { .late = false };
	struct access a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct gate_facts f = { .client_name = "unknown",
			.client_ip = "192.0.2.1", .helo = "" };
		struct gate_eval e;

		if (t[i].sender != NULL)
			f.sender = span_str(t[i].sender);
		memset(&done, 0, sizeof(done));
		gate_begin(&e, g, 0, &f, &ops, &asker);
		e.stage = t[i].stage;
		access_parse(t[i].value, &a);
		assert_int_equal(gate_access_effect(&e, &a, GATE_IS_SENDER,
		    "t:t", SPAN_LIT("key")), t[i].want);
		assert_int_equal(done.n, t[i].n);
		assert_int_equal(done.what, t[i].what);
		assert_string_equal(done.text, t[i].text);
		assert_string_equal(done.line, t[i].line);
		assert_int_equal(f.discard, t[i].what == GATE_DO_DISCARD);
		gate_end(&e);
	}
	gate_unref(&g);
}

/* Long values: a header line over the limit and a filter that no envelope
 * takes are refused, what only goes to the log is cut. */
static void
long_values_are_bounded(void **state)
{
	static const struct { const char *name; size_t n; unsigned done; } t[] = {
		{ "PREPEND X:", 996, 1 }, { "PREPEND X:", 997, 0 },
		{ "FILTER x:", GATE_FILTER_MAX - 2, 1 },
		{ "FILTER x:", GATE_FILTER_MAX - 1, 0 },
		{ "HOLD ", 60000, 1 }, { "BCC a@", 1000, 0 },
	};
	struct gate *g = gate_of(OURS);
	struct asker asker = { .late = false };
	struct access a;
	struct buf value;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct gate_facts f = { .client_name = "unknown",
			.client_ip = "192.0.2.1", .helo = "",
			.sender = SPAN_LIT("x@y.example") };
		struct gate_eval e;

		buf_init(&value, BUF_NO_CAP);
		buf_str(&value, t[i].name);
		for (k = 0; k < t[i].n; k++)
			buf_char(&value, 'x');
		memset(&done, 0, sizeof(done));
		gate_begin(&e, g, 0, &f, &ops, &asker);
		e.stage = GATE_SENDER;
		access_parse(buf_span(&value), &a);
		assert_int_equal(gate_access_effect(&e, &a, GATE_IS_SENDER,
		    "t:t", SPAN_LIT("key")), GATE_DUNNO);
		assert_int_equal(done.n, t[i].done);
		gate_end(&e);
		buf_fini(&value);
	}
	gate_unref(&g);
}

static void
login_maps_say_who_owns_an_address(void **state)
{
#define MAP	"smtpd_sender_login_maps = inline:{ {x@s.example = v@a.example, " \
		"u@a.example}, bare@s.example = u@a.example, " \
		"@all.example = U@a.example }\n"
	static const struct {
		const char *rule, *sender;
		bool in;
		enum gate_result want;
	} t[] = {
		{ "reject_sender_login_mismatch", "x@s.example", true,
		  GATE_PERMIT },
		{ "reject_sender_login_mismatch", "X@S.example", true,
		  GATE_PERMIT },
		{ "reject_sender_login_mismatch", "bare+ext@s.example", true,
		  GATE_PERMIT },
		{ "reject_sender_login_mismatch", "any@all.example", true,
		  GATE_PERMIT },
		{ "reject_sender_login_mismatch", "x@s.example", false,
		  GATE_REJECT },
		{ "reject_sender_login_mismatch", "kim@a.example", true,
		  GATE_REJECT },
		{ "reject_sender_login_mismatch", "kim@a.example", false,
		  GATE_PERMIT },
		{ "reject_known_sender_login_mismatch", "kim@a.example", true,
		  GATE_PERMIT },
	};
	struct asker a = { .late = false };
	struct gate_eval e;
	struct gate *g;
	char conf[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct gate_facts f = { .client_name = "unknown",
			.client_ip = "192.0.2.1", .helo = "h.example",
			.sender = span_str(t[i].sender),
			.recipient = SPAN_LIT("kim@a.example"),
			.authenticated = t[i].in,
			.user = t[i].in ? "u@a.example" : NULL };

		print_message("%s %s\n", t[i].rule, t[i].sender);
		(void)snprintf(conf, sizeof(conf), OURS MAP
		    "smtpd_recipient_restrictions = %s\n", t[i].rule);
		g = gate_of(conf);
		assert_non_null(g);
		gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, &a);
		assert_int_equal(gate_run(&e), t[i].want);
		gate_end(&e);
		gate_unref(&g);
	}
#undef MAP
}

/* Parameters that change keys, and the check behind the sender list. */
static void
settings_change_what_is_looked_up(void **state)
{
	static const struct {
		const char *conf, *sender;
		enum gate_result want;
	} t[] = {
		{ "smtpd_sender_restrictions = check_sender_access "
		  "inline:{ s.example = REJECT }\n", "x@sub.s.example",
		  GATE_REJECT },
		{ "parent_domain_matches_subdomains =\n"
		  "smtpd_sender_restrictions = check_sender_access "
		  "inline:{ s.example = REJECT }\n", "x@sub.s.example",
		  GATE_PERMIT },
		{ "parent_domain_matches_subdomains = debug_peer_list\n"
		  "smtpd_sender_restrictions = check_sender_access "
		  "inline:{ .s.example = REJECT }\n", "x@deep.sub.s.example",
		  GATE_REJECT },
		{ "smtpd_null_access_lookup_key = nobody\n"
		  "smtpd_sender_restrictions = check_sender_access "
		  "inline:{ nobody = REJECT }\n", "", GATE_REJECT },
		{ "", "x@gone.example", GATE_PERMIT },
		{ "smtpd_reject_unlisted_sender = yes\n"
		  "smtpd_sender_restrictions = permit\n", "x@gone.example",
		  GATE_REJECT },
		{ "smtpd_reject_unlisted_sender = yes\n", "x@temp.example",
		  GATE_DEFER },
		{ "smtpd_reject_unlisted_sender = yes\n", "", GATE_PERMIT },
	};
	struct asker a = { .late = false };
	struct gate_eval e;
	struct gate *g;
	char conf[1024];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct gate_facts f = { .client_name = "unknown",
			.client_ip = "192.0.2.1", .helo = "h.example",
			.sender = span_str(t[i].sender),
			.recipient = SPAN_LIT("kim@a.example") };

		print_message("%s%s\n", t[i].conf, t[i].sender);
		(void)snprintf(conf, sizeof(conf), OURS "%s", t[i].conf);
		g = gate_of(conf);
		assert_non_null(g);
		gate_begin(&e, g, (1u << GATE_STAGES) - 1, &f, &ops, &a);
		assert_int_equal(gate_run(&e), t[i].want);
		gate_end(&e);
		gate_unref(&g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_maps_say_who_owns_an_address),
		cmocka_unit_test(settings_change_what_is_looked_up),
		cmocka_unit_test(values_are_cleaned_and_checked),
		cmocka_unit_test(long_values_are_bounded),
		cmocka_unit_test(values_mean_what_access_5_says),
		cmocka_unit_test(addresses_are_looked_up_in_order),
		cmocka_unit_test(clients_are_looked_up_by_prefix),
		cmocka_unit_test(restrictions_say_what_postfix_says),
		cmocka_unit_test(a_table_that_names_itself_ends),
		cmocka_unit_test(who_logged_in_sends_as_himself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
