#include "db/testpg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "db/migrate.h"

#define CLUSTERS_MAX	4

static char *clusters[CLUSTERS_MAX];
static pid_t owner;

const char *
testpg_srcdir(void)
{
	const char *dir = getenv("top_srcdir");

	return dir == NULL ? PS_SRCDIR : dir;
}

/* Runs tests/pgcluster with a command line; its last output line, yours. */
static char *
pgcluster(const char *args)
{
	char *cmd = xasprintf("'%s/tests/pgcluster' %s", testpg_srcdir(), args);
	char line[512] = "";
	FILE *f = popen(cmd, "r");
	int st;

	if (f == NULL)
		exit(1);
	while (fgets(line, sizeof(line), f) != NULL)
		;
	st = pclose(f);
	if (WIFEXITED(st) && WEXITSTATUS(st) == 77)
		exit(77);
	if (st != 0) {
		fprintf(stderr, "failed: %s\n", cmd);
		exit(1);
	}
	free(cmd);
	line[strcspn(line, "\n")] = '\0';
	return xstrdup(line);
}

static void
at_exit(void)
{
	int i;

	for (i = 0; i < CLUSTERS_MAX && getpid() == owner; i++)
		if (clusters[i] != NULL) {
			char *args = xasprintf("remove %s", clusters[i]);

			free(clusters[i]);
			clusters[i] = NULL;
			free(pgcluster(args));
			free(args);
		}
}

static void
cluster_note(struct testpg *pg)
{
	char tmp[] = "/tmp/t_db-XXXXXX";
	int i;

	if (mkdtemp(tmp) == NULL)
		exit(1);
	pg->dir = xstrdup(tmp);
	if (owner == 0) {
		owner = getpid();
		if (atexit(at_exit) != 0)
			exit(1);
	}
	for (i = 0; i < CLUSTERS_MAX; i++)
		if (clusters[i] == NULL) {
			clusters[i] = xstrdup(tmp);
			return;
		}
	exit(1);
}

void
testpg_start(struct testpg *pg)
{
	char *args;

	cluster_note(pg);
	args = xasprintf("start %s", pg->dir);
	pg->url = pgcluster(args);
	free(args);
}

void
testpg_standby(struct testpg *pg, const struct testpg *of)
{
	char *args;

	cluster_note(pg);
	args = xasprintf("standby %s %s", pg->dir, of->dir);
	pg->url = pgcluster(args);
	free(args);
}

void
testpg_do(const struct testpg *pg, const char *command)
{
	size_t n = strcspn(command, " ");
	char *args = xasprintf("%.*s %s%s", (int)n, command, pg->dir,
	    command + n);

	free(pgcluster(args));
	free(args);
}

void
testpg_stop(struct testpg *pg)
{
	int i;

	testpg_do(pg, "remove");
	for (i = 0; i < CLUSTERS_MAX; i++)
		if (clusters[i] != NULL && strcmp(clusters[i], pg->dir) == 0) {
			free(clusters[i]);
			clusters[i] = NULL;
		}
	free(pg->dir);
	free(pg->url);
	*pg = (struct testpg){ NULL, NULL };
}

char *
testpg_sql_dir(void)
{
	return xasprintf("%s/sql", testpg_srcdir());
}

void
testpg_migrate(const struct testpg *pg)
{
	char *dir = testpg_sql_dir();
	struct err err;

	if (migrate_apply(pg->url, "", "", dir, 0, NULL, NULL, &err) != 0) {
		fprintf(stderr, "%s\n", err.why);
		exit(1);
	}
	free(dir);
}

char *
testpg_sql(const struct testpg *pg, const char *sql)
{
	PGconn *c = PQconnectdb(pg->url);
	PGresult *r;
	char *out;

	PQclear(PQexec(c, "SET search_path = postern, public; "
	    "SET client_min_messages = warning"));
	r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_TUPLES_OK &&
	    PQresultStatus(r) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s: %s", sql, PQerrorMessage(c));
		exit(1);
	}
	out = xstrdup(PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	PQfinish(c);
	return out;
}

bool
testpg_waits_for_lock(void *arg)
{
	char *n = testpg_sql(arg, "SELECT count(*) FROM pg_locks WHERE "
	    "locktype = 'advisory' AND NOT granted");
	bool yes = strcmp(n, "0") != 0;

	free(n);
	return yes;
}

void
testpg_run(const struct testpg *pg, const char *sql)
{
	free(testpg_sql(pg, sql));
}

struct conf *
testpg_conf(const char *url, const char *more)
{
	char *text = xasprintf("database = %s\n%s", url, more);
	struct conf *conf;
	struct buf complaints;

	buf_init(&complaints, 65536);
	conf = conf_parse("test", span_str(text), &complaints);
	if (conf == NULL) {
		fprintf(stderr, "%s", buf_cstr(&complaints));
		exit(1);
	}
	buf_fini(&complaints);
	free(text);
	return conf;
}

struct wait {
	struct loop *loop;
	bool (*cond)(void *);
	void *arg;
	uint64_t until_ms;
	struct timer tick;
	bool held;
};

static void
tick_cb(void *arg)
{
	struct wait *w = arg;

	w->held = w->cond != NULL && w->cond(w->arg);
	if (w->held || loop_now_ms(w->loop) >= w->until_ms)
		loop_stop(w->loop);
	else
		timer_set_ms(&w->tick, 1);
}

bool
testpg_wait(struct loop *l, bool (*cond)(void *), void *arg, uint32_t ms)
{
	struct wait w = { .loop = l, .cond = cond, .arg = arg,
	    .until_ms = loop_now_ms(l) + ms };

	timer_init(&w.tick, l, tick_cb, &w);
	timer_set_ms(&w.tick, 0);
	loop_run(l);
	timer_clear(&w.tick);
	return w.held;
}

void
testpg_sleep(struct loop *l, uint32_t ms)
{
	(void)testpg_wait(l, NULL, NULL, ms);
}
