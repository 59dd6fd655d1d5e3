/*
 * The program smtpd: from posternd's hands (proto/service.h) to a server with
 * listeners and connections to qmgr, deliver and authd.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "db/report.h"
#include "live/live.h"
#include "proto/service.h"
#include "smtpd/grey_client.h"
#include "smtpd/limits.h"
#include "smtpd/peers.h"
#include "smtpd/session.h"
#include "smtpd/verdict_count.h"
#include "table/watch.h"
#include "smtpd/upstream.h"

#define PROGRAM_MAGIC		0x736d7470u
#define SPILL_THREADS		2
#define NAME_THREADS		2
#define ACCEPTS_PER_TURN	16
#define ACCEPT_REST_MS		100	/* when out of descriptors */
#define END_WAIT_MS		20
#define END_WAITS		50
#define TICKET_KEYS_MS		(3600 * 1000)

struct listener {
	uint32_t magic;
	TAILQ_ENTRY(listener) link;
	struct program *prog;
	struct profile *prof;
	char *section;
	struct io io;
	struct timer rest;
	int fd;
};

struct program {
	uint32_t magic;
	const struct service_env *env;
	struct server srv;
	TAILQ_HEAD(, listener) listeners;
	char *password;
	struct defer open;		/* after the files of the start came */
	struct timer tickets, end;
	struct table_watch *watch;
	unsigned end_waits;
};

/* --- listeners --- */

static void
listener_free(struct listener *l)
{
	io_clear(&l->io);
	timer_clear(&l->rest);
	(void)close(l->fd);
	profile_unref(&l->prof);
	free(l->section);
	l->magic = 0;
	free(l);
}

static void
rest_cb(void *arg)
{
	struct listener *l = arg;

	io_want(&l->io, IO_READ);
}

static void
accept_cb(int fd, int what, void *arg)
{
	struct listener *l = OBJ_CAST(arg, listener, PROGRAM_MAGIC);
	struct sockaddr_storage from;
	socklen_t n;
	int i, c;

	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		memset(&from, 0, sizeof(from));
		n = sizeof(from);
		c = accept4(fd, (struct sockaddr *)&from, &n,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (c != -1) {
			upstream_accept(&l->prog->srv, l->prof, c,
			    &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			log_warning("accept: %s", strerrordesc_np(errno));
			io_want(&l->io, 0);
			timer_set_ms(&l->rest, ACCEPT_REST_MS);
		}
		return;
	}
}

/* The settings of a section, with its lists parsed. */
static struct profile *
profile_of(struct conf *conf, const char *section)
{
	const struct conf *c = conf_section(conf, "service", section);
	struct profile *p;
	struct buf complaints;

	buf_init(&complaints, 65536);
	p = profile_new(c == NULL ? conf : (struct conf *)(uintptr_t)c,
	    &complaints);
	if (p == NULL)
		log_error("service %s: %s", section, buf_cstr(&complaints));
	buf_fini(&complaints);
	return p;
}

static void
listener_tune(const struct listener *l)
{
	stream_listen(l->fd, (size_t)l->prof->conf->smtpd_reply_buffer_limit);
}

static void
program_listener(void *arg, const char *section, int fd)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct profile *prof = profile_of(g->env->conf, section);
	struct listener *l;

	if (prof == NULL) {
		(void)close(fd);
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->magic = PROGRAM_MAGIC;
	l->prog = g;
	l->prof = prof;
	l->section = xstrdup(section);
	l->fd = fd;
	listener_tune(l);
	io_init(&l->io, g->srv.loop, fd, accept_cb, l);
	timer_init(&l->rest, g->srv.loop, rest_cb, l);
	if (g->srv.world.dir != NULL)
		io_want(&l->io, IO_READ);
	TAILQ_INSERT_TAIL(&g->listeners, l, link);
	if (g->srv.world.lists != NULL)
		dnshealth_watch(g->srv.world.lists, prof->gate);
}

static void
program_reload(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct listener *l;
	struct profile *p;

	if (g->srv.world.dir != NULL) {
		directory_reload(g->srv.world.dir, g->env->conf);
		verdicts_reload(g->srv.world.verdicts, g->env->conf);
	}
	if (g->srv.world.tables != NULL)
		table_env_reload(g->srv.world.tables, g->env->conf);
	certs_conf(g->srv.certs, g->env->conf);
	body_cap_set((size_t)g->env->conf->smtpd_body_memory_limit);
	limits_configure(&g->srv, g->env->conf);
	grey_client_configure(&g->srv, g->env->conf);
	if (g->srv.world.lists != NULL)
		dnshealth_reload(g->srv.world.lists, g->env->conf);
	TAILQ_FOREACH(l, &g->listeners, link) {
		p = profile_of(g->env->conf, l->section);
		if (p == NULL)
			continue;	/* the old one serves on */
		profile_unref(&l->prof);
		l->prof = p;
		listener_tune(l);
		if (g->srv.world.lists != NULL)
			dnshealth_watch(g->srv.world.lists, p->gate);
	}
	table_watch_now(g->watch);
}

static void
program_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	peers_take(&g->srv, role, index, fd);
}

