#include "mail/subject.h"

#include "mail/codec.h"

/* Step 1: decoded, one space for any white space. */
static void
flatten(struct buf *out, struct span value)
{
	struct buf text;
	bool space = false;
	size_t i;

	buf_init(&text, BUF_NO_CAP);
	words_decode(&text, value);
	for (i = 0; i < buf_len(&text); i++) {
		char c = buf_data(&text)[i];

		if (ascii_isspace((unsigned char)c)) {
			space = true;
			continue;
		}
		if (space && buf_len(out) > 0)
			buf_char(out, ' ');
		space = false;
		buf_char(out, c);
	}
	buf_fini(&text);
}

static void
skip_space(struct span *s)
{
	while (s->n > 0 && *s->p == ' ')
		*s = span_sub(*s, 1, s->n);
}

/* subj-blob: "[...]" and the space behind it. */
static bool
skip_blob(struct span *s)
{
	size_t i;

	if (s->n == 0 || *s->p != '[')
		return false;
	for (i = 1; i < s->n && s->p[i] != '[' && s->p[i] != ']'; i++)
		;
	if (i == s->n || s->p[i] != ']')
		return false;
	*s = span_sub(*s, i + 1, s->n);
	skip_space(s);
	return true;
}

/* subj-refwd: "Re:", "Fw [x]:", "fwd:" */
static bool
skip_refwd(struct span *s)
{
	struct span t = *s;

	if (span_starts(t, "re"))
		t = span_sub(t, 2, t.n);
	else if (span_starts(t, "fwd"))
		t = span_sub(t, 3, t.n);
	else if (span_starts(t, "fw"))
		t = span_sub(t, 2, t.n);
	else
		return false;
	skip_space(&t);
	(void)skip_blob(&t);
	if (t.n == 0 || *t.p != ':')
		return false;
	*s = span_sub(t, 1, t.n);
	return true;
}

/*
 * Steps 3 to 5: subj-leader = (*subj-blob subj-refwd) / WSP, and blobs before
 * text, over and over. Blobs with nothing like "Re:" behind them all go, but
 * for the last one when no text follows. One pass.
 */
static bool
skip_leaders(struct span *s)
{
	struct span t = *s, last_blob;
	bool any = false;

	skip_space(&t);
	last_blob = t;
	while (t.n > 0) {
		struct span here = t;

		if (skip_refwd(&t)) {
			skip_space(&t);
			last_blob = t;
			any = true;
		} else if (skip_blob(&t)) {
			last_blob = here;
		} else {
			break;
		}
	}
	*s = t.n > 0 ? t : last_blob;
	return any;
}

/* Step 2: "(fwd)" and white space at the end. */
static bool
drop_trailers(struct span *s)
{
	bool any = false;

	for (;;) {
		while (s->n > 0 && s->p[s->n - 1] == ' ')
			s->n--;
		if (!span_ends(*s, "(fwd)"))
			return any;
		s->n -= 5;
		any = true;
	}
}

bool
subject_base(struct buf *out, struct span value)
{
	struct buf flat;
	struct span s;
	bool reply = false, again;

	buf_init(&flat, BUF_NO_CAP);
	flatten(&flat, value);
	s = buf_span(&flat);
	do {
		reply |= drop_trailers(&s);
		reply |= skip_leaders(&s);
		/* step 6 */
		again = span_starts(s, "[fwd:") && span_ends(s, "]");
		if (again)
			s = span_sub(s, 5, s.n - 6);
		reply |= again;
	} while (again);
	buf_span_add(out, s);
	buf_fini(&flat);
	return reply;
}
