/*
 * Runs are handed on as long as possible: a text without leading dots is one
 * run per call, so the cost is two memchr passes and one copy.
 */
#include "smtpd/data.h"

struct cursor {
	const char *p, *end, *run;
	data_sink *sink;
	void *arg;
};

static void
emit(struct cursor *c, const char *to)
{
	if (to > c->run)
		c->sink(span_of(c->run, (size_t)(to - c->run)), c->arg);
	c->run = to;
}

/* Inside a line: as far as this chunk has whole lines without a dot. */
static enum data_result
in_line(struct data_decoder *d, struct cursor *c)
{
	size_t left = (size_t)(c->end - c->p);
	const char *lf = memchr(c->p, '\n', left);
	const char *stop = lf == NULL ? c->end : lf;
	const char *cr = memchr(c->p, '\r', (size_t)(stop - c->p));

	if (cr == NULL) {
		if (lf != NULL)
			return DATA_BARE_LF;
		c->p = c->end;
	} else if (cr + 1 == c->end) {
		/* Its LF may come with the next chunk: hold it back. */
		emit(c, cr);
		c->p = c->run = c->end;
		d->state = DATA_CR;
	} else if (cr[1] != '\n') {
		return DATA_BARE_CR;
	} else {
		c->p = cr + 2;
		d->state = DATA_LINE_START;
	}
	return DATA_MORE;
}

/* One step from a state in which a byte was held back. */
static enum data_result
held(struct data_decoder *d, struct cursor *c)
{
	char b = *c->p;

	switch (d->state) {
	case DATA_CR:
		if (b != '\n')
			return DATA_BARE_CR;
		c->sink(SPAN_LIT("\r\n"), c->arg);
		c->run = ++c->p;
		d->state = DATA_LINE_START;
		return DATA_MORE;
	case DATA_DOT:
		if (b == '\n')
			return DATA_BARE_LF;
		if (b == '\r') {
			c->run = ++c->p;
			d->state = DATA_DOT_CR;
		} else
			d->state = DATA_IN_LINE;
		return DATA_MORE;
	case DATA_DOT_CR:
		if (b != '\n')
			return DATA_BARE_CR;
		c->run = ++c->p;
		return DATA_END;
	case DATA_LINE_START:
	case DATA_IN_LINE:
		break;
	}
	return DATA_MORE;
}

static enum data_result
step(struct data_decoder *d, struct cursor *c)
{
	if (d->state == DATA_LINE_START) {
		if (*c->p == '.') {
			emit(c, c->p);
			c->run = ++c->p;
			d->state = DATA_DOT;
			return DATA_MORE;
		}
		d->state = DATA_IN_LINE;
	}
	return d->state == DATA_IN_LINE ? in_line(d, c) : held(d, c);
}

enum data_result
data_decode(struct data_decoder *d, struct span in, size_t *used,
    data_sink *sink, void *arg)
{
	struct cursor c = { in.p, in.p + in.n, in.p, sink, arg };
	enum data_result r = DATA_MORE;

	while (r == DATA_MORE && c.p < c.end)
		r = step(d, &c);
	if (r == DATA_MORE)
		emit(&c, c.p);
	*used = (size_t)(c.p - in.p);
	if (r == DATA_END)
		*d = (struct data_decoder){ 0 };
	return r;
}

static void
drop(struct span run, void *arg)
{
}

enum data_result
data_check(struct data_decoder *d, struct span in)
{
	struct cursor c = { in.p, in.p + in.n, in.p, drop, NULL };
	enum data_result r = DATA_MORE;

	while (r == DATA_MORE && c.p < c.end) {
		if (d->state == DATA_LINE_START)
			d->state = DATA_IN_LINE;
		r = d->state == DATA_IN_LINE ? in_line(d, &c) : held(d, &c);
	}
	return r;
}
