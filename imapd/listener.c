/*
 * Listening sockets, inherited from posternd.
 */
#include <sys/socket.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/guests.h"
#include "imapd/session.h"

#define ACCEPTS_PER_TURN	64
#define ACCEPT_PAUSE_MS		1000

struct listener {
	SLIST_ENTRY(listener) link;
	struct server *server;
	char *section;
	struct io io;
	struct timer pause;
	int fd;
};

static void
refuse(int fd)
{
	static const char text[] = "* BYE Too many connections\r\n";

	/* best effort: the peer is told, or sees the close */
	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("refused connection was gone");
	close(fd);
}

static void
pause_over_cb(void *arg)
{
	struct listener *l = arg;

	io_want(&l->io, IO_READ);
}

static void
accept_cb(int fd, int what, void *arg)
{
	struct listener *l = arg;
	struct server *v = l->server;
	int i, conn;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (conn == -1) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOMEM || errno == ENOBUFS) {
				log_warning("accept: out of descriptors or "
				    "memory");
				io_want(&l->io, 0);
				timer_set_ms(&l->pause, ACCEPT_PAUSE_MS);
			}
			return;
		}
		v->stats.connections++;
		if (v->n_sessions >= (size_t)v->conf->imap_client_limit &&
		    !guests_make_room(v->guests)) {
			log_warning("imap_client_limit (%zu) reached",
			    v->n_sessions);
			refuse(conn);
			continue;
		}
		session_new(v, conn, l->section);
	}
}

void
server_listener(void *arg, const char *section, int fd)
{
	struct server *v = OBJ_CAST(arg, server, SERVER_MAGIC);
	struct listener *l = xcalloc(1, sizeof(*l));

	l->server = v;
	l->section = xstrdup(section);
	l->fd = fd;
	stream_listen(fd, 0);
	timer_init(&l->pause, v->loop, pause_over_cb, l);
	io_init(&l->io, v->loop, fd, accept_cb, l);
	SLIST_INSERT_HEAD(v->listeners, l, link);
	io_want(&l->io, IO_READ);
}

void
server_listeners_close(struct server *v)
{
	struct listener *l;

	while ((l = SLIST_FIRST(v->listeners)) != NULL) {
		SLIST_REMOVE_HEAD(v->listeners, link);
		timer_clear(&l->pause);
		io_clear(&l->io);
		close(l->fd);
		free(l->section);
		free(l);
	}
}
