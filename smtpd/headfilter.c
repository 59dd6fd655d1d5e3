#include "smtpd/headfilter.h"

#include <string.h>

#define RECEIVERS_MAX	16

/* --- whose is it? --- */

/* Skips white space and comments (RFC 5322 3.2.2). False: it does not end. */
static bool
cfws_skip(struct span *s)
{
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < s->n; i++) {
		char c = s->p[i];

		if (depth > 0 && c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !ascii_isspace((unsigned char)c))
			break;
	}
	*s = span_sub(*s, MIN(i, s->n), s->n);
	return depth == 0;
}

/* The first word, quoted or not, is `want`, or may be: it has no end yet. */
static bool
first_word_is(struct span value, const char *want, bool whole)
{
	char word[512];
	size_t n = 0, i = 0;
	bool quoted;

	if (!cfws_skip(&value) || (value.n == 0 && !whole))
		return true;	/* a comment without end hides what it is */
	quoted = value.n > 0 && value.p[0] == '"';
	for (i = quoted; i < value.n && n < sizeof(word); i++) {
		char c = value.p[i];

		if (quoted ? c == '"' : ascii_isspace((unsigned char)c) ||
		    c == ';' || c == '(' || c == '/')
			break;
		if (quoted && (c == '\r' || c == '\n'))
			continue;	/* a fold */
		if (quoted && c == '\\' && i + 1 < value.n)
			c = value.p[++i];
		word[n++] = c;
	}
	if (i >= value.n && !whole)
		return true;
	/* a dot at the end is no other name */
	if (n > 0 && word[n - 1] == '.')
		n--;
	return span_ieq(span_of(word, n), span_str(want));
}

static bool
results_are_ours(const struct headfilter *h, struct span value, bool whole)
{
	return first_word_is(value, h->authserv_id, whole);
}

/* "pass (mx.host.example: ...": so begins what we write, and what people and
 * simple filters look at. */
static bool
spf_begins_as_ours(const struct headfilter *h, struct span value)
{
	ptrdiff_t open = span_chr(value, '(');
	struct span rest;

	if (open == -1)
		return false;
	rest = span_trim(span_sub(value, (size_t)open + 1, value.n));
	return span_starts(rest, h->host) && span_starts(span_trim(
	    span_sub(rest, strlen(h->host), rest.n)), ":");
}

/* Its "receiver=" is our name. White space, quotes and comments around it are
 * skipped. One that is not whole may have it further on. Nobody writes the word
 * many times but who wants us to skip nested comments all day. */
static bool
spf_is_ours(const struct headfilter *h, struct span value, bool whole)
{
	static const char key[] = "receiver";
	unsigned found = 0;
	size_t i;

	if (spf_begins_as_ours(h, value))
		return true;
	for (i = 0; i + sizeof(key) - 1 < value.n; i++) {
		struct span rest = span_sub(value, i, value.n);

		if (!span_starts(rest, key))
			continue;
		if (++found > RECEIVERS_MAX)
			return true;
		rest = span_sub(rest, sizeof(key) - 1, rest.n);
		if (!cfws_skip(&rest))
			return true;
		if (rest.n > 0 && rest.p[0] == '=' &&
		    first_word_is(span_sub(rest, 1, rest.n), h->host, whole))
			return true;
	}
	return !whole;
}

static const struct {
	const char *name;
	bool (*is_ours)(const struct headfilter *h, struct span value,
	    bool whole);
} fields[] = {
	{ "Authentication-Results", results_are_ours },
	{ "Received-SPF", spf_is_ours },
};

/* --- what is missing --- */

static const char *const supplied[SUPPLIED] = {
	[SUPPLY_DATE] = "Date",
	[SUPPLY_FROM] = "From",
	[SUPPLY_MESSAGE_ID] = "Message-ID",
};

void
headfilter_supply_with(struct headfilter *h, headfilter_supply *supply,
    void *arg)
{
	h->supply = supply;
	h->supply_arg = arg;
}

static void
name_note(struct headfilter *h, struct span name)
{
	unsigned i;

	for (i = 0; i < SUPPLIED; i++)
		if (span_is(name, supplied[i]))
			h->seen |= 1u << i;
}

/* RFC 5322 2.2; a name that is longer than what we keep may be one. */
static bool
can_be_field(struct span name, bool whole)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] > '~')
			return false;
	return whole || name.n == HEADFILTER_NAME_MAX;
}

/* Once, where the header ends. */
static void
supply_all(struct headfilter *h, headfilter_sink *sink, void *arg)
{
	headfilter_supply *supply = h->supply;
	unsigned i;

	h->supply = NULL;
	if (supply == NULL)
		return;
	for (i = 0; i < SUPPLIED; i++)
		if (!(h->seen & 1u << i))
			supply((enum supplied)i, &h->held, h->supply_arg);
	if (buf_len(&h->held) > 0)
		sink(buf_span(&h->held), arg);
	buf_clear(&h->held);
}

/* --- streaming --- */

