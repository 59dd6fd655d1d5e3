/*
 * cidr: the first matching pattern wins (cidr_table(5)), with `!`, if/endif.
 * Lines are ADDRESS[/BITS] VALUE; IPv6 with or without brackets.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/xmalloc.h"
#include "table/table_int.h"

struct cidr_rule {
	enum { CIDR_VALUE, CIDR_IF, CIDR_ENDIF } kind;
	int family;		/* AF_INET, AF_INET6 */
	uint8_t addr[16];
	unsigned bits;
	bool not;
	char *value;
	size_t past;		/* CIDR_IF: rule behind its endif */
};

struct cidr {
	struct cidr_rule *rule;
	size_t n;
};

static bool
address_parse(struct span s, int *family, uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN + 1];

	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*family = AF_INET;
	if (inet_pton(AF_INET, text, addr) == 1)
		return true;
	*family = AF_INET6;
	return inet_pton(AF_INET6, text, addr) == 1;
}

static bool
bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, left = bits % 8;
	uint8_t mask = left == 0 ? 0 : (uint8_t)(0xff << (8 - left));

	return memcmp(a, b, whole) == 0 &&
	    (left == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
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
	ptrdiff_t slash;
	struct span addr;
	unsigned all;

	while (word.n > 0 && word.p[0] == '!') {
		r->not = !r->not;
		word = span_sub(word, 1, word.n);
	}
	slash = span_chr(word, '/');
	addr = slash < 0 ? word : span_sub(word, 0, (size_t)slash);
	if (slash > 0 && word.p[0] == '[' && word.p[word.n - 1] == ']') {
		/* [2001:db8::/32] */
		addr = span_sub(word, 1, (size_t)slash - 1);
		word.n--;
	}
	if (!address_parse(addr, &r->family, r->addr))
		return "not an address";
	all = r->family == AF_INET ? 32 : 128;
	r->bits = all;
	if (slash >= 0 && !span_u32(span_sub(word, (size_t)slash + 1, word.n),
	    0, all, &r->bits))
		return "bad prefix length";
	if (!host_bits_clear(r->addr, r->bits, all))
		return "address bits are set behind the prefix";
	return NULL;
}

static void
cidr_free(void *data)
{
	struct cidr *c = data;
	size_t i;

	for (i = 0; i < c->n; i++)
		free(c->rule[i].value);
	free(c->rule);
	free(c);
}

static const char *
line_parse(struct span line, struct cidr_rule *r)
{
	struct span word;
	const char *wrong;

	(void)span_word(&line, &word);
	if (span_is(word, "endif")) {
		r->kind = CIDR_ENDIF;
		return NULL;
	}
	if (span_is(word, "if")) {
		r->kind = CIDR_IF;
		(void)span_word(&line, &word);
		return pattern_parse(word, r);
	}
	if ((wrong = pattern_parse(word, r)) != NULL)
		return wrong;
	line = span_trim(line);
	if (line.n == 0)
		return "a value is wanted";
	r->value = xmemdup0(line.p, line.n);
	return NULL;
}

/* Gives every if the place behind its endif; unmatched ones reach the end. */
static void
ifs_link(struct cidr *c)
{
	size_t i, k;
	int depth;

	for (i = 0; i < c->n; i++) {
		if (c->rule[i].kind != CIDR_IF)
			continue;
		for (k = i + 1, depth = 1; k < c->n && depth > 0; k++)
			depth += c->rule[k].kind == CIDR_IF ? 1 :
			    c->rule[k].kind == CIDR_ENDIF ? -1 : 0;
		c->rule[i].past = k;
	}
}

static void *
cidr_make(const struct table *t, struct span text, struct err *err)
{
	struct cidr *c = xcalloc(1, sizeof(*c));
	struct table_lines lines;
	struct cidr_rule r;
	const char *wrong;
	struct span line;
	size_t size = 0;

	(void)err;
	table_lines_init(&lines, text);
	while (table_lines_next(&lines, &line)) {
		r = (struct cidr_rule){ .kind = CIDR_VALUE };
		if ((wrong = line_parse(line, &r)) != NULL) {
			table_complain(t, lines.lineno, "%s", wrong);
			continue;
		}
		if (c->n == size) {
			size = size == 0 ? 16 : size * 2;
			c->rule = xreallocarray(c->rule, size,
			    sizeof(*c->rule));
		}
		c->rule[c->n++] = r;
	}
	table_lines_fini(&lines);
	ifs_link(c);
	return c;
}

static enum table_result
cidr_look_up(void *data, struct span key, struct buf *out, struct err *err)
{
	const struct cidr *c = data;
	uint8_t addr[16];
	int family;
	size_t i;

	(void)err;
	if (!address_parse(key, &family, addr))
		return TABLE_NOTFOUND;
	for (i = 0; i < c->n;) {
		const struct cidr_rule *r = &c->rule[i];
		bool hit = r->kind != CIDR_ENDIF && r->family == family &&
		    bits_equal(r->addr, addr, r->bits);

		if (r->not)
			hit = !hit;
		if (r->kind == CIDR_IF && !hit) {
			i = r->past;
			continue;
		}
		if (r->kind == CIDR_VALUE && hit) {
			buf_str(out, r->value);
			return TABLE_FOUND;
		}
		i++;
	}
	return TABLE_NOTFOUND;
}

const struct table_type table_type_cidr = {
	.name = "cidr",
	.from_file = true,
	.pattern = true,
	.make = cidr_make,
	.free = cidr_free,
	.look_up = cidr_look_up,
};
