#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xmalloc.h"

#define ADDRESSES_MAX	16

struct address {
	struct sockaddr_storage sa;
	socklen_t n;
};

struct dial {
	struct loop *loop;
	struct dial_place place;
	dial_cb *cb;			/* NULL: cancelled */
	void *arg;
	uint64_t until_ms;
	struct timer limit;		/* of one attempt */
	struct defer start;
	struct io io;
	int fd;
	struct work look_up;
	bool looking_up;		/* a thread has us: free us after it */
	int gai;
	struct address address[ADDRESSES_MAX];
	size_t n, next;
	struct err err;			/* of the last attempt */
};

/* --- places --- */

int
dial_place_parse(struct span text, struct dial_place *place, struct err *err)
{
	struct span rest = text, host, port;
	ptrdiff_t colon;

	*place = (struct dial_place){ NULL, NULL, NULL };
	if (span_starts(text, "unix:")) {
		rest = span_sub(text, 5, text.n);
		if (rest.n == 0 || rest.p[0] != '/' || rest.n >=
		    sizeof(((struct sockaddr_un *)NULL)->sun_path))
			return err_set(err, ERR_PERM, PS_ESYNTAX, "%.*s: "
			    "unix:/path is wanted, at most 107 bytes",
			    (int)MIN(text.n, (size_t)120), text.p);
		place->path = xmemdup0(rest.p, rest.n);
		return 0;
	}
	if (span_starts(text, "inet:"))
		rest = span_sub(text, 5, text.n);
	colon = span_rchr(rest, ':');
	host = colon <= 0 ? SPAN_NONE : span_sub(rest, 0, (size_t)colon);
	port = colon < 0 ? SPAN_NONE : span_sub(rest, (size_t)colon + 1,
	    rest.n);
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_sub(host, 1, host.n - 2);
	if (host.n == 0 || host.n > 255 || port.n == 0 || port.n > 32)
		return err_set(err, ERR_PERM, PS_ESYNTAX,
		    "%.*s: host:port or unix:/path is wanted",
		    (int)MIN(text.n, (size_t)120), text.p);
	place->host = xmemdup0(host.p, host.n);
	place->port = xmemdup0(port.p, port.n);
	return 0;
}

void
dial_place_fini(struct dial_place *place)
{
	free(place->path);
	free(place->host);
	free(place->port);
	*place = (struct dial_place){ NULL, NULL, NULL };
}

/* --- one dial --- */

static void
dial_free(struct dial *d)
{
	timer_clear(&d->limit);
	defer_cancel(&d->start);
	io_clear(&d->io);
	if (d->fd != -1)
		(void)close(d->fd);
	dial_place_fini(&d->place);
	free(d);
}

/* The end, from the loop. */
static void
tell(struct dial *d)
{
	dial_cb *cb = d->cb;
	void *cb_arg = d->arg;
	struct err err = d->err;
	int fd = d->fd;

	d->fd = -1;
	dial_free(d);
	cb(fd, &err, cb_arg);
}

/* Ends the present attempt, whose reason is in d->err. */
static void
attempt_end(struct dial *d)
{
	timer_clear(&d->limit);
	io_clear(&d->io);
	if (d->fd != -1)
		(void)close(d->fd);
	d->fd = -1;
}

static void try_next(struct dial *d);

static void
connected_cb(int fd, int what, void *arg)
{
	struct dial *d = arg;
	int why = 0;
	socklen_t n = sizeof(why);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0 && why == 0) {
		timer_clear(&d->limit);
		io_clear(&d->io);
		err_clear(&d->err);
		tell(d);
		return;
	}
	errno = why;
	(void)err_errno(&d->err, "connect");
	attempt_end(d);
	try_next(d);
}

static void
limit_cb(void *arg)
{
	struct dial *d = arg;

	(void)err_set(&d->err, ERR_TEMP, PS_EIO,
	    "connect: no answer in time");
	attempt_end(d);
	try_next(d);
}

