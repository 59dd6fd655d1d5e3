#include "admin/control.h"

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"

#define CONTROL_MAGIC		0x6374726cu
#define CLIENT_MAGIC		0x63746c63u
#define CLIENT_MAX		32
#define CLIENT_IDLE_MS		10000
#define CHILDREN_WAIT_MS	8000	/* a busy one answers late, not never */

enum { PHASE_ASK = 1, PHASE_BUSY = 2 };

struct client {
	uint32_t magic;
	TAILQ_ENTRY(client) link;
	struct control *control;
	struct ipc *ipc;
	int fd;				/* a duplicate, for handing over */
	struct timer idle;		/* also: children's answers are late */
	uint64_t status_id;		/* asked of children; 0: nothing */
	size_t status_waiting;		/* how many owe an answer: owes[i] */
	bool *owes;
	bool reloading;			/* waits for children, not their rows */
	struct buf notes;		/* what the reload has to say */
	bool waits_for_stop;
	bool finished;			/* freed on the next turn */
	struct defer end;
};

struct control {
	uint32_t magic;
	struct loop *loop;
	struct supervisor *supervisor;
	struct control_events events;
	int run_dir, fd;
	struct io io;
	TAILQ_HEAD(, client) clients;
	unsigned n_clients, handed_over;
	struct buf started;		/* the configuration as it was then */
};

static void
client_free(struct client *c)
{
	TAILQ_REMOVE(&c->control->clients, c, link);
	c->control->n_clients--;
	ipc_free(&c->ipc);
	if (c->fd != -1)
		close(c->fd);
	timer_clear(&c->idle);
	defer_cancel(&c->end);
	buf_fini(&c->notes);
	free(c->owes);
	c->magic = 0;
	free(c);
}

static void
client_end_cb(void *arg)
{
	client_free(OBJ_CAST(arg, client, CLIENT_MAGIC));
}

static void
client_answer(struct client *c, unsigned code, struct span error)
{
	PROTO_SEND(c->ipc, 0, CTL_END, ctl_end, .exit = code,
	    .error = span_sub(error, 0, 65536));
}

/* --- status --- */

static void
row_send(struct client *c, struct buf *row)
{
	if (!buf_failed(row))
		PROTO_SEND(c->ipc, 0, CTL_ROW, ctl_row,
		    .json = buf_span(row));
	buf_fini(row);
}

static void
row_of_child(struct client *c, size_t i, struct span members)
{
	static const char *const states[] = {
		[CHILD_DOWN] = "down", [CHILD_STARTING] = "starting",
		[CHILD_RUNNING] = "running",
	};
	const struct supervisor *s = c->control->supervisor;
	const struct child *child = supervisor_child(s, i);
	struct buf row;

	buf_init(&row, IPC_BODY_MAX / 2);
	buf_fmt(&row, "{\"process\": \"%s\", \"state\": \"%s\", "
	    "\"restarts\": %u", child_name(child),
	    states[child_state(child)], supervisor_restarts(s, i));
	if (child_state(child) != CHILD_DOWN)
		buf_fmt(&row, ", \"incarnation\": %u, \"uptime_s\": %llu",
		    child_incarnation(child),
		    (unsigned long long)child_age_ms(child) / 1000);
	if (members.n > 0) {
		buf_str(&row, ", ");
		buf_span_add(&row, members);
	}
	buf_char(&row, '}');
	row_send(c, &row);
}

/* All have answered, or had time to. */
static void
children_done(struct client *c)
{
	c->status_id = 0;
	c->reloading = false;
	client_answer(c, EX_OK, buf_span(&c->notes));
	buf_clear(&c->notes);
	ipc_phase_set(c->ipc, PHASE_ASK);
	timer_set_ms(&c->idle, CLIENT_IDLE_MS);
}

static void
children_ask(struct client *c)
{
	struct supervisor *s = c->control->supervisor;
	size_t i;

	if (c->owes == NULL)
		c->owes = xcalloc(supervisor_count(s), sizeof(*c->owes));
	for (i = 0; i < supervisor_count(s); i++)
		c->owes[i] = child_state(supervisor_child(s, i)) ==
		    CHILD_RUNNING;
	c->status_id = ipc_next_id();
	c->status_waiting = supervisor_ask_status(s, c->status_id);
	ipc_phase_set(c->ipc, PHASE_BUSY);
	timer_set_ms(&c->idle, CHILDREN_WAIT_MS);
	if (c->status_waiting == 0)
		children_done(c);
}

/* id 0: it has ended, and answers nobody any more. */
void
control_status(struct control *ctl, const struct child *child, uint64_t id,
    struct span json)
{
	const struct supervisor *s = ctl->supervisor;
	struct client *c;
	size_t i;

