#include "base/ipc.h"

#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/proc.h"
#include "base/xmalloc.h"

#define FRAME_HEAD	16
#define READ_BYTES	65536
#define SOCKET_BYTES	(512 * 1024)
#define TURN_BYTES	(1024 * 1024)	/* read at most this per turn */
#define FDS_WAITING_MAX	256
#define IPC_MAGIC	0x69706331u

/* Descriptors that go out with the byte at stream position `at`. */
struct out_fds {
	STAILQ_ENTRY(out_fds) link;
	uint64_t at;
	unsigned n;
	int fd[IPC_FDS_MAX];
};

struct ipc {
	uint32_t magic;
	struct loop *loop;
	int fd;
	char *name;
	const struct ipc_handler *handlers;
	size_t n_handlers;
	ipc_closed_fn *closed;
	void *arg;
	uint32_t phase;
	bool failed, running, freed;
	struct io io;
	struct defer flush, closing;
	struct buf in, out;
	uint64_t written;		/* stream position of out's front */
	STAILQ_HEAD(, out_fds) out_fds;
	int in_fd[FDS_WAITING_MAX];	/* received, not yet claimed */
	unsigned n_in_fd;
};

uint64_t
ipc_next_id(void)
{
	static uint64_t last;

	return ++last;
}

int
ipc_pair(int fd[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == -1)
		return err_errno(err, "socketpair");
	return 0;
}

ptrdiff_t
ipc_parse(struct span in, struct ipc_msg *m)
{
	uint32_t n;
	unsigned nfds, i;

	if (in.n < FRAME_HEAD)
		return 0;
	n = get_u32(in.p);
	nfds = (unsigned char)in.p[6];
	if (n > IPC_BODY_MAX)
		return PS_ETOOBIG;
	if (nfds > IPC_FDS_MAX || in.p[7] != 0)
		return PS_ESYNTAX;
	if (in.n - FRAME_HEAD < n)
		return 0;
	m->type = get_u16(in.p + 4);
	m->id = get_u64(in.p + 8);
	m->body = span_sub(in, FRAME_HEAD, n);
	m->nfds = nfds;
	for (i = 0; i < IPC_FDS_MAX; i++)
		m->fd[i] = -1;
	return (ptrdiff_t)(FRAME_HEAD + n);
}

static void
fds_close(int *fd, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (fd[i] != -1) {
			(void)close(fd[i]);
			fd[i] = -1;
		}
}

/* From now on nothing is read or written; closed_cb follows. */
static void
ipc_fail(struct ipc *c)
{
	if (c->failed)
		return;
	c->failed = true;
	io_want(&c->io, 0);
	defer_cancel(&c->flush);
	defer_call(&c->closing);
}

static void
closing_cb(void *arg)
{
	struct ipc *c = OBJ_CAST(arg, ipc, IPC_MAGIC);

	c->closed(c, c->arg);
}

/* --- writing --- */

static void
out_fds_drop_first(struct ipc *c)
{
	struct out_fds *f = STAILQ_FIRST(&c->out_fds);

	STAILQ_REMOVE_HEAD(&c->out_fds, link);
	fds_close(f->fd, f->n);
	free(f);
}

