/*
 * postern.conf as posternd holds it: the text that was read, which children
 * are sent, and the snapshot that was parsed from exactly that text.
 */
#ifndef ADMIN_CONFIGFILE_H
#define ADMIN_CONFIGFILE_H

#include "base/conf.h"

#define DEFAULT_CONFIG	PS_SYSCONFDIR "/postern/postern.conf"

struct configfile {
	char *path;		/* absolute */
	char *text;
	size_t n;
	struct conf *conf;
};

/* Reads and parses. On failure *cf is untouched and `complaints` says why,
 * one line per mistake. */
bool configfile_read(struct configfile *cf, const char *path,
    struct buf *complaints) MUST_CHECK;
void configfile_fini(struct configfile *cf);

/* Reads a whole file of at most `max` bytes into `out`. */
int file_read(const char *path, size_t max, struct buf *out, struct err *err)
    MUST_CHECK;

#endif
