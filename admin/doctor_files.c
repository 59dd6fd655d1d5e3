/* The doctor's look at files: directories, space, keys, certificates. */
#include "admin/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "admin/roles.h"
#include "base/xmalloc.h"
#include "net/certs.h"

#define LOW_PERCENT	5
#define RENEW_DAYS	14

/* --- directories --- */

static const char *
owner_name(uid_t uid, char *text, size_t size)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw != NULL)
		(void)snprintf(text, size, "%s", pw->pw_name);
	else
		(void)snprintf(text, size, "user %ld", (long)uid);
	return text;
}

static void
percent_check(struct doctor *d, const char *path, const char *what,
    uint64_t have, uint64_t all)
{
	if (all > 0 && have < all / 100 * LOW_PERCENT)
		doctor_report(d, FINDING_WARNING, "files", path,
		    "make room, or move it to a bigger disk",
		    "only %llu %% of its disk's %s are free",
		    (unsigned long long)(have * 100 / all), what);
}

static void
space_check(struct doctor *d, const struct conf *conf, const char *path)
{
	struct statvfs v;
	struct buf text;
	uint64_t bytes;

	if (statvfs(path, &v) != 0)
		return;			/* stat() has told why */
	bytes = (uint64_t)v.f_bavail * v.f_frsize;
	buf_init(&text, 64);
	out_size(&text, bytes);
	if (bytes < (uint64_t)conf->queue_minfree)
		doctor_report(d, FINDING_FAULT, "files", path,
		    "make room: mail is refused with 452 below queue_minfree",
		    "only %s are free", buf_cstr(&text));
	else
		doctor_report(d, FINDING_OK, "files", path, NULL,
		    "%s free", buf_cstr(&text));
	percent_check(d, path, "blocks", v.f_bavail, v.f_blocks);
	percent_check(d, path, "inodes", v.f_favail, v.f_files);
	buf_fini(&text);
}

/* `user`: whose it must be when root runs the server. */
static void
directory_check(struct doctor *d, const struct conf *conf, const char *path,
    const char *user)
{
	struct stat st;
	const struct passwd *pw;
	char name[64];

	if (stat(path, &st) != 0) {
		doctor_report(d, errno == EACCES ? FINDING_NOTE :
		    FINDING_FAULT, "files", path, errno == EACCES ? "run this "
		    "as root" : "start the server once, it makes its "
		    "directories", "%s", strerror(errno));
		return;
	}
	pw = getpwnam(user);
	if ((st.st_mode & S_IWOTH) != 0)
		doctor_report(d, FINDING_FAULT, "files", path, "chmod o-w",
		    "everybody may write there");
	if (geteuid() == 0 && pw != NULL && st.st_uid != pw->pw_uid &&
	    st.st_uid != 0)
		doctor_report(d, FINDING_WARNING, "files", path, "chown it, "
		    "or is the server run by that user on purpose?",
		    "belongs to %s, not to %s", owner_name(st.st_uid, name,
		    sizeof(name)), user);
	space_check(d, conf, path);
}

/* Secrets that others may read are none. */
static void
secret_check(struct doctor *d, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		doctor_report(d, errno == EACCES ? FINDING_NOTE :
		    FINDING_FAULT, "files", path, errno == EACCES ? "run this "
		    "as root" : NULL, "%s", strerror(errno));
	} else if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0) {
		doctor_report(d, FINDING_FAULT, "files", path, "chmod 0600",
		    "everybody may read this secret");
	} else {
		doctor_report(d, FINDING_OK, "files", path, NULL,
		    "is not for everybody");
	}
}

/* Calls `each` for what is named DOMAIN and suffix; -1 and errno when the
 * directory cannot be read. */
