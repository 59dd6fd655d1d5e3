#include "admin/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/place.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "spool/incarnation.h"

#define CHILD_MAGIC		0x6368696cu
/* A child that closed its control connection gets this long to end. */
#define CHILD_CLOSED_GRACE_MS	5000

enum { FD_CONTROL = 3, FD_RUN_LOCK = 4, FD_SPOOL_LOCK = 5, FD_FREE = 6 };
enum { PHASE_STARTING = 1, PHASE_RUNNING = 2 };

struct child {
	uint32_t magic;
	const struct child_shared *shared;
	const struct role *role;
	unsigned index;
	char *name;
	enum child_state state;
	pid_t pid;			/* of the last one started */
	bool alive;			/* not yet reaped */
	bool reaped;			/* ended() waits for ipc's end */
	int wait_status;
	struct ipc *ipc;		/* NULL: none, or closed already */
	uint32_t incarnation;
	uint64_t started_ms;
	char *failure;			/* SRV_FAILED's text */
	struct timer closed_grace;
};

/* --- from the child --- */

static int
started_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct child *c = OBJ_CAST(arg, child, CHILD_MAGIC);
	struct msg_srv_started msg;

	if (!msg_srv_started_unpack(m->body, &msg))
		return PS_ESYNTAX;
	ipc_phase_set(ipc, PHASE_RUNNING);
	c->state = CHILD_RUNNING;
	c->shared->started(c, c->shared->arg);
	return 0;
}

static int
failed_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct child *c = OBJ_CAST(arg, child, CHILD_MAGIC);
	struct msg_srv_failed msg;

	(void)ipc;
	if (!msg_srv_failed_unpack(m->body, &msg))
		return PS_ESYNTAX;
	free(c->failure);
	c->failure = xmemdup0(msg.why.p, MIN(msg.why.n, 1024));
	return 0;
}

static int
status_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct child *c = OBJ_CAST(arg, child, CHILD_MAGIC);
	struct msg_srv_status msg;

	(void)ipc;
	if (!msg_srv_status_unpack(m->body, &msg))
		return PS_ESYNTAX;
	c->shared->status(c, m->id, msg.json, c->shared->arg);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_SRV_STARTED, started_cb, PHASE_STARTING },
	{ MSG_SRV_FAILED, failed_cb, IPC_ANY_PHASE },
	{ MSG_SRV_STATUS, status_cb, IPC_ANY_PHASE },
};

/* Both its process and its connection have ended, in whichever order: only
 * then all it said has been read, SRV_FAILED before all. */
static void
child_ended(struct child *c)
{
	char *failure = c->failure != NULL ? c->failure : xstrdup("");

	c->failure = NULL;
	c->reaped = false;
	c->state = CHILD_DOWN;
	timer_clear(&c->closed_grace);
	ipc_free(&c->ipc);
	c->shared->ended(c, c->wait_status, failure, c->shared->arg);
	free(failure);
}

/* Usually its process has ended, too, or is about to. */
static void
closed_cb(struct ipc *ipc, void *arg)
{
	struct child *c = OBJ_CAST(arg, child, CHILD_MAGIC);

	(void)ipc;
	ipc_free(&c->ipc);
	if (c->reaped)
		child_ended(c);
	else if (c->alive)
		timer_set_ms(&c->closed_grace, CHILD_CLOSED_GRACE_MS);
}

/* One of the two ends did not follow the other. */
static void
closed_grace_cb(void *arg)
{
	struct child *c = OBJ_CAST(arg, child, CHILD_MAGIC);

	if (c->reaped) {
		child_ended(c);
	} else if (c->alive) {
		log_warning("process %s (pid %ld) hung up but does not end: "
		    "killing it", c->name, (long)c->pid);
		child_kill(c);
	}
}

/* --- life --- */

struct child *
child_new(const struct child_shared *shared, const struct role *role,
    unsigned index)
{
	struct child *c = xcalloc(1, sizeof(*c));

	c->magic = CHILD_MAGIC;
	c->shared = shared;
	c->role = role;
	c->index = index;
	c->name = xasprintf("%s/%u", role->program, index);
	timer_init(&c->closed_grace, shared->loop, closed_grace_cb, c);
	return c;
}

