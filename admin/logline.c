#include "admin/logline.h"

#include "spool/queueid.h"

/* Cuts what is before the next space; false when there is none. */
static bool
cut_word(struct span *rest, struct span *word)
{
	ptrdiff_t at = span_chr(*rest, ' ');

	if (at <= 0)
		return false;
	*word = span_sub(*rest, 0, (size_t)at);
	*rest = span_sub(*rest, (size_t)at + 1, rest->n);
	return true;
}

/* "Nov 20 10:57:48 " (the day padded with a space) or one word. */
static bool
cut_when(struct span *rest, struct span *when)
{
	const size_t n = sizeof("Nov 20 10:57:48") - 1;

	if (rest->n == 0 || ascii_isdigit((unsigned char)rest->p[0]))
		return cut_word(rest, when);
	if (rest->n <= n || rest->p[3] != ' ' || rest->p[6] != ' ' ||
	    rest->p[n] != ' ')
		return false;
	*when = span_sub(*rest, 0, n);
	*rest = span_sub(*rest, n + 1, rest->n);
	return true;
}

/* "postern/smtpd[811]:" */
static bool
tag_parse(struct span tag, const char *syslog_name, struct logline *out)
{
	struct span name = span_str(syslog_name);
	ptrdiff_t open;

	if (tag.n <= name.n || tag.p[tag.n - 1] != ':' ||
	    !span_eq(span_sub(tag, 0, name.n), name))
		return false;
	tag = span_sub(tag, name.n, tag.n - name.n - 1);
	out->pid = out->service = span_of(tag.p, 0);
	open = span_chr(tag, '[');
	if (open != -1) {
		if (tag.p[tag.n - 1] != ']')
			return false;
		out->pid = span_sub(tag, (size_t)open + 1,
		    tag.n - (size_t)open - 2);
		tag.n = (size_t)open;
	}
	if (tag.n == 0)
		return true;
	if (tag.p[0] != '/')
		return false;		/* another program, "postern2" */
	out->service = span_sub(tag, 1, tag.n);
	return true;
}

bool
logline_parse(struct span line, const char *syslog_name,
    struct logline *out)
{
	struct span host, tag;

	if (!cut_when(&line, &out->when) || !cut_word(&line, &host) ||
	    !cut_word(&line, &tag) || !tag_parse(tag, syslog_name, out))
		return false;
	out->text = line;
	return true;
}

struct span
logline_id(struct span text)
{
	bool word = true;
	size_t n;

	for (n = 0; n < text.n && ascii_isalnum((unsigned char)text.p[n]); n++)
		word = word && text.p[n] >= 'a';
	if ((n != SESSION_ID_LEN && n != QUEUE_ID_LEN) || n == text.n ||
	    (text.p[n] != ':' && text.p[n] != ' '))
		return SPAN_LIT("");
	/* "disconnect from", "statistics: " */
	return word ? SPAN_LIT("") : span_sub(text, 0, n);
}

struct span
logline_value(struct span text, const char *key)
{
	size_t k = strlen(key), i, end;
	bool angle;

	for (i = 0; i + k < text.n; i++) {
		if (i > 0 && text.p[i - 1] != ' ')
			continue;
		if (text.p[i + k] != '=' || memcmp(text.p + i, key, k) != 0)
			continue;
		i += k + 1;
		angle = i < text.n && text.p[i] == '<';
		i += angle;
		for (end = i; end < text.n && (angle ? text.p[end] != '>' :
		    text.p[end] != ',' && text.p[end] != ' '); end++)
			;
		return span_sub(text, i, end - i);
	}
	return SPAN_LIT("");
}
