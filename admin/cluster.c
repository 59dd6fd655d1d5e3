#include "admin/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/delegate.h"
#include "admin/run.h"
#include "base/xmalloc.h"

#define SOCKET_DIR_MAX	90	/* its path must fit sockaddr_un */

void
cluster_init(struct cluster *c, const char *instance_dir)
{
	c->dir = xasprintf("%s/db", instance_dir);
}

void
cluster_fini(struct cluster *c)
{
	free(c->dir);
	c->dir = NULL;
}

char *
cluster_url(const struct cluster *c)
{
	return xasprintf("postgresql:///postern?host=%s/socket", c->dir);
}

bool
cluster_exists(const struct cluster *c)
{
	char *path = xasprintf("%s/data/PG_VERSION", c->dir);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* The directory with initdb and pg_ctl, the newest if there are several. */
static char *
bin_dir(struct err *err)
{
	static const char *const patterns[] = {
		"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb",
		"/usr/local/pgsql/bin/initdb", "/usr/local/bin/initdb",
		"/usr/bin/initdb",
	};
	char *found = NULL;
	glob_t g;
	size_t i;

	for (i = 0; found == NULL && i < ARRAY_LEN(patterns); i++) {
		if (glob(patterns[i], 0, NULL, &g) != 0)
			continue;
		found = xstrdup(g.gl_pathv[g.gl_pathc - 1]);
		globfree(&g);
	}
	if (found == NULL) {
		err_set(err, ERR_PERM, PS_ENOTFOUND, "PostgreSQL's server is "
		    "not installed (no initdb); install it or use "
		    "--database URL");
		return NULL;
	}
	*strrchr(found, '/') = '\0';
	return found;
}

/* PostgreSQL refuses to run as root. */
static int
server_user(struct run_as *as, const char **name, struct err *err)
{
	const struct passwd *pw;

	*as = (struct run_as){ .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0) {
		pw = getpwuid(geteuid());
	} else {
		pw = getpwnam("postgres");
		if (pw == NULL)
			pw = getpwnam("nobody");
		if (pw != NULL)
			*as = (struct run_as){ .uid = pw->pw_uid,
			    .gid = pw->pw_gid, .drop = true };
	}
	if (pw == NULL)
		return err_set(err, ERR_PERM, PS_ENOTFOUND,
		    "there is no user to run PostgreSQL as");
	if (name != NULL)
		*name = xstrdup(pw->pw_name);
	return 0;
}

static int
text_write(const char *dir, const char *file, struct span text,
    const struct run_as *as, struct err *err)
{
	char *path = xasprintf("%s/%s", dir, file);
	int fd, rc = 0;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1 || write(fd, text.p, text.n) != (ssize_t)text.n ||
	    (as->drop && fchown(fd, as->uid, as->gid) != 0))
		rc = err_errno(err, "%s", path);
	if (fd != -1)
		close(fd);
	free(path);
	return rc;
}

static void
ident_line(struct buf *b, const char *user, const char *role)
{
	buf_fmt(b, "postern \"%s\" \"%s\"\n", user, role);
}

/* Who may connect as whom. A process as its own role and no other. */
static void
ident_text(struct buf *b, const struct conf *conf, const char *server)
{
	const char *const roles[] = { CLUSTER_OWNER, "postern_admin",
		DELEGATE_ROLE,
		conf->database_role_queue, conf->database_role_lookup,
		conf->database_role_gate, conf->database_role_usage,
		conf->database_role_auth };
	const struct passwd *me = getpwuid(geteuid());
	size_t i;

	for (i = 0; i < ARRAY_LEN(roles); i++) {
		ident_line(b, server, roles[i]);
		if (me != NULL && strcmp(me->pw_name, server) != 0)
			ident_line(b, me->pw_name, roles[i]);
	}
	if (geteuid() != 0)
		return;
	ident_line(b, conf->mail_owner_smtpd, conf->database_role_lookup);
	ident_line(b, conf->mail_owner_smtpd, conf->database_role_gate);
	ident_line(b, conf->mail_owner_store, conf->database_role_usage);
	ident_line(b, conf->mail_owner_auth, conf->database_role_auth);
	ident_line(b, conf->mail_owner_queue, conf->database_role_queue);
}

static int
settings_write(const struct cluster *c, const struct conf *conf,
    const char *server, const struct run_as *as, struct err *err)
{
	char *data = xasprintf("%s/data", c->dir);
	struct buf b;
	int rc;

	buf_init(&b, 65536);
	buf_fmt(&b, "listen_addresses = ''\n"
	    "unix_socket_directories = '%s/socket'\n"
	    "max_connections = 200\nshared_buffers = 64MB\n"
	    "log_min_messages = warning\ntimezone = 'UTC'\n", c->dir);
	rc = text_write(data, "postgresql.auto.conf", buf_span(&b), as, err);
	buf_clear(&b);
	if (rc == 0)
		rc = text_write(data, "pg_hba.conf",
		    SPAN_LIT("local all all peer map=postern\n"), as, err);
	ident_text(&b, conf, server);
	if (rc == 0)
		rc = text_write(data, "pg_ident.conf", buf_span(&b), as, err);
	buf_fini(&b);
	free(data);
	return rc;
}