void
child_free(struct child **cp)
{
	struct child *c = *cp;

	if (c == NULL)
		return;
	ipc_free(&c->ipc);
	timer_clear(&c->closed_grace);
	free(c->failure);
	free(c->name);
	c->magic = 0;
	free(c);
	*cp = NULL;
}

/* Puts the inherited descriptors where they belong; between fork and exec,
 * so only what is safe there. Descriptors below FD_FREE may be in the way. */
static int
descriptors_place(int control, int run_lock, int spool_lock)
{
	int from[3] = { control, run_lock, spool_lock }, i, null;

	for (i = 0; i < 3; i++) {
		from[i] = fcntl(from[i], F_DUPFD, FD_FREE + 3);
		if (from[i] == -1)
			return -1;
	}
	for (i = 0; i < 3; i++)
		if (dup2(from[i], FD_CONTROL + i) == -1)
			return -1;
	null = open("/dev/null", O_RDONLY);
	if (null != -1)
		dup2(null, 0);
	proc_close_from(FD_FREE);
	return 0;
}

static void
child_exec(const struct child *c, const char *program, int control) NORETURN;

static void
child_exec(const struct child *c, const char *program, int control)
{
	const struct instance *in = c->shared->instance;
	char *argv[] = { (char *)(uintptr_t)c->role->program, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	/* A terminal's ^C and hang-up are for posternd to act on. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (descriptors_place(control, in->run_lock, in->spool_lock) == 0)
		execv(program, argv);
	dprintf(2, "postern: cannot run %s: %s\n", program,
	    strerrordesc_np(errno));
	_exit(127);
}

static pid_t
child_fork(struct child *c, int control[2], struct err *err)
{
	char *program = place_program(c->role);
	pid_t pid;

	log_flush();
	pid = fork();
	if (pid == 0)
		child_exec(c, program, control[1]);
	if (pid == -1)
		err_errno(err, "fork for %s", c->name);
	free(program);
	return pid;
}

/* --- to the child --- */

static void
config_send(struct child *c)
{
	const struct configfile *cf = c->shared->config;

	PROTO_SEND(c->ipc, 0, SRV_CONFIG, srv_config,
	    .file = span_str(cf->path), .text = span_of(cf->text, cf->n));
}

static void
hello_send(struct child *c)
{
	const struct instance *in = c->shared->instance;
	const struct conf *conf = c->shared->config->conf;
	struct buf counts, groups;
	int fds[3];
	unsigned n = 0, i;

	buf_init(&counts, 4 * ROLE_COUNT);
	for (i = 0; i < ROLE_COUNT; i++)
		pack_u32(&counts, c->shared->count[i]);
	buf_init(&groups, 1024);
	if (c->role->store_group && in->store_group[0] != '\0')
		entry_ctl_arg_pack(&groups, &(struct entry_ctl_arg){
		    .value = span_str(in->store_group) });
	if (c->role->spool)
		fds[n++] = in->spool_dir;
	if (c->role->store)
		fds[n++] = in->store_dir;
	if (in->log_fd != -1)
		fds[n++] = in->log_fd;
	PROTO_SEND_FDS(c->ipc, 0, fds, n, SRV_HELLO, srv_hello,
	    .role = (uint8_t)c->role->role, .index = c->index,
	    .incarnation = c->incarnation, .counts = buf_span(&counts),
	    .key = span_of(in->key, sizeof(in->key)),
	    .user = span_str(geteuid() == 0 ? role_user(c->role, conf) : ""),
	    .groups = buf_span(&groups), .spool_fd = c->role->spool,
	    .store_fd = c->role->store, .log_fd = in->log_fd != -1);
	buf_fini(&counts);
	buf_fini(&groups);
}

static void
secret_send_cb(const char *name, struct span contents, void *arg)
{
	child_secret(arg, name, contents);
}

static void
secrets_send(struct child *c)
{
	const struct conf *conf = c->shared->config->conf;
	char *password;
	struct err err;

	if (c->role->tls)
		secret_set_each(c->shared->secrets, secret_send_cb, c);
	password = secret_database_password(conf,
	    role_db_role(c->role, conf), &err);
	if (err.kind != ERR_NONE)
		log_warning("database_password_file: %s", err.why);
	if (password != NULL)
		PROTO_SEND(c->ipc, 0, SRV_FILE, srv_file,
		    .name = SPAN_LIT("database_password"),
		    .contents = span_str(password));
	secret_free(&password);
}

static void
listeners_send(struct child *c)
{
	const struct listen_set *set = c->shared->listeners;
	size_t i;

	for (i = 0; i < set->n; i++)
		if (set->v[i].role == c->role->role)
			PROTO_SEND_FDS(c->ipc, 0, &set->v[i].fd, 1,
			    SRV_LISTENER, srv_listener,
			    .section = span_str(set->v[i].section));
}

int
child_start(struct child *c, struct err *err)
{
	int control[2], rc;

	ps_assert(!c->alive && !c->reaped);
	ipc_free(&c->ipc);
	timer_clear(&c->closed_grace);
	free(c->failure);
	c->failure = NULL;
	rc = incarnation_raise(c->shared->instance->spool_dir, 1,
	    &c->incarnation, err);
	if (rc != 0 || (rc = ipc_pair(control, err)) != 0)
		return rc;
	c->pid = child_fork(c, control, err);
	close(control[1]);
	if (c->pid == -1) {
		close(control[0]);
		return PS_EIO;
	}
	c->alive = true;
	c->ipc = ipc_new(c->shared->loop, control[0], c->name, handlers,
	    ARRAY_LEN(handlers), closed_cb, c);
	c->state = CHILD_STARTING;
	c->started_ms = loop_now_ms(c->shared->loop);
	hello_send(c);
	config_send(c);
	secrets_send(c);
	listeners_send(c);
	return 0;
}

void
child_peer(struct child *c, enum service_role role, unsigned index, int fd)
{
	if (c->ipc != NULL)
		PROTO_SEND_FDS(c->ipc, 0, &fd, 1, SRV_PEER, srv_peer,
		    .role = (uint8_t)role, .index = index);
}

void
child_go(struct child *c)
{
	if (c->ipc != NULL)
		ipc_send(c->ipc, MSG_SRV_START, 0, SPAN_NONE);
}

void
child_reload(struct child *c)
{
	if (c->ipc == NULL)
		return;
	config_send(c);
	ipc_send(c->ipc, MSG_SRV_RELOAD, 0, SPAN_NONE);
}

void
child_secret(struct child *c, const char *name, struct span contents)
{
	if (c->ipc != NULL)
		PROTO_SEND(c->ipc, 0, SRV_FILE, srv_file,
		    .name = span_str(name), .contents = contents);
}

void
child_log_fd(struct child *c, int fd)
{
	if (c->ipc != NULL)
		ipc_send_fds(c->ipc, MSG_SRV_LOG_FD, 0, SPAN_NONE, &fd, 1);
}

void
child_stop(struct child *c)
{
	if (c->ipc != NULL)
		ipc_send(c->ipc, MSG_SRV_STOP, 0, SPAN_NONE);
}

void
child_kill(struct child *c)
{
	if (c->alive)
		kill(c->pid, SIGKILL);
}

void
child_ask_status(struct child *c, uint64_t id)
{
	if (c->ipc != NULL)
		ipc_send(c->ipc, MSG_SRV_STATUS_ASK, id, SPAN_NONE);
}

bool
child_reap(struct child *c, pid_t pid, int wait_status)
{
	if (!c->alive || pid != c->pid)
		return false;
	c->alive = false;
	c->reaped = true;
	c->wait_status = wait_status;
	/* Never from within the caller's walk: ended() may start it anew. */
	timer_set_ms(&c->closed_grace,
	    c->ipc == NULL ? 0 : CHILD_CLOSED_GRACE_MS);
	return true;
}

bool
child_alive(const struct child *c)
{
	return c->alive;
}

enum child_state
child_state(const struct child *c)
{
	return c->state;
}

const char *
child_name(const struct child *c)
{
	return c->name;
}

const struct role *
child_role(const struct child *c)
{
	return c->role;
}

unsigned
child_index(const struct child *c)
{
	return c->index;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

uint32_t
child_incarnation(const struct child *c)
{
	return c->incarnation;
}

uint64_t
child_age_ms(const struct child *c)
{
	return loop_now_ms(c->shared->loop) - c->started_ms;
}
