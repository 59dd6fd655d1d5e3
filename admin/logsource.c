#include "admin/logsource.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/out.h"
#include "admin/run.h"
#include "base/xmalloc.h"

#define FILES_MAX	400
#define STDIN_MAX	((size_t)1 << 30)
#define JOURNAL_SOCKET	"/run/systemd/journal/socket"
#define SYSLOG_FILE	"/var/log/mail.log"

struct log_file {
	char *path;
	struct timespec mtime;
};

struct logsource {
	struct log_file file[FILES_MAX];	/* oldest first */
	size_t n;
	const char *const *journal;	/* the command that prints it */
	FILE *copy;		/* of standard input: a pipe is read once */
	char *name;
};

/* --- which files --- */

static void
file_add(struct logsource *s, const char *path)
{
	struct stat st;

	if (s->n == FILES_MAX || stat(path, &st) != 0 ||
	    !S_ISREG(st.st_mode))
		return;
	s->file[s->n].path = xstrdup(path);
	s->file[s->n++].mtime = st.st_mtim;
}

static int
file_compare(const void *a, const void *b)
{
	const struct log_file *x = a, *y = b;

	if (x->mtime.tv_sec != y->mtime.tv_sec)
		return x->mtime.tv_sec < y->mtime.tv_sec ? -1 : 1;
	if (x->mtime.tv_nsec != y->mtime.tv_nsec)
		return x->mtime.tv_nsec < y->mtime.tv_nsec ? -1 : 1;
	return 0;
}

/* What logrotate left beside it: NAME.*, NAME-*. */
static void
older_add(struct logsource *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	size_t n = strlen(base);
	struct dirent *e;
	char *dir, *full;
	DIR *d;

	dir = slash == NULL ? xstrdup("./") :
	    xmemdup0(path, (size_t)(slash - path) + 1);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, base, n) != 0 ||
		    (e->d_name[n] != '.' && e->d_name[n] != '-'))
			continue;
		full = xasprintf("%s%s", dir, e->d_name);
		file_add(s, full);
		free(full);
	}
	if (d != NULL)
		closedir(d);
	free(dir);
}

static int
files_find(struct logsource *s, const char *path, struct err *err)
{
	if (access(path, R_OK) != 0)
		return err_errno(err, "%s", path);
	older_add(s, path);
	qsort(s->file, s->n, sizeof(s->file[0]), file_compare);
	file_add(s, path);
	s->name = s->n < 2 ? xstrdup(path) : xasprintf("%s and %zu older %s",
	    path, s->n - 1, s->n == 2 ? "file" : "files");
	return 0;
}

/* A pipe can be read once, and we read twice. */
static int
stdin_copy(struct logsource *s, struct err *err)
{
	char part[65536];
	size_t n, total = 0;
	int fd;

	s->name = xstrdup("standard input");
	fd = memfd_create("log", MFD_CLOEXEC);
	s->copy = fd == -1 ? NULL : fdopen(fd, "w+");
	if (s->copy == NULL)
		return err_errno(err, "memory for standard input");
	while ((n = fread(part, 1, sizeof(part), stdin)) > 0) {
		total += n;
		if (total > STDIN_MAX)
			return err_set(err, ERR_PERM, PS_ETOOBIG, "standard "
			    "input is too much to keep: give the log's name "
			    "instead");
		if (fwrite(part, 1, n, s->copy) != n)
			return err_errno(err, "memory for standard input");
	}
	if (ferror(stdin))
		return err_errno(err, "standard input");
	return 0;
}

/* What came by syslog(3) has lost its head, what came by standard error still
 * has ours. */
static const char *const by_syslog[] = { "journalctl", "--no-pager", "-q",
    "-o", "short", "SYSLOG_FACILITY=2", NULL };
static const char *const by_stderr[] = { "journalctl", "--no-pager", "-q",
    "-o", "cat", "-u", "postern", NULL };

static int
source_find(struct logsource *s, const struct conf *conf, const char *file,
    struct err *err)
{
	const char *path = file != NULL ? file : conf->maillog_file;

