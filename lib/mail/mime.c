#include "mail/mime.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mail/header.h"

#define BOUNDARY_MAX	200

static const struct {
	struct span name;
	enum mime_field field;
} field_names[] = {
	{ SPAN_LIT("type"), MIME_TYPE },
	{ SPAN_LIT("transfer-encoding"), MIME_ENCODING },
	{ SPAN_LIT("id"), MIME_ID },
	{ SPAN_LIT("description"), MIME_DESCRIPTION },
	{ SPAN_LIT("disposition"), MIME_DISPOSITION },
	{ SPAN_LIT("language"), MIME_LANGUAGE },
	{ SPAN_LIT("location"), MIME_LOCATION },
	{ SPAN_LIT("md5"), MIME_MD5 }
};

/* An open part: those from the message down to the one being read. */
struct open {
	uint32_t part;
	uint32_t lines, bare;		/* counts where its body began */
	bool closed;			/* final boundary seen: epilogue */
	bool digest;
	size_t boundary_n;		/* 0: not a multipart */
	char boundary[BOUNDARY_MAX];
};

struct reader {
	struct mime *m;
	struct span msg;
	size_t pos;			/* start of the present line */
	uint32_t lines, bare;		/* line ends before pos */
	bool in_head;
	bool counts;			/* lines are wanted */
	bool boundaries;		/* some part ever had one */
	unsigned depth;
	struct open open[MIME_DEPTH_MAX];
};

void
mime_init(struct mime *m)
{
	m->part = NULL;
	m->n = m->size = 0;
}

void
mime_fini(struct mime *m)
{
	free(m->part);
	mime_init(m);
}

static struct mime_part *
part_add(struct mime *m, uint32_t parent)
{
	struct mime_part *p;

	if (m->n == m->size) {
		m->size = m->size == 0 ? 8 : m->size * 2;
		m->part = xreallocarray(m->part, m->size, sizeof(*m->part));
	}
	p = &m->part[m->n];
	memset(p, 0, sizeof(*p));
	p->parent = parent;
	p->child = p->next = MIME_NONE;
	m->n++;
	return p;
}

/* Makes the new part the last child of its parent. The open stack knows the
 * parent's latest child, as parts are in document order. */
static void
part_link(struct mime *m, uint32_t parent, uint32_t last, uint32_t child)
{
	if (last == MIME_NONE)
		m->part[parent].child = child;
	else
		m->part[last].next = child;
}

static struct open *
top(struct reader *r)
{
	return &r->open[r->depth - 1];
}

static void
open_part(struct reader *r, uint32_t parent, uint32_t last)
{
	struct mime_part *p;
	struct open *o;

	p = part_add(r->m, parent);
	p->head_off = r->pos;
	if (parent != MIME_NONE)
		part_link(r->m, parent, last, r->m->n - 1);
	o = &r->open[r->depth++];
	o->part = r->m->n - 1;
	o->boundary_n = 0;
	o->closed = false;
	r->in_head = true;
}

static void
read_fields(struct reader *r, struct mime_part *p)
{
	struct header_iter it;
	struct header_field f;
	struct span name;
	size_t i;

	header_iter_init(&it, span_of(r->msg.p + p->head_off,
	    MIN(p->head_len, HEADER_LOOK_MAX)));
	while (header_next(&it, &f)) {
		if (f.name.n < 10 || (f.name.p[0] | 32) != 'c' ||
		    !span_starts(f.name, "content-"))
			continue;
		name = span_sub(f.name, 8, f.name.n);
		for (i = 0; i < ARRAY_LEN(field_names); i++)
			if (span_ieq(name, field_names[i].name) &&
			    p->field[field_names[i].field].p == NULL)
				p->field[field_names[i].field] = f.value;
	}
}

/* The header of the top part ends before r->pos. */
static void
end_head(struct reader *r)
{
	struct open *o = top(r);
	struct mime_part *p = &r->m->part[o->part];

	p->head_len = r->pos - p->head_off;
	p->body_off = r->pos;
	o->lines = r->lines;
	o->bare = r->bare;
	r->in_head = false;
	read_fields(r, p);
}

/* Ends the top part. `at` is the end of its body unless `cut`: then the
 * line end before r->pos belongs to the boundary (RFC 2046 5.1.1). */
static void
close_top(struct reader *r, bool cut)
{
	struct open *o;
	struct mime_part *p;
	size_t end = r->pos;
	uint32_t lines = r->lines, bare = r->bare;

	if (r->in_head)
		end_head(r);
	o = top(r);
	p = &r->m->part[o->part];
	if (cut && end > p->body_off && r->msg.p[end - 1] == '\n') {
		end--;
		lines--;
		if (end > p->body_off && r->msg.p[end - 1] == '\r')
			end--;
		else
			bare--;
	}
	p->body_len = end - p->body_off;
	if (r->counts) {
		p->lines = lines - o->lines;
		p->bare = bare - o->bare;
	}
	r->depth--;
}

