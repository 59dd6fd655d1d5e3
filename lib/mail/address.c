/*
 * One pass over the bytes for syntax, one for the normal form. No allocation
 * unless a domain has U-labels.
 */
#include "mail/address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>
#include <stdlib.h>

static int
bad(struct err *err, const char *why)
{
	return err_set(err, ERR_PERM, PS_ESYNTAX, "%s", why);
}

/* atext of RFC 5322 3.2.3. */
static bool
is_atext(unsigned char c)
{
	return ascii_isalnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Length of the dot-string or quoted-string at the front; 0 when none. */
static size_t
scan_dot_string(struct span s)
{
	size_t i;
	bool dot = true;	/* a dot may not be first or follow a dot */

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '.') {
			if (dot)
				return 0;
			dot = true;
		} else if (is_atext(c) || c >= 0x80)
			dot = false;
		else
			break;
	}
	return dot ? 0 : i;
}

static size_t
scan_quoted(struct span s)
{
	size_t i;

	for (i = 1; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"')
			return i + 1;
		if (c == '\\' && ++i < s.n)
			c = (unsigned char)s.p[i];
		if (c < 0x20 || c == 0x7f)
			return 0;
	}
	return 0;
}

/* One label of a domain, `dot` past its end. */
static bool
label_ok(struct span l)
{
	size_t i;

	if (l.n == 0 || l.n > 63 * 4 || l.p[0] == '-' || l.p[l.n - 1] == '-')
		return false;
	for (i = 0; i < l.n; i++) {
		unsigned char c = (unsigned char)l.p[i];

		if (!ascii_isalnum(c) && c != '-' && c != '_' && c < 0x80)
			return false;
	}
	return l.n <= 63 || !span_is_ascii(l);
}

/* Digits and dots only: an address that lost its brackets, or junk. */
static bool
is_numeric(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] != '.' && !ascii_isdigit((unsigned char)s.p[i]))
			return false;
	return true;
}

bool
address_is_domain(struct span s, unsigned flags)
{
	struct span rest, label;

	if (s.n > 1 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0 || s.n > ADDRESS_DOMAIN_MAX)
		return false;
	if (!span_is_ascii(s) &&
	    (!(flags & ADDRESS_UTF8) || !span_is_utf8(s)))
		return false;
	for (rest = s; span_split(&rest, '.', &label); )
		if (!label_ok(label))
			return false;
	return !is_numeric(s);
}

bool
address_is_literal(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char addr[sizeof(struct in6_addr)];
	int family = AF_INET;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = span_sub(s, 1, s.n - 2);
	if (span_starts(s, "IPv6:")) {
		s = span_sub(s, 5, s.n);
		family = AF_INET6;
	}
	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, addr) == 1;
}

static int
check_domain(struct span d, unsigned flags, struct address *a,
    struct err *err)
{
	if (d.n > ADDRESS_DOMAIN_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG, "domain too long");
	a->literal = d.n > 0 && d.p[0] == '[';
	if (a->literal ? !address_is_literal(d) : !address_is_domain(d, flags))
		return bad(err, "malformed domain");
	a->domain = d;
	return 0;
}

int
address_parse(struct span s, unsigned flags, struct address *a,
    struct err *err)
{
	size_t n;

	memset(a, 0, sizeof(*a));
	if (s.n == 0)
		return flags & ADDRESS_NULL ? 0 : bad(err, "empty address");
	if (s.n > ADDRESS_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG, "address too long");
	a->utf8 = !span_is_ascii(s);
	if (a->utf8 && (!(flags & ADDRESS_UTF8) || !span_is_utf8(s)))
		return bad(err, "non-ASCII address");
	a->quoted = s.p[0] == '"';
	n = a->quoted ? scan_quoted(s) : scan_dot_string(s);
	if (n == 0)
		return bad(err, "malformed local part");
	if (n > ADDRESS_LOCAL_MAX)
		return err_set(err, ERR_PERM, PS_ETOOBIG, "local part too long");
	a->text = s;
	a->local = span_sub(s, 0, n);
	if (n == s.n)
		return flags & ADDRESS_NO_DOMAIN ? 0 : bad(err, "no domain");
	if (s.p[n] != '@')
		return bad(err, "malformed local part");
	return check_domain(span_sub(s, n + 1, s.n), flags, a, err);
}

