#include "table/lines.h"

#include "table/table.h"

void
table_lines_init(struct table_lines *l, struct span text)
{
	*l = (struct table_lines){ .rest = text, .next = 1 };
	if (text.n == 0)
		l->rest = SPAN_NONE;
	buf_init(&l->line, TABLE_KEY_MAX + TABLE_VALUE_MAX);
}

void
table_lines_fini(struct table_lines *l)
{
	buf_fini(&l->line);
}

static bool
is_continuation(struct span physical)
{
	return physical.n > 0 && ascii_isspace((unsigned char)physical.p[0]);
}

/* As Postfix joins them: the line breaks go, white space stays. */
bool
table_lines_next(struct table_lines *l, struct span *line)
{
	struct span physical, trimmed, ahead;
	bool begun = false;

	buf_clear(&l->line);
	for (;;) {
		ahead = l->rest;
		if (!span_split(&ahead, '\n', &physical))
			break;
		trimmed = span_trim(physical);
		if (trimmed.n > 0 && trimmed.p[0] != '#') {
			if (begun && !is_continuation(physical))
				break;
			if (!begun) {
				l->lineno = l->next;
				l->indented = is_continuation(physical);
			}
			if (physical.p[physical.n - 1] == '\r')
				physical.n--;
			buf_span_add(&l->line, physical);
			begun = true;
		}
		l->rest = ahead;
		l->next++;
	}
	*line = span_trim(buf_span(&l->line));
	return begun;
}

bool
table_key_cut(struct span *line, struct span *key)
{
	struct span s = span_trim(*line);
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && ascii_isspace((unsigned char)s.p[i]))
			break;
	}
	i = MIN(i, s.n);
	*key = span_sub(s, 0, i);
	*line = span_trim(span_sub(s, i, s.n));
	return key->n > 0;
}
