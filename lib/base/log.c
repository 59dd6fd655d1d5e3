#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/span.h"

/* <syslog.h> and we both have LOG_*; ours carry the L. */

#define LINE_MAX_BYTES	2048
#define HOLD_BYTES	16384

static struct {
	pthread_mutex_t lock;
	enum { TO_STDERR, TO_FD, TO_SYSLOG } to;
	enum log_level lowest;
	int fd;
	char ident[96];		/* "postern/smtpd" */
	char host[65];
	void (*tap)(enum log_level, const char *, void *);
	void *tap_arg;
	size_t held;
	char hold[HOLD_BYTES];
	time_t stamp_at;
	char stamp[32];		/* "Nov 20 10:57:48" of stamp_at */
} lg = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.fd = STDERR_FILENO,
	.lowest = LOG_L_INFO,
	.ident = "postern",
};

static const struct {
	const char *prefix;
	int priority;
} levels[] = {
	[LOG_L_DEBUG] = { "", LOG_DEBUG },
	[LOG_L_INFO] = { "", LOG_INFO },
	[LOG_L_WARNING] = { "warning: ", LOG_WARNING },
	[LOG_L_ERROR] = { "error: ", LOG_ERR },
	[LOG_L_FATAL] = { "fatal: ", LOG_CRIT },
};

static void
write_all(const char *p, size_t n)
{
	ssize_t done;

	while (n > 0) {
		done = write(lg.fd, p, n);
		if (done == -1 && errno == EINTR)
			continue;
		if (done <= 0)
			return;		/* nowhere left to complain to */
		p += done;
		n -= (size_t)done;
	}
}

static void
flush_locked(void)
{
	write_all(lg.hold, lg.held);
	lg.held = 0;
}

static void
open_common(const char *syslog_name, const char *service)
{
	flush_locked();
	if (service == NULL || service[0] == '\0')
		(void)snprintf(lg.ident, sizeof(lg.ident), "%s", syslog_name);
	else
		(void)snprintf(lg.ident, sizeof(lg.ident), "%s/%s",
		    syslog_name, service);
	if (gethostname(lg.host, sizeof(lg.host) - 1) == -1)
		(void)snprintf(lg.host, sizeof(lg.host), "localhost");
	lg.host[strcspn(lg.host, ".")] = '\0';
}

void
log_open_stderr(const char *syslog_name, const char *service)
{
	pthread_mutex_lock(&lg.lock);
	open_common(syslog_name, service);
	lg.to = TO_STDERR;
	lg.fd = STDERR_FILENO;
	pthread_mutex_unlock(&lg.lock);
}

void
log_open_fd(const char *syslog_name, const char *service, int fd)
{
	pthread_mutex_lock(&lg.lock);
	open_common(syslog_name, service);
	lg.to = TO_FD;
	lg.fd = fd;
	pthread_mutex_unlock(&lg.lock);
}

void
log_open_syslog(const char *syslog_name, const char *service)
{
	pthread_mutex_lock(&lg.lock);
	open_common(syslog_name, service);
	lg.to = TO_SYSLOG;
	openlog(lg.ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
	pthread_mutex_unlock(&lg.lock);
}

void
log_level_set(enum log_level lowest)
{
	lg.lowest = lowest;
}

bool
log_wants(enum log_level level)
{
	return level >= lg.lowest;
}

void
log_flush(void)
{
	if (lg.held == 0)
		return;
	pthread_mutex_lock(&lg.lock);
	flush_locked();
	pthread_mutex_unlock(&lg.lock);
}

void
log_tap(void (*cb)(enum log_level, const char *, void *), void *arg)
{
	lg.tap = cb;
	lg.tap_arg = arg;
}

/* Length of the line without a UTF-8 character that vsnprintf cut through. */
static size_t
line_whole(const char *line, size_t n)
{
	size_t at = n;

	while (at > 0 && n - at < 3 && ((unsigned char)line[at - 1] & 0xc0) ==
	    0x80)
		at--;
	if (at == 0 || (unsigned char)line[at - 1] < 0xc0 ||
	    span_is_utf8(span_of(line + at - 1, n - at + 1)))
		return n;
	return at - 1;
}

/* Control bytes (C1 ones in UTF-8 too: terminals obey them), and all of a
 * line that is not UTF-8, never reach the log. */
static void
line_clean(char *line, size_t n)
{
	bool utf8 = span_is_utf8(span_of(line, n));
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line[i];

		if (c < 0x20 || c == 0x7f || (c > 0x7f && !utf8))
			line[i] = '?';
		else if (c == 0xc2 && (unsigned char)line[i + 1] < 0xa0) {
			line[i] = '?';
			line[++i] = '?';
		}
	}
}

static const char *
stamp_of(time_t now)
{
	struct tm tm;

	if (now != lg.stamp_at || lg.stamp[0] == '\0') {
		lg.stamp_at = now;
		(void)localtime_r(&now, &tm);
		(void)strftime(lg.stamp, sizeof(lg.stamp), "%b %e %T", &tm);
	}
	return lg.stamp;
}

static void
line_to_fd(enum log_level level, const char *line)
{
	char head[256];
	time_t now = (time_t)(clock_wall_us() / 1000000);
	int hn;
	size_t ln = strlen(line);

	/* whole seconds, as syslog writes: pflogsumm reads no others */
	hn = snprintf(head, sizeof(head), "%s %s %s[%d]: ", stamp_of(now),
	    lg.host, lg.ident, (int)getpid());
	if (hn < 0)
		return;
	if (lg.held + (size_t)hn + ln + 1 > sizeof(lg.hold))
		flush_locked();
	memcpy(lg.hold + lg.held, head, (size_t)hn);
	memcpy(lg.hold + lg.held + hn, line, ln);
	lg.hold[lg.held + (size_t)hn + ln] = '\n';
	lg.held += (size_t)hn + ln + 1;
	if (level >= LOG_L_WARNING || lg.to == TO_STDERR)
		flush_locked();
}

static void PRINTF(2, 0)
log_v(enum log_level level, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "%s", levels[level].prefix);
	(void)vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	n = strlen(line);
	if (n == sizeof(line) - 1) {
		n = line_whole(line, n);
		line[n] = '\0';
	}
	line_clean(line, n);
	pthread_mutex_lock(&lg.lock);
	if (lg.tap != NULL)
		lg.tap(level, line, lg.tap_arg);
	else if (lg.to == TO_SYSLOG)
		syslog(levels[level].priority, "%s", line);
	else
		line_to_fd(level, line);
	pthread_mutex_unlock(&lg.lock);
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	log_v(level, fmt, ap);
	va_end(ap);
	errno = saved;
}

void
log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_v(LOG_L_FATAL, fmt, ap);
	va_end(ap);
	log_flush();
	exit(75);
}
