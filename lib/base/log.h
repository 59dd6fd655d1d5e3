/*
 * The log: one event per line, to syslog, a descriptor that posternd opened,
 * or stderr. Control bytes and invalid UTF-8 in a line become '?' here, so
 * callers pass outside text as it is. Events Postfix also has are worded as
 * Postfix words them. No secret and no message body, at any level.
 *
 * A line to a descriptor reads
 *   Nov 20 10:57:48 host postern/smtpd[811]: 3kF9tQ01: client=...
 * Info and debug lines may wait until log_flush() (the loop calls it before
 * it sleeps); warnings and worse are written at once.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/macros.h"

enum log_level {
	LOG_L_DEBUG,		/* for us */
	LOG_L_INFO,		/* what happened */
	LOG_L_WARNING,		/* someone should look */
	LOG_L_ERROR,		/* an operation failed for our reasons */
	LOG_L_FATAL		/* this process stops */
};

/* Before log_open lines go to stderr. `service` is e.g. "smtpd" (copied). */
void log_open_stderr(const char *syslog_name, const char *service);
/* Lines go to fd (O_APPEND); the log does not own it and never closes it. */
void log_open_fd(const char *syslog_name, const char *service, int fd);
void log_open_syslog(const char *syslog_name, const char *service);
void log_level_set(enum log_level lowest);
bool log_wants(enum log_level level);
void log_flush(void);
/* Tests: every finished line (no newline) also goes to cb. */
void log_tap(void (*cb)(enum log_level, const char *line, void *arg),
    void *arg);

void log_at(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
/* Logs as fatal, flushes, exits 75 (EX_TEMPFAIL). */
void log_fatal(const char *fmt, ...) PRINTF(1, 2) NORETURN;

#define log_debug(...) \
	(log_wants(LOG_L_DEBUG) ? log_at(LOG_L_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)	log_at(LOG_L_INFO, __VA_ARGS__)
#define log_warning(...) log_at(LOG_L_WARNING, __VA_ARGS__)
#define log_error(...)	log_at(LOG_L_ERROR, __VA_ARGS__)

#endif
