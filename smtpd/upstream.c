#include "smtpd/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "net/proxy.h"
#include "smtpd/session.h"

#define UPSTREAM_MAGIC	0x75707374u

struct upstream {
	uint32_t magic;
	TAILQ_ENTRY(upstream) link;
	struct server *srv;
	struct profile *prof;
	struct io io;
	struct timer timer;
	struct sockaddr_storage peer;
	struct endpoint end;		/* the proxy, for the log */
	struct buf in;			/* of the header only */
};

/* Forgets it; the socket is closed, or the caller's when keep is set. */
static void
upstream_free(struct upstream *u, bool keep)
{
	struct server *srv = u->srv;
	int fd = u->io.fd;

	TAILQ_REMOVE(&srv->upstreams, u, link);
	srv->n_upstreams--;
	io_clear(&u->io);
	timer_clear(&u->timer);
	if (!keep)
		(void)close(fd);
	profile_unref(&u->prof);
	buf_fini(&u->in);
	u->magic = 0;
	free(u);
}

static void
give_up(struct upstream *u, const char *why)
{
	log_warning("proxy protocol: unknown[%s]: %s", u->end.ip, why);
	upstream_free(u, false);
}

static void
timer_cb(void *arg)
{
	give_up(OBJ_CAST(arg, upstream, UPSTREAM_MAGIC),
	    "no header in time");
}

static void
begin_session(struct upstream *u, const struct proxy_header *h)
{
	static const struct sockaddr_storage nobody = {
		.ss_family = AF_UNSPEC };
	struct server *srv = u->srv;
	struct profile *prof = profile_ref(u->prof);
	struct sockaddr_storage peer = u->peer;
	int fd = u->io.fd;

	upstream_free(u, true);
	switch (h->kind) {
	case PROXY_LOCAL:
		session_accept(srv, prof, fd, &peer, NULL, NULL);
		break;
	case PROXY_UNKNOWN:
		/* Not the proxy's own address: it may be one that is let
		 * relay, and this client is somebody else (S34). */
		session_accept(srv, prof, fd, &nobody, NULL, NULL);
		break;
	case PROXY_INET:
		first_accept(srv, prof, fd, &h->from, &h->to);
		break;
	}
	profile_unref(&prof);
}

/*
 * Looks before it takes: what belongs to the header is taken off the socket,
 * what follows it stays there for the session (or for its TLS handshake).
 */
static void
readable_cb(int fd, int what, void *arg)
{
	struct upstream *u = OBJ_CAST(arg, upstream, UPSTREAM_MAGIC);
	size_t had = buf_len(&u->in), take;
	struct proxy_header h;
	enum proxy_result r;
	char mem[2048];
	ssize_t n;

	n = recv(fd, mem, sizeof(mem), MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			give_up(u, "lost connection before its header");
		return;
	}
	buf_append(&u->in, mem, (size_t)n);
	r = buf_failed(&u->in) ? PROXY_BAD :
	    proxy_parse(buf_span(&u->in), &h);
	if (r == PROXY_BAD) {
		give_up(u, "no valid header");
		return;
	}
	take = r == PROXY_DONE ? h.n - had : (size_t)n;
	if (recv(fd, mem, take, MSG_DONTWAIT) != (ssize_t)take)
		give_up(u, "lost connection within its header");
	else if (r == PROXY_DONE)
		begin_session(u, &h);
}

static struct upstream *
upstream_new(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from)
{
	struct upstream *u = xcalloc(1, sizeof(*u));

	u->magic = UPSTREAM_MAGIC;
	u->srv = srv;
	u->prof = profile_ref(prof);
	u->peer = *from;
	endpoint_set(&u->end, from);
	buf_init(&u->in, PROXY_MAX + 2048);
	io_init(&u->io, srv->loop, fd, readable_cb, u);
	timer_init(&u->timer, srv->loop, timer_cb, u);
	TAILQ_INSERT_TAIL(&srv->upstreams, u, link);
	srv->n_upstreams++;
	return u;
}

void
upstream_accept(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from)
{
	struct net_addr addr;
	struct upstream *u;

	if (!prof->manners->proxied) {
		first_accept(srv, prof, fd, from, NULL);
		return;
	}
	u = upstream_new(srv, prof, fd, from);
	if (!net_addr_parse(span_str(u->end.ip), &addr) ||
	    !netlist_match(prof->manners->proxies, &addr)) {
		give_up(u, "refused: not in smtpd_upstream_proxy_hosts");
	} else if (srv->n_sessions + srv->n_upstreams >
	    (size_t)prof->conf->smtpd_client_connection_limit) {
		give_up(u, "refused: too many sessions");
	} else {
		io_want(&u->io, IO_READ);
		timer_set_ms(&u->timer,
		    (uint64_t)prof->conf->smtpd_upstream_proxy_timeout);
	}
}

void
upstream_end_all(struct server *srv)
{
	struct upstream *u;

	while ((u = TAILQ_FIRST(&srv->upstreams)) != NULL)
		upstream_free(u, false);
}
