/*
 * `mailbox adopt`: who may do what while a maildir is taken over. The work is
 * lib/store/adopt.h's.
 *
 * Started as root, what reads other people's files has become the store's user
 * first. Only giving them to that user needs root; it happens between a look
 * at everything, which a child makes, and the work (doc/architecture.md).
 */
#include "admin/cli.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/owner.h"
#include "base/clock.h"
#include "base/proc.h"
#include "store/account.h"
#include "store/adopt.h"

#define PROGRESS_MS	1000

struct adopting {
	struct cli *cli;
	const char *user;		/* the store's */
	const char *dir;
	uint64_t mailbox_id;
	int source, store, home;
	bool check, copy, quiet;
	struct out *out;
	uint64_t messages, odd, lost, without_uid;
	uint64_t quota_bytes, quota_messages;	/* of maildirsize; 0: none */
	unsigned folders;
	uint64_t told_ms;		/* when progress was last told */
};

static const struct out_column columns[] = {
	{ "folder", OUT_TEXT }, { "messages", OUT_NUMBER },
	{ "size", OUT_SIZE }, { "without_uid", OUT_NUMBER },
	{ "keywords", OUT_NUMBER }, { "uidvalidity", OUT_NUMBER },
	{ "uidnext", OUT_NUMBER }, { "from", OUT_TEXT },
};

/* --- what is told --- */

static void
row_put(struct adopting *x, const struct adopt_folder *f)
{
	static const char *const from[] = {
		[ADOPT_PLAIN] = "plain maildir", [ADOPT_DOVECOT] = "dovecot",
		[ADOPT_COURIER] = "courier",
	};
	struct span values[ARRAY_LEN(columns)];
	char n[6][24];
	size_t i;

	const uint64_t numbers[] = { f->messages, f->bytes, f->without_uid,
	    f->keywords, f->uidvalidity, f->uidnext };

	values[0] = span_str(f->name[0] == '\0' ? "INBOX" : f->name);
	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		(void)snprintf(n[i], sizeof(n[i]), "%" PRIu64, numbers[i]);
		values[i + 1] = span_str(n[i]);
	}
	/* not known before it gets one */
	if (f->uidvalidity == 0)
		values[5] = values[6] = SPAN_NONE;
	values[7] = span_str(from[f->from]);
	out_row(x->out, values);
}

static void
folder_cb(const struct adopt_folder *f, bool done, void *arg)
{
	struct adopting *x = arg;

	if (!done) {
		x->odd += f->odd;
		x->lost += f->lost_keywords;
		x->without_uid += f->without_uid;
	}
	if (x->quiet || done == x->check)
		return;
	x->messages += f->messages;
	x->folders++;
	row_put(x, f);
}

static void
note_cb(const char *text, void *arg)
{
	const struct adopting *x = arg;

	if (!x->quiet)
		out_complain("%s\n", text);
}

static void
progress_cb(const char *folder, uint64_t n, uint64_t of, void *arg)
{
	struct adopting *x = arg;
	uint64_t now = clock_mono_ms();

	if (x->quiet || !isatty(STDERR_FILENO) ||
	    now < x->told_ms + PROGRESS_MS)
		return;
	x->told_ms = now;
	out_complain("%s: %" PRIu64 " of %" PRIu64 "\n",
	    folder[0] == '\0' ? "INBOX" : folder, n, of);
}

static void
quota_cb(uint64_t bytes, uint64_t messages, void *arg)
{
	struct adopting *x = arg;

	x->quota_bytes = bytes;
	x->quota_messages = messages;
	if (x->check && !x->quiet)
		out_complain("its quota was %" PRIu64 " bytes, %" PRIu64
		    " messages (0: no limit)\n", bytes, messages);
}

static const struct adopt_events events_template = {
	.folder = folder_cb, .note = note_cb, .quota = quota_cb,
	.progress = progress_cb,
};

