#include "mail/date.h"

#include <stdio.h>

static const char months[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};
static const char days[7][4] = {
	"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
};

static const struct {
	const char *name;
	int minutes;
} zones[] = {
	{ "UT", 0 }, { "GMT", 0 }, { "Z", 0 },
	{ "EDT", -4 * 60 }, { "EST", -5 * 60 },
	{ "CDT", -5 * 60 }, { "CST", -6 * 60 },
	{ "MDT", -6 * 60 }, { "MST", -7 * 60 },
	{ "PDT", -7 * 60 }, { "PST", -8 * 60 }
};

struct civil {
	int year, month, day;		/* month, day from 1 */
	int hour, minute, second;
};

/* Proleptic Gregorian calendar, years 0 and later. */
static int64_t
days_from_civil(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void
civil_from_days(int64_t z, struct civil *c)
{
	int64_t era, doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	c->day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c->month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c->year = (int)(yoe + era * 400 + (c->month <= 2));
}

static bool
civil_ok(const struct civil *c)
{
	static const int len[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
	    30, 31 };

	return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
	    c->day <= len[c->month - 1] && c->year >= 0 && c->year <= 9999 &&
	    c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

static void
date_set(struct date *d, const struct civil *c, int zone)
{
	d->zone = zone;
	d->utc = days_from_civil(c->year, c->month, c->day) * 86400 +
	    c->hour * 3600 + c->minute * 60 + c->second - zone * 60;
}

/* Up to `max` digits; false when there is none or one too many. */
static bool
take_number(struct span *s, size_t max, int *out, size_t *digits)
{
	size_t i;
	int v = 0;

	for (i = 0; i < s->n && i < max &&
	    ascii_isdigit((unsigned char)s->p[i]); i++)
		v = v * 10 + (s->p[i] - '0');
	if (i == 0 || (i < s->n && ascii_isdigit((unsigned char)s->p[i])))
		return false;
	*s = span_sub(*s, i, s->n);
	*out = v;
	if (digits != NULL)
		*digits = i;
	return true;
}

static bool
take_char(struct span *s, char c)
{
	if (s->n == 0 || *s->p != c)
		return false;
	*s = span_sub(*s, 1, s->n);
	return true;
}

static bool
take_month(struct span *s, int *month)
{
	int i;

	for (i = 0; i < 12; i++)
		if (s->n >= 3 && span_starts(*s, months[i])) {
			*month = i + 1;
			*s = span_sub(*s, 3, s->n);
			return true;
		}
	return false;
}

/* White space and comments, which dates may have anywhere. */
static void
skip_cfws(struct span *s)
{
	int depth = 0;

	while (s->n > 0) {
		char c = *s->p;

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0 && s->n > 1)
			*s = span_sub(*s, 1, s->n);
		else if (depth == 0 && !ascii_isspace((unsigned char)c))
			return;
		*s = span_sub(*s, 1, s->n);
	}
}

static void
skip_letters(struct span *s)
{
	while (s->n > 0 && ascii_isalpha((unsigned char)*s->p))
		*s = span_sub(*s, 1, s->n);
}

/* "+0100", "GMT"; anything else counts as +0000 (RFC 5322 4.3). */
static int
take_zone(struct span *s)
{
	bool east;
	int v;
	size_t i, digits;

	skip_cfws(s);
	east = take_char(s, '+');
	if (east || take_char(s, '-')) {
		if (!take_number(s, 4, &v, &digits) || digits != 4 ||
		    v % 100 > 59 || v / 100 > 23)
			return 0;
		v = v / 100 * 60 + v % 100;
		return east ? v : -v;
	}
	for (i = 0; i < ARRAY_LEN(zones); i++)
		if (span_starts(*s, zones[i].name) &&
		    (s->n == strlen(zones[i].name) ||
		    !ascii_isalpha((unsigned char)
		    s->p[strlen(zones[i].name)])))
			return zones[i].minutes;
	return 0;
}

static bool
take_time(struct span *s, struct civil *c)
{
	skip_cfws(s);
	if (!take_number(s, 2, &c->hour, NULL))
		return false;
	skip_cfws(s);
	if (!take_char(s, ':'))
		return false;
	skip_cfws(s);
	if (!take_number(s, 2, &c->minute, NULL))
		return false;
	skip_cfws(s);
	if (!take_char(s, ':'))
		return true;
	skip_cfws(s);
	return take_number(s, 2, &c->second, NULL);
}

/* A separator of old software: "21-Nov-97". */
static void
skip_dash(struct span *s)
{
	skip_cfws(s);
	take_char(s, '-');
	skip_cfws(s);
}

bool
date_parse(struct span text, struct date *d)
{
	struct civil c = { .second = 0 };
	struct span s = text;
	size_t digits;

	skip_cfws(&s);
	skip_letters(&s);			/* day name */
	skip_cfws(&s);
	take_char(&s, ',');
	skip_cfws(&s);
	if (!take_number(&s, 2, &c.day, NULL))
		return false;
	skip_dash(&s);
	if (!take_month(&s, &c.month))
		return false;
	skip_letters(&s);
	skip_dash(&s);
	if (!take_number(&s, 4, &c.year, &digits))
		return false;
	if (digits <= 2)
		c.year += c.year < 50 ? 2000 : 1900;
	else if (digits == 3)
		c.year += 1900;
	if (!take_time(&s, &c) || !civil_ok(&c))
		return false;
	date_set(d, &c, take_zone(&s));
	return true;
}

static bool
take_imap_day(struct span *s, struct civil *c)
{
	size_t digits;

	return take_number(s, 2, &c->day, NULL) && take_char(s, '-') &&
	    take_month(s, &c->month) && take_char(s, '-') &&
	    take_number(s, 4, &c->year, &digits) && digits == 4;
}

bool
date_parse_imap(struct span text, struct date *d)
{
	struct civil c = { .second = 0 };
	struct span s = text;
	size_t digits;
	int zone;
	bool east;

	take_char(&s, ' ');
	if (!take_imap_day(&s, &c) || !take_char(&s, ' ') ||
	    !take_number(&s, 2, &c.hour, NULL) || !take_char(&s, ':') ||
	    !take_number(&s, 2, &c.minute, NULL) || !take_char(&s, ':') ||
	    !take_number(&s, 2, &c.second, NULL) || !take_char(&s, ' ') ||
	    !civil_ok(&c))
		return false;
	east = take_char(&s, '+');
	if ((!east && !take_char(&s, '-')) ||
	    !take_number(&s, 4, &zone, &digits) || digits != 4 || s.n != 0 ||
	    zone % 100 > 59 || zone / 100 > 23)
		return false;
	zone = zone / 100 * 60 + zone % 100;
	date_set(d, &c, east ? zone : -zone);
	return true;
}

bool
date_parse_imap_day(struct span text, int32_t *day)
{
	struct civil c = { .second = 0 };
	struct span s = text;

	if (!take_imap_day(&s, &c) || s.n != 0 || !civil_ok(&c))
		return false;
	*day = (int32_t)days_from_civil(c.year, c.month, c.day);
	return true;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int32_t
date_day(const struct date *d)
{
	return (int32_t)floor_div(d->utc + d->zone * 60, 86400);
}

/* Splits into civil time at `zone`; returns the day number. */
static int64_t
civil_at(struct civil *c, int64_t utc, int zone)
{
	int64_t t, day;

	/* years 0 to 9999: what four digits can say */
	utc = MAX(utc, -62167132800);
	utc = MIN(utc, 253402214400);
	t = utc + zone * 60;
	day = floor_div(t, 86400);
	civil_from_days(day, c);
	t -= day * 86400;
	c->hour = (int)(t / 3600);
	c->minute = (int)(t / 60 % 60);
	c->second = (int)(t % 60);
	return day;
}

static void
two(char *p, int v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
}

static void
four(char *p, int v)
{
	two(p, v / 100);
	two(p + 2, v % 100);
}

static void
zone_put(char *p, int zone)
{
	int v = zone < 0 ? -zone : zone;

	p[0] = zone < 0 ? '-' : '+';
	two(p + 1, v / 60);
	two(p + 3, v % 60);
}

void
date_format_imap(char out[DATE_IMAP_LEN], int64_t utc, int zone)
{
	struct civil c;

	civil_at(&c, utc, zone);
	memcpy(out, "dd-mmm-yyyy hh:mm:ss +zzzz", DATE_IMAP_LEN);
	two(out, c.day);
	if (c.day < 10)
		out[0] = ' ';
	memcpy(out + 3, months[c.month - 1], 3);
	four(out + 7, c.year);
	two(out + 12, c.hour);
	two(out + 15, c.minute);
	two(out + 18, c.second);
	zone_put(out + 21, zone);
}

size_t
date_format_rfc5322(char out[DATE_RFC5322_MAX], int64_t utc, int zone)
{
	struct civil c;
	int64_t day;
	int n;

	day = civil_at(&c, utc, zone);
	n = snprintf(out, DATE_RFC5322_MAX, "%s, %d %s %04d %02d:%02d:%02d ",
	    days[((day + 4) % 7 + 7) % 7], c.day, months[c.month - 1], c.year,
	    c.hour, c.minute, c.second);
	zone_put(out + n, zone);
	out[n + 5] = '\0';
	return (size_t)n + 5;
}
