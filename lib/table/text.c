/*
 * Exact keys: text files of `key value` lines, and inline:{ k = v }.
 */
#include <stdlib.h>

#include "base/map.h"
#include "base/xmalloc.h"
#include "table/lines.h"
#include "table/table_int.h"

struct span
table_fold(struct span key, char out[TABLE_KEY_MAX])
{
	size_t i;

	for (i = 0; i < key.n; i++)
		out[i] = ascii_lower(key.p[i]);
	return span_of(out, key.n);
}

/* The first line of a key wins, as with postmap; the second is told. */
static bool
pair_add(struct map *m, struct span key, struct span value)
{
	char folded[TABLE_KEY_MAX];
	char *copy;

	key = table_fold(key, folded);
	if (map_get(m, key) != NULL)
		return false;
	copy = xmemdup0(value.p, value.n);
	(void)map_put(m, key, copy);
	return true;
}

void
table_text_free(void *data)
{
	struct map *m = data;
	size_t pos = 0;
	void *value;

	while (map_next(m, &pos, NULL, &value))
		free(value);
	map_free(&m);
}

void *
table_text_make(const struct table *t, struct span text, struct err *err)
{
	struct map *m = map_new();
	struct table_lines lines;
	struct span line, key;

	(void)err;
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		if (buf_failed(&lines.line))
			table_complain(t, lines.lineno, "line is too long");
		else if (lines.indented)
			table_complain(t, lines.lineno, "a line must not "
			    "begin with white space");
		else if (span_chr(line, '\0') >= 0)
			table_complain(t, lines.lineno, "line holds NUL");
		else if (!table_key_cut(&line, &key) || line.n == 0)
			table_complain(t, lines.lineno,
			    "a key and a value are wanted");
		else if (key.n > TABLE_KEY_MAX)
			table_complain(t, lines.lineno, "key is too long");
		else if (!pair_add(m, key, line))
			table_complain(t, lines.lineno, "\"%.*s\" is there "
			    "already", (int)MIN(key.n, (size_t)100), key.p);
	}
	table_lines_fini(&lines);
	return m;
}

enum table_result
table_text_look_up(void *data, struct span key, struct buf *out,
    struct err *err, struct table_asker *asker)
{
	char folded[TABLE_KEY_MAX];
	const char *value = map_get(data, table_fold(key, folded));

	(void)err;
	(void)asker;
	if (value == NULL)
		return TABLE_NOTFOUND;
	buf_str(out, value);
	return TABLE_FOUND;
}

/* --- inline --- */

/* "k = v"; "a=1 b=2" is two of them when each word has its `=`. Cuts the
 * first off. */
static struct span
pair_cut(struct span *member)
{
	struct span rest = *member, word, first = SPAN_NONE, all = *member;
	size_t words = 0;

	while (span_word(&rest, &word)) {
		if (span_chr(word, '=') <= 0) {
			*member = SPAN_NONE;
			return all;
		}
		if (words++ == 0)
			first = word;
	}
	*member = span_trim(span_sub(all, first.n, all.n));
	return first;
}

static bool
pair_parse(struct map *m, struct span pair, struct err *err)
{
	ptrdiff_t eq = span_chr(pair, '=');

	if (eq > 0 && (size_t)eq <= TABLE_KEY_MAX &&
	    pair_add(m, span_trim(span_sub(pair, 0, (size_t)eq)),
	    span_trim(span_sub(pair, (size_t)eq + 1, pair.n))))
		return true;
	err_set(err, ERR_PERM, PS_ESYNTAX, "\"%.*s\": key = value is wanted, "
	    "each key once", (int)MIN(pair.n, (size_t)80), pair.p);
	return false;
}

/* Next of "k = v, { k2 = v2, with comma } { k3 = v3 }": at commas outside of
 * braces, and behind braces. */
static bool
inline_next(struct span *rest, struct span *member)
{
	bool braced;
	int depth = 0;
	size_t i;

	do {
		*rest = span_trim(*rest);
		braced = rest->n > 0 && rest->p[0] == '{';
		for (i = 0; i < rest->n; i++) {
			depth += rest->p[i] == '{';
			depth -= rest->p[i] == '}';
			if (depth <= 0 && (rest->p[i] == ',' ||
			    (braced && rest->p[i] == '}')))
				break;
		}
		i += braced && i < rest->n && rest->p[i] == '}';
		*member = span_trim(span_sub(*rest, 0, i));
		*rest = span_sub(*rest, i + (braced ? 0 : 1), rest->n);
		if (braced && rest->n > 0 && rest->p[0] == ',')
			*rest = span_sub(*rest, 1, rest->n);
	} while (member->n == 0 && rest->n > 0);
	return member->n > 0;
}

/* inline:{ key = value, { key = value with, comma } } */
static void *
inline_make(const struct table *t, struct span text, struct err *err)
{
	struct map *m;
	struct span member, pair;
	bool good = true;

	(void)t;
	if (!table_in_braces(text, &text)) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "inline:{ key = value, ... } is wanted");
		return NULL;
	}
	m = map_new();
	while (good && inline_next(&text, &member)) {
		if (table_in_braces(member, &pair)) {
			good = pair_parse(m, span_trim(pair), err);
			continue;
		}
		while (good && member.n > 0) {
			pair = pair_cut(&member);
			good = pair_parse(m, pair, err);
		}
	}
	if (good)
		return m;
	table_text_free(m);
	return NULL;
}

const struct table_type table_type_inline = {
	.name = "inline",
	.make = inline_make,
	.free = table_text_free,
	.look_up = table_text_look_up,
};
