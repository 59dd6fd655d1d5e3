/*
 * regexp and pcre: the first matching pattern wins (pcre_table(5)); $1 in a
 * value stands for what the first group matched. Both are PCRE2 here: POSIX
 * extended syntax is understood by it, and its match limit bounds what a
 * pattern may cost (a match past it is TABLE_TEMPFAIL, never "no match").
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "table/table_int.h"

#define MATCH_LIMIT	200000
#define DEPTH_LIMIT	2000
#define GROUPS_MAX	100

struct re_rule {
	enum { RE_VALUE, RE_IF, RE_ENDIF } kind;
	bool not;
	pcre2_code *code;
	char *value;
	int lineno;
	size_t past;		/* RE_IF: rule behind its endif */
};

struct re {
	struct re_rule *rule;
	size_t n;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	char *file;
};

/* Flags toggle their option, as pcre_table(5) has it; `i` is on at first. */
static const struct { char flag; uint32_t bit; } flag_bits[] = {
	{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE },
	{ 's', PCRE2_DOTALL }, { 'x', PCRE2_EXTENDED },
	{ 'A', PCRE2_ANCHORED }, { 'E', PCRE2_DOLLAR_ENDONLY },
	{ 'U', PCRE2_UNGREEDY }, { 'X', 0 },
};

static bool
flags_parse(struct span flags, uint32_t *options)
{
	size_t i, k;

	for (i = 0; i < flags.n; i++) {
		for (k = 0; k < ARRAY_LEN(flag_bits); k++)
			if (flag_bits[k].flag == flags.p[i])
				break;
		if (k == ARRAY_LEN(flag_bits))
			return false;
		*options ^= flag_bits[k].bit;
	}
	return true;
}

/* Cuts "[!]/pattern/flags" off *line; `\/` inside does not end it. */
static const char *
pattern_cut(struct span *line, struct span *pattern, uint32_t *options,
    bool *not)
{
	struct span flags;
	size_t i;
	char end;

	while (line->n > 0 && line->p[0] == '!') {
		*not = !*not;
		*line = span_sub(*line, 1, line->n);
	}
	if (line->n < 2 || ascii_isalnum((unsigned char)line->p[0]))
		return "/pattern/ is wanted";
	end = line->p[0];
	for (i = 1; i < line->n && line->p[i] != end; i++)
		if (line->p[i] == '\\')
			i++;
	if (i >= line->n)
		return "the pattern has no end";
	*pattern = span_sub(*line, 1, i - 1);
	*line = span_sub(*line, i + 1, line->n);
	for (i = 0; i < line->n && !ascii_isspace((unsigned char)line->p[i]);)
		i++;
	flags = span_sub(*line, 0, i);
	*line = span_trim(span_sub(*line, i, line->n));
	return flags_parse(flags, options) ? NULL : "unknown pattern flag";
}

static const char *
line_parse(struct span line, struct re_rule *r, char wrong[256])
{
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL;
	struct span word, rest = line, pattern;
	const char *problem;
	PCRE2_SIZE at;
	int code, n;

	(void)span_word(&rest, &word);
	if (span_is(word, "endif")) {
		r->kind = RE_ENDIF;
		return NULL;
	}
	if (span_is(word, "if")) {
		r->kind = RE_IF;
		line = span_trim(rest);
	}
	if ((problem = pattern_cut(&line, &pattern, &options, &r->not)))
		return problem;
	if (r->kind == RE_VALUE && line.n == 0)
		return "a value is wanted";
	r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options,
	    &code, &at, NULL);
	if (r->code == NULL) {
		n = snprintf(wrong, 256, "pattern, character %zu: ",
		    (size_t)at + 1);
		(void)pcre2_get_error_message(code, (PCRE2_UCHAR *)wrong + n,
		    256 - (size_t)n);
		return wrong;
	}
	(void)pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
	r->value = xmemdup0(line.p, line.n);
	return NULL;
}

static void
re_free(void *data)
{
	struct re *re = data;
	size_t i;

	for (i = 0; i < re->n; i++) {
		pcre2_code_free(re->rule[i].code);
		free(re->rule[i].value);
	}
	pcre2_match_data_free(re->match);
	pcre2_match_context_free(re->limits);
	free(re->rule);
	free(re->file);
	free(re);
}