/* --- start and stop --- */

static void
tickets_cb(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	certs_ticket_derive(g->srv.certs, g->env->key,
	    clock_wall_us() / 1000000);
	timer_set_ms(&g->tickets, TICKET_KEYS_MS);
}

/* The password of our database role came with the files, right behind init;
 * nobody is served before there is a directory. */
static void
open_cb(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct listener *l;

	g->srv.world.dir = directory_new(g->srv.loop, g->env->conf, g->password);
	g->srv.world.verdicts = verdicts_new(g->srv.loop, g->env->conf,
	    g->password);
	g->srv.world.tables = table_env_new(g->srv.loop, g->env->conf,
	    g->env->conf->database_role_lookup, g->password);
	g->srv.report = report_new(g->srv.loop, g->env->conf,
	    g->env->conf->database_role_lookup, g->password);
	secret_free(&g->password);
	TAILQ_FOREACH(l, &g->listeners, link)
		io_want(&l->io, IO_READ);
}

/* Nobody is served any more. Last replies get their time to leave; then the
 * segment goes back, so that qmgr need not take us for a crash. */
static void
end_cb(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	if (stream_finishing() > 0 && g->end_waits++ < END_WAITS) {
		timer_set_ms(&g->end, END_WAIT_MS);
		return;
	}
	verdict_counts_free(&g->srv.verdicts);
	journal_writer_free(&g->srv.journal);
	ipc_free(&g->srv.qmgr);
	service_stopped();
}

static void
all_gone(struct server *srv, void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	timer_set_ms(&g->end, 0);
}

/* Each smtpd tests the lists for itself; the first tells the world. */
static void
list_changed(const char *zone, enum list_kind kind, bool good,
    const char *why, void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct buf detail;

	if (g->env->index != 0 || g->srv.report == NULL)
		return;
	buf_init(&detail, 4096);
	buf_fmt(&detail, "{\"for\": \"%s\", \"why\": ",
	    list_kind_name(kind));
	json_put_string(&detail, span_str(why));
	buf_char(&detail, '}');
	report_event(g->srv.report, good ? "dnsbl.resumed" :
	    "dnsbl.suspended", span_str(zone), buf_span(&detail));
	buf_fini(&detail);
}

/* A list with a mistake, or an open relay: nothing of us starts. */
static int
lists_check(struct conf *conf, struct err *err)
{
	struct buf complaints;
	struct span rest, line;
	int rc = 0;

	buf_init(&complaints, 65536);
	if (!gate_conf_check(conf, &complaints)) {
		rest = buf_span(&complaints);
		while (span_split(&rest, '\n', &line) && line.n > 0)
			log_error("%.*s", SPAN_ARG(line));
		rc = err_set(err, ERR_PERM, PS_ESYNTAX,
		    "restriction lists: see the errors above");
	}
	buf_fini(&complaints);
	return rc;
}