/* One sendmsg: up to the next place where descriptors belong. */
static ssize_t
ipc_send_some(struct ipc *c)
{
	union {
		struct cmsghdr align;
		char mem[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control;
	struct out_fds *f = STAILQ_FIRST(&c->out_fds), *next;
	struct span all = buf_span(&c->out);
	struct iovec iov = { .iov_base = buf_data(&c->out) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;
	size_t n = all.n;
	ssize_t done;

	if (f != NULL && f->at == c->written) {
		mh.msg_control = control.mem;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * f->n);
		memset(&control, 0, sizeof(control));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * f->n);
		memcpy(CMSG_DATA(cm), f->fd, sizeof(int) * f->n);
		next = STAILQ_NEXT(f, link);
		if (next != NULL)
			n = MIN(n, (size_t)(next->at - c->written));
	} else if (f != NULL)
		n = MIN(n, (size_t)(f->at - c->written));
	iov.iov_len = n;
	done = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (done > 0) {
		if (mh.msg_control != NULL)
			out_fds_drop_first(c);
		c->written += (uint64_t)done;
		buf_consume(&c->out, (size_t)done);
	}
	return done;
}

static void
ipc_flush(struct ipc *c)
{
	ssize_t done;

	while (buf_len(&c->out) > 0 && !c->failed) {
		done = ipc_send_some(c);
		if (done > 0 || (done == -1 && errno == EINTR))
			continue;
		if (done == -1 && (errno == EAGAIN || errno == EWOULDBLOCK ||
		    errno == ETOOMANYREFS)) {
			io_want(&c->io, IO_READ | IO_WRITE);
			return;
		}
		ipc_fail(c);
		return;
	}
	buf_shrink(&c->out, READ_BYTES);
	if (!c->failed)
		io_want(&c->io, IO_READ);
}

static void
flush_cb(void *arg)
{
	ipc_flush(OBJ_CAST(arg, ipc, IPC_MAGIC));
}

void
ipc_send_fds(struct ipc *c, uint16_t type, uint64_t id, struct span body,
    const int *fds, unsigned nfds)
{
	char head[FRAME_HEAD];
	struct out_fds *f;
	unsigned i;

	ps_assert(body.n <= IPC_BODY_MAX && nfds <= IPC_FDS_MAX);
	if (c->failed)
		return;
	if (nfds > 0) {
		f = xcalloc(1, sizeof(*f));
		f->at = c->written + buf_len(&c->out);
		for (i = 0; i < nfds; i++) {
			f->fd[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
			if (f->fd[i] == -1) {
				log_error("cannot duplicate descriptor: %s",
				    strerrordesc_np(errno));
				fds_close(f->fd, i);
				free(f);
				ipc_fail(c);
				return;
			}
		}
		f->n = nfds;
		STAILQ_INSERT_TAIL(&c->out_fds, f, link);
	}
	put_u32(head, (uint32_t)body.n);
	put_u16(head + 4, type);
	head[6] = (char)nfds;
	head[7] = 0;
	put_u64(head + 8, id);
	buf_append(&c->out, head, sizeof(head));
	buf_span_add(&c->out, body);
	defer_call(&c->flush);
}

void
ipc_send(struct ipc *c, uint16_t type, uint64_t id, struct span body)
{
	ipc_send_fds(c, type, id, body, NULL, 0);
}

/* --- reading --- */

/* Takes the message's descriptors from those received; -1 if they lack. */
static int
msg_claim_fds(struct ipc *c, struct ipc_msg *m)
{
	if (m->nfds > c->n_in_fd)
		return -1;
	memcpy(m->fd, c->in_fd, m->nfds * sizeof(int));
	c->n_in_fd -= m->nfds;
	memmove(c->in_fd, c->in_fd + m->nfds, c->n_in_fd * sizeof(int));
	return 0;
}

static const struct ipc_handler *
handler_for(const struct ipc *c, uint16_t type)
{
	size_t i;

	for (i = 0; i < c->n_handlers; i++)
		if (c->handlers[i].type == type &&
		    (c->handlers[i].phases & c->phase) != 0)
			return &c->handlers[i];
	return NULL;
}

static void
msg_dispatch(struct ipc *c, struct ipc_msg *m)
{
	const struct ipc_handler *h = handler_for(c, m->type);
	int rc = PS_EDENIED;

	if (h != NULL && msg_claim_fds(c, m) == 0)
		rc = h->fn(c, m, c->arg);
	fds_close(m->fd, m->nfds);
	if (rc < 0 && !c->freed) {
		log_error("peer %s: bad message %u (%s)", c->name, m->type,
		    h == NULL ? "not allowed now" : "malformed");
		ipc_fail(c);
	}
}

static void
ipc_free_now(struct ipc *c)
{
	while (!STAILQ_EMPTY(&c->out_fds))
		out_fds_drop_first(c);
	fds_close(c->in_fd, c->n_in_fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c->name);
	c->magic = 0;
	free(c);
}

/* Handles whole frames at the front of c->in. False when c was freed. */
static bool
frames_run(struct ipc *c)
{
	struct ipc_msg m;
	ptrdiff_t n;

	c->running = true;
	while (!c->failed && !c->freed &&
	    (n = ipc_parse(buf_span(&c->in), &m)) != 0) {
		if (n < 0) {
			log_error("peer %s: malformed frame", c->name);
			ipc_fail(c);
			break;
		}
		msg_dispatch(c, &m);
		buf_consume(&c->in, (size_t)n);
	}
	c->running = false;
	if (c->freed) {
		ipc_free_now(c);
		return false;
	}
	return true;
}

static void
fds_receive(struct ipc *c, struct msghdr *mh)
{
	struct cmsghdr *cm;
	size_t n, i;
	int fd;

	for (cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET ||
		    cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int),
			    sizeof(fd));
			if (c->n_in_fd < FDS_WAITING_MAX)
				c->in_fd[c->n_in_fd++] = fd;
			else {
				(void)close(fd);
				ipc_fail(c);
			}
		}
	}
	if (mh->msg_flags & MSG_CTRUNC)
		ipc_fail(c);
}