static void
summary(const struct adopting *x)
{
	if (x->odd > 0)
		out_complain("%" PRIu64 " things in cur and new are no "
		    "readable files and stay where they are\n", x->odd);
	if (x->lost > 0)
		out_complain("%" PRIu64 " keywords or lines about them cannot "
		    "be kept: a folder has room for 26\n", x->lost);
	if (x->cli->json)
		return;
	if (x->check)
		out_say("%" PRIu64 " messages in %u folders would be taken "
		    "over; nothing was changed\n", x->messages, x->folders);
	else
		out_say("%" PRIu64 " messages in %u folders taken over; what "
		    "is left in %s is the other server's\n", x->messages,
		    x->folders, x->dir);
}

/* --- the work --- */

static int
adopt(struct adopting *x)
{
	struct adopt_events events = events_template;
	struct adopt a = { .source = x->source, .home = x->home,
	    .mailbox_id = x->mailbox_id, .check = x->check || x->quiet,
	    .copy = x->copy, .events = &events };
	struct err err = { 0 };
	int rc;

	events.arg = x;
	if (!x->quiet)
		x->out = out_new(x->cli->json, false, columns,
		    ARRAY_LEN(columns));
	rc = adopt_run(&a, &err);
	if (!x->quiet)
		(void)out_end(&x->out);
	if (rc < 0)
		return cli_fail(&err);
	if (!x->quiet)
		summary(x);
	return EX_OK;
}

/* With --check a home that is not there yet stays so; what is asked of it is
 * which file system it will be on. */
static int
home_open(struct adopting *x, bool create)
{
	struct err err = { 0 };
	int rc;

	rc = account_home_open(x->store, x->mailbox_id, create, &x->home,
	    &err);
	if (rc == PS_ENOTFOUND && !create) {
		x->home = dup(x->store);
		rc = x->home == -1 ? err_errno(&err, "dup") : 0;
	}
	return rc == 0 ? EX_OK : cli_fail(&err);
}

/* As the store's user, able to read what is not his. */
static int
look(struct adopting *x)
{
	struct err err = { 0 };
	int rc;

	if (proc_drop_reader(x->user, &err) < 0)
		return cli_fail(&err);
	rc = home_open(x, x->copy && !x->check && !x->quiet);
	return rc == EX_OK ? adopt(x) : rc;
}

/* In a child, as what it gives up cannot be taken back. */
static int
look_first(struct adopting *x)
{
	int status;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		x->quiet = true;
		_exit(look(x));
	}
	while (pid != -1 && waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			pid = -1;
	if (pid == -1 || !WIFEXITED(status))
		return EX_OSERR;
	return WEXITSTATUS(status);
}

static int
give(struct adopting *x)
{
	const struct passwd *pw = getpwnam(x->user);
	struct err err = { 0 };
	int rc;

	if (pw == NULL) {
		out_complain("there is no user %s\n", x->user);
		return EX_NOUSER;
	}
	rc = owner_give(x->source, pw->pw_uid, pw->pw_gid, &err);
	return rc == 0 ? EX_OK : cli_fail(&err);
}

static int
take(struct adopting *x)
{
	struct err err = { 0 };
	int rc;

	if (geteuid() == 0) {
		rc = look_first(x);
		if (rc == EX_OK)
			rc = give(x);
		if (rc != EX_OK)
			return rc;
	}
	if (proc_drop(x->user, NULL, &err) < 0)
		return cli_fail(&err);
	rc = home_open(x, true);
	return rc == EX_OK ? adopt(x) : rc;
}

/* --- asking --- */

static int
mailbox_find(struct adopting *x, const char *address)
{
	const char *host = x->cli->config.conf->host_name_in_database;
	struct span p[2] = { SPAN_NONE, span_str(address) };
	struct sql_result *r;
	int rc = EX_OK;

	p[0] = span_sub(p[1], (size_t)span_rchr(p[1], '@') + 1, p[1].n);
	r = cli_ask(x->cli, "SELECT id, host FROM postern.mailbox_list($1) "
	    "WHERE address = $2", p, 2, &rc);
	if (r == NULL)
		return rc;
	if (sql_rows(r) == 0) {
		out_complain("there is no mailbox %s; add it first\n", address);
		rc = EX_NOUSER;
	} else if (!span_is(sql_get(r, 0, 1), host)) {
		out_complain("%s is on another host\n", address);
		rc = EX_USAGE;
	} else if (!span_u64(sql_get(r, 0, 0), 1, INT64_MAX,
	    &x->mailbox_id)) {
		rc = EX_SOFTWARE;
	}
	sql_result_free(&r);
	return rc;
}

