#define PCRE2_CODE_UNIT_WIDTH 8
#include "gate/greywhite.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/queue.h"
#include "base/xmalloc.h"
#include "gate/gate.h"

#define FILE_MAX	(4 * 1024 * 1024)
#define MATCH_LIMIT	100000

enum kind {
	RULE_NAME,		/* a host or domain, and what is below it */
	RULE_ADDRESS,		/* user@domain */
	RULE_USER,		/* user@ */
	RULE_PART,		/* the first numbers of an address */
	RULE_NET,
	RULE_REGEX
};

struct rule {
	STAILQ_ENTRY(rule) link;
	enum kind kind;
	char *text;
	size_t n;
	struct netlist *net;
	pcre2_code *regex;
	pcre2_match_data *match;
};
STAILQ_HEAD(rules, rule);

struct greywhite {
	struct rules list[2];		/* by enum greywhite_of */
	pcre2_match_context *limits;
};

/* --- making --- */

static void
rule_free(struct rule *r)
{
	netlist_free(&r->net);
	pcre2_code_free(r->regex);
	pcre2_match_data_free(r->match);
	free(r->text);
	free(r);
}

struct greywhite *
greywhite_new(void)
{
	struct greywhite *w = xcalloc(1, sizeof(*w));

	STAILQ_INIT(&w->list[GREYWHITE_CLIENTS]);
	STAILQ_INIT(&w->list[GREYWHITE_RECIPIENTS]);
	w->limits = pcre2_match_context_create(NULL);
	if (w->limits == NULL)
		abort();
	(void)pcre2_set_match_limit(w->limits, MATCH_LIMIT);
	return w;
}

void
greywhite_free(struct greywhite **wp)
{
	struct greywhite *w = *wp;
	struct rule *r;
	int i;

	*wp = NULL;
	if (w == NULL)
		return;
	for (i = 0; i < 2; i++)
		while ((r = STAILQ_FIRST(&w->list[i])) != NULL) {
			STAILQ_REMOVE_HEAD(&w->list[i], link);
			rule_free(r);
		}
	pcre2_match_context_free(w->limits);
	free(w);
}

/* "/x/" */
static bool
regex_take(struct rule *r, struct span word, struct buf *why)
{
	char text[128];
	size_t at;
	int code;

	r->kind = RULE_REGEX;
	r->regex = pcre2_compile((PCRE2_SPTR)(word.p + 1), word.n - 2,
	    PCRE2_CASELESS, &code, &at, NULL);
	if (r->regex == NULL) {
		(void)pcre2_get_error_message(code, (PCRE2_UCHAR *)text,
		    sizeof(text));
		buf_fmt(why, "%s at byte %zu of the expression", text, at);
		return false;
	}
	r->match = pcre2_match_data_create_from_pattern(r->regex, NULL);
	if (r->match == NULL)
		abort();
	return true;
}

/* One to three numbers, "192.0.2": a network by whole numbers. */
static bool
is_part(struct span word)
{
	struct span rest = word, number;
	uint64_t v;
	unsigned n = 0;

	while (span_split(&rest, '.', &number)) {
		if (!span_u64(number, 0, 255, &v))
			return false;
		n++;
	}
	return n >= 1 && n <= 3;
}

static bool
net_take(struct rule *r, struct span word)
{
	char *text = xmemdup0(word.p, word.n);
	struct span bad;

	r->kind = RULE_NET;
	r->net = netlist_parse(text, &bad);
	free(text);
	return r->net != NULL;
}

static bool
is_host(struct span word)
{
	size_t i;

	for (i = 0; i < word.n; i++)
		if (!ascii_isalnum((unsigned char)word.p[i]) &&
		    strchr(".-_", word.p[i]) == NULL &&
		    (unsigned char)word.p[i] < 0x80)
			return false;
	return true;
}

static bool
client_take(struct rule *r, struct span word, struct buf *why)
{
	struct net_addr a;

	if (is_part(word)) {
		r->kind = RULE_PART;
		return true;
	}
	if (net_addr_parse(word, &a) || span_chr(word, '/') != -1 ||
	    span_chr(word, ':') != -1) {
		if (net_take(r, word))
			return true;
		buf_str(why, "neither an address nor a network");
		return false;
	}
	r->kind = RULE_NAME;
	if (is_host(word))
		return true;
	buf_str(why, "does not look like a host name");
	return false;
}

static bool
recipient_take(struct rule *r, struct span word)
{
	ptrdiff_t at = span_rchr(word, '@');

	r->kind = at == -1 ? RULE_NAME : (size_t)at + 1 == word.n ?
	    RULE_USER : RULE_ADDRESS;
	return true;
}