	for (i = 0; supervisor_child(s, i) != child; i++)
		;
	TAILQ_FOREACH(c, &ctl->clients, link) {
		if (c->status_id == 0 || (id != 0 && c->status_id != id) ||
		    !c->owes[i])
			continue;
		c->owes[i] = false;
		if (!c->reloading)
			row_of_child(c, i, json);
		if (--c->status_waiting == 0)
			children_done(c);
	}
}

static void
do_status(struct client *c, struct span args)
{
	struct supervisor *s = c->control->supervisor;
	struct buf row;
	size_t i;

	(void)args;
	buf_init(&row, 4096);
	buf_fmt(&row, "{\"process\": \"posternd\", \"state\": \"%s\", "
	    "\"pid\": %ld, \"version\": \"%s\", \"processes\": %zu}",
	    supervisor_stopping(s) ? "stopping" : "running", (long)getpid(),
	    PACKAGE_VERSION, supervisor_count(s));
	row_send(c, &row);
	for (i = 0; i < supervisor_count(s); i++)
		if (child_state(supervisor_child(s, i)) != CHILD_RUNNING)
			row_of_child(c, i, SPAN_NONE);
	children_ask(c);
}

/* --- the other verbs --- */

#define PIECE	65536		/* of the text; as JSON six times that */

static void
config_send(struct client *c, const char *of, struct span text)
{
	struct buf row;
	size_t n;

	for (; text.n > 0; text = span_sub(text, n, text.n)) {
		n = MIN(text.n, PIECE);
		buf_init(&row, IPC_BODY_MAX / 2);
		buf_fmt(&row, "{\"of\": \"%s\", \"text\": ", of);
		/* Not in the middle of a character. */
		while (n > 1 && n < text.n && (text.p[n] & 0xc0) == 0x80)
			n--;
		json_put_string(&row, span_sub(text, 0, n));
		buf_char(&row, '}');
		row_send(c, &row);
	}
}

static void
do_config(struct client *c, struct span args)
{
	const struct configfile *now =
	    supervisor_config(c->control->supervisor);

	(void)args;
	config_send(c, "start", buf_span(&c->control->started));
	config_send(c, "now", span_of(now->text, now->n));
	client_answer(c, EX_OK, SPAN_NONE);
}

/* Children take messages in order: one that told its status has reloaded. */
static void
do_reload(struct client *c, struct span args)
{
	struct control_events *ev = &c->control->events;
	struct buf complaints;

	(void)args;
	buf_init(&complaints, 65536);
	if (ev->reload(&complaints, &c->notes, ev->arg)) {
		c->reloading = true;
		children_ask(c);
	} else {
		client_answer(c, EX_CONFIG, buf_span(&complaints));
	}
	buf_fini(&complaints);
}

static void
do_stop(struct client *c, struct span args)
{
	struct control_events *ev = &c->control->events;

	(void)args;
	c->waits_for_stop = true;
	timer_clear(&c->idle);
	ipc_phase_set(c->ipc, PHASE_BUSY);
	ev->stop(ev->arg);
}

/* Those that take a CLI's connection. */
static enum service_role
role_to_connect(struct span name)
{
	static const enum service_role roles[] = { ROLE_QMGR, ROLE_AUTHD,
	    ROLE_SMTPD, ROLE_IMAPD };

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (span_is(name, service_role_name(roles[i])))
			return roles[i];
	return ROLE_NONE;
}

static void
do_connect(struct client *c, struct span args)
{
	struct control *ctl = c->control;
	struct entry_ctl_arg to, n;
	enum service_role role = ROLE_NONE;
	uint32_t index = 0;
	int rc;

	if (entry_ctl_arg_next(&args, &to))
		role = role_to_connect(to.value);
	if (role == ROLE_NONE || (entry_ctl_arg_next(&args, &n) &&
	    !span_u32(n.value, 0, 100000, &index))) {
		client_answer(c, EX_USAGE, SPAN_LIT("connect to what?"));
		return;
	}
	rc = supervisor_hand_over(ctl->supervisor, role, index,
	    ++ctl->handed_over, c->fd);
	if (rc != 0) {
		struct buf why;

		buf_init(&why, 256);
		buf_fmt(&why, "%s is not running", service_role_name(role));
		client_answer(c, rc == PS_ENOTFOUND ? EX_NOINPUT :
		    EX_TEMPFAIL, buf_span(&why));
		buf_fini(&why);
		return;
	}
	/* The CLI asks on only when it has read this, so that no byte of its
	 * next request can end up here. */
	client_answer(c, EX_OK, SPAN_NONE);
	ipc_phase_set(c->ipc, PHASE_BUSY);
	c->finished = true;
	defer_call(&c->end);
}

