#include "delivery/quota_letter.h"

#include <stdio.h>

#include "mail/date.h"

static const char text_full[] =
"Subject: Your mailbox is ${percent} % full\n"
"\n"
"Hello,\n"
"\n"
"your mailbox ${user} is ${percent} % full: ${usage}.\n"
"\n"
"When it is full, new mail to you is refused, and its senders are told so.\n"
"Please delete messages that you need no more, and those in your folders for\n"
"deleted mail and junk.\n"
"\n"
"You get this message once when ${level} % is reached.\n";

static const char text_cleared[] =
"Subject: Your mailbox has room again\n"
"\n"
"Hello,\n"
"\n"
"your mailbox ${user} has room again; ${percent} % is used: ${usage}.\n";

/* --- figures ---------------------------------------------------------------- */

static void
size_put(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		i++;
	}
	buf_fmt(out, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

static void
put_user(const struct quota_letter *l, struct buf *out)
{
	buf_span_add(out, l->user);
}

static void
put_percent(const struct quota_letter *l, struct buf *out)
{
	buf_dec(out, l->percent);
}

static void
put_level(const struct quota_letter *l, struct buf *out)
{
	buf_dec(out, l->level);
}

static void
put_hostname(const struct quota_letter *l, struct buf *out)
{
	buf_str(out, l->hostname);
}

static void
put_used(const struct quota_letter *l, struct buf *out)
{
	size_put(out, l->bytes);
}

static void
put_limit(const struct quota_letter *l, struct buf *out)
{
	if (l->limit_bytes > 0)
		size_put(out, l->limit_bytes);
	else
		buf_str(out, "-");
}

static void
put_messages(const struct quota_letter *l, struct buf *out)
{
	buf_dec(out, l->messages);
}

static void
put_limit_messages(const struct quota_letter *l, struct buf *out)
{
	if (l->limit_messages > 0)
		buf_dec(out, l->limit_messages);
	else
		buf_str(out, "-");
}

/* "1.9 GB of 2.0 GB, 950 of 1000 messages": only what has a limit. */
static void
put_usage(const struct quota_letter *l, struct buf *out)
{
	size_put(out, l->bytes);
	if (l->limit_bytes > 0) {
		buf_str(out, " of ");
		size_put(out, l->limit_bytes);
	}
	buf_str(out, ", ");
	buf_dec(out, l->messages);
	if (l->limit_messages > 0) {
		buf_str(out, " of ");
		buf_dec(out, l->limit_messages);
	}
	buf_str(out, " messages");
}

static const struct {
	const char *name;
	void (*put)(const struct quota_letter *, struct buf *);
} names[] = {
	{ "user", put_user },
	{ "percent", put_percent },
	{ "level", put_level },
	{ "usage", put_usage },
	{ "used", put_used },
	{ "limit", put_limit },
	{ "messages", put_messages },
	{ "limit_messages", put_limit_messages },
	{ "hostname", put_hostname },
};

/* --- lines ------------------------------------------------------------------- */

#define NAME_MAX_LEN	32

static bool
name_put(const struct quota_letter *l, struct span name, struct buf *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (span_eq(name, span_str(names[i].name))) {
			names[i].put(l, out);
			return true;
		}
	return false;
}

/* Length of the name in "${name}" at i; 0: there is none. */
static size_t
name_at(struct span line, size_t i)
{
	size_t n = 0;

	if (line.n - i < 3 || line.p[i] != '$' || line.p[i + 1] != '{')
		return 0;
	for (i += 2; i + n < line.n && line.p[i + n] != '}'; n++)
		if (n == NAME_MAX_LEN)
			return 0;
	return i + n < line.n ? n : 0;
}

static void
line_put(const struct quota_letter *l, struct span line, struct buf *out)
{
	size_t i, n;

	for (i = 0; i < line.n; i++) {
		n = name_at(line, i);
		if (n > 0 && name_put(l, span_of(line.p + i + 2, n), out))
			i += n + 2;
		/* a template cannot smuggle a bare CR or NUL in */
		else if (line.p[i] != '\r' && line.p[i] != '\0')
			buf_char(out, line.p[i]);
	}
	buf_str(out, "\r\n");
}

/* Does the head of the template say `name` itself? */
static bool
says(struct span template, const char *name)
{
	struct span line;
	size_t n = strlen(name);

	while (template.n > 0 && span_split(&template, '\n', &line)) {
		line = span_trim(line);
		if (line.n == 0)
			return false;
		if (line.n > n && line.p[n] == ':' &&
		    span_is(span_sub(line, 0, n), name))
			return true;
	}
	return false;
}

/* Auto-Submitted keeps vacation programs and lists quiet (RFC 3834). */
static void
head_put(const struct quota_letter *l, struct span template, struct buf *out)
{
	char date[DATE_RFC5322_MAX];

	(void)date_format_rfc5322(date, l->now, 0);
	buf_fmt(out, "Date: %s\r\n", date);
	if (!says(template, "From"))
		buf_fmt(out, "From: postmaster@%s\r\n", l->origin);
	if (!says(template, "To")) {
		buf_str(out, "To: ");
		buf_span_add(out, l->user);
		buf_str(out, "\r\n");
	}
	buf_fmt(out, "Message-ID: <quota.%llu.%llu@%s>\r\n",
	    (unsigned long long)l->mailbox_id, (unsigned long long)l->number,
	    l->hostname);
	buf_str(out, "Auto-Submitted: auto-generated\r\n");
	if (!says(template, "MIME-Version"))
		buf_str(out, "MIME-Version: 1.0\r\n");
	if (!says(template, "Content-Type"))
		buf_str(out, "Content-Type: text/plain; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: 8bit\r\n");
	buf_fmt(out, "X-Quota-Warning: level=%u percent=%u\r\n", l->level,
	    l->percent);
}

void
quota_letter_make(const struct quota_letter *l, struct span template,
    struct buf *out)
{
	struct span line;

	if (template.n == 0)
		template = span_str(l->level > 0 ? text_full : text_cleared);
	head_put(l, template, out);
	while (template.n > 0 && span_split(&template, '\n', &line))
		line_put(l, line, out);
}
