#include "admin/supervisor_int.h"

#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gate/gate.h"

/* A process that lived this long was no failed start: back-off begins anew.
 * Short, as one that is killed time and again from outside is needed back. */
#define LIVED_MS		500
#define BACKOFF_FIRST_MS	50
#define BACKOFF_MAX_MS		10000

static void
secret_changed_cb(const char *name, struct span contents, void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);
	size_t i;

	for (i = 0; i < s->n; i++)
		if (child_role(s->v[i].child)->tls)
			child_secret(s->v[i].child, name, contents);
}

static void
watch_cb(void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);
	const struct conf *conf = s->shared.config->conf;

	secret_set_scan(s->shared.secrets, conf, false, secret_changed_cb, s);
	timer_set_ms(&s->watch, (uint64_t)conf->tls_watch_interval);
}

/* --- starting --- */

static void
wire_pair(struct child *a, struct child *b)
{
	struct err err;
	int fd[2];

	if (ipc_pair(fd, &err) != 0) {
		log_error("cannot connect %s with %s: %s", child_name(a),
		    child_name(b), err.why);
		return;
	}
	child_peer(a, child_role(b)->role, child_index(b), fd[0]);
	child_peer(b, child_role(a)->role, child_index(a), fd[1]);
	close(fd[0]);
	close(fd[1]);
}

/* To every process alive that it talks to. */
static void
member_wire(struct member *m)
{
	struct supervisor *s = m->sup;
	struct child *other;
	size_t i;

	for (i = 0; i < s->n; i++) {
		other = s->v[i].child;
		if (other != m->child && child_alive(other) &&
		    role_talks(child_role(m->child)->role,
		    child_role(other)->role))
			wire_pair(m->child, other);
	}
}

static int
member_start(struct member *m, struct err *err)
{
	int rc = child_start(m->child, err);

	if (rc != 0)
		return rc;
	log_debug("process %s (pid %ld) started, incarnation %u",
	    child_name(m->child), (long)child_pid(m->child),
	    child_incarnation(m->child));
	member_wire(m);
	child_go(m->child);
	return 0;
}

static void
restart_later(struct member *m)
{
	m->backoff_ms = m->backoff_ms == 0 ? BACKOFF_FIRST_MS :
	    MIN(2 * m->backoff_ms, BACKOFF_MAX_MS);
	timer_set_ms(&m->restart, m->backoff_ms);
}

static void
restart_cb(void *arg)
{
	struct member *m = arg;
	struct err err;

	if (m->sup->stopping || child_state(m->child) != CHILD_DOWN)
		return;
	m->restarts++;
	if (member_start(m, &err) != 0) {
		log_error("process %s cannot be started: %s",
		    child_name(m->child), err.why);
		restart_later(m);
	}
}

static void
check_ready(struct supervisor *s)
{
	size_t i;

	if (s->ready || s->stopping)
		return;
	for (i = 0; i < s->n; i++)
		if (child_state(s->v[i].child) != CHILD_RUNNING)
			return;
	s->ready = true;
	s->events.ready(s->events.arg);
}

static struct member *
member_of(struct supervisor *s, const struct child *c)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->v[i].child == c)
			return &s->v[i];
	return NULL;
}

static void
child_started_cb(struct child *c, void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);
	struct member *m = member_of(s, c);

	if (m->was_started)
		log_info("process %s (pid %ld) is back", child_name(c),
		    (long)child_pid(c));
	m->was_started = true;
	check_ready(s);
}

/* --- ending --- */

static void
describe_end(int wait_status, const char *failure, char *out, size_t n)
{
	if (*failure != '\0')
		snprintf(out, n, "gave up: %s", failure);
	else if (WIFSIGNALED(wait_status))
		snprintf(out, n, "killed by signal %d",
		    WTERMSIG(wait_status));
	else
		snprintf(out, n, "exited with status %d",
		    WEXITSTATUS(wait_status));
}

static void
child_ended_cb(struct child *c, int wait_status, const char *failure,
    void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);
	struct member *m = member_of(s, c);
	char how[1200];

	s->events.status(c, 0, SPAN_NONE, s->events.arg);
	describe_end(wait_status, failure, how, sizeof(how));
	if (s->stopping) {
		supervisor_stop_ended(s, c, wait_status, how);
		return;
	}
	/* What fails before all have come up is the admin's to see now. */
	if (!s->ready && !m->was_started &&
	    (*failure != '\0' || !WIFSIGNALED(wait_status))) {
		log_error("process %s %s: cannot start", child_name(c), how);
		s->failed = true;
		supervisor_stop(s);
		return;
	}
	if (m->was_started && child_age_ms(c) >= LIVED_MS)
		m->backoff_ms = 0;
	log_warning("process %s (pid %ld) %s, restarting", child_name(c),
	    (long)child_pid(c), how);
	restart_later(m);
}

static void
child_status_cb(struct child *c, uint64_t id, struct span json, void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);

	s->events.status(c, id, json, s->events.arg);
}

static void
reap_cb(void *arg)
{
	struct supervisor *s = OBJ_CAST(arg, supervisor, SUPERVISOR_MAGIC);
	size_t i;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < s->n; i++)
			if (child_reap(s->v[i].child, pid, status))
				break;
}

