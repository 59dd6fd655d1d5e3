#include "proto/service.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pack.h"
#include "base/proc.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define CONTROL_FD	3
#define GROUPS_MAX	8

/* Phases of the control connection. */
enum { PHASE_HELLO = 1, PHASE_SETUP = 2, PHASE_RUN = 4 };

/* What arrived before the program was ready for it. */
struct early {
	STAILQ_ENTRY(early) link;
	uint16_t type;
	enum service_role role;
	unsigned index;
	char *name;		/* section or file name */
	char *contents;
	size_t n;
	int fd;
};

static struct {
	const struct service *s;
	struct service_env env;
	struct ipc *control;
	void *arg;
	STAILQ_HEAD(, early) early;
	bool stopping;
	int status;
} self = { .early = STAILQ_HEAD_INITIALIZER(self.early) };

const char *
service_role_name(enum service_role r)
{
	static const char *const names[ROLE_COUNT] = {
		"none", "smtpd", "qmgr", "deliver", "authd", "imapd",
		"gatekeeper", "control"
	};

	return (unsigned)r < ROLE_COUNT ? names[r] : "unknown";
}

void
service_stopped(void)
{
	loop_stop(self.env.loop);
}

static void
service_fail(const char *why)
{
	log_error("%s", why);
	PROTO_SEND(self.control, 0, SRV_FAILED, srv_failed,
	    .why = span_str(why));
	self.status = 75;
	loop_stop(self.env.loop);
}

/* --- identity --- */

static int
privilege_drop(const struct msg_srv_hello *h, struct err *err)
{
	char *user = xmemdup0(h->user.p, h->user.n);
	const char *groups[GROUPS_MAX + 1] = { NULL };
	char *copy[GROUPS_MAX] = { NULL };
	struct span rest = h->groups;
	struct entry_ctl_arg g;
	size_t n = 0;
	int rc;

	while (n < GROUPS_MAX && entry_ctl_arg_next(&rest, &g)) {
		copy[n] = xmemdup0(g.value.p, g.value.n);
		groups[n] = copy[n];
		n++;
	}
	umask(0007);
	proc_no_dumps();
	rc = proc_drop(user, groups, err);
	free(user);
	while (n > 0)
		free(copy[--n]);
	return rc;
}

static int
fd_claim(struct ipc_msg *m, unsigned *next)
{
	int fd;

	if (*next >= m->nfds)
		return -1;
	fd = m->fd[*next];
	m->fd[(*next)++] = -1;
	return fd;
}

static int log_own_fd = -1;	/* the log file, if posternd opened one */

static int
hello_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct service_env *env = &self.env;
	struct msg_srv_hello h;
	struct err err = { 0 };
	unsigned next = 0, i;
	int log_fd;

	(void)arg;
	if (!msg_srv_hello_unpack(m->body, &h) || h.role >= ROLE_COUNT ||
	    h.counts.n != ROLE_COUNT * 4 || h.key.n != sizeof(env->key))
		return PS_ESYNTAX;
	env->role = h.role;
	env->index = h.index;
	env->incarnation = h.incarnation;
	for (i = 0; i < ROLE_COUNT; i++)
		env->count[i] = get_u32(h.counts.p + i * 4);
	memcpy(env->key, h.key.p, sizeof(env->key));
	env->spool_dir = h.spool_fd ? fd_claim(m, &next) : -1;
	env->store_dir = h.store_fd ? fd_claim(m, &next) : -1;
	log_fd = h.log_fd ? fd_claim(m, &next) : -1;
	if (log_fd != -1) {
		log_own_fd = log_fd;
		log_open_fd("postern", self.s->name, log_fd);
	}
	if (privilege_drop(&h, &err) < 0) {
		service_fail(err.why);
		return 0;
	}
	ipc_phase_set(c, PHASE_SETUP);
	return 0;
}

/* --- configuration --- */

static enum log_level
level_of(const char *name)
{
	static const char *const names[] = {
		[LOG_L_DEBUG] = "debug", [LOG_L_INFO] = "info",
		[LOG_L_WARNING] = "warning", [LOG_L_ERROR] = "error",
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum log_level)i;
	return LOG_L_INFO;
}