/* "@a.example,@b.example:" at the front is checked and dropped. */
static int
skip_route(struct span *path, unsigned flags, struct err *err)
{
	struct span route, hop;
	ptrdiff_t colon;

	if (path->n == 0 || path->p[0] != '@')
		return 0;
	if ((colon = span_chr(*path, ':')) == -1)
		return bad(err, "malformed source route");
	route = span_sub(*path, 0, (size_t)colon);
	while (span_split(&route, ',', &hop))
		if (hop.n < 2 || hop.p[0] != '@' ||
		    !address_is_domain(span_sub(hop, 1, hop.n), flags))
			return bad(err, "malformed source route");
	*path = span_sub(*path, (size_t)colon + 1, path->n);
	return path->n == 0 ? bad(err, "malformed source route") : 0;
}

/* Index of the ">" that ends a path; a quoted local part may hold others. */
static ptrdiff_t
path_end(struct span s)
{
	size_t i;
	bool quoted = false;

	for (i = 1; i < s.n; i++) {
		if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '>' && !quoted)
			return (ptrdiff_t)i;
	}
	return -1;
}

/* Without brackets a path ends at the first space outside quotes. */
static struct span
cut_bare(struct span *rest)
{
	struct span s;
	size_t i;
	bool quoted = false;

	for (i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\' && quoted)
			i++;
		else if (rest->p[i] == '"')
			quoted = !quoted;
		else if (rest->p[i] == ' ' && !quoted)
			break;
	}
	i = MIN(i, rest->n);
	s = span_sub(*rest, 0, i);
	*rest = span_sub(*rest, i, rest->n);
	return s;
}

int
address_path(struct span *rest, unsigned flags, struct address *a,
    struct err *err)
{
	struct span path;
	ptrdiff_t end;
	int rc;

	memset(a, 0, sizeof(*a));
	if (flags & ADDRESS_LOOSE)
		while (rest->n > 0 && rest->p[0] == ' ')
			*rest = span_sub(*rest, 1, rest->n);
	if (rest->n > 0 && rest->p[0] == '<') {
		if ((end = path_end(*rest)) == -1)
			return bad(err, "unclosed path");
		path = span_sub(*rest, 1, (size_t)end - 1);
		*rest = span_sub(*rest, (size_t)end + 1, rest->n);
	} else if ((flags & ADDRESS_LOOSE) && rest->n > 0) {
		path = cut_bare(rest);
	} else
		return bad(err, "no <> around the address");
	if (rest->n > 0 && rest->p[0] != ' ')
		return bad(err, "text behind the address");
	if ((rc = skip_route(&path, flags, err)) != 0)
		return rc;
	return address_parse(path, flags, a, err);
}

/* The bytes of a local part without its quoting. */
static void
unquote(struct span local, struct buf *out)
{
	size_t i;

	for (i = 1; i + 1 < local.n; i++) {
		if (local.p[i] == '\\')
			i++;
		buf_char(out, ascii_lower(local.p[i]));
	}
}

