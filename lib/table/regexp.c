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
#include "table/lines.h"
#include "table/table_int.h"

#define MATCH_LIMIT	200000
#define DEPTH_LIMIT	2000
#define GROUPS_MAX	100

struct re_rule {
	struct table_rule head;
	pcre2_code *code;
	pcre2_code *but_not;	/* regexp: /this/!/but not that/; or NULL */
};

struct re {
	struct table_rules rules;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	char *file;
};

/*
 * Flags toggle their option. A `.` matches a newline in both types; in POSIX
 * `$` is the very end, and `m` is REG_NEWLINE: `^` and `$` at each line, `.`
 * not across.
 */
struct dialect {
	uint32_t options;
	struct { char flag; uint32_t bits; } flag[8];
};

static const struct dialect dialect_pcre = {
	PCRE2_CASELESS | PCRE2_DOTALL, {
	{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE },
	{ 's', PCRE2_DOTALL }, { 'x', PCRE2_EXTENDED },
	{ 'A', PCRE2_ANCHORED }, { 'E', PCRE2_DOLLAR_ENDONLY },
	{ 'U', PCRE2_UNGREEDY }, { 'X', 0 } }
};
static const struct dialect dialect_regexp = {
	PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY, {
	{ 'i', PCRE2_CASELESS },
	{ 'm', PCRE2_MULTILINE | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY } }
};

static bool
flags_parse(const struct dialect *d, struct span flags, uint32_t *options)
{
	size_t i, k;

	for (i = 0; i < flags.n; i++) {
		for (k = 0; k < ARRAY_LEN(d->flag); k++)
			if (d->flag[k].flag == flags.p[i])
				break;
		if (k == ARRAY_LEN(d->flag))
			return false;
		*options ^= d->flag[k].bits;
	}
	return true;
}

/* --- a line --- */

struct pattern {
	struct span text, flags;
};

/* Cuts "/pattern/flags" off *line; `\/` inside does not end it. */
static const char *
pattern_cut(struct span *line, struct pattern *p)
{
	size_t i;
	char end;

	if (line->n < 2 || ascii_isalnum((unsigned char)line->p[0]))
		return "/pattern/ is wanted";
	end = line->p[0];
	for (i = 1; i < line->n && line->p[i] != end; i++)
		if (line->p[i] == '\\')
			i++;
	if (i >= line->n)
		return "the pattern has no end";
	p->text = span_sub(*line, 1, i - 1);
	*line = span_sub(*line, i + 1, line->n);
	for (i = 0; i < line->n &&
	    !ascii_isspace((unsigned char)line->p[i]) && line->p[i] != '!';)
		i++;
	p->flags = span_sub(*line, 0, i);
	*line = span_sub(*line, i, line->n);
	return NULL;
}

/* NULL with why in `wrong`. */
static pcre2_code *
pattern_compile(const struct dialect *d, const struct pattern *p,
    char wrong[256])
{
	uint32_t options = d->options;
	pcre2_code *code;
	PCRE2_SIZE at;
	int problem, n;

	if (!flags_parse(d, p->flags, &options)) {
		(void)snprintf(wrong, 256, "unknown pattern flag in \"%.*s\"",
		    (int)MIN(p->flags.n, (size_t)40), p->flags.p);
		return NULL;
	}
	code = pcre2_compile((PCRE2_SPTR)p->text.p, p->text.n, options,
	    &problem, &at, NULL);
	if (code == NULL) {
		n = snprintf(wrong, 256, "pattern, character %zu: ",
		    (size_t)at + 1);
		(void)pcre2_get_error_message(problem, (PCRE2_UCHAR *)wrong +
		    n, 256 - (size_t)n);
		return NULL;
	}
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}

/* Next piece of a value: plain text, or a group's number with *text empty
 * ($1 ${1} $(1); $$ is a dollar). False at the end; *group is -1 when a `$`
 * has no number behind it. */
static bool
value_next(const char **p, struct span *text, int *group)
{
	const char *s = *p;
	char close;

	*group = 0;
	*text = SPAN_NONE;
	if (*s == '\0')
		return false;
	if (*s != '$' || s[1] == '$') {
		s += *s == '$';
		*p = s + 1;
		*p += strcspn(*p, "$");
		*text = span_of(s, (size_t)(*p - s));
		return true;
	}
	close = *++s == '{' ? '}' : *s == '(' ? ')' : '\0';
	if (close != '\0')
		s++;
	*group = ascii_isdigit((unsigned char)*s) ? 0 : -1;
	while (ascii_isdigit((unsigned char)*s) && *group < 1000)
		*group = *group * 10 + (*s++ - '0');
	if (close != '\0' && *s++ != close) {
		s--;
		*group = -1;
	}
	*p = s;
	return true;
}