/* --- life --- */

static void
members_make(struct supervisor *s)
{
	const struct role *roles;
	struct member *m;
	size_t i, n;
	unsigned k;

	roles = role_table(&n);
	for (i = 0; i < n; i++)
		if (!roles[i].only_with_listener || listen_has_role(
		    s->shared.listeners, roles[i].role))
			s->shared.count[roles[i].role] = role_workers(
			    &roles[i], s->shared.config->conf);
	for (i = 0; i < n; i++)
		s->n += s->shared.count[roles[i].role];
	m = s->v = xcalloc(s->n, sizeof(*s->v));
	for (i = 0; i < n; i++)
		for (k = 0; k < s->shared.count[roles[i].role]; k++, m++) {
			m->sup = s;
			m->child = child_new(&s->shared, &roles[i], k);
			timer_init(&m->restart, s->shared.loop, restart_cb,
			    m);
		}
}

struct supervisor *
supervisor_new(struct loop *l, struct instance *in,
    struct configfile *config, struct listen_set *listeners,
    const struct supervisor_events *events)
{
	struct supervisor *s = xcalloc(1, sizeof(*s));

	s->magic = SUPERVISOR_MAGIC;
	s->events = *events;
	s->started = conf_ref(config->conf);
	s->shared = (struct child_shared){ .loop = l, .instance = in,
	    .config = config, .listeners = listeners,
	    .secrets = secret_set_new(), .started = child_started_cb,
	    .ended = child_ended_cb, .status = child_status_cb, .arg = s };
	supervisor_stop_init(s);
	timer_init(&s->watch, l, watch_cb, s);
	loop_signal(l, SIGCHLD, reap_cb, s);
	members_make(s);
	return s;
}

void
supervisor_free(struct supervisor **sp)
{
	struct supervisor *s = *sp;
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->n; i++) {
		timer_clear(&s->v[i].restart);
		child_free(&s->v[i].child);
	}
	free(s->v);
	timer_clear(&s->watch);
	supervisor_stop_fini(s);
	secret_set_free(&s->shared.secrets);
	conf_unref(&s->started);
	s->magic = 0;
	free(s);
	*sp = NULL;
}

int
supervisor_start(struct supervisor *s, struct err *err)
{
	size_t i;
	int rc = 0;

	secret_set_scan(s->shared.secrets, s->shared.config->conf, true,
	    secret_changed_cb, s);
	timer_set_ms(&s->watch,
	    (uint64_t)s->shared.config->conf->tls_watch_interval);
	for (i = 0; rc == 0 && i < s->n; i++)
		rc = member_start(&s->v[i], err);
	return rc;
}

bool
supervisor_reload(struct supervisor *s, struct buf *complaints,
    struct buf *notes)
{
	struct configfile *now = s->shared.config, new = { 0 };
	size_t i;

	if (!configfile_read(&new, now->path, complaints))
		return false;
	if (!gate_conf_check(new.conf, complaints)) {
		configfile_fini(&new);
		return false;
	}
	conf_needs_restart(s->started, new.conf, notes);
	configfile_fini(now);
	*now = new;
	for (i = 0; i < s->n; i++)
		child_reload(s->v[i].child);
	secret_set_scan(s->shared.secrets, now->conf, true,
	    secret_changed_cb, s);
	return true;
}

const struct configfile *
supervisor_config(const struct supervisor *s)
{
	return s->shared.config;
}

void
supervisor_log_reopen(struct supervisor *s)
{
	struct instance *in = s->shared.instance;
	struct err err;
	size_t i;

	if (in->log_fd == -1)
		return;
	if (instance_log_reopen(in, &err) != 0) {
		log_error("%s: still writing to the old one", err.why);
		return;
	}
	for (i = 0; i < s->n; i++)
		child_log_fd(s->v[i].child, in->log_fd);
}

size_t
supervisor_count(const struct supervisor *s)
{
	return s->n;
}

const struct child *
supervisor_child(const struct supervisor *s, size_t i)
{
	return s->v[i].child;
}

unsigned
supervisor_restarts(const struct supervisor *s, size_t i)
{
	return s->v[i].restarts;
}

size_t
supervisor_ask_status(struct supervisor *s, uint64_t id)
{
	size_t i, asked = 0;

	for (i = 0; i < s->n; i++)
		if (child_state(s->v[i].child) == CHILD_RUNNING) {
			child_ask_status(s->v[i].child, id);
			asked++;
		}
	return asked;
}

int
supervisor_hand_over(struct supervisor *s, enum service_role role,
    unsigned index, unsigned number, int fd)
{
	struct child *child;
	size_t i;

	for (i = 0; i < s->n; i++) {
		child = s->v[i].child;
		if (child_role(child)->role != role ||
		    child_index(child) != index)
			continue;
		if (child_state(child) != CHILD_RUNNING)
			return PS_EAGAIN;
		child_peer(child, ROLE_CONTROL, number, fd);
		return 0;
	}
	return PS_ENOTFOUND;
}