void
headfilter_init(struct headfilter *h, const char *authserv_id,
    const char *host)
{
	memset(h, 0, sizeof(*h));
	h->authserv_id = authserv_id;
	h->host = host;
	h->line_start = true;
	buf_init(&h->held, HEADFILTER_HELD_MAX);
}

void
headfilter_fini(struct headfilter *h)
{
	buf_fini(&h->held);
}

/* A field is over, or there is no more room to hold it. */
static void
held_decide(struct headfilter *h, bool whole, headfilter_sink *sink,
    void *arg)
{
	struct span field = buf_span(&h->held);
	ptrdiff_t colon = span_chr(field, ':');

	if (fields[h->which].is_ours(h, span_sub(field, (size_t)(colon + 1),
	    field.n), whole)) {
		h->removed++;
		h->state = HEADFILTER_DROP;
	} else {
		sink(field, arg);
		h->state = HEADFILTER_PASS;
	}
	buf_clear(&h->held);
}

/* The name is there, or can't become one that we look for. White space before
 * the colon is of old (RFC 5322 4.5), and some readers also take a fold. */
static void
name_decide(struct headfilter *h, bool colon, headfilter_sink *sink,
    void *arg)
{
	struct span all = span_of(h->name, h->name_n);
	struct span name = span_trim(span_sub(all, 0, all.n - colon));
	size_t i;

	if (h->supply != NULL && !can_be_field(name, colon)) {
		supply_all(h, sink, arg);
		sink(SPAN_LIT("\r\n"), arg);
		sink(all, arg);
		h->state = HEADFILTER_BODY;
		return;
	}
	name_note(h, name);
	h->state = HEADFILTER_PASS;
	for (i = 0; i < ARRAY_LEN(fields); i++)
		if (span_is(name, fields[i].name)) {
			h->which = i;
			h->state = HEADFILTER_HOLD;
			buf_span_add(&h->held, all);
			return;
		}
	sink(all, arg);
}

/* A new line: does it go on with the field before? */
static void
line_begin(struct headfilter *h, char first, headfilter_sink *sink, void *arg)
{
	h->line_start = false;
	if (h->state != HEADFILTER_NAME && (first == ' ' || first == '\t'))
		return;
	if (h->state == HEADFILTER_HOLD)
		held_decide(h, true, sink, arg);
	h->state = HEADFILTER_NAME;
	h->name_n = 0;
}

/* The blank line is told by its CR: no field begins so. */
static size_t
name_take(struct headfilter *h, struct span run, headfilter_sink *sink,
    void *arg)
{
	size_t i;

	for (i = 0; i < run.n; i++) {
		char c = run.p[i];

		h->name[h->name_n++] = c;
		if (h->name_n == 1 && (c == '\r' || c == '\n')) {
			supply_all(h, sink, arg);
			sink(span_of(h->name, h->name_n), arg);
			h->state = HEADFILTER_BODY;
			return i + 1;
		}
		if (c == '\n' || c == ':' ||
		    h->name_n == HEADFILTER_NAME_MAX) {
			h->line_start = c == '\n';
			name_decide(h, c == ':', sink, arg);
			return i + 1;
		}
	}
	return run.n;
}

/* What is decided does not depend on how the text came in pieces. */
static void
rest_take(struct headfilter *h, struct span run, headfilter_sink *sink,
    void *arg)
{
	size_t fits = MIN(run.n, HEADFILTER_HELD_MAX - buf_len(&h->held));

	if (h->state == HEADFILTER_HOLD) {
		buf_span_add(&h->held, span_sub(run, 0, fits));
		run = span_sub(run, fits, run.n);
		if (run.n > 0)
			held_decide(h, false, sink, arg);
	}
	if (run.n > 0 && h->state == HEADFILTER_PASS)
		sink(run, arg);
}

void
headfilter_feed(struct headfilter *h, struct span run, headfilter_sink *sink,
    void *arg)
{
	ptrdiff_t lf;
	size_t n;

	while (run.n > 0) {
		if (h->state == HEADFILTER_BODY) {
			sink(run, arg);
			return;
		}
		if (h->line_start)
			line_begin(h, run.p[0], sink, arg);
		if (h->state == HEADFILTER_NAME) {
			n = name_take(h, run, sink, arg);
		} else {
			lf = span_chr(run, '\n');
			n = lf < 0 ? run.n : (size_t)lf + 1;
			h->line_start = lf >= 0;
			rest_take(h, span_sub(run, 0, n), sink, arg);
		}
		run = span_sub(run, n, run.n);
	}
}

void
headfilter_end(struct headfilter *h, headfilter_sink *sink, void *arg)
{
	if (h->state == HEADFILTER_HOLD)
		held_decide(h, true, sink, arg);
	else if (h->state == HEADFILTER_NAME && !h->line_start)
		sink(span_of(h->name, h->name_n), arg);
	/* only behind whole lines */
	if (h->state == HEADFILTER_DROP ||
	    (h->state != HEADFILTER_BODY && h->line_start))
		supply_all(h, sink, arg);
	h->state = HEADFILTER_BODY;
}