/* A value that names what is not there would be a wrong answer. */
static const char *
value_check(const struct re_rule *r)
{
	const char *p = r->head.value;
	uint32_t groups = 0;
	struct span text;
	int g;

	(void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	while (value_next(&p, &text, &g)) {
		if (text.p != NULL)
			continue;
		if (g < 0)
			return "a number is wanted behind $ (or $$ for $)";
		if (r->head.not)
			return "$number in the value of a `!' pattern";
		if (g == 0 || (uint32_t)g > groups || g >= GROUPS_MAX)
			return "$number of a group that the pattern has not";
	}
	return NULL;
}

static const char *
line_parse(const struct dialect *d, struct span line, struct re_rule *r,
    char wrong[256])
{
	struct pattern p, second = { SPAN_NONE, SPAN_NONE };
	const char *problem;

	table_rule_kind(&line, &r->head);
	if (r->head.kind == RULE_ENDIF)
		return NULL;
	table_rule_not(&line, &r->head);
	if ((problem = pattern_cut(&line, &p)) != NULL)
		return problem;
	if (line.n > 0 && line.p[0] == '!' && r->head.kind == RULE_VALUE) {
		line = span_sub(line, 1, line.n);
		if (d != &dialect_regexp)
			return "unknown pattern flag \"!\"";
		if ((problem = pattern_cut(&line, &second)) != NULL)
			return problem;
	}
	line = span_trim(line);
	if ((r->code = pattern_compile(d, &p, wrong)) == NULL)
		return wrong;
	if (second.text.p != NULL && (r->but_not = pattern_compile(d, &second,
	    wrong)) == NULL)
		return wrong;
	r->head.value = xmemdup0(line.p, line.n);
	return value_check(r);
}

/* --- a table --- */

static void
rule_free(struct re_rule *r)
{
	pcre2_code_free(r->code);
	pcre2_code_free(r->but_not);
	free(r->head.value);
}

static void
re_free(void *data)
{
	struct re *re = data;
	size_t i;

	for (i = 0; i < re->rules.n; i++)
		rule_free((struct re_rule *)table_rule_at(&re->rules, i));
	pcre2_match_data_free(re->match);
	pcre2_match_context_free(re->limits);
	free(re->rules.rule);
	free(re->file);
	free(re);
}

static void *
re_make(const struct table *t, struct span text, const struct dialect *d)
{
	struct re *re = xcalloc(1, sizeof(*re));
	struct table_lines lines;
	const char *wrong;
	char room[256];
	struct span line;

	re->file = xstrdup(t->arg);
	re->rules.size = sizeof(struct re_rule);
	re->match = pcre2_match_data_create(GROUPS_MAX, NULL);
	re->limits = pcre2_match_context_create(NULL);
	(void)pcre2_set_match_limit(re->limits, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(re->limits, DEPTH_LIMIT);
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		struct re_rule r = { .head = { .lineno = lines.lineno } };

		if ((wrong = line_parse(d, line, &r, room)) != NULL) {
			rule_free(&r);
			table_complain(t, lines.lineno, "%s", wrong);
		} else
			table_rule_add(&re->rules, &r.head);
	}
	table_lines_fini(&lines);
	table_rules_link(t, &re->rules);
	return re;
}

static void *
pcre_make(const struct table *t, struct span text, struct err *err)
{
	(void)err;
	return re_make(t, text, &dialect_pcre);
}

static void *
regexp_make(const struct table *t, struct span text, struct err *err)
{
	(void)err;
	return re_make(t, text, &dialect_regexp);
}

/* --- looking up --- */

struct subject {
	const struct re *re;
	struct span key;
};

static int
code_match(const struct subject *s, const pcre2_code *code)
{
	return pcre2_match(code, (PCRE2_SPTR)s->key.p, s->key.n, 0, 0,
	    s->re->match, s->re->limits);
}

static enum table_result
rule_match(const void *arg, const struct table_rule *rule, struct err *err)
{
	const struct re_rule *r = (const struct re_rule *)rule;
	const struct subject *s = arg;
	bool other = false, hit = false;
	int n;

	if (r->but_not != NULL) {
		n = code_match(s, r->but_not);
		other = n >= 0;
		if (n < 0 && n != PCRE2_ERROR_NOMATCH)
			goto costly;
	}
	/* last, so that its groups are those that remain */
	if (!other) {
		n = code_match(s, r->code);
		hit = n >= 0;
		if (n < 0 && n != PCRE2_ERROR_NOMATCH)
			goto costly;
	}
	return !other && hit != rule->not ? TABLE_FOUND : TABLE_NOTFOUND;
costly:
	err_set(err, ERR_TEMP, PS_ETOOBIG, "%s:%d: the pattern costs too "
	    "much on this key (%d)", s->re->file, rule->lineno, n);
	return TABLE_TEMPFAIL;
}

static void
value_expand(const struct re *re, const char *value, struct span key,
    struct buf *out)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(re->match);
	struct span text;
	int g;

	while (value_next(&value, &text, &g)) {
		if (text.p != NULL)
			buf_span_add(out, text);
		else if (at[2 * g] != PCRE2_UNSET)
			buf_span_add(out, span_sub(key, at[2 * g],
			    at[2 * g + 1] - at[2 * g]));
	}
}

static enum table_result
re_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	struct subject s = { data, key };
	const struct table_rule *hit;
	enum table_result r;

	(void)asker;
	r = table_rules_find(&s.re->rules, rule_match, &s, &hit, err);
	if (r == TABLE_FOUND)
		value_expand(s.re, hit->value, key, out);
	return r;
}

const struct table_type table_type_regexp = {
	.name = "regexp", .from_file = true, .pattern = true,
	.make = regexp_make, .free = re_free, .look_up = re_look_up,
};
const struct table_type table_type_pcre = {
	.name = "pcre", .from_file = true, .pattern = true,
	.make = pcre_make, .free = re_free, .look_up = re_look_up,
};
