/* `postern setup`: a self-contained instance in one directory. */
#include "admin/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/cluster.h"
#include "admin/dbsetup.h"
#include "admin/place.h"
#include "admin/roles.h"
#include "admin/run.h"
#include "admin/selfsigned.h"
#include "base/xmalloc.h"

#define DEFAULT_PORT_BASE	10000

struct setup {
	char *dir;		/* absolute */
	char *host;
	char *url;
	bool private_db;
	uint32_t base;
	struct conf *conf;	/* what was written, parsed */
	struct buf text;
};

/* --- words --- */

static char *
host_name(const char *given)
{
	char name[256], *p;

	if (given != NULL) {
		snprintf(name, sizeof(name), "%s", given);
	} else if (gethostname(name, sizeof(name) - 16) != 0 ||
	    name[0] == '\0') {
		snprintf(name, sizeof(name), "localhost");
	}
	name[sizeof(name) - 16] = '\0';
	if (strchr(name, '.') == NULL)
		strncat(name, ".localdomain",
		    sizeof(name) - strlen(name) - 1);
	for (p = name; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return cli_domain(name);
}

static int
words_take(struct cli *cli, struct setup *s)
{
	const char *url = cli_option(cli, "--database");
	const char *base = cli_option(cli, "--port-base");

	s->private_db = cli_option(cli, "--private-db") != NULL;
	if (s->private_db == (url != NULL))
		return cli_usage(cli, "one of --private-db and --database URL, "
		    "please");
	s->base = DEFAULT_PORT_BASE;
	if (base != NULL && !span_u32(span_str(base), 0, 65535 - 993,
	    &s->base))
		return cli_usage(cli, "--port-base is a number up to %d",
		    65535 - 993);
	s->host = host_name(cli_option(cli, "--hostname"));
	if (s->host == NULL)
		return EX_DATAERR;
	if (url != NULL)
		s->url = xstrdup(url);
	return EX_OK;
}

/* --- the directory --- */

static int
dir_make(const char *parent, const char *name, mode_t mode, struct err *err)
{
	char *path = xasprintf("%s%s%s", parent, *name == '\0' ? "" : "/",
	    name);
	int rc = 0;

	if (mkdir(path, mode) != 0 && errno != EEXIST)
		rc = err_errno(err, "make directory %s", path);
	free(path);
	return rc;
}

/* Postern's users must be able to walk to the database's socket. */
static int
dir_check_walkable(const char *dir, struct err *err)
{
	char *path = xstrdup(dir), *slash;
	struct stat st;
	int rc = 0;

	while (rc == 0 && (slash = strrchr(path, '/')) != NULL &&
	    slash != path) {
		if (stat(path, &st) == 0 && (st.st_mode & S_IXOTH) == 0)
			rc = err_set(err, ERR_PERM, PS_EDENIED, "Postern's "
			    "users cannot get to %s: %s is closed to others "
			    "(mode %04o)", dir, path,
			    (unsigned)(st.st_mode & 07777));
		*slash = '\0';
	}
	free(path);
	return rc;
}

static int
tree_make(struct setup *s, const char *dir, struct err *err)
{
	char real[PATH_MAX];
	int rc;

	rc = dir_make(dir, "", 0755, err);
	if (rc != 0)
		return rc;
	if (realpath(dir, real) == NULL)
		return err_errno(err, "%s", dir);
	s->dir = xstrdup(real);
	if (strpbrk(s->dir, " \t$#\"'%") != NULL)
		return err_set(err, ERR_PERM, PS_ESYNTAX, "%s: choose a name "
		    "without spaces and signs", s->dir);
	if (geteuid() == 0 && (rc = dir_check_walkable(s->dir, err)) != 0)
		return rc;
	if ((rc = dir_make(s->dir, "log", 0755, err)) == 0)
		rc = dir_make(s->dir, "tls", 0700, err);
	return rc;
}

/* --- users --- */

static int
user_make(const char *name, struct err *err)
{
	const char *argv[] = { "useradd", "--system", "--user-group",
		"--no-create-home", "--home-dir", "/nonexistent", "--shell",
		"/usr/sbin/nologin", name, NULL };

	if (getpwnam(name) != NULL)
		return 0;
	if (run_program(argv, NULL, NULL, err) != 0)
		return err_prefix(err, "cannot make user %s", name);
	out_say("user %s made\n", name);
	return 0;
}

static int
users_make(const struct conf *conf, struct err *err)
{
	const struct role *r;
	size_t i, n;
	int rc = 0;

	if (geteuid() != 0)
		return 0;
	r = role_table(&n);
	for (i = 0; rc == 0 && i < n; i++)
		rc = user_make(role_user(&r[i], conf), err);
	return rc;
}

/* --- configuration --- */

static void
service_put(struct setup *s, const char *name, const char *protocol,
    unsigned port, const char *more)
{
	buf_fmt(&s->text, "\n[service %s]\nprotocol = %s\n"
	    "listen = 127.0.0.1:%u\n%s", name, protocol, s->base + port,
	    more);
}

#define SUBMISSION \
	"smtpd_sasl_auth_enable = yes\n" \
	"smtpd_relay_restrictions = permit_sasl_authenticated, reject\n"

static void
config_compose(struct setup *s)
{
	buf_fmt(&s->text, "# Made by `postern setup'. All parameters: "
	    "postern.conf(5).\n"
	    "myhostname = %s\n"
	    "run_directory = %s/run\n"
	    "spool_directory = %s/spool\n"
	    "store_directory = %s/store\n"
	    "maillog_file = %s/log/mail.log\n"
	    "database = %s\n", s->host, s->dir, s->dir, s->dir, s->dir,
	    s->url);
	if (s->private_db)
		buf_fmt(&s->text, "database_role_admin = postern_admin\n"
		    "database_role_owner = %s\n", CLUSTER_OWNER);
	buf_fmt(&s->text, "tls_certificate_file = %s/tls/postern.crt\n"
	    "tls_key_file = %s/tls/postern.key\n", s->dir, s->dir);
	service_put(s, "mx", "smtp", 25, "");
	service_put(s, "submission", "submission", 587,
	    "smtpd_tls_security_level = encrypt\n" SUBMISSION);
	service_put(s, "submissions", "submission", 465,
	    "smtpd_tls_wrappermode = yes\n" SUBMISSION);
	service_put(s, "imap", "imap", 143, "");
	service_put(s, "imaps", "imap", 993,
	    "imap_tls_wrappermode = yes\n");
}

static int
config_write(struct setup *s, struct err *err)
{
	char *path = xasprintf("%s/postern.conf", s->dir);
	struct span text = buf_span(&s->text);
	int fd, rc = 0;

	/* A URL may hold a password. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    s->private_db ? 0644 : 0600);
	if (fd == -1 || write(fd, text.p, text.n) != (ssize_t)text.n)
		rc = err_errno(err, "%s", path);
	if (fd != -1)
		close(fd);
	free(path);
	return rc;
}

static int
config_parse(struct setup *s, struct err *err)
{
	char *path = xasprintf("%s/postern.conf", s->dir);
	struct buf complaints;
	int rc = 0;

	buf_init(&complaints, 65536);
	if (access(path, F_OK) == 0) {
		rc = err_set(err, ERR_PERM, PS_EEXIST,
		    "there is an instance in %s already", s->dir);
	} else {
		s->conf = conf_parse(path, buf_span(&s->text), &complaints);
		if (s->conf == NULL)
			rc = err_set(err, ERR_PERM, PS_ESYNTAX, "%.200s",
			    buf_cstr(&complaints));
	}
	buf_fini(&complaints);
	free(path);
	return rc;
}

static int
certificate_make(struct setup *s, struct err *err)
{
	char *cert = xasprintf("%s/tls/postern.crt", s->dir);
	char *key = xasprintf("%s/tls/postern.key", s->dir);
	int rc = selfsigned_write(s->host, cert, key, err);

	if (rc == PS_EEXIST) {		/* from an earlier try */
		err_clear(err);
		rc = 0;
	}
	free(cert);
	free(key);
	return rc;
}