static int
dir_open(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd != -1)
		return EX_OK;
	out_complain("%s: %s\n", path, strerrordesc_np(errno));
	return errno == EACCES ? EX_NOPERM : EX_NOINPUT;
}

/* The limit it had there holds here, where the mailbox has none yet. */
static int
quota_take(struct adopting *x, const char *address)
{
	char bytes[CLI_NUMBER_MAX], messages[CLI_NUMBER_MAX];
	struct span p[4] = { SPAN_NONE, span_str(address) };

	if (x->check || (x->quota_bytes == 0 && x->quota_messages == 0))
		return EX_OK;
	(void)snprintf(bytes, sizeof(bytes), "%" PRIu64, x->quota_bytes);
	(void)snprintf(messages, sizeof(messages), "%" PRIu64,
	    x->quota_messages);
	p[2] = span_str(bytes);
	p[3] = span_str(messages);
	p[0] = span_sub(p[1], (size_t)span_rchr(p[1], '@') + 1, p[1].n);
	return cli_do(x->cli, "SELECT postern.quota_set('mailbox', address, "
	    "$3::bigint, $4::bigint) FROM postern.mailbox_list($1) "
	    "WHERE address = $2 AND quota_bytes = 0 AND quota_messages = 0",
	    p, 4, "the limit that its maildirsize has is the mailbox's, "
	    "unless it had one");
}

/* deliver was not asked, so nobody else tells the database what is there: the
 * pools of the domain would not know of it until the next delivery. */
static int
usage_tell(struct adopting *x)
{
	struct account *a = NULL;
	struct usage u = { 0 };
	struct err err = { 0 };
	int fd, rc;

	if (x->check)
		return EX_OK;
	rc = account_home_open(x->store, x->mailbox_id, false, &fd, &err);
	if (rc == 0 && (a = account_open(fd, x->mailbox_id, &err)) == NULL)
		rc = PS_EIO;
	if (rc == 0)
		rc = account_usage(a, &u, &err);
	account_close(&a);
	return rc < 0 ? cli_fail(&err) : quota_report(x->cli, x->mailbox_id,
	    u.bytes, u.messages);
}

int
cmd_mailbox_adopt(struct cli *cli)
{
	struct adopting x = { .cli = cli, .dir = cli->word[1], .source = -1,
	    .store = -1, .home = -1,
	    .check = cli_option(cli, "--check") != NULL,
	    .copy = cli_option(cli, "--copy") != NULL,
	    .user = cli->config.conf->mail_owner_store };
	char *address = cli_address(cli->word[0]);
	int rc;

	if (address == NULL)
		return EX_DATAERR;
	(void)umask(0007);
	store_host_set(cli->config.conf->myhostname);
	rc = mailbox_find(&x, address);
	if (rc == EX_OK)
		rc = dir_open(x.dir, &x.source);
	if (rc == EX_OK)
		rc = dir_open(cli->config.conf->store_directory, &x.store);
	if (rc == EX_OK && !x.check && !cli_sure(cli, "Take over %s as the "
	    "mail of %s", x.dir, address))
		rc = EX_USAGE;
	if (rc == EX_OK)
		rc = x.check || x.copy ? look(&x) : take(&x);
	if (rc == EX_OK)
		rc = quota_take(&x, address);
	if (rc == EX_OK)
		rc = usage_tell(&x);
	if (x.source != -1)
		(void)close(x.source);
	if (x.store != -1)
		(void)close(x.store);
	if (x.home != -1)
		(void)close(x.home);
	free(address);
	return rc;
}