static const struct {
	const char *verb;
	void (*fn)(struct client *c, struct span args);
} verbs[] = {
	{ "status", do_status },
	{ "config", do_config },
	{ "reload", do_reload },
	{ "stop", do_stop },
	{ "connect", do_connect },
};

static int
request_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct client *c = OBJ_CAST(arg, client, CLIENT_MAGIC);
	struct msg_ctl_request in;
	size_t i;

	(void)ipc;
	if (!msg_ctl_request_unpack(m->body, &in))
		return PS_ESYNTAX;
	timer_set_ms(&c->idle, CLIENT_IDLE_MS);
	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (span_is(in.verb, verbs[i].verb)) {
			verbs[i].fn(c, in.args);
			return 0;
		}
	client_answer(c, EX_USAGE, SPAN_LIT("posternd has no such verb"));
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_CTL_REQUEST, request_cb, PHASE_ASK },
};

static void
client_closed_cb(struct ipc *ipc, void *arg)
{
	(void)ipc;
	client_free(OBJ_CAST(arg, client, CLIENT_MAGIC));
}

static void
client_idle_cb(void *arg)
{
	struct client *c = OBJ_CAST(arg, client, CLIENT_MAGIC);
	const struct supervisor *s = c->control->supervisor;
	size_t i;

	if (c->status_id == 0) {
		client_free(c);
		return;
	}
	for (i = 0; i < supervisor_count(s); i++)
		if (c->owes[i])
			log_warning("process %s did not answer %s",
			    child_name(supervisor_child(s, i)), c->reloading ?
			    "after a reload" : "for its status");
	children_done(c);
}

/* --- accepting --- */

static bool
peer_allowed(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	log_warning("control socket: refused user %ld (pid %ld)",
	    (long)cred.uid, (long)cred.pid);
	return false;
}

static void
client_new(struct control *ctl, int fd)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->magic = CLIENT_MAGIC;
	c->control = ctl;
	c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	timer_init(&c->idle, ctl->loop, client_idle_cb, c);
	defer_init(&c->end, ctl->loop, client_end_cb, c);
	buf_init(&c->notes, 65536);
	c->ipc = ipc_new(ctl->loop, fd, "control client", handlers,
	    ARRAY_LEN(handlers), client_closed_cb, c);
	timer_set_ms(&c->idle, CLIENT_IDLE_MS);
	TAILQ_INSERT_TAIL(&ctl->clients, c, link);
	ctl->n_clients++;
}

static void
accept_cb(int listener, int what, void *arg)
{
	struct control *ctl = OBJ_CAST(arg, control, CONTROL_MAGIC);
	int fd;

	(void)what;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1)
		return;
	if (ctl->n_clients >= CLIENT_MAX || !peer_allowed(fd)) {
		close(fd);
		return;
	}
	client_new(ctl, fd);
}

static int
socket_make(int run_dir, const char *run_path, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc, n;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/control",
	    run_path);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "run_directory: name is too long for a socket");
	/* We hold the instance's lock: what is there is a left-over. */
	unlinkat(run_dir, "control", 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return err_errno(err, "control socket");
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (rc != 0 || listen(fd, 16) != 0) {
		err_errno(err, "control socket %s", sun.sun_path);
		close(fd);
		return PS_EIO;
	}
	return fd;
}

struct control *
control_new(struct loop *l, struct supervisor *s, int run_dir,
    const char *run_path, const struct control_events *events,
    struct err *err)
{
	struct control *ctl;
	int fd = socket_make(run_dir, run_path, err);

	if (fd < 0)
		return NULL;
	ctl = xcalloc(1, sizeof(*ctl));
	ctl->magic = CONTROL_MAGIC;
	ctl->loop = l;
	ctl->supervisor = s;
	ctl->events = *events;
	ctl->run_dir = run_dir;
	ctl->fd = fd;
	buf_init(&ctl->started, BUF_NO_CAP);
	buf_append(&ctl->started, supervisor_config(s)->text,
	    supervisor_config(s)->n);
	TAILQ_INIT(&ctl->clients);
	io_init(&ctl->io, l, fd, accept_cb, ctl);
	io_want(&ctl->io, IO_READ);
	return ctl;
}

void
control_free(struct control **cp)
{
	struct control *ctl = *cp;
	struct client *c;

	if (ctl == NULL)
		return;
	while ((c = TAILQ_FIRST(&ctl->clients)) != NULL) {
		if (c->waits_for_stop)
			client_answer(c, EX_OK, SPAN_NONE);
		client_free(c);
	}
	io_clear(&ctl->io);
	close(ctl->fd);
	unlinkat(ctl->run_dir, "control", 0);
	buf_fini(&ctl->started);
	ctl->magic = 0;
	free(ctl);
	*cp = NULL;
}
