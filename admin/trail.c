#include "admin/trail.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/xmalloc.h"

struct trails {
	char *syslog_name;
	struct buf needle;		/* "<kim@example.org>", "[192.0.2.7]" */
	char id[QUEUE_ID_LEN + 1];	/* searched for by id */
	struct map *wanted;		/* id -> itself: its own record below */
	struct trail *ring[TRAILS_MAX];	/* all records, the oldest at `next`
					 * once it is full */
	size_t next, n;
	bool more;
	struct trail *order[TRAILS_MAX + 1];
	size_t n_order;
	struct trail rest;		/* lines without an id */
};

/* --- what is searched for --- */

static bool
is_id(struct span what)
{
	size_t i;

	if (what.n != SESSION_ID_LEN && what.n != QUEUE_ID_LEN)
		return false;
	for (i = 0; i < what.n; i++)
		if (!ascii_isalnum((unsigned char)what.p[i]))
			return false;
	return true;
}

static bool
is_ip(struct span what)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char addr[16];

	if (what.n >= sizeof(text))
		return false;
	memcpy(text, what.p, what.n);
	text[what.n] = '\0';
	return inet_pton(AF_INET, text, addr) == 1 ||
	    inet_pton(AF_INET6, text, addr) == 1;
}

/* False: it is nothing that we could look for. */
static bool
needle_make(struct trails *t, struct span what)
{
	bool angles = what.n > 2 && what.p[0] == '<' &&
	    what.p[what.n - 1] == '>';

	if (is_id(what)) {
		memcpy(t->id, what.p, what.n);
		return true;
	}
	if (is_ip(what))
		buf_fmt(&t->needle, "[%.*s]", SPAN_ARG(what));
	else if (angles)
		buf_span_add(&t->needle, what);
	else if (span_chr(what, '@') > 0)
		buf_fmt(&t->needle, "<%.*s>", SPAN_ARG(what));
	else
		return false;
	return !buf_failed(&t->needle);
}

struct trails *
trails_new(const char *syslog_name, struct span what)
{
	struct trails *t = xcalloc(1, sizeof(*t));

	t->syslog_name = xstrdup(syslog_name);
	t->wanted = map_new();
	buf_init(&t->needle, 1024);
	if (!needle_make(t, what))
		trails_free(&t);
	return t;
}

static void
trail_fini(struct trail *trail)
{
	while (trail->n_lines > 0)
		free(trail->line[--trail->n_lines]);
	free(trail->line);
}

void
trails_free(struct trails **tp)
{
	struct trails *t = *tp;

	*tp = NULL;
	while (t->n > 0) {
		trail_fini(t->ring[--t->n]);
		free(t->ring[t->n]);
	}
	trail_fini(&t->rest);
	map_free(&t->wanted);
	buf_fini(&t->needle);
	free(t->syslog_name);
	free(t);
}

/* --- the first pass --- */

static bool
needle_in(const struct trails *t, struct span text)
{
	struct span needle = buf_span(&t->needle);
	size_t i;

	if (needle.n == 0)
		return false;
	for (i = 0; i + needle.n <= text.n; i++)
		if (text.p[i] == needle.p[0] &&
		    span_ieq(span_sub(text, i, needle.n), needle))
			return true;
	return false;
}

/* The oldest makes room. */
static void
want(struct trails *t, struct span id)
{
	struct trail *trail = xcalloc(1, sizeof(*trail)), *old;

	memcpy(trail->id, id.p, id.n);
	if (t->n == TRAILS_MAX) {
		old = t->ring[t->next];
		map_del(t->wanted, span_str(old->id));
		trail_fini(old);
		free(old);
		t->more = true;
	} else {
		t->n++;
	}
	t->ring[t->next] = trail;
	t->next = (t->next + 1) % TRAILS_MAX;
	map_put(t->wanted, id, trail);
}

void
trails_find(struct trails *t, struct span line)
{
	struct logline l;
	struct span id;

	if (!needle_in(t, line) || !logline_parse(line, t->syslog_name, &l))
		return;
	id = logline_id(l.text);
	if (id.n > 0 && map_get(t->wanted, id) == NULL)
		want(t, id);
}

bool
trails_known(const struct trails *t)
{
	return t->id[0] != '\0';
}

/* --- the second --- */

/* Of a message the first lines tell most, of all else the last ones. */
static void
oldest_drop(struct trail *trail)
{
	size_t i, n = trail->n_lines / 2;

	for (i = 0; i < n; i++)
		free(trail->line[i]);
	trail->n_lines -= n;
	trail->left_out += n;
	memmove(trail->line, trail->line + n,
	    trail->n_lines * sizeof(*trail->line));
}

static void
line_keep(struct trails *t, struct trail *trail, struct span line)
{
	if (trail->n_lines == 0)
		t->order[t->n_order++] = trail;
	if (trail->n_lines == TRAIL_LINES_MAX && trail == &t->rest)
		oldest_drop(trail);
	if (trail->n_lines == TRAIL_LINES_MAX) {
		trail->left_out++;
		return;
	}
	trail->line = xreallocarray(trail->line, trail->n_lines + 1,
	    sizeof(*trail->line));
	trail->line[trail->n_lines++] = xmemdup0(line.p, line.n);
}

/* The messages of a session, and the session itself, begin with its id. */
static bool
id_fits(const struct trails *t, struct span id)
{
	size_t n = strlen(t->id);

	return id.n >= n && memcmp(id.p, t->id, n) == 0;
}

void
trails_gather(struct trails *t, struct span line)
{
	struct logline l;
	struct trail *trail;
	struct span id;

	if (!logline_parse(line, t->syslog_name, &l))
		return;
	id = logline_id(l.text);
	if (id.n > 0 && trails_known(t) && id_fits(t, id) &&
	    map_get(t->wanted, id) == NULL) {
		if (t->n == TRAILS_MAX) {
			t->more = true;	/* those that are there have lines */
			return;
		}
		want(t, id);
	}
	trail = id.n == 0 ? NULL : map_get(t->wanted, id);
	if (trail == NULL && id.n == 0 && needle_in(t, l.text))
		trail = &t->rest;
	if (trail != NULL)
		line_keep(t, trail, line);
}

size_t
trails_count(const struct trails *t)
{
	return t->n_order;
}

const struct trail *
trails_get(const struct trails *t, size_t i)
{
	return t->order[i];
}

bool
trails_more(const struct trails *t)
{
	return t->more;
}
