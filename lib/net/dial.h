/*
 * Opening a connection to a service that the administrator names: a table
 * server, a policy server. Never waits: a host name is looked up in a thread
 * of the caller's pool, each of its addresses is tried, all within one time
 * limit.
 *
 *	inet:host:port  host:port  inet:[2001:db8::1]:port  unix:/path
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"
#include "base/work.h"

struct dial;

struct dial_place {
	char *path;		/* unix:, else NULL */
	char *host, *port;	/* inet: */
};

/* 0, or PS_ESYNTAX with err. The strings are yours: dial_place_fini(). */
int dial_place_parse(struct span text, struct dial_place *place,
    struct err *err) MUST_CHECK;
void dial_place_fini(struct dial_place *place);

/* fd is connected, non-blocking and yours; -1 with err. Once, from the
 * loop. */
typedef void dial_cb(int fd, const struct err *err, void *arg);

/* `names` is where host names are looked up; copies what it needs of place. */
struct dial *dial_start(struct loop *l, struct work_pool *names,
    const struct dial_place *place, uint32_t limit_ms, dial_cb *cb,
    void *arg);
/* The callback will not run; *d becomes NULL. NULL is fine. */
void dial_cancel(struct dial **d);

#endif