/* One recvmsg into c->in. Bytes, 0 at end or failure, -1 for "later". */
static ssize_t
ipc_receive_some(struct ipc *c)
{
	union {
		struct cmsghdr align;
		char mem[CMSG_SPACE(sizeof(int) * FDS_WAITING_MAX)];
	} control;
	struct iovec iov = { .iov_len = READ_BYTES };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control.mem, .msg_controllen = sizeof(control) };
	ssize_t n;

	if ((iov.iov_base = buf_reserve(&c->in, READ_BYTES)) == NULL)
		return 0;
	do
		n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? -1 : 0;
	fds_receive(c, &mh);
	buf_commit(&c->in, (size_t)n);
	return n;
}

static void
ready_cb(int fd, int what, void *arg)
{
	struct ipc *c = OBJ_CAST(arg, ipc, IPC_MAGIC);
	size_t total = 0;
	ssize_t n;

	(void)fd;
	if (what & IO_WRITE)
		ipc_flush(c);
	while (!c->failed && (what & IO_READ) && total < TURN_BYTES) {
		if ((n = ipc_receive_some(c)) < 0)
			break;
		if (n > 0)
			total += (size_t)n;
		if (!frames_run(c))
			return;
		if (n == 0)
			ipc_fail(c);
		if (n < READ_BYTES)
			break;
	}
	buf_shrink(&c->in, 0);
}

/* --- life --- */

struct ipc *
ipc_new(struct loop *l, int fd, const char *name,
    const struct ipc_handler *handlers, size_t n_handlers,
    ipc_closed_fn *closed, void *arg)
{
	struct ipc *c = xcalloc(1, sizeof(*c));
	int bytes = SOCKET_BYTES;

	c->magic = IPC_MAGIC;
	c->loop = l;
	c->fd = fd;
	c->name = xstrdup(name);
	c->handlers = handlers;
	c->n_handlers = n_handlers;
	c->closed = closed;
	c->arg = arg;
	c->phase = 1;
	buf_init(&c->in, FRAME_HEAD + IPC_BODY_MAX + READ_BYTES);
	buf_init(&c->out, BUF_NO_CAP);
	STAILQ_INIT(&c->out_fds);
	(void)proc_nonblock(fd);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	defer_init(&c->flush, l, flush_cb, c);
	defer_init(&c->closing, l, closing_cb, c);
	io_init(&c->io, l, fd, ready_cb, c);
	io_want(&c->io, IO_READ);
	return c;
}

void
ipc_free(struct ipc **cp)
{
	struct ipc *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	if (!c->failed)
		ipc_flush(c);
	defer_cancel(&c->flush);
	defer_cancel(&c->closing);
	io_clear(&c->io);
	(void)close(c->fd);
	c->fd = -1;
	c->failed = true;
	if (c->running)
		c->freed = true;	/* frames_run frees it */
	else
		ipc_free_now(c);
}

void
ipc_phase_set(struct ipc *c, uint32_t phase)
{
	c->phase = phase;
}

size_t
ipc_backlog(const struct ipc *c)
{
	return buf_len(&c->out);
}

const char *
ipc_name(const struct ipc *c)
{
	return c->name;
}

void *
ipc_arg(const struct ipc *c)
{
	return c->arg;
}