/* Decides from its header what the part that begins its body is. */
static void
classify(struct reader *r)
{
	struct open *o = top(r);
	struct mime_part *p = &r->m->part[o->part];
	struct span type, sub;
	struct mime_value v;

	if (r->depth == MIME_DEPTH_MAX || r->m->n >= MIME_PARTS_MAX)
		return;
	if (!mime_type(p->field[MIME_TYPE], &type, &sub, &v)) {
		if (p->in_digest && p->field[MIME_TYPE].p == NULL)
			p->kind = MIME_MESSAGE;
	} else if (span_is(type, "multipart")) {
		o->boundary_n = mime_param(p->field[MIME_TYPE], "boundary",
		    o->boundary, sizeof(o->boundary));
		while (o->boundary_n > 0 &&
		    o->boundary[o->boundary_n - 1] == ' ')
			o->boundary_n--;
		o->digest = span_is(sub, "digest");
		if (o->boundary_n > 0) {
			p->kind = MIME_MULTIPART;
			r->boundaries = true;
		}
	} else if (span_is(type, "message") && span_is(sub, "rfc822") &&
	    mime_transfer(p->field[MIME_ENCODING]) == TRANSFER_IDENTITY) {
		p->kind = MIME_MESSAGE;
	}
	if (p->kind == MIME_MESSAGE)
		open_part(r, o->part, MIME_NONE);
}

/*
 * The open multipart whose boundary begins the line behind its "--", the
 * longest one when several do; -1 when none. *final: "--" follows.
 */
static int
find_boundary(const struct reader *r, struct span line, bool *final)
{
	struct span s = span_sub(line, 2, line.n);
	size_t best = 0;
	int i, found = -1;

	for (i = (int)r->depth - 1; i >= 0; i--) {
		const struct open *o = &r->open[i];

		if (o->boundary_n <= best || o->closed ||
		    s.n < o->boundary_n ||
		    memcmp(s.p, o->boundary, o->boundary_n) != 0)
			continue;
		best = o->boundary_n;
		found = i;
	}
	*final = found >= 0 && s.n >= best + 2 && s.p[best] == '-' &&
	    s.p[best + 1] == '-';
	return found;
}

/* A boundary line of open part `level` at r->pos, which ends at `next`. */
static void
take_boundary(struct reader *r, int level, bool final, size_t next,
    uint32_t ended, uint32_t bare)
{
	uint32_t last = MIME_NONE, parent;
	bool digest;

	while (r->depth > (unsigned)level + 1) {
		last = top(r)->part;
		close_top(r, true);
	}
	parent = top(r)->part;
	digest = top(r)->digest;
	r->pos = next;
	r->lines += ended;
	r->bare += bare;
	if (final) {
		top(r)->closed = true;
		return;
	}
	open_part(r, parent, last);
	r->m->part[r->m->n - 1].in_digest = digest;
}

static void
take_line(struct reader *r, size_t next)
{
	struct span line = span_of(r->msg.p + r->pos, next - r->pos);
	bool ended = line.p[line.n - 1] == '\n';
	bool crlf = ended && line.n > 1 && line.p[line.n - 2] == '\r';
	uint32_t bare = ended && !crlf;
	bool final;
	int level;

	if (line.n > 2 && line.p[0] == '-' && line.p[1] == '-' &&
	    r->m->n < MIME_PARTS_MAX &&
	    (level = find_boundary(r, line, &final)) >= 0) {
		take_boundary(r, level, final, next, ended, bare);
		return;
	}
	r->pos = next;
	r->lines += ended;
	r->bare += bare;
	if (r->in_head && ended && line.n == (crlf ? 2u : 1u)) {
		end_head(r);
		classify(r);
	}
}

/* Where no line is a boundary there is nothing to see but its line end. */
static void
pass_text(struct reader *r)
{
	struct span rest = span_sub(r->msg, r->pos, r->msg.n);
	const char *at;

	if (!r->boundaries) {
		r->pos = r->msg.n;
	} else if (!span_starts(rest, "--")) {
		at = memmem(rest.p, rest.n, "\n--", 3);
		r->pos = at == NULL ? r->msg.n :
		    (size_t)(at + 1 - r->msg.p);
	}
}

static void
parse(struct mime *m, struct span message, bool counts)
{
	struct reader r;
	const char *nl;
	size_t next;

	m->n = 0;
	r.m = m;
	r.msg = message;
	r.pos = 0;
	r.lines = r.bare = 0;
	r.counts = counts;
	r.boundaries = false;
	r.depth = 0;
	open_part(&r, MIME_NONE, MIME_NONE);
	while (r.pos < message.n) {
		if (!counts && !r.in_head)
			pass_text(&r);
		if (r.pos == message.n)
			break;
		nl = memchr(message.p + r.pos, '\n', message.n - r.pos);
		next = nl == NULL ? message.n : (size_t)(nl + 1 - message.p);
		take_line(&r, next);
	}
	while (r.depth > 0)
		close_top(&r, false);
}

void
mime_parse(struct mime *m, struct span message)
{
	parse(m, message, true);
}

void
mime_parse_places(struct mime *m, struct span message)
{
	parse(m, message, false);
}

/* Child number `n` (from 1) of a multipart; others have themselves as 1. */
static uint32_t
child_at(const struct mime *m, uint32_t at, uint32_t n)
{
	if (m->part[at].kind != MIME_MULTIPART)
		return n == 1 ? at : MIME_NONE;
	at = m->part[at].child;
	while (at != MIME_NONE && --n > 0)
		at = m->part[at].next;
	return at;
}

uint32_t
mime_find(const struct mime *m, const uint32_t *path, size_t n)
{
	uint32_t at = 0;
	size_t i;

	for (i = 0; i < n && at != MIME_NONE; i++) {
		if (path[i] == 0)
			return MIME_NONE;
		if (i > 0 && m->part[at].kind == MIME_LEAF)
			return MIME_NONE;
		if (i > 0 && m->part[at].kind == MIME_MESSAGE)
			at = m->part[at].child;
		at = child_at(m, at, path[i]);
	}
	return at;
}
