/*
 * Quota: what is used of which limit, changing limits, and comparing what the
 * database says with the store. The audit works as the store's user: what root
 * made in a maildir, deliver could not change.
 */
#include "admin/cli.h"

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "store/audit.h"

#define SHOW	"SELECT root AS kind, subject AS name, bytes, limit_bytes AS " \
	"quota_bytes, messages, limit_messages AS quota_messages, " \
	"postern.quota_percent(bytes, messages, limit_bytes, " \
	"limit_messages) AS percent, reported_at FROM " \
	"postern.quota_list($1, $2)"
#define LOOK_AGAIN_MS	250

/* --- whose ------------------------------------------------------------------ */

/* The first word: an address, a domain, or with --org an organisation. */
struct subject {
	const char *kind;
	char *name;			/* yours; NULL for kind "all" */
};

static bool
subject_read(const struct cli *cli, struct subject *s)
{
	const char *word = cli->n_words > 0 ? cli->word[0] : NULL;

	*s = (struct subject){ .kind = "all" };
	if (word == NULL)
		return true;
	if (cli_option(cli, "--org") != NULL) {
		s->kind = "organisation";
		s->name = xstrdup(word);
	} else if (strchr(word, '@') != NULL) {
		s->kind = "mailbox";
		s->name = cli_address(word);
	} else {
		s->kind = "domain";
		s->name = cli_domain(word);
	}
	return s->name != NULL;
}

static struct span
name_param(const struct subject *s)
{
	return s->name == NULL ? SPAN_NONE : span_str(s->name);
}

int
cmd_quota_show(struct cli *cli)
{
	struct subject s;
	int rc;

	if (!subject_read(cli, &s))
		return EX_DATAERR;
	struct span p[] = { span_str(s.kind), name_param(&s) };

	rc = cli_ask_print(cli, SHOW, p, 2, false,
	    "There is no mailbox domain yet.");
	free(s.name);
	return rc;
}

static bool
limit_read(struct cli *cli, const char *name,
    bool (*parse)(const char *, uint64_t *), char *text, size_t n,
    struct span *out)
{
	const char *v = cli_option(cli, name);
	uint64_t number;

	*out = SPAN_NONE;
	if (v == NULL)
		return true;
	if (!parse(v, &number))
		return false;
	(void)snprintf(text, n, "%" PRIu64, number);
	*out = span_str(text);
	return true;
}

int
cmd_quota_set(struct cli *cli)
{
	char bytes[CLI_NUMBER_MAX], messages[CLI_NUMBER_MAX], done[800];
	struct span p[4];
	struct subject s;
	int rc;

	if (!limit_read(cli, "--bytes", cli_size, bytes, sizeof(bytes),
	    &p[2]) || !limit_read(cli, "--messages", cli_number, messages,
	    sizeof(messages), &p[3]))
		return EX_DATAERR;
	if (p[2].p == NULL && p[3].p == NULL)
		return cli_usage(cli, "which limit? --bytes or --messages");
	if (!subject_read(cli, &s))
		return EX_DATAERR;
	p[0] = span_str(s.kind);
	p[1] = name_param(&s);
	(void)snprintf(done, sizeof(done), "limits of %s %s set", s.kind,
	    s.name);
	rc = cli_do(cli, "SELECT postern.quota_set($1, $2, $3::bigint, "
	    "$4::bigint)", p, 4, done);
	free(s.name);
	return rc;
}

/* --- audit ------------------------------------------------------------------ */

static const struct out_column columns[] = {
	{ "address", OUT_TEXT }, { "found", OUT_TEXT },
	{ "database_bytes", OUT_NUMBER }, { "index_bytes", OUT_NUMBER },
	{ "file_bytes", OUT_NUMBER }, { "database_messages", OUT_NUMBER },
	{ "index_messages", OUT_NUMBER }, { "file_messages", OUT_NUMBER },
};

struct box_audit {
	uint64_t id;
	char *address;
	struct usage said;		/* by the database */
	struct audit store;
	bool unreadable;
};

struct auditing {
	struct cli *cli;
	struct subject subject;
	bool fix;
	int store;
	struct box_audit *box;
	size_t n, n_bad, n_fixed;
	struct out *out;
};

static bool
same(const struct usage *a, const struct usage *b)
{
	return a->bytes == b->bytes && a->messages == b->messages;
}

static bool
store_agrees(const struct box_audit *b)
{
	return same(&b->store.index, &b->store.records) &&
	    same(&b->store.index, &b->store.files);
}

