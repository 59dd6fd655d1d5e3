/*
 * The actions of access(5) that are about the message and not about who
 * sends it: HOLD, DISCARD, PREPEND, REDIRECT, BCC, FILTER. Here they are
 * checked, cleaned and worded as Postfix words them; whose message it is
 * (gate_ops.effect) carries them out. What can't be carried out where it
 * stands is skipped with a warning, as in Postfix.
 */
#include <stdio.h>

#include "base/log.h"
#include "gate/access.h"
#include "gate/checks.h"
#include "mail/address.h"

#define HEADER_LINE_MAX	998	/* RFC 5322 2.1.1 */

struct effect {
	const struct access *a;
	const char *table;
	struct span key;
	struct buf arg;		/* a->text without control bytes */
};

/* Once, however often the check is asked again. */
static bool
refused(struct gate_eval *e, const struct effect *f, const char *why)
{
	if (gate_once(e))
		log_warning("access table %s entry \"%.*s\" %s", f->table,
		    SPAN_ARG(f->key), why);
	return false;
}

static bool
not_header(struct gate_eval *e, const struct effect *f)
{
	if (gate_once(e))
		log_warning("access table %s: action PREPEND must be used "
		    "before smtpd_end_of_data_restrictions", f->table);
	return false;
}

/* "name: value", as the first line of a header field. */
static bool
is_header(struct span s)
{
	ptrdiff_t colon = span_chr(s, ':');
	struct span name = span_sub(s, 0, colon < 0 ? 0 : (size_t)colon);
	size_t i;

	while (name.n > 0 && (name.p[name.n - 1] == ' ' ||
	    name.p[name.n - 1] == '\t'))
		name.n--;
	for (i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] == 0x7f)
			return false;
	return name.n > 0;
}

static bool
wants_header(struct gate_eval *e, const struct effect *f)
{
	struct span s = buf_span(&f->arg);

	if (e->stage == GATE_END_OF_DATA)
		return not_header(e, f);
	if (!is_header(s))
		return refused(e, f, "requires header: text");
	return s.n <= HEADER_LINE_MAX || refused(e, f, "has a header line of more "
	    "than 998 bytes");
}

static bool
wants_address(struct gate_eval *e, const struct effect *f)
{
	struct buf normal;
	bool ok;

	buf_init(&normal, ADDRESS_MAX);
	ok = address_normal_text(buf_span(&f->arg), &normal, NULL) == 0 &&
	    span_chr(buf_span(&normal), '@') > 0;
	buf_fini(&normal);
	return ok || refused(e, f, "requires user@domain target");
}

static bool
wants_transport(struct gate_eval *e, const struct effect *f)
{
	if (buf_len(&f->arg) == 0)
		return refused(e, f, "has FILTER entry without value");
	if (span_chr(buf_span(&f->arg), ':') < 0)
		return refused(e, f, "requires transport:destination");
	return buf_len(&f->arg) <= GATE_FILTER_MAX || refused(e, f,
	    "has too long a FILTER value");
}

static const struct {
	enum access_what is;
	enum gate_do what;
	bool (*wants)(struct gate_eval *e, const struct effect *f);
	bool named;		/* logged as "triggers NAME TEXT" */
} actions[] = {
	{ ACCESS_HOLD, GATE_DO_HOLD, NULL, false },
	{ ACCESS_DISCARD, GATE_DO_DISCARD, NULL, false },
	{ ACCESS_PREPEND, GATE_DO_PREPEND, wants_header, true },
	{ ACCESS_REDIRECT, GATE_DO_REDIRECT, wants_address, true },
	{ ACCESS_BCC, GATE_DO_BCC, wants_address, true },
	{ ACCESS_FILTER, GATE_DO_FILTER, wants_transport, true },
};

/* Before MAIL there is no message that anything could be done with. */
static bool
has_message(struct gate_eval *e, const struct effect *f)
{
	if (e->stage == GATE_ETRN) {
		if (gate_once(e))
			log_warning("access table %s: action %s is "
			    "unavailable in smtpd_etrn_restrictions",
			    f->table, f->a->name);
		return false;
	}
	if (e->facts->sender.p != NULL)
		return true;
	if (gate_once(e))
		log_warning("access table %s: with smtpd_delay_reject=no, "
		    "action %s is always skipped in client or helo "
		    "restrictions", f->table, f->a->name);
	return false;
}

/* A header, an address or a log line: no byte of a table may end it. */
static void
clean(struct span text, struct buf *out)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		buf_char(out, ((unsigned char)text.p[i] < ' ' &&
		    text.p[i] != '\t') || text.p[i] == 0x7f ? '?' :
		    text.p[i]);
}

static void
tell(struct gate_eval *e, const struct effect *f, enum gate_what about,
    enum gate_do what, bool named)
{
	struct buf line;
	char text[GATE_REPLY_MAX];

	buf_init(&line, 8192);
	gate_subject_of(e, about, &line);
	if (named)
		buf_fmt(&line, " triggers %s %.*s", f->a->name,
		    SPAN_ARG(buf_span(&f->arg)));
	else if (buf_len(&f->arg) > 0)
		buf_fmt(&line, " %.*s", SPAN_ARG(buf_span(&f->arg)));
	else
		buf_fmt(&line, " triggers %s action", f->a->name);
	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&line));
	buf_fini(&line);
	gate_effect(e, what, buf_span(&f->arg), text);
}

enum gate_result
gate_access_effect(struct gate_eval *e, const struct access *a,
    enum gate_what about, const char *table, struct span key)
{
	struct effect f = { .a = a, .table = table, .key = key };
	size_t i = 0;

	while (actions[i].is != a->what)
		i++;
	if (!has_message(e, &f))
		return GATE_DUNNO;
	buf_init(&f.arg, TABLE_VALUE_MAX);
	clean(a->text, &f.arg);
	if (actions[i].wants == NULL || actions[i].wants(e, &f))
		tell(e, &f, about, actions[i].what, actions[i].named);
	buf_fini(&f.arg);
	return a->what == ACCESS_DISCARD ? GATE_PERMIT : GATE_DUNNO;
}
