/* The doctor's look at the running server, the database and the clock. */
#include "admin/doctor.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "admin/ctl.h"
#include "base/clock.h"
#include "base/json.h"
#include "db/migrate.h"

#define STATUS_MS	10000
#define GREETING_MS	10000
#define LAG_MS		50
#define CHECKPOINT_MS	60000
#define CLOCK_OFF_US	2000000

/* --- processes --- */

static const struct figure {
	const char *name;		/* "directory.database" */
	const char *good;		/* NULL: a number up to `most` */
	uint64_t most;
	enum finding level;
	const char *text, *cure;
} figures[] = {
	{ "state", "running", 0, FINDING_FAULT, "is not running",
	    "read the log; posternd starts it again, ever more slowly" },
	{ "restarts", NULL, 0, FINDING_WARNING, "was started again so many "
	    "times", "read the log for why it ended" },
	{ "loop_lag_ms", NULL, LAG_MS, FINDING_WARNING, "answers late "
	    "(milliseconds)", "is the machine overloaded, or its disk slow?" },
	{ "checkpoint_age_ms", NULL, CHECKPOINT_MS, FINDING_WARNING,
	    "last made deliveries durable so long ago (milliseconds)",
	    "is the store's disk full or failing? read the log" },
	{ "segments_bad", NULL, 0, FINDING_FAULT, "journal segments that "
	    "could not be synced", "the disk of spool_directory is failing; "
	    "read the log" },
	{ "pressure", NULL, 0, FINDING_WARNING, "takes mail slowly or not at "
	    "all", "see `postern queue list' and the log of qmgr" },
	{ "directory.database", "up", 0, FINDING_FAULT, "has no connection to "
	    "the database", "see part `database'" },
	{ "directory.stale", "false", 0, FINDING_WARNING, "answers from what "
	    "the database said some time ago", "see part `database'" },
};

/* The member `name` of an object, "a.b" in an inner one. */
static bool
row_figure(struct span row, struct span name, struct span *value)
{
	ptrdiff_t dot = span_chr(name, '.');
	struct span head = dot == -1 ? name : span_sub(name, 0, (size_t)dot);
	struct span key;

	while (json_next(&row, &key, value)) {
		if (!span_eq(key, head))
			continue;
		return dot == -1 || row_figure(*value,
		    span_sub(name, (size_t)dot + 1, name.n), value);
	}
	return false;
}

static bool
figure_good(const struct figure *f, struct span value)
{
	uint64_t n;

	if (f->good != NULL)
		return span_eq(value, span_str(f->good));
	return span_u64(value, 0, UINT64_MAX, &n) && n <= f->most;
}

static void
process_cb(struct span json, void *arg)
{
	struct doctor *d = arg;
	struct span value;
	struct buf name, text;
	bool good = true;
	size_t i;

	buf_init(&name, 1024);
	buf_init(&text, 1024);
	if (row_figure(json, SPAN_LIT("process"), &value))
		json_text(value, &name);
	for (i = 0; i < ARRAY_LEN(figures); i++) {
		if (!row_figure(json, span_str(figures[i].name), &value))
			continue;
		buf_clear(&text);
		json_text(value, &text);
		if (figure_good(&figures[i], buf_span(&text)))
			continue;
		good = false;
		doctor_report(d, figures[i].level, "server", buf_cstr(&name),
		    figures[i].cure, "%s: %s", figures[i].text,
		    buf_cstr(&text));
	}
	if (good)
		doctor_report(d, FINDING_OK, "server", buf_cstr(&name), NULL,
		    "runs");
	buf_fini(&text);
	buf_fini(&name);
}

/* --- listeners: does somebody answer there? --- */

/* -1 with errno. */
static int
connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }, *found;
	struct timeval limit = { GREETING_MS / 1000, 0 };
	int fd, rc;

	if (getaddrinfo(host, port, &hints, &found) != 0) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd != -1)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
	rc = fd == -1 ? -1 : connect(fd, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	if (rc == 0)
		return fd;
	rc = errno;
	if (fd != -1)
		close(fd);
	errno = rc;
	return -1;
}

