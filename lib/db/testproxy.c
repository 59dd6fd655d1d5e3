#include "db/testproxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/xmalloc.h"

#define SOCKET_NAME	".s.PGSQL.5432"

/* One direction of one connection; `step` bytes a turn. */
struct way {
	struct io io;
	int from, to;
	size_t step;
	struct link *link;
};

struct link {
	SLIST_ENTRY(link) next;
	struct testproxy *p;
	struct way up, down;
};

struct testproxy {
	struct loop *loop;
	char *dir, *path, *server;
	struct io io;
	SLIST_HEAD(, link) links;
};

static void
link_free(struct link *k)
{
	SLIST_REMOVE(&k->p->links, k, link, next);
	io_clear(&k->up.io);
	io_clear(&k->down.io);
	(void)close(k->up.from);
	(void)close(k->up.to);
	free(k);
}

static void
way_cb(int fd, int what, void *arg)
{
	struct way *w = arg;
	char mem[4096];
	ssize_t n, put, done = 0;

	(void)what;
	n = recv(fd, mem, w->step, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		link_free(w->link);
		return;
	}
	/* Queries are small and the client reads every turn: no queue. */
	while (done < n) {
		put = send(w->to, mem + done, (size_t)(n - done),
		    MSG_NOSIGNAL);
		if (put < 0 && errno != EAGAIN) {
			link_free(w->link);
			return;
		}
		done += put > 0 ? put : 0;
	}
}

static int
unix_socket(const char *path, bool listening)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (strlen(path) >= sizeof(sa.sun_path))
		abort();
	memcpy(sa.sun_path, path, strlen(path));
	if (listening)
		rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 ? -1 :
		    listen(fd, 16);
	else
		rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	if (rc == -1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void
way_init(struct way *w, struct link *k, int from, int to, size_t step)
{
	*w = (struct way){ .from = from, .to = to, .step = step, .link = k };
	if (proc_nonblock(from) == -1)
		abort();
	io_init(&w->io, k->p->loop, from, way_cb, w);
	io_want(&w->io, IO_READ);
}

static void
accept_cb(int fd, int what, void *arg)
{
	struct testproxy *p = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC), server;
	struct link *k;

	(void)what;
	if (client == -1)
		return;
	if ((server = unix_socket(p->server, false)) == -1) {
		(void)close(client);
		return;
	}
	k = xcalloc(1, sizeof(*k));
	k->p = p;
	SLIST_INSERT_HEAD(&p->links, k, next);
	way_init(&k->up, k, client, server, 4096);
	way_init(&k->down, k, server, client, 1);
}

struct testproxy *
testproxy_new(struct loop *l, const char *server)
{
	struct testproxy *p = xcalloc(1, sizeof(*p));
	int fd;

	p->loop = l;
	p->dir = xstrdup("/tmp/t_proxy-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		abort();
	p->path = xasprintf("%s/" SOCKET_NAME, p->dir);
	p->server = xasprintf("%s/" SOCKET_NAME, server);
	SLIST_INIT(&p->links);
	if ((fd = unix_socket(p->path, true)) == -1)
		abort();
	io_init(&p->io, l, fd, accept_cb, p);
	io_want(&p->io, IO_READ);
	return p;
}

void
testproxy_free(struct testproxy **pp)
{
	struct testproxy *p = *pp;
	int fd = p->io.fd;

	while (!SLIST_EMPTY(&p->links))
		link_free(SLIST_FIRST(&p->links));
	io_clear(&p->io);
	(void)close(fd);
	(void)unlink(p->path);
	(void)rmdir(p->dir);
	free(p->dir);
	free(p->path);
	free(p->server);
	free(p);
	*pp = NULL;
}

const char *
testproxy_dir(const struct testproxy *p)
{
	return p->dir;
}
