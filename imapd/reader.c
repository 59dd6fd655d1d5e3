#include "imapd/reader.h"

void
reader_init(struct reader *r, size_t limit)
{
	*r = (struct reader){ .limit = limit };
	buf_init(&r->text, limit);
}

void
reader_fini(struct reader *r)
{
	buf_fini_secret(&r->text);
}

void
reader_limit(struct reader *r, size_t limit)
{
	r->limit = limit;
	r->text.cap = limit;
}

void
reader_plain(struct reader *r, bool on)
{
	r->plain = on;
}

struct span
reader_text(const struct reader *r)
{
	return buf_span(&r->text);
}

void
reader_reset(struct reader *r)
{
	/* commands hold passwords */
	buf_fini_secret(&r->text);
	buf_init(&r->text, r->limit);
	r->skipping = false;
	if (r->state != READER_BROKEN)
		r->state = READER_LINE;
}

uint64_t
reader_literal_size(const struct reader *r)
{
	return r->literal;
}

bool
reader_literal_sync(const struct reader *r)
{
	return r->sync;
}

bool
reader_literal_collect(struct reader *r)
{
	/* room for the rest of the command is not asked for: it may be short */
	if (r->literal > r->limit - buf_len(&r->text))
		return false;
	r->left = r->literal;
	r->state = READER_COLLECT;
	return true;
}

void
reader_literal_skip(struct reader *r)
{
	buf_clear(&r->text);
	r->skipping = true;
	r->left = r->sync ? 0 : r->literal;
	r->state = READER_DROP;
}

void
reader_literal_taken(struct reader *r)
{
	reader_reset(r);
}

/* Does the line end in "{123}" or "{123+}"? */
static bool
literal_at_end(struct reader *r, struct span line)
{
	struct span number;
	ptrdiff_t open;

	if (r->plain || line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	open = span_rchr(line, '{');
	if (open < 0)
		return false;
	number = span_sub(line, (size_t)open + 1, line.n - (size_t)open - 2);
	r->sync = true;
	if (number.n > 0 && number.p[number.n - 1] == '+') {
		r->sync = false;
		number.n--;
	}
	return span_u64(number, 0, UINT32_MAX, &r->literal);
}

static enum reader_event
broken(struct reader *r)
{
	r->state = READER_BROKEN;
	return READER_TOO_LONG;
}

/* The text now ends in LF. */
static enum reader_event
line_ended(struct reader *r)
{
	struct span line = buf_span(&r->text);

	if (line.n < 2 || line.p[line.n - 2] != '\r') {
		reader_reset(r);
		return READER_BARE_LF;
	}
	line.n -= 2;
	if (literal_at_end(r, line)) {
		if (!r->skipping) {
			r->state = READER_DECIDE;
			return READER_LITERAL;
		}
		if (!r->sync) {
			reader_literal_skip(r);
			return READER_MORE;
		}
	}
	if (r->skipping) {
		reader_reset(r);
		return READER_SKIPPED;
	}
	buf_truncate(&r->text, line.n);
	return READER_COMMAND;
}

static enum reader_event
feed_line(struct reader *r, struct span *in)
{
	ptrdiff_t nl = span_chr(*in, '\n');
	size_t n = nl < 0 ? in->n : (size_t)nl + 1;

	if (n > r->limit - MIN(buf_len(&r->text), r->limit))
		return broken(r);
	buf_append(&r->text, in->p, n);
	*in = span_sub(*in, n, in->n);
	return nl < 0 ? READER_MORE : line_ended(r);
}

static enum reader_event
feed_some(struct reader *r, struct span *in)
{
	size_t n = (size_t)MIN(r->left, (uint64_t)in->n);

	switch (r->state) {
	case READER_LINE:
		return feed_line(r, in);
	case READER_COLLECT:
		buf_append(&r->text, in->p, n);
		break;
	case READER_DROP:
		if (r->sync) {
			reader_reset(r);
			return READER_SKIPPED;
		}
		break;
	case READER_DECIDE:
		return READER_LITERAL;
	case READER_BROKEN:
		return READER_TOO_LONG;
	}
	*in = span_sub(*in, n, in->n);
	r->left -= n;
	if (r->left == 0)
		r->state = READER_LINE;
	return READER_MORE;
}

enum reader_event
reader_feed(struct reader *r, struct span in, size_t *used)
{
	struct span rest = in;
	enum reader_event e;

	do {
		e = feed_some(r, &rest);
	} while (e == READER_MORE && rest.n > 0);
	*used = in.n - rest.n;
	return e;
}