static bool
all_agrees(const struct box_audit *b)
{
	return !b->unreadable && store_agrees(b) &&
	    same(&b->said, &b->store.index);
}

/* A mailbox without a home has had no mail yet. */
static struct account *
account_get(const struct auditing *x, uint64_t id, bool *none,
    struct err *err)
{
	int fd, rc;

	rc = account_home_open(x->store, id, false, &fd, err);
	*none = rc == PS_ENOTFOUND;
	return rc < 0 ? NULL : account_open(fd, id, err);
}

static void
store_look(const struct auditing *x, struct box_audit *b, bool fix)
{
	struct err err = { 0 };
	struct account *a;
	bool none;
	int rc = 0;

	b->unreadable = false;
	memset(&b->store, 0, sizeof(b->store));
	a = account_get(x, b->id, &none, &err);
	if (a == NULL && none)
		return;
	if (a != NULL && fix)
		rc = account_audit_fix(a, &err);
	if (a != NULL && rc == 0)
		rc = account_audit(a, &b->store, &err);
	if (a == NULL || rc < 0) {
		out_complain("%s: %s\n", b->address, err.why);
		b->unreadable = true;
	}
	account_close(&a);
}

/* What the database says; makes the list the first time. */
static int
said_read(struct auditing *x)
{
	struct span p[] = {
	    span_str(x->cli->config.conf->host_name_in_database),
	    span_str(x->subject.kind), name_param(&x->subject) };
	struct sql_result *r;
	uint64_t v[3];
	size_t i, c, at = 0;
	int rc;

	r = cli_ask(x->cli, "SELECT mailbox_id, bytes, messages, address FROM "
	    "postern.quota_reported($1, $2, $3)", p, 3, &rc);
	if (r == NULL)
		return rc;
	if (x->box == NULL) {
		x->n = sql_rows(r);
		x->box = xcalloc(MAX(x->n, 1), sizeof(*x->box));
	}
	for (i = 0; i < sql_rows(r); i++) {
		for (c = 0; c < ARRAY_LEN(v); c++)
			if (!span_u64(sql_get(r, i, (size_t)c), 0, INT64_MAX,
			    &v[c]))
				v[c] = 0;
		/* rows come in the same order; some may have gone */
		while (at < x->n && x->box[at].id != 0 &&
		    x->box[at].id != v[0])
			at++;
		if (at == x->n)
			break;
		x->box[at].id = v[0];
		x->box[at].said = (struct usage){ v[1], v[2] };
		if (x->box[at].address == NULL)
			x->box[at].address = xmemdup0(sql_get(r, i, 3).p,
			    sql_get(r, i, 3).n);
		at++;
	}
	sql_result_free(&r);
	return EX_OK;
}

static size_t
count_bad(const struct auditing *x)
{
	size_t i, bad = 0;

	for (i = 0; i < x->n; i++)
		bad += !all_agrees(&x->box[i]);
	return bad;
}

/* The server reports with a delay, and mail comes and goes: only what stays
 * different for two reports' time is drift. */
static int
settle(struct auditing *x)
{
	uint64_t end = clock_mono_ms() + 1000 + 2 * (uint64_t)
	    x->cli->config.conf->usage_report_interval;
	int rc = EX_OK;
	size_t i;

	while (rc == EX_OK && count_bad(x) > 0 && clock_mono_ms() < end) {
		(void)usleep(LOOK_AGAIN_MS * 1000);
		rc = said_read(x);
		for (i = 0; i < x->n; i++)
			if (!all_agrees(&x->box[i]))
				store_look(x, &x->box[i], false);
	}
	return rc;
}

int
quota_report(struct cli *cli, uint64_t id, uint64_t bytes, uint64_t messages)
{
	char text[4][CLI_NUMBER_MAX + 2];
	const uint64_t v[4] = { id, bytes, messages,
	    (uint64_t)clock_wall_us() };
	struct span p[4];
	size_t i;

	for (i = 0; i < ARRAY_LEN(p); i++) {
		(void)snprintf(text[i], sizeof(text[i]), "{%" PRIu64 "}",
		    v[i]);
		p[i] = span_str(text[i]);
	}
	return cli_do(cli, "SELECT postern.usage_report($1::bigint[], "
	    "$2::bigint[], $3::bigint[], $4::bigint[])", p, 4, NULL);
}

static const char *
finding(const struct box_audit *b)
{
	if (b->unreadable)
		return "unreadable";
	if (!same(&b->store.index, &b->store.records))
		return "index totals";
	return store_agrees(b) ? "database" : "files";
}

