/*
 * CAPABILITY, and the small commands any client begins with: ID, NAMESPACE. A
 * capability is listed only when it is true in this state.
 */
#include "imapd/command.h"
#include "imapd/sasl.h"
#include "mail/imap_text.h"

#define ID_FIELDS_MAX	30

static const char always[] = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE "
    "NAMESPACE CHILDREN UNSELECT UIDPLUS MOVE MULTIAPPEND SPECIAL-USE "
    "CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE QUOTA "
    "QUOTA=RES-STORAGE QUOTA=RES-MESSAGE CONDSTORE QRESYNC ESEARCH "
    "SEARCHRES WITHIN BINARY SORT THREAD=ORDEREDSUBJECT "
    "THREAD=REFERENCES";

void
capability_put(struct session *s, struct buf *out)
{
	buf_str(out, always);
	buf_fmt(out, " APPENDLIMIT=%llu",
	    (unsigned long long)s->conf->imap_append_limit);
	if (s->state != SESSION_GREETED)
		return;
	if (sasl_may_starttls(s))
		buf_str(out, " STARTTLS");
	if (!sasl_may_login(s))
		buf_str(out, " LOGINDISABLED");
	sasl_mechanisms_put(s, out);
}

void
cmd_capability(struct session *s, struct arg_iter *it)
{
	struct buf *out;

	if (!command_end(s, it))
		return;
	out = session_out(s);
	buf_str(out, "* CAPABILITY ");
	capability_put(s, out);
	buf_str(out, "\r\n");
	session_ok(s);
}

/* RFC 2971. What the client says of itself is not kept. */
void
cmd_id(struct session *s, struct arg_iter *it)
{
	struct arg_iter members;
	struct span word;
	int n = 0;

	if (arg_take_list(it, &members)) {
		while (!arg_at_end(&members) && n++ < ID_FIELDS_MAX * 2)
			if (!arg_take_astring(&members, &word))
				break;
		if (!arg_at_end(&members)) {
			session_bad(s, "ID takes a list of strings or NIL");
			return;
		}
	} else if (!arg_take_atom(it, &word) || !span_is(word, "NIL")) {
		session_bad(s, "ID takes a list of strings or NIL");
		return;
	}
	if (!command_end(s, it))
		return;
	stream_str(s->stream, "* ID (\"name\" \"Postern\")\r\n");
	session_ok(s);
}

/* RFC 2342: one personal name space, none of others. */
void
cmd_namespace(struct session *s, struct arg_iter *it)
{
	if (!command_end(s, it))
		return;
	stream_fmt(s->stream, "* NAMESPACE ((\"\" \"%s\")) NIL NIL\r\n",
	    s->conf->imap_hierarchy_separator);
	session_ok(s);
}
