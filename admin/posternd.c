/*
 * posternd(8): starts, wires, restarts and stops the processes of one
 * instance. Parses its own configuration and nothing else.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/control.h"
#include "admin/notify.h"
#include "admin/restored.h"
#include "base/log.h"
#include "base/proc.h"
#include "gate/gate.h"
#include "spool/incarnation.h"

#define NOFILE_WANTED	262144
#define REPORT_MS	60000

struct options {
	const char *config;
	bool no_wait;
	bool accept_restored;
};

static struct {
	struct loop *loop;
	struct configfile config;
	struct instance instance;
	struct listen_set listeners;
	struct supervisor *supervisor;
	struct control *control;
	struct timer report;
	struct timer watchdog;
	uint32_t reported;	/* incarnation the database knows of */
	int status;
} self;

static const char usage_text[] =
"usage: posternd [-c FILE] [--no-wait] [--accept-restored-spool]\n"
"Runs a Postern mail server in the foreground.\n\n"
"  -c, --config FILE          configuration [" DEFAULT_CONFIG "]\n"
"  -f                         stay in the foreground (always so)\n"
"      --no-wait              if the instance is in use, fail, don't wait\n"
"      --accept-restored-spool\n"
"                             the spool comes from a backup or snapshot:\n"
"                             start all the same, with all its mail held\n"
"  -h, --help                 this text\n"
"  -V, --version\n\n"
"SIGHUP reloads, SIGUSR1 reopens the log, SIGTERM stops.\n"
"Exit: 0 stopped, 64 usage, 75 try again, 78 configuration.\n";

/* Exits on --help and mistakes. */
static void
options_parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "no-wait", no_argument, NULL, 'n' },
		{ "accept-restored-spool", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .config = DEFAULT_CONFIG };
	while ((c = getopt_long(argc, argv, "c:fhV", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'f': break;
		case 'n': o->no_wait = true; break;
		case 'r': o->accept_restored = true; break;
		case 'h': fputs(usage_text, stdout); exit(EX_OK);
		case 'V': puts("posternd " PACKAGE_VERSION); exit(EX_OK);
		default: fputs(usage_text, stderr); exit(EX_USAGE);
		}
	}
	if (optind != argc) {
		fputs(usage_text, stderr);
		exit(EX_USAGE);
	}
}

static void
limits_raise(void)
{
	struct rlimit rl;

	if (geteuid() == 0 && getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    rl.rlim_max != RLIM_INFINITY && rl.rlim_max < NOFILE_WANTED) {
		rl.rlim_max = NOFILE_WANTED;
		if (setrlimit(RLIMIT_NOFILE, &rl) != 0)
			log_debug("descriptor limit stays below %d: %s",
			    NOFILE_WANTED, strerror(errno));
	}
	proc_raise_nofile();
}

/* --- events --- */

/* One log line per complaint. */
static void
log_lines(struct span text)
{
	struct span line;

	while (span_split(&text, '\n', &line))
		if (line.n > 0)
			log_error("%.*s", SPAN_ARG(line));
}

static bool
reload_cb(struct buf *complaints, struct buf *notes, void *arg)
{
	bool ok;

	(void)arg;
	notify_reloading();
	ok = supervisor_reload(self.supervisor, complaints, notes);
	if (!ok) {
		log_lines(buf_span(complaints));
		log_error("reload refused, the old configuration stays");
	} else {
		log_info("reloaded %s", self.config.path);
		if (buf_len(notes) > 0)
			log_warning("a restart is needed for: %s",
			    buf_cstr(notes));
	}
	notify_ready();
	return ok;
}

static void
hup_cb(void *arg)
{
	struct buf complaints, notes;

	buf_init(&complaints, 65536);
	buf_init(&notes, 65536);
	supervisor_log_reopen(self.supervisor);
	if (!reload_cb(&complaints, &notes, arg))
		log_flush();
	buf_fini(&complaints);
	buf_fini(&notes);
}

static void
usr1_cb(void *arg)
{
	(void)arg;
	supervisor_log_reopen(self.supervisor);
	log_info("log reopened");
}

static void
stop_cb(void *arg)
{
	(void)arg;
	if (!supervisor_stopping(self.supervisor)) {
		log_info("stopping");
		notify_stopping();
	}
	supervisor_stop(self.supervisor);
}

/* The counter rises once an hour even if no process ends, so that a copy of
 * the spool older than that is always found out (J14). */
static void
report_cb(void *arg)
{
	static unsigned minutes;
	uint32_t last;
	struct err err;

	(void)arg;
	if (++minutes % 60 == 0 && incarnation_raise(
	    self.instance.spool_dir, 1, &last, &err) != 0)
		log_error("%s", err.why);
	if (incarnation_read(self.instance.spool_dir, &last, &err) != 0)
		log_error("%s", err.why);
	else if (last != self.reported)
		restored_report(self.config.conf, self.instance.spool_dir);
	self.reported = last;
	timer_set_ms(&self.report, REPORT_MS);
}

