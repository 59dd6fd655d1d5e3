#include "imapd/fetch_plan.h"

#include <stdlib.h>

#include "base/xmalloc.h"

static const struct {
	const char *name;
	unsigned items;
} macros[] = {
	{ "ALL", FETCH_FLAGS | FETCH_DATE | FETCH_SIZE | FETCH_ENVELOPE },
	{ "FAST", FETCH_FLAGS | FETCH_DATE | FETCH_SIZE },
	{ "FULL", FETCH_FLAGS | FETCH_DATE | FETCH_SIZE | FETCH_ENVELOPE |
	    FETCH_BODY },
}, items[] = {
	{ "UID", FETCH_UID },
	{ "MODSEQ", FETCH_MODSEQ },
	{ "FLAGS", FETCH_FLAGS },
	{ "INTERNALDATE", FETCH_DATE },
	{ "RFC822.SIZE", FETCH_SIZE },
	{ "ENVELOPE", FETCH_ENVELOPE },
	{ "BODYSTRUCTURE", FETCH_STRUCTURE },
	{ "BODY", FETCH_BODY },
};

/* The names that older clients have for sections. */
static const struct {
	const char *name;
	enum section_kind kind;
	bool seen;
} old_names[] = {
	{ "RFC822", SECTION_ALL, true },
	{ "RFC822.HEADER", SECTION_HEADER, false },
	{ "RFC822.TEXT", SECTION_TEXT, true },
};

static const struct {
	const char *name;
	enum section_kind kind;
} kinds[] = {
	{ "HEADER.FIELDS.NOT", SECTION_FIELDS_NOT },
	{ "HEADER.FIELDS", SECTION_FIELDS },
	{ "HEADER", SECTION_HEADER },
	{ "TEXT", SECTION_TEXT },
	{ "MIME", SECTION_MIME },
};

/* --- sections -------------------------------------------------------------------- */

/* "1.2.": numbers off the front. False when one is bad or there are too many. */
static bool
take_path(struct section *s, struct span *text)
{
	struct span number;
	size_t n;

	while (text->n > 0 && ascii_isdigit((unsigned char)*text->p)) {
		for (n = 0; n < text->n &&
		    ascii_isdigit((unsigned char)text->p[n]); n++)
			;
		number = span_sub(*text, 0, n);
		if (s->path_n == SECTION_PATH_MAX || !span_u32(number, 1,
		    UINT32_MAX, &s->path[s->path_n++]))
			return false;
		*text = span_sub(*text, n, text->n);
		if (text->n == 0)
			return true;
		if (*text->p != '.' || text->n == 1)
			return false;
		*text = span_sub(*text, 1, text->n);
	}
	return true;
}

bool
section_field_next(struct span *rest, struct span *name)
{
	ptrdiff_t end;

	*rest = span_trim(*rest);
	if (rest->n == 0)
		return false;
	if (*rest->p == '"') {
		*name = span_sub(*rest, 1, rest->n);
		end = span_chr(*name, '"');
		*name = span_sub(*name, 0, end < 0 ? name->n : (size_t)end);
		*rest = span_sub(*rest, name->n + 2, rest->n);
		return true;
	}
	return span_word(rest, name);
}

/* " (From To)" */
static bool
take_fields(struct section *s, struct span text)
{
	struct span rest, name;
	size_t n = 0;

	text = span_trim(text);
	if (text.n < 3 || *text.p != '(' || text.p[text.n - 1] != ')')
		return false;
	s->fields = span_sub(text, 1, text.n - 2);
	for (rest = s->fields; section_field_next(&rest, &name); n++)
		if (name.n == 0 || span_chr(name, '(') >= 0 ||
		    span_chr(name, ')') >= 0)
			return false;
	return n > 0 && n <= SECTION_FIELDS_MAX;
}

bool
section_parse(struct section *s, struct span text)
{
	size_t i, n;

	s->text = text;
	s->kind = SECTION_ALL;
	if (!take_path(s, &text))
		return false;
	if (text.n == 0)
		return true;
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		n = strlen(kinds[i].name);
		if (!span_starts(text, kinds[i].name) ||
		    (text.n > n && text.p[n] != ' '))
			continue;
		s->kind = kinds[i].kind;
		text = span_sub(text, n, text.n);
		if (s->kind == SECTION_FIELDS ||
		    s->kind == SECTION_FIELDS_NOT)
			return take_fields(s, text);
		return text.n == 0 && (s->kind != SECTION_MIME ||
		    s->path_n > 0);
	}
	return false;
}

void
section_label_put(struct buf *out, const struct section *s)
{
	static const char *const names[] = {
		[FORM_BODY] = "BODY[", [FORM_BINARY] = "BINARY[",
		[FORM_BINARY_SIZE] = "BINARY.SIZE["
	};

	if (s->label != NULL) {
		buf_str(out, s->label);
	} else {
		buf_str(out, names[s->form]);
		buf_span_add(out, s->text);
		buf_char(out, ']');
	}
	if (s->partial)
		buf_fmt(out, "<%u>", s->from);
}

