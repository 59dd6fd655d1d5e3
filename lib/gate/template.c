#include "gate/template.h"

#include "gate/gate.h"

#define DEPTH_MAX	8	/* ${a?${b?...}} */
#define VALUE_MAX	1024

/* One value, made harmless for a reply line. */
static bool
value_of(struct span name, struct buf *out, template_macro *macro, void *arg)
{
	size_t i;

	buf_clear(out);
	if (!macro(name, out, arg))
		return false;
	for (i = 0; i < buf_len(out); i++)
		if ((unsigned char)buf_data(out)[i] < 0x20 ||
		    buf_data(out)[i] == 0x7f)
			buf_data(out)[i] = '_';
	return true;
}

static size_t
name_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && (ascii_isalnum((unsigned char)s.p[n]) ||
	    s.p[n] == '_'))
		n++;
	return n;
}

/* Where the brace that is open ends; s.n: nowhere. */
static size_t
brace_end(struct span s)
{
	size_t i;
	int depth = 1;

	for (i = 0; i < s.n; i++) {
		depth += s.p[i] == '{';
		if (s.p[i] == '}' && --depth == 0)
			break;
	}
	return i;
}

static bool expand(struct span text, struct buf *out, template_macro *macro,
    void *arg, int depth);

/* What stands between ${ and }. */
static bool
braced(struct span inside, struct buf *out, template_macro *macro, void *arg,
    int depth)
{
	size_t n = name_length(inside);
	struct span name = span_sub(inside, 0, n), rest;
	struct buf value;
	bool ok;

	buf_init(&value, VALUE_MAX);
	ok = n > 0 && value_of(name, &value, macro, arg);
	rest = span_sub(inside, n, inside.n);
	if (!ok || rest.n == 0) {
		buf_span_add(out, buf_span(&value));
	} else if (rest.p[0] == '?' || rest.p[0] == ':') {
		if ((buf_len(&value) > 0) == (rest.p[0] == '?'))
			ok = expand(span_sub(rest, 1, rest.n), out, macro,
			    arg, depth + 1);
	} else {
		ok = false;
	}
	buf_fini(&value);
	return ok;
}

static bool
expand(struct span text, struct buf *out, template_macro *macro, void *arg,
    int depth)
{
	struct buf value;
	struct span rest;
	size_t i = 0, n;
	bool ok = depth <= DEPTH_MAX;

	buf_init(&value, VALUE_MAX);
	while (ok && i < text.n) {
		if (text.p[i] != '$') {
			buf_char(out, text.p[i++]);
			continue;
		}
		rest = span_sub(text, i + 1, text.n);
		if (rest.n > 0 && rest.p[0] == '$') {
			buf_char(out, '$');
			i += 2;
		} else if (rest.n > 0 && (rest.p[0] == '{' ||
		    rest.p[0] == '(')) {
			char close = rest.p[0] == '{' ? '}' : ')';

			rest = span_sub(rest, 1, rest.n);
			n = close == '}' ? brace_end(rest) :
			    (size_t)MAX(span_chr(rest, ')'), (ptrdiff_t)0);
			ok = n < rest.n && rest.p[n] == close &&
			    braced(span_sub(rest, 0, n), out, macro, arg,
			    depth);
			i += n + 3;
		} else {
			n = name_length(rest);
			ok = n > 0 && value_of(span_sub(rest, 0, n), &value,
			    macro, arg);
			buf_span_add(out, buf_span(&value));
			i += n + 1;
		}
	}
	buf_fini(&value);
	return ok;
}

bool
template_expand(struct span text, struct buf *out, template_macro *macro,
    void *arg)
{
	return expand(text, out, macro, arg, 0) && !buf_failed(out);
}

/* --- the names of the chain --- */

/* "sender", "sender_name", "sender_domain". */
static bool
address_macro(struct span name, const char *base, struct span address,
    struct buf *out)
{
	ptrdiff_t at = span_rchr(address, '@');
	struct span part;

	if (address.p != NULL && address.n == 0)
		address = SPAN_LIT("<>");	/* null, but there is one */
	if (!span_starts(name, base))
		return false;
	part = span_sub(name, strlen(base), name.n);
	if (part.n == 0 || span_is(part, "_name"))
		buf_span_add(out, part.n == 0 || at < 0 ? address :
		    span_sub(address, 0, (size_t)at));
	else if (!span_is(part, "_domain"))
		return false;
	else if (at >= 0)
		buf_span_add(out, span_sub(address, (size_t)at + 1,
		    address.n));
	return true;
}

bool
gate_macro(const struct gate_eval *e, struct span name, struct buf *out)
{
	const struct gate_facts *f = e->facts;

	if (span_is(name, "client"))
		buf_fmt(out, "%s[%s]", f->client_name, f->client_ip);
	else if (span_is(name, "client_address"))
		buf_str(out, f->client_ip);
	else if (span_is(name, "client_name"))
		buf_str(out, f->client_name);
	else if (span_is(name, "reverse_client_name"))
		buf_str(out, gate_reverse_name(f));
	else if (span_is(name, "helo_name"))
		buf_str(out, f->helo);
	else
		return address_macro(name, "sender", f->sender, out) ||
		    address_macro(name, "recipient", f->recipient, out);
	return true;
}
