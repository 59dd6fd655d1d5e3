/*
 * One line of the mail log, as this program, syslog or journald wrote it:
 *
 *	Nov 20 10:57:48 mx postern/smtpd[811]: 3kF9tQ01Ab00: client=...
 *	2026-11-20T10:57:48.123456+01:00 mx postern/smtpd[811]: ...
 *
 * Reads bytes that clients had a part in: nothing is believed but the form.
 */
#ifndef ADMIN_LOGLINE_H
#define ADMIN_LOGLINE_H

#include "base/span.h"

struct logline {
	struct span when;	/* as written */
	struct span service;	/* "smtpd"; "" for lines of the name alone */
	struct span pid;	/* digits, or "" */
	struct span text;
};

/* All spans point into `line`. False when it is not a line of syslog_name. */
bool logline_parse(struct span line, const char *syslog_name,
    struct logline *out) MUST_CHECK;

/* The queue id (12 characters) or session id (10) at the front of a text,
 * before a colon or a space; else "" (NOQUEUE and what is about no message). */
struct span logline_id(struct span text);

/*
 * The value behind `key` at a word's start: of "to=<a@b>, relay=x, ..." the
 * key "to" gives "a@b" and "relay" gives "x". In <> a value goes to the first
 * '>', otherwise to the next comma or space. "" when there is none.
 */
struct span logline_value(struct span text, const char *key);

#endif