static int
database_make(struct setup *s, struct err *err)
{
	struct cluster c;
	int rc = 0;

	if (s->private_db) {
		out_say("making a private database\n");
		cluster_init(&c, s->dir);
		rc = cluster_exists(&c) ? cluster_start(&c, err) :
		    cluster_make(&c, s->conf, err);
		cluster_fini(&c);
	}
	return rc != 0 ? rc : dbsetup_migrate(s->conf,
	    s->conf->database_role_owner, true, err);
}

/* The configuration file comes last: it says that all is there. */
static int
setup_run(struct setup *s, const char *dir, struct err *err)
{
	struct cluster c;
	int rc;

	if ((rc = tree_make(s, dir, err)) != 0)
		return rc;
	if (s->private_db) {
		cluster_init(&c, s->dir);
		s->url = cluster_url(&c);
		cluster_fini(&c);
	}
	config_compose(s);
	if ((rc = config_parse(s, err)) != 0 ||
	    (rc = users_make(s->conf, err)) != 0 ||
	    (rc = certificate_make(s, err)) != 0 ||
	    (rc = database_make(s, err)) != 0)
		return rc;
	return config_write(s, err);
}

static void
setup_tell(const struct setup *s)
{
	char *posternd = place_sibling("posternd");
	char *cli = place_sibling("postern");

	out_say("instance %s is ready\n"
	    "  start it:      %s -c %s/postern.conf\n"
	    "  add a domain:  %s -c %s/postern.conf domain add example.org\n"
	    "  ports: smtp %u, submission %u and %u, imap %u and %u\n",
	    s->dir, posternd, s->dir, cli, s->dir, s->base + 25,
	    s->base + 587, s->base + 465, s->base + 143, s->base + 993);
	free(posternd);
	free(cli);
}

int
cmd_setup(struct cli *cli)
{
	struct setup s = { 0 };
	struct err err = { 0 };
	int rc;

	buf_init(&s.text, 65536);
	rc = words_take(cli, &s);
	if (rc == EX_OK && setup_run(&s, cli->word[0], &err) != 0)
		rc = cli_fail(&err);
	if (rc == EX_OK)
		setup_tell(&s);
	conf_unref(&s.conf);
	buf_fini(&s.text);
	free(s.dir);
	free(s.host);
	free(s.url);
	return rc;
}