static void *
program_init(const struct service_env *env, struct err *err)
{
	struct program *g;
	struct server *srv;
	char *name;
	uint32_t host = crc32c(0, env->conf->host_name_in_database,
	    strlen(env->conf->host_name_in_database)) & QUEUEID_HOST_MAX;

	if (lists_check(env->conf, err) != 0)
		return NULL;
	g = xcalloc(1, sizeof(*g));
	srv = &g->srv;
	g->magic = PROGRAM_MAGIC;
	g->env = env;
	TAILQ_INIT(&g->listeners);
	server_init(srv, env->loop);
	srv->verdicts = verdict_counts_new(srv);
	name = xasprintf("smtpd/%u", env->index);
	live_name(srv->live, name);
	free(name);
	if (queueid_gen_init(&srv->ids, host, env->incarnation) != 0) {
		(void)err_set(err, ERR_PERM, PS_ETOOBIG,
		    "incarnation %u is out of range", env->incarnation);
		server_fini(srv);
		free(g);
		return NULL;
	}
	srv->n_deliver = env->count[ROLE_DELIVER];
	srv->deliver = xcalloc(MAX(srv->n_deliver, 1u),
	    sizeof(*srv->deliver));
	body_cap_set((size_t)env->conf->smtpd_body_memory_limit);
	limits_configure(srv, env->conf);
	grey_client_configure(srv, env->conf);
	srv->certs = certs_new(env->conf);
	certs_alpn(srv->certs, "smtp");
	srv->pool = work_pool_new(env->loop, SPILL_THREADS);
	srv->names = work_pool_new(env->loop, NAME_THREADS);
	srv->world.grey = grey_client_new(srv);
	srv->world.policy = policy_new(env->loop, srv->names);
	srv->journal = peers_journal_new(srv);
	g->watch = table_watch_new(env->loop,
	    (uint64_t)env->conf->table_refresh_interval);
	srv->dns = dns_new(env->loop, env->conf, err);
	if (srv->dns == NULL) {
		log_warning("no DNS: %s", err->why);
		err_clear(err);
	} else {
		srv->world.dns = dnscache_new(env->loop, srv->dns, env->conf);
		srv->world.lists = dnshealth_new(env->loop, srv->dns,
		    env->conf);
		dnshealth_on_change(srv->world.lists, list_changed, g);
	}
	defer_init(&g->open, env->loop, open_cb, g);
	defer_call(&g->open);
	timer_init(&g->end, env->loop, end_cb, g);
	timer_init(&g->tickets, env->loop, tickets_cb, g);
	tickets_cb(g);
	return g;
}

static void
program_stop(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct listener *l;

	while ((l = TAILQ_FIRST(&g->listeners)) != NULL) {
		TAILQ_REMOVE(&g->listeners, l, link);
		listener_free(l);
	}
	server_stop(&g->srv, all_gone, g);
}

static void
program_file(void *arg, const char *name, struct span contents)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct err err;
	int rc;

	if (strcmp(name, "database_password") == 0) {
		secret_free(&g->password);
		if (g->srv.world.dir == NULL)
			g->password = xmemdup0(contents.p, contents.n);
		return;
	}
	rc = certs_file(g->srv.certs, name, contents, &err);
	if (rc < 0)
		log_error("certificate refused, the old one stays: %s",
		    err.why);
	else if (rc > 0)
		log_warning("certificate taken although it has expired, as "
		    "there is no other: %s", err.why);
}

static void
program_status(void *arg, struct buf *json)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct server *srv = &g->srv;
	struct journal_stats j;

	journal_writer_stats(srv->journal, &j);
	buf_fmt(json, "\"sessions\": %zu, \"connects\": %llu, "
	    "\"messages\": %llu, \"rejects\": %llu, \"auth_ok\": %llu, "
	    "\"auth_bad\": %llu, \"pressure\": %u, \"body_memory\": %zu, "
	    "\"journal_groups\": %llu, \"journal_appended\": %llu, "
	    "\"stress\": %s, \"shed\": %llu, \"gatekeeper\": %s",
	    srv->n_sessions, (unsigned long long)srv->stat.connects,
	    (unsigned long long)srv->stat.messages,
	    (unsigned long long)srv->stat.rejects,
	    (unsigned long long)srv->stat.auth_ok,
	    (unsigned long long)srv->stat.auth_bad, srv->pressure,
	    body_memory_used(), (unsigned long long)j.groups,
	    (unsigned long long)j.appended, srv->stress ? "true" : "false",
	    (unsigned long long)srv->stat.shed,
	    srv->keeper != NULL ? "true" : "false");
	if (srv->world.dir != NULL) {
		buf_str(json, ", ");
		directory_status(srv->world.dir, json);
		buf_str(json, ", ");
		verdicts_status(srv->world.verdicts, json);
	}
	buf_str(json, ", ");
	first_status(srv, json);
	if (srv->verdicts != NULL) {
		buf_str(json, ", ");
		verdict_counts_status(srv->verdicts, json);
	}
	buf_str(json, ", ");
	policy_status(srv->world.policy, json);
	if (srv->world.dns != NULL) {
		buf_str(json, ", ");
		dnscache_status(srv->world.dns, json);
	}
	if (srv->world.lists != NULL) {
		buf_str(json, ", ");
		dnshealth_status(srv->world.lists, json);
	}
}

static const struct service smtpd_service = {
	.name = "smtpd", .init = program_init, .peer = program_peer,
	.listener = program_listener, .reload = program_reload,
	.stop = program_stop, .file = program_file, .status = program_status,
};

int
main(int argc, char **argv)
{
	return service_main(&smtpd_service, argc, argv);
}
