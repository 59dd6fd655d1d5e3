#include "admin/secrets.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "admin/configfile.h"
#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "db/db.h"
#include "net/certs.h"

#define SECRET_FILE_MAX		(256 * 1024)
#define SECRET_COUNT_MAX	100000

/* What tells that a file is not the one that was read. */
struct mark {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct secret {
	char *name;		/* "tls/default", "tls/DOMAIN" */
	char *cert, *key;	/* paths; key NULL: it is in cert too */
	struct mark marks[2];
	struct buf contents;	/* last good; empty: never was one */
	bool wanted;		/* seen in this scan */
};

struct secret_set {
	struct secret **v;
	size_t n;
	struct map *by_name;
	struct certs *check;	/* says whether a pair is good */
};

struct secret_set *
secret_set_new(void)
{
	struct secret_set *set = xcalloc(1, sizeof(*set));

	set->by_name = map_new();
	return set;
}

static void
secret_free_one(struct secret *s)
{
	buf_fini_secret(&s->contents);
	free(s->name);
	free(s->cert);
	free(s->key);
	free(s);
}

void
secret_set_free(struct secret_set **s)
{
	size_t i;

	if (*s == NULL)
		return;
	for (i = 0; i < (*s)->n; i++)
		secret_free_one((*s)->v[i]);
	free((*s)->v);
	map_free(&(*s)->by_name);
	certs_unref(&(*s)->check);
	free(*s);
	*s = NULL;
}

static bool
text_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Says that `name` is wanted, from these files. */
static void
secret_want(struct secret_set *set, const char *name, const char *cert,
    const char *key)
{
	struct secret *s = map_get(set->by_name, span_str(name));

	if (key != NULL && (*key == '\0' || strcmp(cert, key) == 0))
		key = NULL;
	if (s == NULL) {
		if (set->n >= SECRET_COUNT_MAX)
			return;
		s = xcalloc(1, sizeof(*s));
		buf_init(&s->contents, 2 * SECRET_FILE_MAX + 2);
		s->name = xstrdup(name);
		set->v = xreallocarray(set->v, set->n + 1,
		    sizeof(set->v[0]));
		set->v[set->n++] = s;
		map_put(set->by_name, span_str(name), s);
	}
	if (!text_same(s->cert, cert) || !text_same(s->key, key)) {
		memset(s->marks, 0, sizeof(s->marks));
		free(s->cert);
		free(s->key);
		s->cert = xstrdup(cert);
		s->key = key == NULL ? NULL : xstrdup(key);
	}
	s->wanted = true;
}

/* DOMAIN.crt with its DOMAIN.key; other files are none of ours. */
static void
want_directory(struct secret_set *set, const char *dir)
{
	char *name, *cert, *key;
	struct dirent *e;
	size_t n, i;
	DIR *d = opendir(dir);

	if (d == NULL) {
		log_warning("tls_certificate_directory %s: %s", dir,
		    strerror(errno));
		return;
	}
	while ((e = readdir(d)) != NULL) {
		n = strlen(e->d_name);
		if (n < 5 || strcmp(e->d_name + n - 4, ".crt") != 0)
			continue;
		cert = xasprintf("%s/%s", dir, e->d_name);
		key = xasprintf("%s/%.*s.key", dir, (int)(n - 4), e->d_name);
		name = xasprintf("tls/%.*s", (int)(n - 4), e->d_name);
		for (i = 0; name[i] != '\0'; i++)
			name[i] = ascii_lower(name[i]);
		secret_want(set, name, cert, key);
		free(name);
		free(cert);
		free(key);
	}
	closedir(d);
}

static void
want_all(struct secret_set *set, const struct conf *conf)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		set->v[i]->wanted = false;
	if (conf->tls_certificate_file[0] != '\0')
		secret_want(set, "tls/default", conf->tls_certificate_file,
		    conf->tls_key_file);
	if (conf->tls_certificate_directory[0] != '\0')
		want_directory(set, conf->tls_certificate_directory);
}