/* The table begins with its first row: without one there is none. */
static void
found_put(struct auditing *x, const struct span *values)
{
	if (x->out == NULL)
		x->out = out_new(false, false, columns, ARRAY_LEN(columns));
	out_row(x->out, values);
}

static void
row_put(struct auditing *x, const struct box_audit *b)
{
	const uint64_t v[] = { b->said.bytes, b->store.index.bytes,
	    b->store.files.bytes, b->said.messages, b->store.index.messages,
	    b->store.files.messages };
	char text[ARRAY_LEN(v)][CLI_NUMBER_MAX];
	struct span values[ARRAY_LEN(columns)] = { span_str(b->address),
	    span_str(finding(b)) };
	size_t i;

	for (i = 0; i < ARRAY_LEN(v); i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%" PRIu64, v[i]);
		values[i + 2] = span_str(text[i]);
	}
	found_put(x, values);
}

static int
judge(struct auditing *x, struct box_audit *b)
{
	int rc = EX_OK;

	if (all_agrees(b))
		return EX_OK;
	row_put(x, b);
	x->n_bad++;
	if (!x->fix || b->unreadable)
		return EX_OK;
	if (!store_agrees(b))
		store_look(x, b, true);
	if (!b->unreadable && !same(&b->said, &b->store.index))
		rc = quota_report(x->cli, b->id, b->store.index.bytes,
		    b->store.index.messages);
	x->n_fixed += rc == EX_OK && !b->unreadable && store_agrees(b);
	return rc;
}

/* Pools: a domain's sum against its mailboxes'. */
static int
sums_judge(struct auditing *x)
{
	struct span p[] = { span_str(x->fix ? "true" : "false") };
	struct sql_result *r;
	size_t i;
	int rc;

	r = cli_ask(x->cli, "SELECT domain, bytes, sum_bytes, messages, "
	    "sum_messages FROM postern.quota_sums($1::boolean)", p, 1, &rc);
	for (i = 0; r != NULL && i < sql_rows(r); i++) {
		struct span v[ARRAY_LEN(columns)] = { sql_get(r, i, 0),
		    SPAN_LIT("domain sum"), sql_get(r, i, 1),
		    sql_get(r, i, 2), SPAN_NONE, sql_get(r, i, 3),
		    sql_get(r, i, 4), SPAN_NONE };

		found_put(x, v);
		x->n_bad++;
		x->n_fixed += x->fix;
	}
	sql_result_free(&r);
	return rc;
}

static int
audit(struct auditing *x)
{
	size_t i;
	int rc;

	rc = said_read(x);
	for (i = 0; rc == EX_OK && i < x->n; i++)
		store_look(x, &x->box[i], false);
	if (rc == EX_OK)
		rc = settle(x);
	if (x->cli->json)
		x->out = out_new(true, false, columns, ARRAY_LEN(columns));
	for (i = 0; rc == EX_OK && i < x->n; i++)
		rc = judge(x, &x->box[i]);
	if (rc == EX_OK)
		rc = sums_judge(x);
	if (x->out != NULL)
		(void)out_end(&x->out);
	if (rc != EX_OK)
		return rc;
	if (!x->cli->json && x->n_bad == 0)
		out_say("%zu mailboxes: database, index and files agree\n",
		    x->n);
	else if (!x->cli->json)
		out_say("%zu of %zu differ, %zu repaired\n", x->n_bad, x->n,
		    x->n_fixed);
	return x->n_bad > x->n_fixed ? EX_DATAERR : EX_OK;
}

int
cmd_quota_audit(struct cli *cli)
{
	const struct conf *conf = cli->config.conf;
	struct auditing x = { .cli = cli,
	    .fix = cli_option(cli, "--fix") != NULL };
	struct err err = { 0 };
	int rc = EX_DATAERR;
	size_t i;

	if (!subject_read(cli, &x.subject))
		return EX_DATAERR;
	/* the database knows us by our present user; later we are another */
	rc = said_read(&x);
	if (rc == EX_OK) {
		store_host_set(conf->myhostname);
		(void)umask(0007);
		x.store = open(conf->store_directory,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (x.store == -1) {
			out_complain("%s: %s\n", conf->store_directory,
			    strerror(errno));
			rc = EX_NOINPUT;
		} else if (proc_drop(conf->mail_owner_store, NULL, &err) < 0)
			rc = cli_fail(&err);
		else
			rc = audit(&x);
		if (x.store != -1)
			(void)close(x.store);
	}
	for (i = 0; i < x.n; i++)
		free(x.box[i].address);
	free(x.box);
	free(x.subject.name);
	return rc;
}