static void
log_configure(const struct conf *c)
{
	static bool done;

	log_level_set(level_of(c->log_level));
	if (done)
		return;
	done = true;
	if (log_own_fd != -1)
		log_open_fd(c->syslog_name, self.s->name, log_own_fd);
	else if (strcmp(c->maillog_file, "-") == 0)
		log_open_stderr(c->syslog_name, self.s->name);
	else
		log_open_syslog(c->syslog_name, self.s->name);
}

static int
config_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_srv_config in;
	struct buf complaints;
	struct conf *conf;
	char *file;

	(void)c;
	(void)arg;
	if (!msg_srv_config_unpack(m->body, &in))
		return PS_ESYNTAX;
	buf_init(&complaints, 65536);
	file = xmemdup0(in.file.p, in.file.n);
	conf = conf_parse(file, in.text, &complaints);
	free(file);
	if (conf == NULL)
		/* posternd checked it with the same code, so this is our bug:
		 * end, and be started anew with what posternd has */
		service_fail(buf_cstr(&complaints));
	else {
		conf_unref(&self.env.conf);
		self.env.conf = conf;
		log_configure(conf);
	}
	buf_fini(&complaints);
	return 0;
}

/* --- what may come early --- */

static void
early_free(struct early *e)
{
	if (e->fd != -1)
		(void)close(e->fd);
	if (e->contents != NULL)
		secure_wipe(e->contents, e->n);
	free(e->contents);
	free(e->name);
	free(e);
}

static void
early_handle(struct early *e)
{
	const struct service *s = self.s;

	if (e->type == MSG_SRV_PEER && s->peer != NULL) {
		s->peer(self.arg, e->role, e->index, e->fd);
		e->fd = -1;
	} else if (e->type == MSG_SRV_LISTENER && s->listener != NULL) {
		s->listener(self.arg, e->name, e->fd);
		e->fd = -1;
	} else if (e->type == MSG_SRV_FILE && s->file != NULL)
		s->file(self.arg, e->name, span_of(e->contents, e->n));
	early_free(e);
}

static void
early_take(struct early *e)
{
	if (self.arg == NULL)
		STAILQ_INSERT_TAIL(&self.early, e, link);
	else
		early_handle(e);
}

static struct early *
early_new(struct ipc_msg *m)
{
	struct early *e = xcalloc(1, sizeof(*e));

	e->type = m->type;
	e->fd = m->fd[0];
	m->fd[0] = -1;
	return e;
}

static int
peer_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_srv_peer in;
	struct early *e;

	(void)c;
	(void)arg;
	if (!msg_srv_peer_unpack(m->body, &in) || in.role >= ROLE_COUNT ||
	    m->nfds != 1)
		return PS_ESYNTAX;
	e = early_new(m);
	e->role = in.role;
	e->index = in.index;
	early_take(e);
	return 0;
}

static int
listener_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_srv_listener in;
	struct early *e;

	(void)c;
	(void)arg;
	if (!msg_srv_listener_unpack(m->body, &in) || m->nfds != 1)
		return PS_ESYNTAX;
	e = early_new(m);
	e->name = xmemdup0(in.section.p, in.section.n);
	early_take(e);
	return 0;
}

static int
file_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_srv_file in;
	struct early *e;

	(void)c;
	(void)arg;
	if (!msg_srv_file_unpack(m->body, &in))
		return PS_ESYNTAX;
	e = early_new(m);
	e->name = xmemdup0(in.name.p, in.name.n);
	e->contents = xmemdup0(in.contents.p, in.contents.n);
	e->n = in.contents.n;
	early_take(e);
	return 0;
}

/* --- running --- */

static int
start_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct err err = { 0 };
	struct early *e;

	(void)m;
	(void)arg;
	if (self.env.conf == NULL)
		return PS_ESTATE;
	if ((self.arg = self.s->init(&self.env, &err)) == NULL) {
		service_fail(err.why);
		return 0;
	}
	ipc_phase_set(c, PHASE_RUN);
	while ((e = STAILQ_FIRST(&self.early)) != NULL) {
		STAILQ_REMOVE_HEAD(&self.early, link);
		early_handle(e);
	}
	PROTO_SEND(c, 0, SRV_STARTED, srv_started);
	return 0;
}