	if (file != NULL && strcmp(file, "-") == 0)
		return stdin_copy(s, err);
	if (path[0] != '\0' && strcmp(path, "-") != 0)
		return files_find(s, path, err);
	if (path[0] == '\0' && access(SYSLOG_FILE, R_OK) == 0)
		return files_find(s, SYSLOG_FILE, err);
	if (access(JOURNAL_SOCKET, F_OK) == 0) {
		s->journal = path[0] == '\0' ? by_syslog : by_stderr;
		s->name = xstrdup("the journal");
		return 0;
	}
	return err_set(err, ERR_PERM, PS_ENOTFOUND, "the log does not go to "
	    "a file (maillog_file is `%s'), there is no " SYSLOG_FILE
	    " and no journal: say where it is with --log=FILE, or --log=- "
	    "for standard input", path);
}

struct logsource *
logsource_open(const struct conf *conf, const char *file, struct err *err)
{
	struct logsource *s = xcalloc(1, sizeof(*s));

	if (source_find(s, conf, file, err) != 0)
		logsource_free(&s);
	return s;
}

void
logsource_free(struct logsource **sp)
{
	struct logsource *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	while (s->n > 0)
		free(s->file[--s->n].path);
	if (s->copy != NULL)
		fclose(s->copy);
	free(s->name);
	free(s);
}

const char *
logsource_name(const struct logsource *s)
{
	return s->name;
}

/* --- lines --- */

/* The rest of a line that was cut is skipped. */
static void
lines_read(FILE *f, void (*line)(struct span, void *), void *arg)
{
	char text[LOGSOURCE_LINE_MAX];
	bool skip = false;
	size_t n;

	while (fgets(text, sizeof(text), f) != NULL) {
		bool whole;

		n = strlen(text);
		whole = n > 0 && text[n - 1] == '\n';
		n -= whole;
		if (!skip)
			line(span_of(text, n), arg);
		skip = !whole;
	}
}

/* Reads what a program prints. */
static int
program_lines(const char *const *argv, void (*line)(struct span, void *),
    void *arg, struct err *err)
{
	struct run_pipe p;
	FILE *f;

	if (run_pipe_open(&p, argv, err) != 0)
		return err->code;
	f = fdopen(p.fd, "r");
	if (f == NULL)
		return err_errno(err, "fdopen");
	lines_read(f, line, arg);
	fclose(f);
	return run_pipe_end(&p, argv[0], err);
}

static int
file_lines(const char *path, void (*line)(struct span, void *), void *arg,
    struct err *err)
{
	const char *const gzip[] = { "gzip", "-dc", "--", path, NULL };
	FILE *f;

	if (span_ends(span_str(path), ".gz"))
		return program_lines(gzip, line, arg, err);
	f = fopen(path, "re");
	if (f == NULL)
		return err_errno(err, "%s", path);
	lines_read(f, line, arg);
	fclose(f);
	return 0;
}

/* An old file that cannot be read does not hide the others; it is told of
 * once, though all is read twice. */
static void
file_drop(struct logsource *s, size_t i, struct err *err)
{
	out_complain("postern: %s is left out: %s\n", s->file[i].path,
	    err->why);
	*err = (struct err){ 0 };
	free(s->file[i].path);
	s->n--;
	memmove(&s->file[i], &s->file[i + 1],
	    (s->n - i) * sizeof(s->file[0]));
}

int
logsource_each(struct logsource *s, void (*line)(struct span, void *),
    void *arg, struct err *err)
{
	size_t i;
	int rc;

	if (s->journal != NULL)
		return program_lines(s->journal, line, arg, err);
	if (s->copy != NULL) {
		rewind(s->copy);
		lines_read(s->copy, line, arg);
	}
	for (i = 0; i < s->n; i++) {
		rc = file_lines(s->file[i].path, line, arg, err);
		if (rc != 0 && i + 1 == s->n)
			return rc;
		if (rc != 0)
			file_drop(s, i--, err);
	}
	return 0;
}