static void
line_take(struct greywhite *w, enum greywhite_of of, struct span word,
    const char *name, unsigned line, struct buf *complaints)
{
	struct rule *r = xcalloc(1, sizeof(*r));
	struct buf why;
	size_t i;
	bool ok;

	buf_init(&why, 512);
	if (word.n > 2 && word.p[0] == '/' && word.p[word.n - 1] == '/')
		ok = regex_take(r, word, &why);
	else {
		r->text = xmemdup0(word.p, word.n);
		r->n = word.n;
		for (i = 0; i < r->n; i++)
			r->text[i] = ascii_lower(r->text[i]);
		ok = of == GREYWHITE_CLIENTS ? client_take(r, word, &why) :
		    recipient_take(r, word);
	}
	if (ok)
		STAILQ_INSERT_TAIL(&w->list[of], r, link);
	else {
		buf_fmt(complaints, "%s:%u: \"%.*s\": %s\n", name, line,
		    SPAN_ARG(word), buf_cstr(&why));
		rule_free(r);
	}
	buf_fini(&why);
}

void
greywhite_parse(struct greywhite *w, enum greywhite_of of, const char *name,
    struct span text, struct buf *complaints)
{
	struct span line, word, more;
	ptrdiff_t comment;
	unsigned n = 0;

	while (span_split(&text, '\n', &line)) {
		n++;
		if ((comment = span_chr(line, '#')) != -1)
			line = span_sub(line, 0, (size_t)comment);
		if (!span_word(&line, &word))
			continue;
		if (span_word(&line, &more))
			buf_fmt(complaints, "%s:%u: more than one word\n",
			    name, n);
		else
			line_take(w, of, word, name, n, complaints);
	}
}

void
greywhite_read(struct greywhite *w, enum greywhite_of of, const char *path,
    struct buf *complaints)
{
	FILE *f = fopen(path, "re");
	struct buf text;
	size_t got;
	char *room;

	if (f == NULL) {
		buf_fmt(complaints, "%s: can't be read\n", path);
		return;
	}
	buf_init(&text, FILE_MAX);
	while ((room = buf_reserve(&text, 65536)) != NULL &&
	    (got = fread(room, 1, 65536, f)) > 0)
		buf_commit(&text, got);
	if (ferror(f) || buf_failed(&text))
		buf_fmt(complaints, "%s: can't be read, or is too long\n",
		    path);
	else
		greywhite_parse(w, of, path, buf_span(&text), complaints);
	buf_fini(&text);
	(void)fclose(f);
}

/* --- matching --- */

static bool
regex_hits(const struct greywhite *w, const struct rule *r, struct span text)
{
	return text.n > 0 && pcre2_match(r->regex, (PCRE2_SPTR)text.p, text.n,
	    0, 0, r->match, w->limits) >= 0;
}

/* Is it that name, or behind `sep` the end of it? */
static bool
is_or_below(struct span text, const struct rule *r, const char *seps)
{
	struct span end;

	if (text.n < r->n)
		return false;
	end = span_sub(text, text.n - r->n, r->n);
	return span_ieq(end, span_of(r->text, r->n)) && (text.n == r->n ||
	    strchr(seps, text.p[text.n - r->n - 1]) != NULL);
}

bool
greywhite_client(const struct greywhite *w, struct span name, struct span ip,
    const struct net_addr *a)
{
	const struct rule *r;
	bool hit;

	STAILQ_FOREACH(r, &w->list[GREYWHITE_CLIENTS], link) {
		if (r->kind == RULE_NET)
			hit = netlist_match(r->net, a);
		else if (r->kind == RULE_REGEX)
			hit = regex_hits(w, r, name);
		else if (r->kind == RULE_PART)
			hit = ip.n > r->n && ip.p[r->n] == '.' &&
			    memcmp(ip.p, r->text, r->n) == 0;
		else
			hit = is_or_below(name, r, ".");
		if (hit)
			return true;
	}
	return false;
}

bool
greywhite_recipient(const struct greywhite *w, struct span address)
{
	const struct rule *r;
	struct buf plain;
	struct span text;
	bool hit = false;

	if (STAILQ_EMPTY(&w->list[GREYWHITE_RECIPIENTS]))
		return false;
	buf_init(&plain, BUF_NO_CAP);
	grey_recipient(address, &plain);
	text = buf_span(&plain);
	STAILQ_FOREACH(r, &w->list[GREYWHITE_RECIPIENTS], link) {
		if (r->kind == RULE_REGEX)
			hit = regex_hits(w, r, address);
		else if (r->kind == RULE_ADDRESS)
			hit = span_ieq(text, span_of(r->text, r->n)) ||
			    span_ieq(address, span_of(r->text, r->n));
		else if (r->kind == RULE_USER)
			hit = text.n > r->n && span_ieq(span_sub(text, 0,
			    r->n), span_of(r->text, r->n));
		else
			hit = text.n > r->n && is_or_below(text, r, "@.");
		if (hit)
			break;
	}
	buf_fini(&plain);
	return hit;
}