static void
mark_of(const char *path, struct mark *m)
{
	struct stat st;

	memset(m, 0, sizeof(*m));
	if (path == NULL || stat(path, &st) != 0)
		return;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->size = st.st_size;
	m->mtime = st.st_mtim;
	m->ctime = st.st_ctim;
}

static bool
mark_same(const struct mark *a, const struct mark *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    a->mtime.tv_sec == b->mtime.tv_sec &&
	    a->mtime.tv_nsec == b->mtime.tv_nsec &&
	    a->ctime.tv_sec == b->ctime.tv_sec &&
	    a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* Notes the files as they are; true when they were others before. */
static bool
secret_moved(struct secret *s)
{
	struct mark now[2];
	bool moved;

	mark_of(s->cert, &now[0]);
	mark_of(s->key, &now[1]);
	moved = !mark_same(&now[0], &s->marks[0]) ||
	    !mark_same(&now[1], &s->marks[1]);
	memcpy(s->marks, now, sizeof(now));
	return moved;
}

static int
secret_read(const struct secret *s, struct buf *out, struct err *err)
{
	int rc;

	rc = file_read(s->cert, SECRET_FILE_MAX, out, err);
	if (rc == 0 && s->key != NULL) {
		buf_char(out, '\n');
		rc = file_read(s->key, 2 * SECRET_FILE_MAX, out, err);
	}
	return rc;
}

/* True when there are new contents to hand out. */
static bool
secret_load(struct secret_set *set, struct secret *s)
{
	struct buf text;
	struct err err;
	bool fresh = false;

	buf_init(&text, 2 * SECRET_FILE_MAX + 2);
	if (secret_read(s, &text, &err) != 0 ||
	    certs_file(set->check, s->name, buf_span(&text), &err) != 0) {
		log_warning("certificate not taken: %s%s", err.why,
		    buf_len(&s->contents) > 0 ?
		    " (the old one stays in use)" : "");
	} else {
		fresh = !span_eq(buf_span(&text), buf_span(&s->contents));
	}
	if (fresh) {
		buf_fini_secret(&s->contents);
		s->contents = text;
		log_info("%s read from %s", s->name, s->cert);
	} else {
		buf_fini_secret(&text);
	}
	return fresh;
}

void
secret_set_scan(struct secret_set *set, const struct conf *conf, bool force,
    secret_changed_fn *changed, void *arg)
{
	struct secret *s;
	size_t i = 0;

	if (set->check == NULL)
		set->check = certs_new(conf);
	want_all(set, conf);
	while (i < set->n) {
		s = set->v[i];
		if (!s->wanted) {
			log_info("%s is no longer there", s->name);
			changed(s->name, SPAN_NONE, arg);
			map_del(set->by_name, span_str(s->name));
			secret_free_one(s);
			set->v[i] = set->v[--set->n];
			continue;
		}
		if ((secret_moved(s) || force) && secret_load(set, s))
			changed(s->name, buf_span(&s->contents), arg);
		i++;
	}
}

void
secret_set_each(const struct secret_set *set, secret_changed_fn *each,
    void *arg)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (buf_len(&set->v[i]->contents) > 0)
			each(set->v[i]->name, buf_span(&set->v[i]->contents),
			    arg);
}

char *
secret_database_password(const struct conf *conf, const char *role,
    struct err *err)
{
	struct buf text;
	char *password = NULL;

	err_clear(err);
	if (role == NULL || conf->database_password_file[0] == '\0')
		return NULL;
	buf_init(&text, SECRET_FILE_MAX + 8192);
	if (file_read(conf->database_password_file, SECRET_FILE_MAX, &text,
	    err) == 0)
		password = db_password_find(buf_span(&text), role);
	buf_fini_secret(&text);
	return password;
}
