/*
 * The program gatekeeper: one for all smtpd workers. It counts what clients
 * do, in memory only; when it dies the workers tell its successor which
 * connections there are. And it keeps what all hosts share about clients and
 * senders (db/share.h): in memory, too, with PostgreSQL behind it. It talks
 * to no client and opens no file.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "db/share.h"
#include "proto/service.h"
#include "smtpd/greylist_share.h"
#include "smtpd/keeper_serve.h"
#include "smtpd/pass_keep.h"
#include "smtpd/verdict_keep.h"

#define PROGRAM_MAGIC	0x6b656570u

struct program {
	uint32_t magic;
	const struct service_env *env;
	struct keeper *keeper;
	struct keeper_server *server;
	struct pass_keep *passes;
	struct verdict_keep *verdicts;
	struct share *share;		/* NULL: not open yet */
	struct greylist_share *greylist;
	char *password;			/* until then */
	struct defer open;		/* after the files of the start came */
	struct timer report;
};

static void
report_line(const char *text)
{
	log_info("statistics: %s", text);
}

static void
report_cb(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	keeper_report(g->keeper, report_line);
	timer_set_ms(&g->report,
	    (uint64_t)g->env->conf->anvil_status_update_time);
}

/* The password of our database role came with the files, right behind
 * init. */
static void
open_cb(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	struct conf *conf = g->env->conf;

	g->share = share_new(g->env->loop, conf, conf->database_role_gate,
	    g->password);
	pass_keep_share(g->passes, g->share);
	verdict_keep_share(g->verdicts, g->share);
	g->greylist = greylist_share_new(g->share, g->server, conf);
	secret_free(&g->password);
}

static void *
program_init(const struct service_env *env, struct err *err)
{
	struct program *g = xcalloc(1, sizeof(*g));
	const struct conf *conf = env->conf;

	(void)err;
	g->magic = PROGRAM_MAGIC;
	g->env = env;
	g->keeper = keeper_new((size_t)conf->gatekeeper_cache_entries,
	    (uint64_t)conf->anvil_rate_time_unit);
	g->server = keeper_server_new(env->loop, g->keeper);
	g->passes = pass_keep_new(conf, g->server);
	g->verdicts = verdict_keep_new(env->conf, g->server);
	defer_init(&g->open, env->loop, open_cb, g);
	defer_call(&g->open);
	timer_init(&g->report, env->loop, report_cb, g);
	timer_set_ms(&g->report, (uint64_t)conf->anvil_status_update_time);
	return g;
}

static void
program_peer(void *arg, enum service_role role, unsigned index, int fd)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	if (role == ROLE_SMTPD)
		keeper_server_peer(g->server, index, fd);
	else
		(void)close(fd);
}

static void
program_reload(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);
	const struct conf *conf = g->env->conf;

	keeper_configure(g->keeper, (size_t)conf->gatekeeper_cache_entries,
	    (uint64_t)conf->anvil_rate_time_unit);
	pass_keep_configure(g->passes, conf);
	timer_set_ms(&g->report, (uint64_t)conf->anvil_status_update_time);
	if (g->greylist != NULL)
		greylist_share_reload(g->greylist, conf);
}

static void
program_file(void *arg, const char *name, struct span contents)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	if (strcmp(name, "database_password") != 0 || g->share != NULL)
		return;
	secret_free(&g->password);
	g->password = xmemdup0(contents.p, contents.n);
}

static void
flushed_cb(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	share_free(&g->share);
	pass_keep_free(&g->passes);
	verdict_keep_free(&g->verdicts);
	greylist_share_free(&g->greylist);
	service_stopped();
}

static void
program_stop(void *arg)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	keeper_report(g->keeper, report_line);
	timer_clear(&g->report);
	defer_cancel(&g->open);
	secret_free(&g->password);
	pass_keep_leave(g->passes);
	keeper_server_free(&g->server);
	keeper_free(&g->keeper);
	if (g->share != NULL)
		share_flush(g->share, flushed_cb, g);
	else
		flushed_cb(g);
}

static void
program_status(void *arg, struct buf *json)
{
	struct program *g = OBJ_CAST(arg, program, PROGRAM_MAGIC);

	if (g->server == NULL)
		return;
	buf_fmt(json, "\"workers\": %zu, \"clients\": %zu, "
	    "\"connections\": %llu, \"events\": %llu, \"passes\": %zu",
	    keeper_server_peers(g->server), keeper_clients(g->keeper),
	    (unsigned long long)keeper_connections(g->keeper),
	    (unsigned long long)keeper_server_events(g->server),
	    pass_keep_count(g->passes));
	if (g->share != NULL) {
		buf_str(json, ", ");
		share_status(g->share, json);
		buf_str(json, ", ");
		greylist_share_status(g->greylist, json);
	}
}

static const struct service gatekeeper_service = {
	.name = "gatekeeper", .init = program_init, .peer = program_peer,
	.reload = program_reload, .stop = program_stop,
	.file = program_file, .status = program_status,
};

int
main(int argc, char **argv)
{
	return service_main(&gatekeeper_service, argc, argv);
}
