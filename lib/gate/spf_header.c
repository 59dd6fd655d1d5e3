#include "gate/spf_header.h"

/* Of what others have said; the rest is cut off. */
#define VALUE_MAX	300

/* --- words --- */

/* atext and dots (RFC 5322 3.2.3), which need no quotes. */
static bool
is_plain(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!ascii_isalnum((unsigned char)s.p[i]) &&
		    memchr("!#$%&'*+-/=?^_`{|}~.", s.p[i], 20) == NULL)
			return false;
	return s.n > 0 && s.p[0] != '.' && s.p[s.n - 1] != '.';
}

/* As dot-atom or quoted-string; what is neither text nor UTF-8 becomes '?'. */
static void
value_put(struct buf *out, struct span s)
{
	size_t i;

	s = span_sub(s, 0, VALUE_MAX);
	if (is_plain(s)) {
		buf_span_add(out, s);
		return;
	}
	buf_char(out, '"');
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		buf_char(out, c < 0x20 || c == 0x7f ||
		    (c >= 0x80 && !span_is_utf8(s)) ? '?' : (char)c);
	}
	buf_char(out, '"');
}

/* Inside a comment: no parenthesis, nothing that needs a fold. */
static void
comment_put(struct buf *out, const char *text)
{
	size_t i;

	for (i = 0; text[i] != '\0' && i < VALUE_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		buf_char(out, c < 0x20 || c >= 0x7f || c == '(' || c == ')' ||
		    c == '\\' ? '?' : (char)c);
	}
}

/* --- what is said --- */

bool
spf_found_by_sender(const struct spf_found *f)
{
	return f->of_sender != NULL && (f->of_sender->result != SPF_NONE ||
	    f->of_helo == NULL || f->of_helo->result == SPF_NONE);
}

/* "domain of x.example says no by -all". */
static void
reason_put(struct buf *out, const struct spf_verdict *v, const char *domain,
    const char *ip)
{
	switch (v->result) {
	case SPF_NONE:
		comment_put(out, domain);
		buf_str(out, " has no SPF record");
		return;
	case SPF_PERMERROR:
	case SPF_TEMPERROR:
		comment_put(out, v->why);
		return;
	case SPF_PASS:
		buf_fmt(out, "%s may send for ", ip);
		break;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
		buf_fmt(out, "%s may not send for ", ip);
		break;
	case SPF_NEUTRAL:
		buf_fmt(out, "nothing is said of %s by ", ip);
		break;
	}
	comment_put(out, domain);
}

static const char *
domain_of(const struct spf_found *f, bool by_sender)
{
	return by_sender && f->sender_domain != NULL ? f->sender_domain :
	    f->helo;
}

void
spf_header_received(const struct spf_found *f, const struct conf *conf,
    struct buf *out)
{
	bool by_sender = spf_found_by_sender(f);
	const struct spf_verdict *v = by_sender ? f->of_sender : f->of_helo;

	if (v == NULL)
		return;
	buf_fmt(out, "Received-SPF: %s (%s: ", spf_result_name(v->result),
	    conf->myhostname);
	reason_put(out, v, domain_of(f, by_sender), f->ip);
	buf_fmt(out, ")\r\n\treceiver=%s; identity=%s; client-ip=",
	    conf->myhostname, by_sender ? "mailfrom" : "helo");
	value_put(out, span_str(f->ip));
	buf_str(out, ";\r\n\thelo=");
	value_put(out, span_str(f->helo));
	buf_str(out, ";\r\n\tenvelope-from=");
	value_put(out, f->sender.n == 0 ? SPAN_LIT("<>") : f->sender);
	if (v->mechanism[0] == '\0')
		return;
	buf_str(out, ";\r\n\tmechanism=");
	value_put(out, span_str(v->mechanism));
}

static void
result_put(struct buf *out, const struct spf_verdict *v, const char *domain,
    const char *ip, const char *property, struct span value)
{
	buf_fmt(out, ";\r\n\tspf=%s (", spf_result_name(v->result));
	reason_put(out, v, domain, ip);
	buf_fmt(out, ") %s=", property);
	value_put(out, value);
}

/* Of the sender only the domain: it is what SPF speaks of, and always fits. */
void
spf_header_results(const struct spf_found *f, const struct conf *conf,
    struct buf *out)
{
	if (f->of_helo == NULL && f->of_sender == NULL)
		return;
	buf_fmt(out, "Authentication-Results: %s", conf->authserv_id);
	if (f->of_sender != NULL)
		result_put(out, f->of_sender, domain_of(f, true), f->ip,
		    "smtp.mailfrom", span_str(domain_of(f, true)));
	if (f->of_helo != NULL)
		result_put(out, f->of_helo, f->helo, f->ip, "smtp.helo",
		    span_str(f->helo));
}