/* "220 mx.example.org ESMTP" into text; false when nothing came. */
static bool
greeting_read(int fd, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, GREETING_MS) != 1)
		return false;
	n = read(fd, text, size - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return true;
}

static void
listener_check(struct doctor *d, const struct conf *s, struct span address)
{
	ptrdiff_t colon = span_rchr(address, ':');
	struct span host = span_sub(address, 0, (size_t)(colon < 0 ? 0 :
	    colon));
	char at[128], name[80], port[16], text[512];
	bool imap = strcmp(s->protocol, "imap") == 0;
	bool tls = imap ? s->imap_tls_wrappermode : s->smtpd_tls_wrappermode;
	int fd;

	if (host.n > 1 && host.p[0] == '[')
		host = span_sub(host, 1, host.n - 2);
	if (span_eq(host, SPAN_LIT("*")) || span_eq(host, SPAN_LIT("0.0.0.0")))
		host = SPAN_LIT("127.0.0.1");
	(void)snprintf(name, sizeof(name), "%.*s", SPAN_ARG(host));
	(void)snprintf(port, sizeof(port), "%.*s",
	    SPAN_ARG(span_sub(address, (size_t)(colon + 1), address.n)));
	(void)snprintf(at, sizeof(at), "%s %.*s", s->name, SPAN_ARG(address));
	fd = connect_to(name, port);
	if (fd == -1) {
		doctor_report(d, FINDING_FAULT, "server", at, "is the server "
		    "running, does another program have the port?",
		    "nobody answers: %s", strerror(errno));
		return;
	}
	if (tls)
		doctor_report(d, FINDING_OK, "server", at, NULL,
		    "takes connections");
	else if (!greeting_read(fd, text, sizeof(text)))
		doctor_report(d, FINDING_FAULT, "server", at, "see `postern "
		    "status' and the log", "no greeting in %d s",
		    GREETING_MS / 1000);
	else
		doctor_report(d, FINDING_OK, "server", at, NULL,
		    "greets with `%s'", text);
	close(fd);
}

void
doctor_server(struct doctor *d, struct cli *cli)
{
	const struct conf *conf = cli->config.conf, *s;
	struct span rest, address;
	struct ctl_answer answer;
	struct err err = { 0 };
	size_t i;

	if (ctl_ask(conf, NULL, "status", NULL, 0, STATUS_MS, process_cb, d,
	    &answer, &err) != 0) {
		doctor_report(d, FINDING_FAULT, "server", "posternd",
		    "start it: `systemctl start postern', or posternd -c FILE",
		    "%s", err.why);
		return;
	}
	for (i = 0; (s = conf_section_at(conf, i)) != NULL; i++) {
		if (strcmp(s->kind, "service") != 0)
			continue;
		rest = span_str(s->listen);
		while (conf_list_next(&rest, &address))
			listener_check(d, s, address);
	}
}

/* --- the database --- */

static struct sql *
database_open(struct doctor *d, struct cli *cli)
{
	struct err err = { 0 };

	if (cli->sql != NULL)
		return cli->sql;
	cli->sql = sql_open(cli->config.conf,
	    cli->config.conf->database_role_admin, &err);
	if (cli->sql == NULL)
		doctor_report(d, FINDING_FAULT, "database",
		    cli->config.conf->database, "does PostgreSQL run there, "
		    "and may the user that runs this log in? "
		    "doc/database.md", "%s", err.why);
	return cli->sql;
}

/* A name that is not there, after a change of myhostname, makes all mailboxes
 * those of nobody; one that `db migrate' has added since, of another host. */
