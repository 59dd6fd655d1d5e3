#include "imapd/seqset.h"

#include <stdlib.h>

#include "base/xmalloc.h"

static bool
number_parse(struct span text, uint32_t *out)
{
	if (text.n == 1 && *text.p == '*') {
		*out = SEQSET_STAR;
		return true;
	}
	if (!span_u32(text, 1, UINT32_MAX, out))
		return false;
	/* what some say for "*" is a number to us, and no message has it */
	*out = MIN(*out, UINT32_MAX - 1);
	return true;
}

static bool
range_parse(struct span text, struct seqset_range *r)
{
	ptrdiff_t colon = span_chr(text, ':');

	if (colon < 0) {
		if (!number_parse(text, &r->lo))
			return false;
		r->hi = r->lo;
		return true;
	}
	return number_parse(span_sub(text, 0, (size_t)colon), &r->lo) &&
	    number_parse(span_sub(text, (size_t)colon + 1, text.n), &r->hi);
}

bool
seqset_parse(struct seqset *s, struct span text)
{
	struct span rest = text, word;
	size_t commas = 0, i;

	*s = (struct seqset){ .n = 0 };
	if (text.n == 0)
		return false;
	for (i = 0; i < text.n; i++)
		commas += text.p[i] == ',';
	s->range = xreallocarray(NULL, commas + 1, sizeof(*s->range));
	while (span_split(&rest, ',', &word))
		if (!range_parse(word, &s->range[s->n++]))
			return false;
	return true;
}

void
seqset_fini(struct seqset *s)
{
	free(s->range);
	*s = (struct seqset){ .n = 0 };
}

static int
range_cmp(const void *a, const void *b)
{
	const struct seqset_range *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

void
seqset_resolve(struct seqset *s, uint32_t last)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		struct seqset_range *r = &s->range[i];
		uint32_t lo = r->lo == SEQSET_STAR ? last : r->lo;
		uint32_t hi = r->hi == SEQSET_STAR ? last : r->hi;

		s->star = s->star || r->lo == SEQSET_STAR ||
		    r->hi == SEQSET_STAR;
		r->lo = MIN(lo, hi);
		r->hi = MAX(lo, hi);
	}
	if (s->n == 0)
		return;
	qsort(s->range, s->n, sizeof(*s->range), range_cmp);
	for (i = 1; i < s->n; i++) {
		if (s->range[i].lo <= s->range[n].hi ||
		    s->range[i].lo == s->range[n].hi + 1)
			s->range[n].hi = MAX(s->range[n].hi,
			    s->range[i].hi);
		else
			s->range[++n] = s->range[i];
	}
	s->n = n + 1;
}

bool
seqset_has(const struct seqset *s, uint32_t n)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (n < s->range[mid].lo)
			hi = mid;
		else if (n > s->range[mid].hi)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

uint32_t
seqset_max(const struct seqset *s)
{
	uint32_t max = 0;
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->range[i].lo != SEQSET_STAR &&
		    s->range[i].hi != SEQSET_STAR)
			max = MAX(max, MAX(s->range[i].lo, s->range[i].hi));
	return max;
}

void
seqset_copy(struct seqset *s, const struct seqset *from)
{
	*s = *from;
	s->range = s->n == 0 ? NULL :
	    xreallocarray(NULL, s->n, sizeof(*s->range));
	if (s->n > 0)
		memcpy(s->range, from->range, s->n * sizeof(*s->range));
}

/* The run of consecutive numbers at v[i]; returns where the next begins. */
static size_t
run_take(const uint32_t *v, size_t n, size_t i, struct seqset_range *r)
{
	r->lo = v[i];
	while (i + 1 < n && v[i + 1] == v[i] + 1)
		i++;
	r->hi = v[i];
	return i + 1;
}

void
seqset_of(struct seqset *s, const uint32_t *v, size_t n)
{
	struct seqset_range r;
	size_t i, runs = 0;

	for (i = 0; i < n; runs++)
		i = run_take(v, n, i, &r);
	*s = (struct seqset){ .n = 0 };
	s->range = runs == 0 ? NULL :
	    xreallocarray(NULL, runs, sizeof(*s->range));
	for (i = 0; i < n; )
		i = run_take(v, n, i, &s->range[s->n++]);
}

bool
seqset_has_star(const struct seqset *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->range[i].lo == SEQSET_STAR ||
		    s->range[i].hi == SEQSET_STAR)
			return true;
	return false;
}

void
seqset_put_range(struct buf *out, bool first, uint32_t lo, uint32_t hi)
{
	if (!first)
		buf_char(out, ',');
	buf_dec(out, lo);
	if (hi > lo) {
		buf_char(out, ':');
		buf_dec(out, hi);
	}
}

void
seqset_print(struct buf *out, const struct seqset *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		seqset_put_range(out, i == 0, s->range[i].lo,
		    s->range[i].hi);
}

void
seqset_put(struct buf *out, const uint32_t *v, size_t n)
{
	struct seqset_range r;
	size_t i = 0;
	bool first = true;

	while (i < n) {
		i = run_take(v, n, i, &r);
		seqset_put_range(out, first, r.lo, r.hi);
		first = false;
	}
}
