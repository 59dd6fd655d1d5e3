/*
 * cidr: the first matching pattern wins (cidr_table(5)), with `!`, if/endif.
 * Lines are ADDRESS[/BITS] VALUE; IPv6 with or without brackets.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/xmalloc.h"
#include "table/lines.h"
#include "table/table_int.h"

struct address {
	int family;		/* AF_INET, AF_INET6 */
	uint8_t b[16];
};

struct cidr_rule {
	struct table_rule head;
	struct address addr;
	unsigned bits;
};

static bool
address_parse(struct span s, struct address *a)
{
	char text[INET6_ADDRSTRLEN + 1];

	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	a->family = AF_INET;
	if (inet_pton(AF_INET, text, a->b) == 1)
		return true;
	a->family = AF_INET6;
	return inet_pton(AF_INET6, text, a->b) == 1;
}

/* Bits behind the prefix must be zero, or the admin meant something else. */
static bool
host_bits_clear(const uint8_t *a, unsigned bits, unsigned all)
{
	unsigned i;

	for (i = bits; i < all; i++)
		if (a[i / 8] & (0x80 >> i % 8))
			return false;
	return true;
}

static const char *
pattern_parse(struct span word, struct cidr_rule *r)
{
	ptrdiff_t slash = span_chr(word, '/');
	struct span addr = slash < 0 ? word : span_sub(word, 0, (size_t)slash);
	unsigned all;

	if (slash > 0 && word.p[0] == '[' && word.p[word.n - 1] == ']') {
		/* [2001:db8::/32] */
		addr = span_sub(word, 1, (size_t)slash - 1);
		word.n--;
	}
	if (!address_parse(addr, &r->addr))
		return "not an address";
	all = r->addr.family == AF_INET ? 32 : 128;
	r->bits = all;
	if (slash >= 0 && !span_u32(span_sub(word, (size_t)slash + 1, word.n),
	    0, all, &r->bits))
		return "bad prefix length";
	if (!host_bits_clear(r->addr.b, r->bits, all))
		return "address bits are set behind the prefix";
	return NULL;
}

static const char *
line_parse(struct span line, struct cidr_rule *r)
{
	struct span word = SPAN_NONE;
	const char *wrong;

	table_rule_kind(&line, &r->head);
	if (r->head.kind == RULE_ENDIF)
		return line.n == 0 ? NULL : "text behind the endif";
	table_rule_not(&line, &r->head);
	(void)span_word(&line, &word);
	line = span_trim(line);
	if ((wrong = pattern_parse(word, r)) != NULL)
		return wrong;
	if (r->head.kind == RULE_IF && line.n > 0)
		return "text behind the if's pattern";
	if (line.n == 0 && r->head.kind == RULE_VALUE)
		return "a value is wanted";
	r->head.value = xmemdup0(line.p, line.n);
	return NULL;
}

static void
cidr_free(void *data)
{
	struct table_rules *rules = data;
	size_t i;

	for (i = 0; i < rules->n; i++)
		free(table_rule_at(rules, i)->value);
	free(rules->rule);
	free(rules);
}

static void *
cidr_make(const struct table *t, struct span text, struct err *err)
{
	struct table_rules *rules = xcalloc(1, sizeof(*rules));
	struct table_lines lines;
	struct cidr_rule r;
	const char *wrong;
	struct span line;

	(void)err;
	rules->size = sizeof(r);
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		r = (struct cidr_rule){ .head = { .lineno = lines.lineno } };
		if ((wrong = line_parse(line, &r)) != NULL)
			table_complain(t, lines.lineno, "%s", wrong);
		else
			table_rule_add(rules, &r.head);
	}
	table_lines_fini(&lines);
	table_rules_link(t, rules);
	return rules;
}

static enum table_result
rule_match(const void *arg, const struct table_rule *rule, struct err *err)
{
	const struct cidr_rule *r = (const struct cidr_rule *)rule;
	const struct address *a = arg;

	(void)err;
	/* not this IPv4 network: that says nothing of an IPv6 address */
	return r->addr.family == a->family &&
	    bits_equal(r->addr.b, a->b, r->bits) != rule->not ? TABLE_FOUND :
	    TABLE_NOTFOUND;
}

static enum table_result
cidr_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	const struct table_rule *hit;
	enum table_result r;
	struct address a;

	(void)asker;
	if (!address_parse(key, &a))
		return TABLE_NOTFOUND;
	r = table_rules_find(data, rule_match, &a, &hit, err);
	if (r == TABLE_FOUND)
		buf_str(out, hit->value);
	return r;
}

const struct table_type table_type_cidr = {
	.name = "cidr",
	.from_file = true,
	.pattern = true,
	.make = cidr_make,
	.free = cidr_free,
	.look_up = cidr_look_up,
};