static int
directory_each(struct doctor *d, const char *dir, const char *suffix,
    void (*each)(struct doctor *d, const char *path, const char *domain))
{
	struct dirent *e;
	char *path, *domain;
	DIR *at = opendir(dir);

	if (at == NULL)
		return -1;
	while ((e = readdir(at)) != NULL) {
		if (!span_ends(span_str(e->d_name), suffix) ||
		    e->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s", dir, e->d_name);
		domain = xmemdup0(e->d_name, strlen(e->d_name) -
		    strlen(suffix));
		each(d, path, domain);
		free(domain);
		free(path);
	}
	closedir(at);
	return 0;
}

static void
domain_secret_check(struct doctor *d, const char *path, const char *domain)
{
	(void)domain;
	secret_check(d, path);
}

static const char *
owner_of(const struct conf *conf, enum service_role role)
{
	const struct role *r;
	size_t i, n;

	r = role_table(&n);
	for (i = 0; i < n; i++)
		if (r[i].role == role)
			return role_user(&r[i], conf);
	return "root";
}

void
doctor_files(struct doctor *d, struct cli *cli)
{
	const struct conf *conf = cli->config.conf;
	struct stat st;

	if (stat(cli->config.path, &st) == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		doctor_report(d, FINDING_FAULT, "files", cli->config.path,
		    "chmod go-w", "others may change the configuration");
	directory_check(d, conf, conf->spool_directory,
	    owner_of(conf, ROLE_QMGR));
	directory_check(d, conf, conf->store_directory,
	    owner_of(conf, ROLE_DELIVER));
	if (conf->tls_key_file[0] != '\0')
		secret_check(d, conf->tls_key_file);
	/* one that cannot be read is told of with the certificates */
	if (conf->tls_certificate_directory[0] != '\0')
		(void)directory_each(d, conf->tls_certificate_directory,
		    ".key", domain_secret_check);
	if (conf->database_password_file[0] != '\0')
		secret_check(d, conf->database_password_file);
}

/* --- certificates --- */

static X509 *
leaf_read(const char *path)
{
	BIO *in = BIO_new_file(path, "r");
	X509 *x = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, NULL, NULL);

	BIO_free(in);
	return x;
}

static void
lifetime_check(struct doctor *d, const char *path, X509 *x)
{
	const char *renew = "renew it; the server takes a new file by itself";
	int days, seconds;

	if (!ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x)))
		return;
	if (days < 0 || seconds < 0)
		doctor_report(d, FINDING_FAULT, "certificates", path, renew,
		    "expired %d days ago", -days);
	else
		doctor_report(d, days < RENEW_DAYS ? FINDING_WARNING :
		    FINDING_OK, "certificates", path, days < RENEW_DAYS ?
		    renew : NULL, "good for %d days", days);
}

/* `host`: a name that it must be for. */
static void
certificate_check(struct doctor *d, const char *path, const char *host)
{
	X509 *x = leaf_read(path);

	if (x == NULL) {
		doctor_report(d, access(path, R_OK) == 0 || errno != EACCES ?
		    FINDING_FAULT : FINDING_NOTE, "certificates", path,
		    access(path, R_OK) == 0 ? "it must begin with the "
		    "server's certificate in PEM" : NULL, "cannot be read");
		return;
	}
	lifetime_check(d, path, x);
	if (X509_check_host(x, host, 0, 0, NULL) != 1)
		doctor_report(d, FINDING_WARNING, "certificates", path,
		    "get one for that name", "is not for %s", host);
	if (X509_NAME_cmp(X509_get_subject_name(x),
	    X509_get_issuer_name(x)) == 0)
		doctor_report(d, FINDING_WARNING, "certificates", path,
		    "get one from an authority, e.g. with certbot",
		    "is self-signed: mail programs will warn of it");
	X509_free(x);
}

void
doctor_certificates(struct doctor *d, struct cli *cli)
{
	const struct conf *conf = cli->config.conf;
	struct certs *certs;
	struct span rest, line;
	struct buf complaints;

	if (conf->tls_certificate_file[0] == '\0') {
		doctor_report(d, FINDING_WARNING, "certificates",
		    "tls_certificate_file", "set it and tls_key_file",
		    "there is none: no client can use TLS, none can log in "
		    "safely");
		return;
	}
	certificate_check(d, conf->tls_certificate_file, conf->myhostname);
	if (conf->tls_certificate_directory[0] != '\0' &&
	    directory_each(d, conf->tls_certificate_directory, ".crt",
	    certificate_check) != 0)
		doctor_report(d, FINDING_FAULT, "certificates",
		    conf->tls_certificate_directory, NULL, "%s",
		    strerror(errno));
	if (access(conf->tls_key_file, R_OK) != 0 && errno == EACCES) {
		doctor_report(d, FINDING_NOTE, "certificates",
		    conf->tls_key_file, "run this as root", "may not be read "
		    "by who asks: whether it fits was not checked");
		return;
	}
	buf_init(&complaints, 65536);
	certs = certs_new(conf);
	(void)certs_load(certs, conf, &complaints);
	certs_unref(&certs);
	rest = buf_span(&complaints);
	while (span_split(&rest, '\n', &line))
		if (line.n > 0)
			doctor_report(d, FINDING_FAULT, "certificates",
			    "certificate and key", NULL, "%.*s",
			    SPAN_ARG(line));
	buf_fini(&complaints);
}