static void
ifs_link(struct re *re)
{
	size_t i, k;
	int depth;

	for (i = 0; i < re->n; i++) {
		if (re->rule[i].kind != RE_IF)
			continue;
		for (k = i + 1, depth = 1; k < re->n && depth > 0; k++)
			depth += re->rule[k].kind == RE_IF ? 1 :
			    re->rule[k].kind == RE_ENDIF ? -1 : 0;
		re->rule[i].past = k;
	}
}

static void *
re_make(const struct table *t, struct span text, struct err *err)
{
	struct re *re = xcalloc(1, sizeof(*re));
	struct table_lines lines;
	const char *wrong;
	char room[256];
	struct span line;
	size_t size = 0;

	(void)err;
	re->file = xstrdup(t->arg);
	re->match = pcre2_match_data_create(GROUPS_MAX, NULL);
	re->limits = pcre2_match_context_create(NULL);
	(void)pcre2_set_match_limit(re->limits, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(re->limits, DEPTH_LIMIT);
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		struct re_rule r = { .lineno = lines.lineno };

		if ((wrong = line_parse(line, &r, room)) != NULL) {
			pcre2_code_free(r.code);
			table_complain(t, lines.lineno, "%s", wrong);
			continue;
		}
		if (re->n == size) {
			size = size == 0 ? 16 : size * 2;
			re->rule = xreallocarray(re->rule, size,
			    sizeof(*re->rule));
		}
		re->rule[re->n++] = r;
	}
	table_lines_fini(&lines);
	ifs_link(re);
	return re;
}

/* $1 ${1} $(1) become groups, $$ a dollar. */
static void
value_expand(const struct re *re, const char *value, struct span key,
    int groups, struct buf *out)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->match);
	const char *p = value;
	char close;
	int g;

	while (*p != '\0') {
		if (*p != '$') {
			buf_char(out, *p++);
			continue;
		}
		if (*++p == '$') {
			buf_char(out, *p++);
			continue;
		}
		close = *p == '{' ? '}' : *p == '(' ? ')' : '\0';
		if (close != '\0')
			p++;
		for (g = 0; ascii_isdigit((unsigned char)*p) && g < 1000; p++)
			g = g * 10 + (*p - '0');
		if (close != '\0' && *p == close)
			p++;
		if (g < groups && at[2 * g] != PCRE2_UNSET)
			buf_span_add(out, span_sub(key, at[2 * g],
			    at[2 * g + 1] - at[2 * g]));
	}
}

static enum table_result
re_look_up(void *data, struct span key, struct buf *out, struct err *err)
{
	const struct re *re = data;
	size_t i = 0;
	int n;
	bool hit;

	while (i < re->n) {
		const struct re_rule *r = &re->rule[i];

		if (r->kind == RE_ENDIF) {
			i++;
			continue;
		}
		n = pcre2_match(r->code, (PCRE2_SPTR)key.p, key.n, 0, 0,
		    re->match, re->limits);
		if (n < 0 && n != PCRE2_ERROR_NOMATCH) {
			err_set(err, ERR_TEMP, PS_ETOOBIG, "%s:%d: the "
			    "pattern costs too much on this key (%d)",
			    re->file, r->lineno, n);
			return TABLE_TEMPFAIL;
		}
		hit = (n >= 0) != r->not;
		if (r->kind == RE_IF)
			i = hit ? i + 1 : r->past;
		else if (hit) {
			/* 0: more groups than fit; those that fit are set */
			value_expand(re, r->value, key, r->not ? 0 :
			    n == 0 ? GROUPS_MAX : n, out);
			return TABLE_FOUND;
		} else
			i++;
	}
	return TABLE_NOTFOUND;
}

const struct table_type table_type_regexp = {
	.name = "regexp", .from_file = true, .pattern = true,
	.make = re_make, .free = re_free, .look_up = re_look_up,
};
const struct table_type table_type_pcre = {
	.name = "pcre", .from_file = true, .pattern = true,
	.make = re_make, .free = re_free, .look_up = re_look_up,
};
