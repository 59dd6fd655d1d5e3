/* Users from elsewhere, all at once. */
#include "admin/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/import.h"
#include "admin/postfixadmin.h"
#include "base/xmalloc.h"

struct source {
	struct import *im;
	const char *name;	/* for people */
};

static void
row_cb(const struct user_row *row, void *arg)
{
	struct source *s = arg;
	char *where = xasprintf("%s:%u", s->name, row->line);

	import_row(s->im, where, row);
	free(where);
}

static void
fault_cb(unsigned line, const char *why, void *arg)
{
	struct source *s = arg;
	char *where = xasprintf("%s:%u", s->name, line);

	import_fault(s->im, where, "%s", why);
	free(where);
}

static bool
file_import(struct import *im, const char *path, enum userfile_format format,
    int *rc)
{
	static const struct userfile_ops ops = { row_cb, fault_cb };
	struct source s = { im, strcmp(path, "-") == 0 ? "standard input" :
	    path };
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO :
	    open(path, O_RDONLY | O_CLOEXEC);
	struct userfile *f;
	char block[65536];
	ssize_t n = -1;

	if (fd != -1) {
		f = userfile_new(format, &ops, &s);
		while ((n = read(fd, block, sizeof(block))) > 0 ||
		    (n == -1 && errno == EINTR))
			if (n > 0)
				userfile_feed(f, span_of(block, (size_t)n));
		userfile_end(&f);
		secure_wipe(block, sizeof(block));
	}
	if (n == -1)
		out_complain("postern: %s: %s\n", s.name, strerror(errno));
	if (fd > STDIN_FILENO)
		close(fd);
	*rc = n == -1 ? EX_NOINPUT : EX_OK;
	return n != -1;
}

int
cmd_import(struct cli *cli)
{
	const char *format = cli_option(cli, "--format");
	struct import_how how = {
		.check = cli_option(cli, "--check") != NULL,
		.keep_going = cli_option(cli, "--keep-going") != NULL,
		.update = cli_option(cli, "--update") != NULL,
		.make_domains = cli_option(cli, "--make-domains") != NULL,
		.organisation = cli_option(cli, "--organisation"),
		.domain = cli_option(cli, "--domain"),
		.scheme = cli_option(cli, "--scheme"),
	};
	struct import *im;
	bool read;
	int rc, end;

	if (format == NULL)
		format = "csv";
	if (strcmp(format, "csv") != 0 && strcmp(format, "passwd-file") != 0 &&
	    strcmp(format, "postfixadmin") != 0)
		return cli_usage(cli, "--format is csv, passwd-file or "
		    "postfixadmin");
	/* What Dovecot and PostfixAdmin take a bare hash for. */
	if (how.scheme == NULL && strcmp(format, "csv") != 0)
		how.scheme = "CRYPT";
	im = import_begin(cli, &how, &rc);
	if (im == NULL)
		return rc;
	if (strcmp(format, "postfixadmin") == 0)
		read = postfixadmin_read(im, cli->word[0], &rc);
	else
		read = file_import(im, cli->word[0], strcmp(format, "csv") ==
		    0 ? USERFILE_CSV : USERFILE_PASSWD, &rc);
	if (!read)
		import_give_up(im);
	end = import_end(&im);
	return read ? end : rc;
}
