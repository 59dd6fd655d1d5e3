#include "authd/message.h"

bool
message_plain(struct span in, struct plain_message *m)
{
	struct span rest = in;

	if (in.n > MESSAGE_MAX || !span_split(&rest, '\0', &m->authzid) ||
	    rest.p == NULL || !span_split(&rest, '\0', &m->authcid) ||
	    rest.p == NULL)
		return false;
	m->password = rest;
	return m->authcid.n > 0 && span_chr(rest, '\0') == -1;
}

/* saslname (RFC 5802 5.1): "=2C" and "=3D" stand for ',' and '='. */
static bool
saslname_decode(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		struct span esc = span_sub(in, i, 3);

		if (in.p[i] != '=') {
			buf_char(out, in.p[i]);
			continue;
		}
		if (span_eq(esc, SPAN_LIT("=2C")))
			buf_char(out, ',');
		else if (span_eq(esc, SPAN_LIT("=3D")))
			buf_char(out, '=');
		else
			return false;
		i += 2;
	}
	return true;
}

static bool
binding_flag(struct span word, struct scram_first *m)
{
	m->binding_type = SPAN_NONE;
	if (span_eq(word, SPAN_LIT("n")))
		m->binding = SCRAM_UNBOUND;
	else if (span_eq(word, SPAN_LIT("y")))
		m->binding = SCRAM_COULD;
	else if (word.n > 2 && word.p[0] == 'p' && word.p[1] == '=') {
		m->binding = SCRAM_BOUND;
		m->binding_type = span_sub(word, 2, word.n);
	} else
		return false;
	return true;
}

/* The value of "x=value", or false. */
static bool
attribute(struct span word, char name, struct span *value)
{
	if (word.n < 2 || word.p[0] != name || word.p[1] != '=')
		return false;
	*value = span_sub(word, 2, word.n);
	return true;
}

bool
message_scram_first(struct span in, struct buf *names, struct scram_first *m)
{
	struct span rest = in, word, authzid = SPAN_NONE, user, nonce;
	size_t mark;

	buf_clear(names);
	if (in.n > MESSAGE_MAX || span_chr(in, '\0') != -1 ||
	    !span_is_utf8(in))
		return false;
	if (!span_split(&rest, ',', &word) || !binding_flag(word, m))
		return false;
	if (!span_split(&rest, ',', &word) ||
	    (word.n > 0 && !attribute(word, 'a', &authzid)))
		return false;
	/* "m=" (a mandatory extension) is none that we know: not n= */
	if (!span_split(&rest, ',', &word) || !attribute(word, 'n', &user) ||
	    !span_split(&rest, ',', &word) || !attribute(word, 'r', &nonce) ||
	    user.n == 0 || nonce.n == 0)
		return false;
	if (!saslname_decode(user, names) || buf_failed(names))
		return false;
	mark = buf_len(names);
	if (!saslname_decode(authzid, names) || buf_failed(names))
		return false;
	m->authcid = span_sub(buf_span(names), 0, mark);
	m->authzid = span_sub(buf_span(names), mark, buf_len(names));
	return true;
}

bool
message_scram_final(struct span in)
{
	struct span rest = in, word, value, last = SPAN_NONE;

	if (in.n > MESSAGE_MAX || span_chr(in, '\0') != -1)
		return false;
	if (!span_split(&rest, ',', &word) || !attribute(word, 'c', &value) ||
	    !span_split(&rest, ',', &word) || !attribute(word, 'r', &value))
		return false;
	while (span_split(&rest, ',', &word))
		last = word;
	return attribute(last, 'p', &value) && value.n > 0;
}
