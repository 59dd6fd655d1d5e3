/*
 * Dates as mail writes them: RFC 5322 3.3 (obsolete forms included) and
 * IMAP's (RFC 3501 9: date, date-time). No locale, no time zone database.
 */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/span.h"

struct date {
	int64_t utc;		/* seconds since 1970 */
	int zone;		/* minutes east of UTC, as written */
};

/* "Fri, 21 Nov 1997 09:55:06 -0600". False when it is no date. */
bool date_parse(struct span text, struct date *d) MUST_CHECK;
/* "17-Jul-1996 02:44:25 -0700", day may be space-padded. */
bool date_parse_imap(struct span text, struct date *d) MUST_CHECK;
/* "1-Feb-1994": days since 1970. */
bool date_parse_imap_day(struct span text, int32_t *day) MUST_CHECK;

/* Days since 1970 of the calendar day that was written. */
int32_t date_day(const struct date *d);

#define DATE_IMAP_LEN	26
#define DATE_RFC5322_MAX 40
/* Writes exactly DATE_IMAP_LEN bytes, no NUL. Years are clamped to
 * 0..9999. */
void date_format_imap(char out[DATE_IMAP_LEN], int64_t utc, int zone);
/* "Fri, 20 Nov 2026 10:57:48 +0000" with NUL; returns its length. */
size_t date_format_rfc5322(char out[DATE_RFC5322_MAX], int64_t utc, int zone);

#endif