/* --- the plan ---------------------------------------------------------------------- */

static struct section *
section_add(struct fetch_plan *p)
{
	struct section *s;

	p->section = xreallocarray(p->section, p->n + 1, sizeof(*p->section));
	s = &p->section[p->n++];
	memset(s, 0, sizeof(*s));
	return s;
}

/* "<0.100>" */
static bool
take_partial(struct section *s, struct span text)
{
	ptrdiff_t dot;

	if (text.n == 0)
		return true;
	if (text.n < 5 || *text.p != '<' || text.p[text.n - 1] != '>')
		return false;
	text = span_sub(text, 1, text.n - 2);
	dot = span_chr(text, '.');
	s->partial = true;
	return dot > 0 && span_u32(span_sub(text, 0, (size_t)dot), 0,
	    UINT32_MAX, &s->from) && span_u32(span_sub(text, (size_t)dot + 1,
	    text.n), 1, UINT32_MAX, &s->count);
}

static const struct {
	const char *name;
	enum section_form form;
	bool seen;
} section_names[] = {
	{ "BODY", FORM_BODY, true },
	{ "BODY.PEEK", FORM_BODY, false },
	{ "BINARY", FORM_BINARY, true },		/* RFC 3516 */
	{ "BINARY.PEEK", FORM_BINARY, false },
	{ "BINARY.SIZE", FORM_BINARY_SIZE, false },
};

/* "BODY[...]<...>" and its relatives. */
static bool
take_section(struct fetch_plan *p, struct span word)
{
	ptrdiff_t open = span_chr(word, '['), close = span_rchr(word, ']');
	struct section *s;
	size_t i;

	if (open < 0 || close < open)
		return false;
	for (i = 0; i < ARRAY_LEN(section_names); i++)
		if (span_is(span_sub(word, 0, (size_t)open),
		    section_names[i].name))
			break;
	if (i == ARRAY_LEN(section_names))
		return false;
	p->seen = p->seen || section_names[i].seen;
	s = section_add(p);
	s->form = section_names[i].form;
	if (!section_parse(s, span_sub(word, (size_t)open + 1,
	    (size_t)(close - open) - 1)) ||
	    !take_partial(s, span_sub(word, (size_t)close + 1, word.n)))
		return false;
	/* only parts have a transfer encoding, and only data has ranges */
	return s->form == FORM_BODY || (s->kind == SECTION_ALL &&
	    (s->form == FORM_BINARY || !s->partial));
}

static const char *
take_item(struct fetch_plan *p, struct span word)
{
	struct section *s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(items); i++)
		if (span_is(word, items[i].name)) {
			p->items |= items[i].items;
			return NULL;
		}
	if (p->n == FETCH_SECTIONS_MAX)
		return "Too many sections";
	for (i = 0; i < ARRAY_LEN(old_names); i++)
		if (span_is(word, old_names[i].name)) {
			s = section_add(p);
			s->kind = old_names[i].kind;
			s->label = old_names[i].name;
			p->seen = p->seen || old_names[i].seen;
			return NULL;
		}
	return take_section(p, word) ? NULL : "Unknown FETCH item";
}

const char *
fetch_plan_take(struct fetch_plan *p, struct arg_iter *it)
{
	struct arg_iter members;
	struct span word;
	const char *why;
	size_t i;

	*p = (struct fetch_plan){ .items = 0 };
	if (arg_take_list(it, &members)) {
		do {
			if (!arg_take_atom(&members, &word))
				return "FETCH item expected";
			why = take_item(p, word);
		} while (why == NULL && !arg_at_end(&members));
		return why;
	}
	if (!arg_take_atom(it, &word))
		return "FETCH items expected";
	for (i = 0; i < ARRAY_LEN(macros); i++)
		if (span_is(word, macros[i].name)) {
			p->items |= macros[i].items;
			return NULL;
		}
	return take_item(p, word);
}

const char *
fetch_modifiers_take(struct fetch_plan *p, struct arg_iter *it)
{
	struct arg_iter members;
	struct span word;

	if (arg_at_end(it))
		return NULL;
	if (!arg_take_list(it, &members) || arg_at_end(&members))
		return "FETCH modifiers expected";
	while (!arg_at_end(&members)) {
		if (!arg_take_atom(&members, &word))
			return "FETCH modifier expected";
		if (span_is(word, "VANISHED"))
			p->vanished = true;
		else if (!span_is(word, "CHANGEDSINCE"))
			return "Unknown FETCH modifier";
		else if (!arg_take_modseq(&members, false, &p->since))
			return "Mod-sequence expected";
		else
			p->changed_only = true;
	}
	if (p->vanished && !p->changed_only)
		return "VANISHED needs CHANGEDSINCE";
	if (p->changed_only)
		p->items |= FETCH_MODSEQ;
	return NULL;
}

void
fetch_plan_fini(struct fetch_plan *p)
{
	free(p->section);
	p->section = NULL;
	p->n = 0;
}