static void
requote(struct span plain, struct buf *out)
{
	size_t i;

	buf_char(out, '"');
	for (i = 0; i < plain.n; i++) {
		if (plain.p[i] == '"' || plain.p[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, plain.p[i]);
	}
	buf_char(out, '"');
}

static void
local_normal(const struct address *a, struct buf *out)
{
	char mem[ADDRESS_LOCAL_MAX];
	size_t i, n;
	struct span plain;

	if (!a->quoted) {
		for (i = 0; i < a->local.n; i++)
			buf_char(out, ascii_lower(a->local.p[i]));
		return;
	}
	/* Unquoting never grows, so the scrap fits. */
	n = buf_len(out);
	unquote(a->local, out);
	if (buf_failed(out))
		return;
	plain = span_sub(buf_span(out), n, ADDRESS_LOCAL_MAX);
	if (plain.n > 0 && scan_dot_string(plain) == plain.n)
		return;
	ps_assert(plain.n <= sizeof(mem));
	if (plain.n > 0)
		memcpy(mem, plain.p, plain.n);
	buf_truncate(out, n);
	requote(span_of(mem, plain.n), out);
}

/* U-labels to A-labels (RFC 5890). UTS 46 mapping folds and composes. */
static int
idn_normal(struct span d, struct buf *out, struct err *err)
{
	char text[ADDRESS_DOMAIN_MAX + 1];
	char *ascii = NULL;
	int rc;

	if (d.n >= sizeof(text) || memchr(d.p, '\0', d.n) != NULL)
		return bad(err, "malformed domain");
	memcpy(text, d.p, d.n);
	text[d.n] = '\0';
	rc = idn2_to_ascii_8z(text, &ascii,
	    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (rc != IDN2_OK)
		return err_set(err, ERR_PERM, PS_ESYNTAX, "domain: %s",
		    idn2_strerror(rc));
	rc = 0;
	if (!address_is_domain(span_str(ascii), 0))
		rc = bad(err, "malformed domain");
	else
		buf_str(out, ascii);
	idn2_free(ascii);
	return rc;
}

int
address_domain_normal(struct span d, struct buf *out, struct err *err)
{
	size_t i;

	if (!address_is_domain(d, ADDRESS_UTF8))
		return bad(err, "malformed domain");
	if (d.p[d.n - 1] == '.')
		d.n--;
	if (!span_is_ascii(d))
		return idn_normal(d, out, err);
	for (i = 0; i < d.n; i++)
		buf_char(out, ascii_lower(d.p[i]));
	return 0;
}

int
address_normal(const struct address *a, struct buf *out, struct err *err)
{
	size_t before = buf_len(out), i;
	int rc = 0;

	if (address_is_null(a))
		return 0;
	local_normal(a, out);
	if (a->domain.n > 0) {
		buf_char(out, '@');
		if (!a->literal)
			rc = address_domain_normal(a->domain, out, err);
		else
			for (i = 0; i < a->domain.n; i++)
				buf_char(out, ascii_lower(a->domain.p[i]));
	}
	if (rc == 0 && (buf_failed(out) ||
	    buf_len(out) - before > ADDRESS_MAX))
		rc = err_set(err, ERR_PERM, PS_ETOOBIG, "address too long");
	if (rc != 0)
		buf_truncate(out, before);
	return rc;
}

int
address_normal_text(struct span s, struct buf *out, struct err *err)
{
	struct address a;
	int rc;

	if ((rc = address_parse(s, ADDRESS_UTF8, &a, err)) != 0)
		return rc;
	return address_normal(&a, out, err);
}

int
esmtp_param_next(struct span *rest, struct span *key, struct span *value)
{
	struct span word;
	size_t i;
	ptrdiff_t eq;

	if (!span_word(rest, &word))
		return 0;
	*value = SPAN_NONE;
	*key = word;
	if ((eq = span_chr(word, '=')) != -1) {
		*key = span_sub(word, 0, (size_t)eq);
		*value = span_sub(word, (size_t)eq + 1, word.n);
		/* An empty value is no value: RFC 5321 wants one octet. It
		 * also forbids "=" in values, but ENVIDs have it. */
		if (value->n == 0)
			return PS_ESYNTAX;
	}
	if (key->n == 0 || !ascii_isalnum((unsigned char)key->p[0]))
		return PS_ESYNTAX;
	for (i = 1; i < key->n; i++)
		if (!ascii_isalnum((unsigned char)key->p[i]) &&
		    key->p[i] != '-')
			return PS_ESYNTAX;
	for (i = 0; i < value->n; i++)
		if ((unsigned char)value->p[i] < 0x21 || value->p[i] == 0x7f)
			return PS_ESYNTAX;
	return 1;
}

/* Value of an upper-case hex digit (RFC 3461 allows no other), or -1. */
static int
hex_value(char c)
{
	if (ascii_isdigit((unsigned char)c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
xtext_decode(struct span s, struct buf *out)
{
	size_t before = buf_len(out), i;

	for (i = 0; i < s.n; i++) {
		int hi, lo;

		if (s.p[i] != '+') {
			/* UTF-8 stands for itself: RFC 6533 3. */
			if ((unsigned char)s.p[i] < 0x21 || s.p[i] == 0x7f ||
			    s.p[i] == '=')
				goto fail;
			buf_char(out, s.p[i]);
			continue;
		}
		if (s.n - i < 3 || (hi = hex_value(s.p[i + 1])) < 0 ||
		    (lo = hex_value(s.p[i + 2])) < 0)
			goto fail;
		buf_char(out, (char)(hi << 4 | lo));
		i += 2;
	}
	if (!buf_failed(out))
		return 0;
fail:
	buf_truncate(out, before);
	return PS_ESYNTAX;
}

void
xtext_encode(struct span s, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c > 0x20 && c != '+' && c != '=' && c != 0x7f &&
		    c < 0x80) {
			buf_char(out, (char)c);
		} else {
			buf_char(out, '+');
			buf_char(out, hex[c >> 4]);
			buf_char(out, hex[c & 15]);
		}
	}
}
