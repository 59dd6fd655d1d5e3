#include "mail/spf_record.h"

#include <arpa/inet.h>

static const struct {
	const char *name;
	enum spf_mechanism mech;
	enum { SPEC_NONE, SPEC_MAY, SPEC_MUST, SPEC_ADDR } spec;
	bool cidr;
} mechanisms[] = {
	{ "all", SPF_ALL, SPEC_NONE, false },
	{ "include", SPF_INCLUDE, SPEC_MUST, false },
	{ "a", SPF_A, SPEC_MAY, true },
	{ "mx", SPF_MX, SPEC_MAY, true },
	{ "ptr", SPF_PTR, SPEC_MAY, false },
	{ "ip4", SPF_IP4, SPEC_ADDR, false },
	{ "ip6", SPF_IP6, SPEC_ADDR, false },
	{ "exists", SPF_EXISTS, SPEC_MUST, false },
};

bool
spf_record_is(struct span text)
{
	return span_starts(text, "v=spf1") &&
	    (text.n == 6 || text.p[6] == ' ');
}

/* "0" or a number without leading zero (12). */
static bool
bits_parse(struct span s, unsigned max, unsigned *bits)
{
	uint32_t v;

	if ((s.n > 1 && s.p[0] == '0') || !span_u32(s, 0, max, &v))
		return false;
	*bits = v;
	return true;
}

static bool
to_address(struct span s, int family, uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof(text) || span_chr(s, '\0') >= 0)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, addr) == 1;
}

static bool
address_parse(struct span s, struct spf_term *t)
{
	bool v4 = t->mech == SPF_IP4;
	ptrdiff_t slash = span_chr(s, '/');

	if (slash >= 0 && !bits_parse(span_sub(s, (size_t)slash + 1, s.n),
	    v4 ? 32 : 128, v4 ? &t->bits4 : &t->bits6))
		return false;
	if (slash >= 0)
		s.n = (size_t)slash;
	return to_address(s, v4 ? AF_INET : AF_INET6, t->addr);
}

/* Cuts `slashes` and the digits behind them off the end of *s. False when
 * it does not end so. */
static bool
prefix_cut(struct span *s, const char *slashes, struct span *digits)
{
	size_t i = s->n, n = strlen(slashes);

	while (i > 0 && ascii_isdigit((unsigned char)s->p[i - 1]))
		i--;
	if (i == s->n || i < n || memcmp(s->p + i - n, slashes, n) != 0)
		return false;
	*digits = span_sub(*s, i, s->n);
	s->n = i - n;
	return true;
}

/* Cuts "/n", "//m" or "/n//m" off the end of *s; other slashes belong to the
 * name. */
static bool
dual_cidr_cut(struct span *s, struct spf_term *t)
{
	struct span digits;

	if (prefix_cut(s, "//", &digits) &&
	    !bits_parse(digits, 128, &t->bits6))
		return false;
	return !prefix_cut(s, "/", &digits) ||
	    bits_parse(digits, 32, &t->bits4);
}

/* Ends in a top label that is no number, or in a macro (7.1). */
static bool
domain_spec_ok(struct span s)
{
	struct span label;
	ptrdiff_t dot;
	bool digits = true;
	size_t i;

	if (s.n == 0 || !spf_macro_valid(s, false))
		return false;
	if (s.p[s.n - 1] == '}' ||
	    (s.n >= 2 && s.p[s.n - 2] == '%' && strchr("%_-", s.p[s.n - 1])))
		return true;
	if (s.p[s.n - 1] == '.')
		s.n--;
	if ((dot = span_rchr(s, '.')) < 0)
		return false;
	label = span_sub(s, (size_t)dot + 1, s.n);
	for (i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		if (!ascii_isalnum(c) && c != '-')
			return false;
		if (!ascii_isdigit(c))
			digits = false;
	}
	return label.n > 0 && !digits && label.p[0] != '-' &&
	    label.p[label.n - 1] != '-';
}

static const char *
mechanism_parse(struct span word, struct spf_term *t)
{
	struct span name, rest;
	size_t i = 0, k;

	*t = (struct spf_term){ .qualifier = '+', .text = word, .bits4 = 32,
	    .bits6 = 128 };
	if (strchr("+-~?", word.p[0]) != NULL) {
		t->qualifier = word.p[0];
		word = span_sub(word, 1, word.n);
	}
	while (i < word.n && word.p[i] != ':' && word.p[i] != '/')
		i++;
	name = span_sub(word, 0, i);
	rest = span_sub(word, i, word.n);
	for (k = 0; k < ARRAY_LEN(mechanisms); k++)
		if (span_is(name, mechanisms[k].name))
			break;
	if (k == ARRAY_LEN(mechanisms))
		return "unknown mechanism";
	t->mech = mechanisms[k].mech;
	if (mechanisms[k].spec == SPEC_ADDR)
		return rest.n > 1 && rest.p[0] == ':' &&
		    address_parse(span_sub(rest, 1, rest.n), t) ? NULL :
		    "bad address";
	if (mechanisms[k].cidr && !dual_cidr_cut(&rest, t))
		return "bad prefix length";
	if (rest.n == 0)
		return mechanisms[k].spec == SPEC_MUST ?
		    "a domain is wanted" : NULL;
	if (rest.p[0] != ':' || mechanisms[k].spec == SPEC_NONE)
		return "something behind the mechanism";
	t->spec = span_sub(rest, 1, rest.n);
	return domain_spec_ok(t->spec) ? NULL : "bad domain";
}

/* name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ), and then "=". */
static ptrdiff_t
modifier_equals(struct span word)
{
	size_t i;

	if (!ascii_isalpha((unsigned char)word.p[0]))
		return -1;
	for (i = 1; i < word.n; i++) {
		if (word.p[i] == '=')
			return (ptrdiff_t)i;
		if (!ascii_isalnum((unsigned char)word.p[i]) &&
		    strchr("-_.", word.p[i]) == NULL)
			return -1;
	}
	return -1;
}

static const char *
modifier_parse(struct span word, size_t equals, struct spf_record *r)
{
	struct span name = span_sub(word, 0, equals);
	struct span value = span_sub(word, equals + 1, word.n), *to = NULL;

	if (span_is(name, "redirect"))
		to = &r->redirect;
	else if (span_is(name, "exp"))
		to = &r->exp;
	if (to == NULL)
		return spf_macro_valid(value, false) ? NULL :
		    "bad modifier value";
	if (to->p != NULL)
		return "modifier is there twice";
	*to = value;
	return domain_spec_ok(value) ? NULL : "bad domain in modifier";
}

bool
spf_record_parse(struct span text, struct spf_record *r, const char **why)
{
	struct span rest = span_sub(text, 6, text.n), word;
	ptrdiff_t equals;

	r->n = 0;
	r->redirect = r->exp = SPAN_NONE;
	*why = NULL;
	while (*why == NULL && span_split(&rest, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (span_chr(word, '\0') >= 0)
			*why = "NUL in the record";
		else if ((equals = modifier_equals(word)) > 0)
			*why = modifier_parse(word, (size_t)equals, r);
		else if (r->n == SPF_TERMS_MAX)
			*why = "too many terms";
		else
			*why = mechanism_parse(word, &r->term[r->n++]);
	}
	return *why == NULL;
}
