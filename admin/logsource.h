/*
 * Where the mail log is, and its lines from the oldest on: the file of
 * maillog_file with what logrotate made of it (FILE.1, FILE.2.gz,
 * FILE-20261128.gz), the same of /var/log/mail.log for syslog, or journald.
 * For the CLI: blocks.
 */
#ifndef ADMIN_LOGSOURCE_H
#define ADMIN_LOGSOURCE_H

#include "base/conf.h"
#include "base/err.h"
#include "base/span.h"

struct logsource;

/* `file`: this one and no other, "-" standard input; NULL: found by conf.
 * NULL with err when there is no log that we may read. */
struct logsource *logsource_open(const struct conf *conf, const char *file,
    struct err *err);
void logsource_free(struct logsource **s);

/*
 * Calls line(text, arg) for each line, without its end; may be called again
 * for a second pass. Lines of LOGSOURCE_LINE_MAX bytes and more are cut. 0, or
 * a negative PS_E* with err.
 */
#define LOGSOURCE_LINE_MAX	8192
int logsource_each(struct logsource *s,
    void (*line)(struct span text, void *arg), void *arg,
    struct err *err) MUST_CHECK;

/* "/var/log/mail.log and 3 older files", for people. */
const char *logsource_name(const struct logsource *s);

#endif