/* Begins an attempt; false: it failed at once. */
static bool
attempt(struct dial *d, const struct address *a)
{
	uint64_t now = loop_now_ms(d->loop);
	uint64_t left = d->until_ms > now ? d->until_ms - now : 0;
	int one = 1;

	d->fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	if (d->fd != -1)	/* streams send once per turn */
		(void)setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	if (d->fd == -1 || (connect(d->fd, (const struct sockaddr *)&a->sa,
	    a->n) == -1 && errno != EINPROGRESS)) {
		(void)err_errno(&d->err, "connect");
		attempt_end(d);
		return false;
	}
	io_init(&d->io, d->loop, d->fd, connected_cb, d);
	io_want(&d->io, IO_WRITE);
	timer_set_ms(&d->limit, left / (d->n - d->next + 1));
	return true;
}

/* From the loop only: it may call back. */
static void
try_next(struct dial *d)
{
	while (d->next < d->n)
		if (attempt(d, &d->address[d->next++]))
			return;
	tell(d);
}

static void
look_up_run(void *arg)
{
	struct dial *d = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *ai;

	d->gai = getaddrinfo(d->place.host, d->place.port, &hints, &all);
	if (d->gai != 0)
		return;
	for (ai = all; ai != NULL && d->n < ADDRESSES_MAX; ai = ai->ai_next) {
		memcpy(&d->address[d->n].sa, ai->ai_addr, ai->ai_addrlen);
		d->address[d->n++].n = ai->ai_addrlen;
	}
	freeaddrinfo(all);
}

static void
look_up_done(void *arg)
{
	struct dial *d = arg;

	d->looking_up = false;
	if (d->cb == NULL) {
		dial_free(d);
		return;
	}
	if (d->gai != 0)
		(void)err_set(&d->err, ERR_TEMP, PS_ENOTFOUND, "%s: %s",
		    d->place.host, gai_strerror(d->gai));
	timer_clear(&d->limit);
	try_next(d);
}

/* The thread goes on with a name that nobody waits for any more. */
static void
look_up_limit_cb(void *arg)
{
	struct dial *d = arg;
	dial_cb *cb = d->cb;
	struct err err;

	if (!d->looking_up) {
		limit_cb(d);
		return;
	}
	d->cb = NULL;
	(void)err_set(&err, ERR_TEMP, PS_EIO, "%s: no answer of the name "
	    "service in time", d->place.host);
	cb(-1, &err, d->arg);
}

/* Numbers need no thread. */
static bool
numeric(struct dial *d)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&d->address[0].sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&d->address[0].sa;
	uint32_t port;

	if (!span_u32(span_str(d->place.port), 1, 65535, &port))
		return false;
	if (inet_pton(AF_INET, d->place.host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		d->address[0].n = sizeof(*v4);
	} else if (inet_pton(AF_INET6, d->place.host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		d->address[0].n = sizeof(*v6);
	} else
		return false;
	d->n = 1;
	return true;
}

static void
start_cb(void *arg)
{
	struct dial *d = arg;

	try_next(d);
}

struct dial *
dial_start(struct loop *l, struct work_pool *names,
    const struct dial_place *place, uint32_t limit_ms, dial_cb *cb,
    void *arg)
{
	struct dial *d = xcalloc(1, sizeof(*d));
	struct sockaddr_un *un = (struct sockaddr_un *)&d->address[0].sa;

	d->loop = l;
	d->cb = cb;
	d->arg = arg;
	d->fd = -1;
	d->until_ms = loop_now_ms(l) + limit_ms;
	timer_init(&d->limit, l, look_up_limit_cb, d);
	defer_init(&d->start, l, start_cb, d);
	if (place->path != NULL) {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, place->path, strlen(place->path) + 1);
		d->address[0].n = sizeof(*un);
		d->n = 1;
		defer_call(&d->start);
		return d;
	}
	d->place.host = xstrdup(place->host);
	d->place.port = xstrdup(place->port);
	if (numeric(d)) {
		defer_call(&d->start);
		return d;
	}
	d->looking_up = true;
	d->look_up = (struct work){ .run = look_up_run,
	    .done = look_up_done, .arg = d };
	timer_set_ms(&d->limit, limit_ms);
	work_give(names, &d->look_up);
	return d;
}

void
dial_cancel(struct dial **dp)
{
	struct dial *d = *dp;

	*dp = NULL;
	if (d == NULL)
		return;
	d->cb = NULL;
	timer_clear(&d->limit);
	if (!d->looking_up)
		dial_free(d);
}
