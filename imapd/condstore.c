#include "imapd/condstore.h"

#include "imapd/command.h"

static void
highest_tell(struct session *s)
{
	stream_fmt(s->stream, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
	    (unsigned long long)folder_told_modseq(s->folder));
}

void
condstore_enable(struct session *s)
{
	if (condstore_on(s))
		return;
	s->enabled |= ENABLED_CONDSTORE;
	if (s->state == SESSION_SELECTED)
		highest_tell(s);
}

void
modseq_put(struct buf *out, uint64_t modseq)
{
	buf_str(out, "MODSEQ (");
	buf_dec(out, modseq);
	buf_char(out, ')');
}

void
condstore_expunged_ok(struct session *s)
{
	if (!condstore_on(s)) {
		session_ok(s);
		return;
	}
	session_reply(s, "OK", "[HIGHESTMODSEQ %llu] %s%s completed",
	    (unsigned long long)folder_highest_modseq(s->folder),
	    s->uid ? "UID " : "", s->command->name);
}

/* --- ENABLE ------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned bit;
} extensions[] = {
	{ "CONDSTORE", ENABLED_CONDSTORE },
	{ "QRESYNC", ENABLED_QRESYNC },
};

/* The bits of what is named; unknown names are passed over (RFC 5161 3.1). */
static bool
names_take(struct arg_iter *it, unsigned *bits)
{
	struct span word;
	size_t i;

	*bits = 0;
	while (arg_take_atom(it, &word))
		for (i = 0; i < ARRAY_LEN(extensions); i++)
			if (span_is(word, extensions[i].name))
				*bits |= extensions[i].bit;
	return arg_at_end(it);
}

/* Says what was enabled by this very command. */
void
cmd_enable(struct session *s, struct arg_iter *it)
{
	struct buf *out;
	unsigned bits;
	size_t i;

	if (arg_at_end(it) || !names_take(it, &bits)) {
		session_bad(s, "Capability names expected");
		return;
	}
	bits &= ~s->enabled;
	out = session_out(s);
	buf_str(out, "* ENABLED");
	for (i = 0; i < ARRAY_LEN(extensions); i++)
		if (extensions[i].bit & bits)
			buf_fmt(out, " %s", extensions[i].name);
	buf_str(out, "\r\n");
	/* QRESYNC is more than CONDSTORE (RFC 7162 3.2.3) */
	if (bits != 0)
		condstore_enable(s);
	s->enabled |= bits;
	session_ok(s);
}