static void
host_check(struct doctor *d, struct sql *sql, const char *name)
{
	static const char subject[] = "host_name_in_database";
	struct span p = span_str(name);
	struct sql_result *r;
	struct err err = { 0 };

	r = sql_ask(sql, "SELECT postern.need_host($1)", &p, 1, &err);
	if (r == NULL) {
		doctor_report(d, FINDING_FAULT, "database", subject,
		    "set it to what it was; on a new host run "
		    "`postern db migrate'", "%s, so no mailbox gets mail",
		    err.why);
		return;
	}
	sql_result_free(&r);
	r = sql_ask(sql, "SELECT min(host) FROM postern.mailbox_list(NULL) "
	    "HAVING NOT bool_or(host = $1)", &p, 1, &err);
	if (r != NULL && sql_rows(r) == 1)
		doctor_report(d, FINDING_WARNING, "database", subject,
		    "if this is the same machine, set it to that name",
		    "%s has no mailbox; there are some on %.*s", name,
		    SPAN_ARG(sql_get(r, 0, 0)));
	sql_result_free(&r);
}

void
doctor_database(struct doctor *d, struct cli *cli)
{
	struct sql *sql = database_open(d, cli);
	struct sql_result *r;
	struct err err = { 0 };
	char revision[16];

	if (sql == NULL)
		return;
	r = sql_ask(sql, "SELECT postern.schema_revision(), "
	    "(SELECT count(*) FROM postern.domain_list()), "
	    "(SELECT count(*) FROM postern.mailbox_list(NULL))", NULL, 0,
	    &err);
	if (r == NULL) {
		doctor_report(d, FINDING_FAULT, "database", "schema",
		    "postern db migrate", "%s", err.why);
		return;
	}
	(void)snprintf(revision, sizeof(revision), "%d", DB_REVISION);
	if (!span_eq(sql_get(r, 0, 0), span_str(revision)))
		doctor_report(d, FINDING_FAULT, "database", "schema",
		    "postern db migrate", "has revision %.*s, this build "
		    "needs %s", SPAN_ARG(sql_get(r, 0, 0)), revision);
	else
		doctor_report(d, FINDING_OK, "database", "schema", NULL,
		    "revision %s, %.*s domains, %.*s mailboxes", revision,
		    SPAN_ARG(sql_get(r, 0, 1)), SPAN_ARG(sql_get(r, 0, 2)));
	host_check(d, sql, cli->config.conf->host_name_in_database);
	if (span_eq(sql_get(r, 0, 1), SPAN_LIT("0")))
		doctor_report(d, FINDING_NOTE, "database", "domains",
		    "postern domain add NAME", "there is none yet");
	sql_result_free(&r);
}

/* --- the clock --- */

static void
clock_of_database(struct doctor *d, struct cli *cli)
{
	struct sql *sql = database_open(d, cli);
	struct sql_result *r;
	int64_t before, theirs, off;

	if (sql == NULL)
		return;
	before = clock_wall_us();
	r = sql_ask(sql, "SELECT (extract(epoch FROM clock_timestamp()) * "
	    "1000000)::bigint", NULL, 0, NULL);
	if (r != NULL && span_i64(sql_get(r, 0, 0), 0, INT64_MAX, &theirs)) {
		off = theirs - (before + (clock_wall_us() - before) / 2);
		if (off < 0)
			off = -off;
		doctor_report(d, off > CLOCK_OFF_US ? FINDING_WARNING :
		    FINDING_OK, "clock", "database", off > CLOCK_OFF_US ?
		    "run chrony or ntpd on both hosts" : NULL,
		    "its clock and ours differ by %lld ms",
		    (long long)off / 1000);
	}
	sql_result_free(&r);
}

void
doctor_clock(struct doctor *d, struct cli *cli)
{
	struct timex t = { .modes = 0 };

	if (adjtimex(&t) == -1)
		doctor_report(d, FINDING_NOTE, "clock", "kernel", NULL,
		    "does not tell whether it is set by a time server");
	else if ((t.status & STA_UNSYNC) != 0)
		doctor_report(d, FINDING_WARNING, "clock", "kernel",
		    "install chrony (or another NTP client)",
		    "no time server sets the clock");
	else
		doctor_report(d, FINDING_OK, "clock", "kernel", NULL,
		    "is set by a time server");
	clock_of_database(d, cli);
}