/* DIR/db and DIR/db/socket, the server's. */
static int
dirs_make(const struct cluster *c, const struct run_as *as, struct err *err)
{
	char *socket = xasprintf("%s/socket", c->dir);
	const char *dirs[] = { c->dir, socket };
	size_t i;
	int rc = 0;

	if (strlen(socket) > SOCKET_DIR_MAX)
		rc = err_set(err, ERR_PERM, PS_ETOOBIG, "%s: too long a name "
		    "for a socket; choose a shorter directory", socket);
	for (i = 0; rc == 0 && i < ARRAY_LEN(dirs); i++)
		if ((mkdir(dirs[i], 0755) != 0 && errno != EEXIST) ||
		    chmod(dirs[i], 0755) != 0 || (as->drop &&
		    chown(dirs[i], as->uid, as->gid) != 0))
			rc = err_errno(err, "directory %s", dirs[i]);
	free(socket);
	return rc;
}

static int
tool_run(const struct cluster *c, const char *tool, const char *const *args,
    size_t n, struct err *err)
{
	const char *argv[16];
	char *bin = bin_dir(err), *path, *log;
	struct run_as as;
	size_t i;
	int rc;

	if (bin == NULL)
		return PS_ENOTFOUND;
	path = xasprintf("%s/%s", bin, tool);
	log = xasprintf("%s/setup.log", c->dir);
	rc = server_user(&as, NULL, err);
	argv[0] = path;
	for (i = 0; i < n && i < 14; i++)
		argv[i + 1] = args[i];
	argv[i + 1] = NULL;
	if (rc == 0)
		rc = run_program(argv, &as, log, err);
	free(bin);
	free(path);
	free(log);
	return rc;
}

bool
cluster_running(const struct cluster *c)
{
	char *path = xasprintf("%s/data/postmaster.pid", c->dir);
	long pid = 0;
	FILE *f = fopen(path, "re");
	bool alive;

	alive = f != NULL && fscanf(f, "%ld", &pid) == 1 && pid > 1 &&
	    (kill((pid_t)pid, 0) == 0 || errno == EPERM);
	if (f != NULL)
		fclose(f);
	free(path);
	return alive;
}

int
cluster_start(const struct cluster *c, struct err *err)
{
	char *data = xasprintf("%s/data", c->dir);
	char *log = xasprintf("%s/data/server.log", c->dir);
	const char *args[] = { "-D", data, "-l", log, "-w", "-t", "60",
		"start" };
	int rc = 0;

	if (!cluster_running(c))
		rc = tool_run(c, "pg_ctl", args, ARRAY_LEN(args), err);
	free(data);
	free(log);
	return rc;
}

int
cluster_stop(const struct cluster *c, struct err *err)
{
	char *data = xasprintf("%s/data", c->dir);
	const char *args[] = { "-D", data, "-w", "-t", "60", "-m", "fast",
		"stop" };
	int rc = 0;

	if (cluster_running(c))
		rc = tool_run(c, "pg_ctl", args, ARRAY_LEN(args), err);
	free(data);
	return rc;
}

static int
database_make(const struct cluster *c, struct err *err)
{
	char *socket = xasprintf("%s/socket", c->dir);
	const char *args[] = { "-h", socket, "-U", CLUSTER_OWNER, "postern" };
	int rc = tool_run(c, "createdb", args, ARRAY_LEN(args), err);

	free(socket);
	return rc;
}

int
cluster_make(const struct cluster *c, const struct conf *conf,
    struct err *err)
{
	char *data = xasprintf("%s/data", c->dir);
	const char *args[] = { "-D", data, "-U", CLUSTER_OWNER, "-A", "peer",
		"-E", "UTF8", "--locale=C" };
	const char *server = NULL;
	struct run_as as;
	int rc;

	rc = server_user(&as, &server, err);
	if (rc == 0)
		rc = dirs_make(c, &as, err);
	if (rc == 0)
		rc = tool_run(c, "initdb", args, ARRAY_LEN(args), err);
	if (rc == 0)
		rc = settings_write(c, conf, server, &as, err);
	if (rc == 0)
		rc = cluster_start(c, err);
	if (rc == 0)
		rc = database_make(c, err);
	free((char *)(uintptr_t)server);
	free(data);
	return rc;
}