/* From the loop: a loop that hangs falls silent, and the service manager
 * starts us anew. */
static void
watchdog_cb(void *arg)
{
	(void)arg;
	notify_watchdog();
	timer_set_ms(&self.watchdog, notify_watchdog_ms());
}

static void
ready_cb(void *arg)
{
	const struct listen_set *set = &self.listeners;
	struct buf where;
	size_t i;

	(void)arg;
	buf_init(&where, 4096);
	for (i = 0; i < set->n; i++)
		buf_fmt(&where, "%s%s %s", i == 0 ? "" : ", ",
		    set->v[i].section, set->v[i].address);
	log_info("ready: %zu processes, listening: %s",
	    supervisor_count(self.supervisor),
	    i == 0 ? "nowhere" : buf_cstr(&where));
	log_flush();
	buf_fini(&where);
	notify_ready();
	report_cb(NULL);
}

static void
stopped_cb(bool failed, void *arg)
{
	(void)arg;
	self.status = failed ? EX_TEMPFAIL : EX_OK;
	loop_stop(self.loop);
}

static void
status_cb(const struct child *c, uint64_t id, struct span json, void *arg)
{
	(void)arg;
	control_status(self.control, c, id, json);
}

/* --- start --- */

static int
start(const struct options *o, struct err *err)
{
	const struct supervisor_events events = { .ready = ready_cb,
	    .stopped = stopped_cb, .status = status_cb };
	const struct control_events control_events = { .reload = reload_cb,
	    .stop = stop_cb };
	const struct conf *conf = self.config.conf;
	int rc;

	limits_raise();
	if ((rc = instance_open(&self.instance, conf, !o->no_wait,
	    err)) != 0 ||
	    (rc = restored_check(conf, self.instance.spool_dir,
	    o->accept_restored, err)) != 0 ||
	    (rc = listen_open_all(&self.listeners, conf, err)) != 0)
		return rc;
	if (self.listeners.n == 0)
		log_warning("no [service] has a `listen': nobody can connect");
	self.loop = loop_new();
	timer_init(&self.report, self.loop, report_cb, NULL);
	timer_init(&self.watchdog, self.loop, watchdog_cb, NULL);
	if (notify_watchdog_ms() > 0)
		watchdog_cb(NULL);
	self.supervisor = supervisor_new(self.loop, &self.instance,
	    &self.config, &self.listeners, &events);
	self.control = control_new(self.loop, self.supervisor,
	    self.instance.run_dir, conf->run_directory, &control_events, err);
	if (self.control == NULL)
		return PS_EIO;
	loop_signal(self.loop, SIGHUP, hup_cb, NULL);
	loop_signal(self.loop, SIGUSR1, usr1_cb, NULL);
	loop_signal(self.loop, SIGTERM, stop_cb, NULL);
	loop_signal(self.loop, SIGINT, stop_cb, NULL);
	return supervisor_start(self.supervisor, err);
}

static void
finish(void)
{
	timer_clear(&self.report);
	timer_clear(&self.watchdog);
	control_free(&self.control);
	supervisor_free(&self.supervisor);
	listen_close_all(&self.listeners);
	instance_close(&self.instance);
	configfile_fini(&self.config);
	loop_free(&self.loop);
}

int
main(int argc, char **argv)
{
	struct options o;
	struct buf complaints;
	struct err err = { 0 };

	options_parse(argc, argv, &o);
	log_open_stderr("postern", "posternd");
	signal(SIGPIPE, SIG_IGN);
	umask(0022);
	buf_init(&complaints, 65536);
	/* Before anything starts: qmgr and deliver would work meanwhile. */
	if (!configfile_read(&self.config, o.config, &complaints) ||
	    !gate_conf_check(self.config.conf, &complaints)) {
		fputs(buf_cstr(&complaints), stderr);
		buf_fini(&complaints);
		return EX_CONFIG;
	}
	buf_fini(&complaints);
	proc_no_dumps();
	if (start(&o, &err) != 0) {
		log_error("cannot start: %s", err.why);
		log_flush();
		/* Who started us looks here, not in the log file. */
		if (self.instance.log_path != NULL &&
		    strcmp(self.instance.log_path, "-") != 0)
			fprintf(stderr, "posternd: %s\n", err.why);
		finish();
		return err.kind == ERR_PERM ? EX_CONFIG : EX_TEMPFAIL;
	}
	loop_run(self.loop);
	log_info("stopped");
	log_flush();
	finish();
	return self.status;
}
