/*
 * deliver: puts accepted mail into mailboxes. One of several; each owns the
 * mailboxes of its slots. See delivery/README.md.
 */
#include "delivery/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define OPENER_THREADS	2

static const struct {
	enum service_role role;
	const struct ipc_handler *handlers;
	const size_t *n_handlers;
	void (*closed)(struct conn *c);
} roles[] = {
	{ ROLE_QMGR, deliver_qmgr_handlers, &deliver_qmgr_n_handlers,
	    deliver_qmgr_closed },
	{ ROLE_SMTPD, deliver_smtpd_handlers, &deliver_smtpd_n_handlers,
	    quota_conn_closed },
	{ ROLE_IMAPD, deliver_imapd_handlers, &deliver_imapd_n_handlers,
	    deliver_imapd_closed },
};

/* --- connections --- */

void
conn_ref(struct conn *c)
{
	c->refs++;
}

void
conn_unref(struct conn *c)
{
	if (--c->refs > 0)
		return;
	map_free(&c->segments);
	map_free(&c->asks);
	map_free(&c->opened);
	map_free(&c->seats);
	c->magic = 0;
	free(c);
}

static void
conn_close(struct conn *c)
{
	size_t i;

	if (c->closed)
		return;
	c->closed = true;
	for (i = 0; i < ARRAY_LEN(roles); i++)
		if (roles[i].role == c->role)
			roles[i].closed(c);
	TAILQ_REMOVE(&c->d->conns, c, link);
	ipc_free(&c->ipc);
	conn_unref(c);
}

static void
closed_cb(struct ipc *ipc, void *arg)
{
	(void)ipc;
	conn_close(OBJ_CAST(arg, conn, CONN_MAGIC));
}

static void
deliver_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct deliver *d = arg;
	struct conn *c, *old, *next;
	char name[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(roles); i++)
		if (roles[i].role == role)
			break;
	ps_assert(i < ARRAY_LEN(roles));
	TAILQ_FOREACH_SAFE(old, &d->conns, link, next)
		if (old->role == role && old->index == index)
			conn_close(old);
	c = xcalloc(1, sizeof(*c));
	c->magic = CONN_MAGIC;
	c->d = d;
	c->role = role;
	c->index = index;
	c->refs = 1;
	c->segments = map_new();
	c->asks = map_new();
	c->opened = map_new();
	c->seats = map_new();
	(void)snprintf(name, sizeof(name), "%s/%u", service_role_name(role),
	    index);
	TAILQ_INSERT_TAIL(&d->conns, c, link);
	c->ipc = ipc_new(d->loop, fd, name, roles[i].handlers,
	    *roles[i].n_handlers, closed_cb, c);
}

/* --- life --- */

void (*deliver_stopped)(void) = service_stopped;

static void *
deliver_init(const struct service_env *env, struct err *err)
{
	struct deliver *d = xcalloc(1, sizeof(*d));

	d->env = env;
	d->loop = env->loop;
	d->store_dir = env->store_dir;
	TAILQ_INIT(&d->conns);
	store_host_set(env->conf->myhostname);
	mboxes_init(d);
	pools_init(d);
	warn_init(d);
	quota_init(d);
	if (sync_init(d, err) < 0) {
		quota_fini(d);
		warn_fini(d);
		mboxes_fini(d);
		pools_fini(d);
		sync_fini(d);
		free(d);
		return NULL;
	}
	d->writers = work_pool_new(d->loop,
	    (unsigned)env->conf->deliver_threads);
	d->openers = work_pool_new(d->loop, OPENER_THREADS);
	d->syncer = work_pool_new(d->loop, 1);
	d->reporter = reporter_new(d);
	marks_init(d);
	return d;
}

void
deliver_maybe_stop(struct deliver *d)
{
	if (!d->stopping || d->jobs > 0)
		return;
	while (!TAILQ_EMPTY(&d->conns))
		conn_close(TAILQ_FIRST(&d->conns));
	quota_fini(d);
	warn_fini(d);
	pools_stop(d);
	reporter_free(&d->reporter);
	work_pool_free(&d->writers);
	work_pool_free(&d->openers);
	work_pool_free(&d->syncer);
	mboxes_fini(d);
	pools_fini(d);
	marks_fini(d);
	sync_fini(d);
	deliver_stopped();
}

static void
deliver_stop(void *arg)
{
	struct deliver *d = arg;

	/* qmgr has drained before us (posternd's order); finish what runs */
	d->stopping = true;
	deliver_maybe_stop(d);
}

static void
deliver_status(void *arg, struct buf *json)
{
	const struct deliver *d = arg;

	buf_fmt(json, "\"delivered\": %llu, \"found_again\": %llu, "
	    "\"deferred\": %llu, \"checkpoints\": %llu, \"jobs\": %zu, "
	    "\"mailboxes_open\": %zu, \"maildir_sync\": \"%s\"",
	    (unsigned long long)d->delivered,
	    (unsigned long long)d->repeated,
	    (unsigned long long)d->deferred,
	    (unsigned long long)d->checkpoints, d->jobs,
	    map_count(d->boxes), d->sync_file ? "file" : "checkpoint");
}

static void
deliver_file(void *arg, const char *name, struct span contents)
{
	struct deliver *d = arg;

	if (strcmp(name, "database_password") == 0)
		reporter_password(d->reporter, contents);
}

const struct service deliver_service = {
	.name = "deliver",
	.init = deliver_init,
	.peer = deliver_peer,
	.stop = deliver_stop,
	.file = deliver_file,
	.status = deliver_status,
};
