#include "admin/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/json.h"
#include "base/loop.h"
#include "proto/proto.h"

#define CTL_MAGIC	0x63746c30u

struct ctl {
	uint32_t magic;
	struct loop *loop;
	struct ipc *ipc;
	struct timer silence;
	uint64_t timeout_ms;
	ctl_row_fn *row;
	void *arg;
	struct ctl_answer *answer;
	bool ended, late;
};

static int
row_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct ctl *c = OBJ_CAST(arg, ctl, CTL_MAGIC);
	struct msg_ctl_row in;

	(void)ipc;
	if (!msg_ctl_row_unpack(m->body, &in) || !json_is_valid(in.json))
		return PS_ESYNTAX;
	timer_set_ms(&c->silence, c->timeout_ms);
	if (c->row != NULL)
		c->row(in.json, c->arg);
	return 0;
}

static int
end_cb(struct ipc *ipc, struct ipc_msg *m, void *arg)
{
	struct ctl *c = OBJ_CAST(arg, ctl, CTL_MAGIC);
	struct msg_ctl_end in;
	size_t n;

	(void)ipc;
	if (!msg_ctl_end_unpack(m->body, &in))
		return PS_ESYNTAX;
	n = MIN(in.error.n, sizeof(c->answer->error) - 1);
	c->answer->exit = in.exit;
	if (n > 0)
		memcpy(c->answer->error, in.error.p, n);
	c->answer->error[n] = '\0';
	c->ended = true;
	loop_stop(c->loop);
	return 0;
}

static const struct ipc_handler handlers[] = {
	{ MSG_CTL_ROW, row_cb, IPC_ANY_PHASE },
	{ MSG_CTL_END, end_cb, IPC_ANY_PHASE },
};

static void
closed_cb(struct ipc *ipc, void *arg)
{
	struct ctl *c = OBJ_CAST(arg, ctl, CTL_MAGIC);

	(void)ipc;
	loop_stop(c->loop);
}

static void
silence_cb(void *arg)
{
	struct ctl *c = OBJ_CAST(arg, ctl, CTL_MAGIC);

	c->late = true;
	loop_stop(c->loop);
}

static int
ctl_connect(const struct conf *conf, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, n;

	n = snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/control",
	    conf->run_directory);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return err_set(err, ERR_PERM, PS_ETOOBIG,
		    "run_directory: name is too long for a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(err, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		err_set(err, ERR_TEMP, PS_ENOTFOUND,
		    "posternd is not running (%s)", sun.sun_path);
	else if (errno == EACCES)
		err_set(err, ERR_PERM, PS_EDENIED,
		    "%s: only root and the user posternd runs as may ask",
		    sun.sun_path);
	else
		err_errno(err, "%s", sun.sun_path);
	close(fd);
	return err == NULL ? PS_EIO : err->code;
}

/* Sends one request and runs the loop until its end. */
static int
ctl_round(struct ctl *c, const char *verb, const struct span *args, size_t n,
    struct err *err)
{
	struct buf packed;
	size_t i;

	buf_init(&packed, IPC_BODY_MAX / 2);
	for (i = 0; i < n; i++)
		entry_ctl_arg_pack(&packed,
		    &(struct entry_ctl_arg){ .value = args[i] });
	if (buf_failed(&packed)) {
		buf_fini(&packed);
		return err_set(err, ERR_PERM, PS_ETOOBIG, "too many words");
	}
	PROTO_SEND(c->ipc, ipc_next_id(), CTL_REQUEST, ctl_request,
	    .verb = span_str(verb), .args = buf_span(&packed));
	buf_fini(&packed);
	c->ended = c->late = false;
	timer_set_ms(&c->silence, c->timeout_ms);
	loop_run(c->loop);
	timer_clear(&c->silence);
	if (c->late)
		return err_set(err, ERR_TEMP, PS_EAGAIN,
		    "no answer within %llu seconds",
		    (unsigned long long)c->timeout_ms / 1000);
	if (!c->ended)
		return err_set(err, ERR_TEMP, PS_ECLOSED,
		    "the connection was closed without an answer");
	return 0;
}

int
ctl_ask(const struct conf *conf, const char *via, const char *verb,
    const struct span *args, size_t n, uint64_t timeout_ms, ctl_row_fn *row,
    void *arg, struct ctl_answer *answer, struct err *err)
{
	struct ctl c = { .magic = CTL_MAGIC, .timeout_ms = timeout_ms,
	    .row = row, .arg = arg, .answer = answer };
	struct span rest = span_str(via), to[2];
	size_t n_to = 0;
	int fd, rc = 0;

	*answer = (struct ctl_answer){ 0 };
	fd = ctl_connect(conf, err);
	if (fd < 0)
		return fd;
	c.loop = loop_new();
	timer_init(&c.silence, c.loop, silence_cb, &c);
	c.ipc = ipc_new(c.loop, fd, "postern", handlers, ARRAY_LEN(handlers),
	    closed_cb, &c);
	while (n_to < ARRAY_LEN(to) && span_word(&rest, &to[n_to]))
		n_to++;
	if (n_to > 0)
		rc = ctl_round(&c, "connect", to, n_to, err);
	if (rc == 0 && answer->exit == 0)
		rc = ctl_round(&c, verb, args, n, err);
	ipc_free(&c.ipc);
	loop_free(&c.loop);
	return rc;
}