static int
reload_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	(void)c;
	(void)m;
	(void)arg;
	if (self.s->reload != NULL)
		self.s->reload(self.arg);
	return 0;
}

static void
service_stop(void)
{
	if (self.stopping)
		return;
	self.stopping = true;
	if (self.arg == NULL || self.s->stop == NULL)
		service_stopped();
	else
		self.s->stop(self.arg);
}

static int
stop_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	(void)c;
	(void)m;
	(void)arg;
	service_stop();
	return 0;
}

static int
status_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct buf json;

	(void)arg;
	buf_init(&json, 65536);
	buf_fmt(&json, "\"pid\": %d, \"loop_lag_ms\": %u", (int)getpid(),
	    loop_lag_ms_take(self.env.loop));
	if (self.s->status != NULL) {
		size_t before = buf_len(&json);

		buf_str(&json, ", ");
		self.s->status(self.arg, &json);
		if (buf_len(&json) == before + 2)
			buf_truncate(&json, before);
	}
	PROTO_SEND(c, m->id, SRV_STATUS, srv_status,
	    .json = buf_span(&json));
	buf_fini(&json);
	return 0;
}

static int
log_fd_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	int old = log_own_fd;

	(void)c;
	(void)arg;
	if (m->nfds != 1)
		return PS_ESYNTAX;
	log_own_fd = m->fd[0];
	m->fd[0] = -1;
	log_open_fd(self.env.conf->syslog_name, self.s->name, log_own_fd);
	if (old != -1)
		(void)close(old);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_SRV_HELLO, hello_cb, PHASE_HELLO },
	{ MSG_SRV_CONFIG, config_cb, PHASE_SETUP | PHASE_RUN },
	{ MSG_SRV_FILE, file_cb, PHASE_SETUP | PHASE_RUN },
	{ MSG_SRV_PEER, peer_cb, PHASE_SETUP | PHASE_RUN },
	{ MSG_SRV_LISTENER, listener_cb, PHASE_SETUP | PHASE_RUN },
	{ MSG_SRV_START, start_cb, PHASE_SETUP },
	{ MSG_SRV_RELOAD, reload_cb, PHASE_RUN },
	{ MSG_SRV_STOP, stop_cb, IPC_ANY_PHASE },
	{ MSG_SRV_STATUS_ASK, status_cb, PHASE_RUN },
	{ MSG_SRV_LOG_FD, log_fd_cb, PHASE_RUN },
};

/* posternd is gone: a new one may be waiting for our lock. */
static void
control_closed_cb(struct ipc *c, void *arg)
{
	(void)c;
	(void)arg;
	log_flush();
	_exit(0);
}

static void
terminate_cb(void *arg)
{
	(void)arg;
	service_stop();
}

static void
ignore_cb(void *arg)
{
	(void)arg;
}

int
service_main(const struct service *s, int argc, char **argv)
{
	(void)argv;
	self.s = s;
	if (argc > 1 || fcntl(CONTROL_FD, F_GETFD) == -1) {
		(void)fprintf(stderr, "%s is a part of Postern and is started "
		    "by posternd(8); it takes no arguments.\n", s->name);
		return 64;
	}
	(void)fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
	(void)signal(SIGPIPE, SIG_IGN);
	proc_raise_nofile();
	log_open_stderr("postern", s->name);
	self.env.spool_dir = self.env.store_dir = -1;
	self.env.loop = loop_new();
	/* the terminal's signals are posternd's business */
	loop_signal(self.env.loop, SIGINT, ignore_cb, NULL);
	loop_signal(self.env.loop, SIGHUP, ignore_cb, NULL);
	loop_signal(self.env.loop, SIGTERM, terminate_cb, NULL);
	self.control = ipc_new(self.env.loop, CONTROL_FD, "posternd",
	    handlers, ARRAY_LEN(handlers), control_closed_cb, NULL);
	loop_run(self.env.loop);
	ipc_free(&self.control);
	log_flush();
	return self.status;
}
