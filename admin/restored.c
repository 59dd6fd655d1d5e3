#include "admin/restored.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/sql.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "spool/incarnation.h"

#define ANSWER_MS	8000
#define STATEMENT	"SELECT postern.host_started($1, $2::bigint)"

/* In the child: "=NUMBER" or the reason why not. */
static void
ask_write(const struct conf *conf, uint32_t last, int out)
{
	struct err err = { 0 };
	struct sql_result *r = NULL;
	struct sql *sql = NULL;
	struct span was;
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, last);
	struct span p[] = { span_str(conf->host_name_in_database),
	    span_str(number) };

	if (proc_drop(conf->mail_owner_queue, NULL, &err) == 0)
		sql = sql_open(conf, conf->database_role_queue, &err);
	if (sql != NULL)
		r = sql_ask(sql, STATEMENT, p, 2, &err);
	was = r == NULL || sql_rows(r) != 1 ? SPAN_NONE : sql_get(r, 0, 0);
	if (r == NULL)
		dprintf(out, "%s", err.why);
	else if (was.p == NULL)
		dprintf(out, "it has no host %s; `postern db migrate' adds it",
		    conf->host_name_in_database);
	else
		dprintf(out, "=%.*s", SPAN_ARG(was));
	sql_result_free(&r);
	sql_close(&sql);
}

/* Reads what the child writes until its end; false when it takes too long. */
static bool
answer_read(int fd, char *text, size_t n)
{
	uint64_t end = clock_mono_ms() + ANSWER_MS, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t at = 0;
	ssize_t got;

	for (;;) {
		now = clock_mono_ms();
		if (now >= end)
			return false;
		if (poll(&p, 1, (int)(end - now)) <= 0)
			continue;
		got = read(fd, text + at, n - 1 - at);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		at += (size_t)got;
	}
	text[at] = '\0';
	return true;
}

/* `text` gets the answer; false when there is none. */
static bool
ask(const struct conf *conf, uint32_t last, char *text, size_t n)
{
	int fd[2], status;
	pid_t pid;
	bool ok;

	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	log_flush();
	pid = fork();
	if (pid == 0) {
		ask_write(conf, last, fd[1]);
		_exit(0);
	}
	close(fd[1]);
	ok = pid != -1 && answer_read(fd[0], text, n);
	close(fd[0]);
	if (pid != -1) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
			;
	}
	return ok;
}

int
restored_check(const struct conf *conf, int spool_dir, bool accept,
    struct err *err)
{
	char text[512];
	uint32_t last, recorded = 0;
	int rc;

	rc = incarnation_read(spool_dir, &last, err);
	if (rc != 0)
		return rc;
	if (!ask(conf, last, text, sizeof(text)))
		snprintf(text, sizeof(text), "no answer");
	if (text[0] != '=' || !span_u32(span_str(text + 1), 0, UINT32_MAX,
	    &recorded))
		log_warning("cannot ask the database whether this spool is "
		    "the latest (J14): %s", text);
	/* An admin who knows better than the counters has all mail held. */
	if (accept && recorded <= last)
		recorded = last + 1;
	rc = incarnation_check(spool_dir, recorded, accept, err);
	if (rc == 0 && accept)
		log_warning("spool accepted as restored: all its mail will be "
		    "held; see `postern queue list' and `queue release ALL'");
	return rc;
}

void
restored_report(const struct conf *conf, int spool_dir)
{
	uint32_t last;
	pid_t pid;
	int null;

	if (incarnation_read(spool_dir, &last, NULL) != 0)
		return;
	log_flush();
	pid = fork();
	if (pid == 0) {
		alarm(2 * ANSWER_MS / 1000);
		null = open("/dev/null", O_WRONLY);
		ask_write(conf, last, null);
		_exit(0);
	}
	if (pid == -1)
		log_warning("fork: %s", strerror(errno));
}
