#include "imapd/flags.h"

#include <stdlib.h>

#include "base/xmalloc.h"

static const struct {
	const char *name;
	uint32_t bit;
} system_flags[] = {
	{ "\\Answered", MSG_ANSWERED },
	{ "\\Flagged", MSG_FLAGGED },
	{ "\\Deleted", MSG_DELETED },
	{ "\\Seen", MSG_SEEN },
	{ "\\Draft", MSG_DRAFT },
	{ "$Forwarded", MSG_PASSED },
};
#define RECENT_NAME	"\\Recent"

static void
put_word(struct buf *out, bool *any, const char *word)
{
	if (*any)
		buf_char(out, ' ');
	*any = true;
	buf_str(out, word);
}

static void
put_words(struct buf *out, bool *any, const struct folder *f, uint32_t flags)
{
	unsigned i;

	for (i = 0; i < ARRAY_LEN(system_flags); i++)
		if (flags & system_flags[i].bit)
			put_word(out, any, system_flags[i].name);
	if (flags >> MSG_KEYWORD_SHIFT == 0)
		return;
	for (i = 0; i < MSG_KEYWORDS; i++)
		if ((flags & MSG_KEYWORD(i)) && folder_keyword(f, i) != NULL)
			put_word(out, any, folder_keyword(f, i));
}

void
flags_put(struct buf *out, const struct folder *f, uint32_t flags,
    bool recent)
{
	bool any = false;

	buf_char(out, '(');
	put_words(out, &any, f, flags);
	if (recent)
		put_word(out, &any, RECENT_NAME);
	buf_char(out, ')');
}

static uint32_t
keywords_known(const struct folder *f)
{
	uint32_t bits = 0;
	unsigned i;

	for (i = 0; i < MSG_KEYWORDS; i++)
		if (folder_keyword(f, i) != NULL)
			bits |= MSG_KEYWORD(i);
	return bits;
}

void
flags_tell(struct session *s)
{
	uint32_t keywords = keywords_known(s->folder);
	uint32_t all = (MSG_KEYWORD(0) - 1) | keywords;
	struct buf *out = session_out(s);
	bool any = false;

	s->told_keywords = keywords;
	buf_str(out, "* FLAGS ");
	flags_put(out, s->folder, all, false);
	buf_str(out, "\r\n* OK [PERMANENTFLAGS (");
	if (!s->read_only) {
		put_words(out, &any, s->folder, all);
		/* \* : new keywords can be made */
		if (keywords != ~(MSG_KEYWORD(0) - 1))
			put_word(out, &any, "\\*");
	}
	buf_str(out, s->read_only ? ")] Read-only mailbox\r\n" :
	    ")] Flags permitted\r\n");
}

void
flags_tell_new(struct session *s)
{
	if (keywords_known(s->folder) != s->told_keywords)
		flags_tell(s);
}

static uint32_t
system_bit(struct span word)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(system_flags); i++)
		if (span_is(word, system_flags[i].name))
			return system_flags[i].bit;
	return 0;
}

static const char *
take_flag(struct flag_list *l, struct span word)
{
	uint32_t bit = system_bit(word);
	size_t i;

	if (bit != 0) {
		l->bits |= bit;
		return NULL;
	}
	if (word.n > 0 && *word.p == '\\')
		return span_is(word, RECENT_NAME) ?
		    "\\Recent is not yours to set" : "No such flag";
	/* RFC 3501 9: a keyword is an atom, which is less than our arguments */
	for (i = 0; i < word.n; i++)
		if (strchr("%*\"\\]", word.p[i]) != NULL)
			return "Bad keyword";
	if (l->n == FLAG_NAMES_MAX)
		return "Too many keywords";
	l->name[l->n++] = xmemdup0(word.p, word.n);
	return NULL;
}

const char *
flag_list_take(struct flag_list *l, struct arg_iter *it, bool bare)
{
	struct arg_iter members = { NULL, 0, 0 };
	struct span word;
	const char *why;

	*l = (struct flag_list){ .bits = 0 };
	if (!arg_take_list(it, &members)) {
		if (!bare || arg_at_end(it))
			return "List of flags expected";
		members = *it;
		it->at = it->end;
	}
	while (!arg_at_end(&members)) {
		if (!arg_take_atom(&members, &word))
			return "Flag expected";
		why = take_flag(l, word);
		if (why != NULL)
			return why;
	}
	return NULL;
}

void
flag_list_fini(struct flag_list *l)
{
	while (l->n > 0)
		free(l->name[--l->n]);
}

int
flag_list_resolve(const struct flag_list *l, struct folder *f, bool create,
    uint32_t *bits, struct err *err)
{
	uint32_t bit;
	size_t i;
	int rc;

	*bits = l->bits;
	for (i = 0; i < l->n; i++) {
		rc = folder_keyword_bit(f, span_str(l->name[i]), create,
		    &bit, err);
		if (rc < 0)
			return rc;
		*bits |= bit;
	}
	return 0;
}
