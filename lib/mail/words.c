/*
 * Encoded words: =?charset?B|Q?text?= (RFC 2047). White space between two of
 * them is not text; characters split over two words of one charset are put
 * together again, as careless senders make such words.
 */
#include "mail/charset.h"
#include "mail/codec.h"
#include "mail/header.h"

#define CHARSET_NAME_MAX 64

struct word {
	struct span charset, text;
	bool base64;
	size_t n;			/* bytes of the whole word */
};

/* The encoded word at the front of s? */
static bool
word_parse(struct span s, struct word *w)
{
	struct span rest = span_sub(s, 2, s.n), enc;
	ptrdiff_t end;

	if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?' ||
	    !span_split(&rest, '?', &w->charset) || rest.p == NULL ||
	    !span_split(&rest, '?', &enc) || rest.p == NULL || enc.n != 1)
		return false;
	if (ascii_lower(*enc.p) != 'b' && ascii_lower(*enc.p) != 'q')
		return false;
	w->base64 = ascii_lower(*enc.p) == 'b';
	end = span_chr(rest, '?');
	if (end < 0 || (size_t)end + 1 >= rest.n || rest.p[end + 1] != '=')
		return false;
	w->text = span_sub(rest, 0, (size_t)end);
	w->n = (size_t)(rest.p + end + 2 - s.p);
	/* RFC 2231 5: charset*language */
	end = span_chr(w->charset, '*');
	if (end >= 0)
		w->charset.n = (size_t)end;
	return w->charset.n > 0 && w->charset.n <= CHARSET_NAME_MAX;
}

static size_t
space_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && ascii_isspace((unsigned char)s.p[n]))
		n++;
	return n;
}

/*
 * Decodes the run of words of one charset at the front of s. Returns how
 * many bytes were used; 0 when there is no word, or nobody knows its charset.
 */
static size_t
run_decode(struct buf *out, struct span s)
{
	struct word w, first;
	struct buf raw;
	size_t used = 0, space;

	if (!word_parse(s, &first) || !charset_known(first.charset))
		return 0;
	buf_init(&raw, s.n);
	w = first;
	for (;;) {
		if (w.base64)
			base64_decode_mime(&raw, w.text);
		else
			qp_decode(&raw, w.text, true);
		used += w.n;
		space = space_length(span_sub(s, used, s.n));
		if (!word_parse(span_sub(s, used + space, s.n), &w) ||
		    !span_ieq(w.charset, first.charset))
			break;
		used += space;
	}
	if (!charset_to_utf8(out, first.charset, buf_span(&raw)))
		used = 0;
	buf_fini(&raw);
	return used;
}

/* s has no line ends left. */
static void
flat_decode(struct buf *out, struct span s)
{
	size_t used, space;
	ptrdiff_t at;

	while (s.n > 0) {
		used = run_decode(out, s);
		if (used > 0) {
			s = span_sub(s, used, s.n);
			space = space_length(s);
			/* drop the space only between two words */
			if (space > 0 && s.n > space + 1 &&
			    s.p[space] == '=' && s.p[space + 1] == '?')
				s = span_sub(s, space, s.n);
			continue;
		}
		at = span_chr(span_sub(s, 1, s.n), '=');
		used = at < 0 ? s.n : (size_t)at + 1;
		buf_append(out, s.p, used);
		s = span_sub(s, used, s.n);
	}
}

void
words_decode(struct buf *out, struct span value)
{
	struct buf flat;

	if (memchr(value.p == NULL ? "" : value.p, '\n', value.n) == NULL) {
		flat_decode(out, value);
		return;
	}
	buf_init(&flat, value.n);
	header_unfold(&flat, value);
	flat_decode(out, buf_span(&flat));
	buf_fini(&flat);
}
