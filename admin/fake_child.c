/*
 * Stands in for every program posternd starts, so that supervision can be
 * tested without them: keeps all it is handed and tells about it in its
 * status. Started under the name of the program it plays. With
 * FAKE_FAIL=program that one's init fails; with FAKE_STUBBORN=program that
 * one ignores STOP.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "proto/proto.h"
#include "proto/service.h"

#define FAKE_MAGIC	0x66616b65u

struct fake {
	uint32_t magic;
	const struct service_env *env;
	int peer[ROLE_COUNT][16];
	unsigned peers_seen, listeners, reloads;
	struct buf files;
	struct ipc *control[8];
	unsigned n_control;
};

static const char *fake_name;

static bool
fake_is_told(const char *variable)
{
	const char *v = getenv(variable);

	return v != NULL && strcmp(v, fake_name) == 0;
}

static void *
fake_init(const struct service_env *env, struct err *err)
{
	struct fake *f;

	if (fake_is_told("FAKE_FAIL")) {
		err_set(err, ERR_TEMP, PS_EIO, "told to fail");
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	f->magic = FAKE_MAGIC;
	f->env = env;
	memset(f->peer, -1, sizeof(f->peer));
	buf_init(&f->files, 65536);
	log_info("fake %s/%u: incarnation %u", fake_name, env->index,
	    env->incarnation);
	return f;
}

static int
request_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_ctl_request in;
	struct buf row;

	(void)arg;
	if (!msg_ctl_request_unpack(m->body, &in))
		return PS_ESYNTAX;
	buf_init(&row, 4096);
	buf_fmt(&row, "{\"verb\": \"%.*s\"}", SPAN_ARG(in.verb));
	PROTO_SEND(c, 0, CTL_ROW, ctl_row, .json = buf_span(&row));
	PROTO_SEND(c, 0, CTL_END, ctl_end, .exit = 0);
	buf_fini(&row);
	return 0;
}

static void
control_closed_cb(struct ipc *c, void *arg)
{
	struct fake *f = OBJ_CAST(arg, fake, FAKE_MAGIC);
	unsigned i;

	for (i = 0; i < ARRAY_LEN(f->control); i++)
		if (f->control[i] == c)
			f->control[i] = NULL;
	ipc_free(&c);
}

static void
fake_control(struct fake *f, int fd)
{
	static const struct ipc_handler handlers[] = {
		{ MSG_CTL_REQUEST, request_cb, IPC_ANY_PHASE },
	};
	unsigned i;

	for (i = 0; i < ARRAY_LEN(f->control); i++)
		if (f->control[i] == NULL) {
			f->control[i] = ipc_new(f->env->loop, fd, "cli",
			    handlers, ARRAY_LEN(handlers),
			    control_closed_cb, f);
			return;
		}
	close(fd);
}

static void
fake_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct fake *f = OBJ_CAST(arg, fake, FAKE_MAGIC);

	if (role == ROLE_CONTROL) {
		fake_control(f, fd);
		return;
	}
	f->peers_seen++;
	if (index >= ARRAY_LEN(f->peer[0])) {
		close(fd);
		return;
	}
	if (f->peer[role][index] != -1)
		close(f->peer[role][index]);
	f->peer[role][index] = fd;
}

static void
fake_listener(void *arg, const char *section, int fd)
{
	struct fake *f = OBJ_CAST(arg, fake, FAKE_MAGIC);

	(void)section;
	(void)fd;	/* kept open until the end */
	f->listeners++;
}

static void
fake_reload(void *arg)
{
	OBJ_CAST(arg, fake, FAKE_MAGIC)->reloads++;
}

static void
fake_stop(void *arg)
{
	(void)arg;
	if (fake_is_told("FAKE_STUBBORN"))
		return;
	log_info("fake %s stops", fake_name);
	service_stopped();
}

static void
fake_file(void *arg, const char *name, struct span contents)
{
	struct fake *f = OBJ_CAST(arg, fake, FAKE_MAGIC);

	buf_fmt(&f->files, "%s%s:%zu", buf_len(&f->files) ? " " : "", name,
	    contents.n);
}

/* Peers that are still there: the other end has not hung up. */
static unsigned
peers_alive(const struct fake *f)
{
	unsigned r, i, n = 0;
	char c;

	for (r = 0; r < ROLE_COUNT; r++)
		for (i = 0; i < ARRAY_LEN(f->peer[0]); i++)
			if (f->peer[r][i] != -1 && recv(f->peer[r][i], &c, 1,
			    MSG_PEEK | MSG_DONTWAIT) == -1 &&
			    errno == EAGAIN)
				n++;
	return n;
}

static void
fake_status(void *arg, struct buf *json)
{
	struct fake *f = OBJ_CAST(arg, fake, FAKE_MAGIC);

	buf_fmt(json, "\"peers\": %u, \"peers_seen\": %u, \"listeners\": %u, "
	    "\"reloads\": %u, \"files\": \"%s\", \"banner\": \"%s\", "
	    "\"spool\": %s, \"store\": %s",
	    peers_alive(f), f->peers_seen, f->listeners, f->reloads,
	    buf_cstr(&f->files), f->env->conf->smtpd_banner,
	    f->env->spool_dir != -1 ? "true" : "false",
	    f->env->store_dir != -1 ? "true" : "false");
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const struct service fake = { .init = fake_init, .peer = fake_peer,
	    .listener = fake_listener, .reload = fake_reload,
	    .stop = fake_stop, .file = fake_file, .status = fake_status,
	    .name = slash == NULL ? argv[0] : slash + 1 };

	fake_name = fake.name;
	return service_main(&fake, argc, argv);
}
