#include "smtpd/ehlo.h"

#include "base/conf.h"
#include "base/log.h"
#include "smtpd/command.h"
#include "smtpd/reply.h"
#include "smtpd/sasl.h"
#include "smtpd/xattr.h"

/* A row is left out when `when` says false. */
struct feature {
	const char *keyword;
	bool (*when)(const struct session *s);
	void (*value)(const struct session *s, struct buf *out);
};

static void
size_value(const struct session *s, struct buf *out)
{
	buf_dec(out, (uint64_t)session_conf(s)->message_size_limit);
}

static bool
when_xclient(const struct session *s)
{
	return s->may_xclient;
}

static void
xclient_value(const struct session *s, struct buf *out)
{
	xattrs_names(XATTR_XCLIENT, out);
}

static bool
when_xforward(const struct session *s)
{
	return s->may_xforward;
}

static void
xforward_value(const struct session *s, struct buf *out)
{
	xattrs_names(XATTR_XFORWARD, out);
}

static bool
when_vrfy(const struct session *s)
{
	return !session_conf(s)->disable_vrfy_command;
}

static const struct feature features[] = {
	{ "PIPELINING", NULL, NULL },
	{ "SIZE", NULL, size_value },
	{ "VRFY", when_vrfy, NULL },
	{ "ETRN", NULL, NULL },
	{ "STARTTLS", session_may_tls, NULL },
	{ "AUTH", sasl_offered, sasl_mechanisms },
	{ "XCLIENT", when_xclient, xclient_value },
	{ "XFORWARD", when_xforward, xforward_value },
	{ "ENHANCEDSTATUSCODES", NULL, NULL },
	{ "8BITMIME", NULL, NULL },
	{ "DSN", NULL, NULL },
	{ "SMTPUTF8", NULL, NULL },
	{ "CHUNKING", NULL, NULL },
};

/* Not a keyword: nothing is logged about the others. */
#define SILENT	(1u << ARRAY_LEN(features))

bool
ehlo_mask(struct span words, unsigned *mask, struct span *bad)
{
	struct span word;
	size_t i;

	*mask = 0;
	while (conf_list_next(&words, &word)) {
		if (span_is(word, "silent-discard")) {
			*mask |= SILENT;
			continue;
		}
		for (i = 0; i < ARRAY_LEN(features); i++)
			if (span_is(word, features[i].keyword))
				break;
		if (i == ARRAY_LEN(features)) {
			*bad = word;
			return false;
		}
		*mask |= 1u << i;
	}
	return true;
}

static void
log_discarded(const struct session *s)
{
	struct buf text;
	size_t i;

	buf_init(&text, 1024);
	for (i = 0; i < ARRAY_LEN(features); i++)
		if (s->ehlo_discard & 1u << i)
			buf_fmt(&text, " %s", features[i].keyword);
	log_info("discarding EHLO keywords:%s", buf_cstr(&text));
	buf_fini(&text);
}

/* A table that fails, or says what is no keyword, is no reason not to talk:
 * then the general words hold. */
void
ehlo_choose(struct session *s)
{
	struct span bad = SPAN_NONE;
	struct buf words;

	s->ehlo_discard = s->prof->ehlo_discard;
	buf_init(&words, TABLE_VALUE_MAX);
	if (matchlist_find(s->prof->ehlo_maps, span_str(s->ip), &words) ==
	    TABLE_FOUND && !ehlo_mask(buf_span(&words), &s->ehlo_discard,
	    &bad)) {
		log_warning("smtpd_discard_ehlo_keyword_address_maps: %s: "
		    "\"%.*s\" is no EHLO keyword", s->ip, SPAN_ARG(bad));
		s->ehlo_discard = s->prof->ehlo_discard;
	}
	buf_fini(&words);
	if (s->ehlo_discard != 0 && !(s->ehlo_discard & SILENT))
		log_discarded(s);
}

bool
ehlo_discards(const struct session *s, const char *keyword)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(features); i++)
		if (strcmp(features[i].keyword, keyword) == 0)
			return s->ehlo_discard & 1u << i;
	ps_assert(!"no such keyword");
	return false;
}

static bool
shown(const struct session *s, size_t i)
{
	return !(s->ehlo_discard & 1u << i) &&
	    (features[i].when == NULL || features[i].when(s));
}

void
ehlo_reply(struct session *s)
{
	struct buf *out = stream_out(s->stream);
	const struct feature *f;
	struct buf line;
	size_t i, last = 0;
	bool any = false;

	for (i = 0; i < ARRAY_LEN(features); i++)
		if (shown(s, i)) {
			last = i;
			any = true;
		}
	buf_init(&line, REPLY_LINE_MAX);
	session_reply_begins(s);
	reply_part(out, 250, !any, "%s", session_conf(s)->myhostname);
	for (i = 0; any && i <= last; i++) {
		f = &features[i];
		if (!shown(s, i))
			continue;
		buf_clear(&line);
		buf_str(&line, f->keyword);
		if (f->value != NULL) {
			buf_char(&line, ' ');
			f->value(s, &line);
		}
		reply_part(out, 250, i == last, "%s", buf_cstr(&line));
	}
	buf_fini(&line);
}
