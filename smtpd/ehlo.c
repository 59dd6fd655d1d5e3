#include "smtpd/ehlo.h"

#include "base/conf.h"
#include "base/log.h"
#include "smtpd/command.h"
#include "smtpd/reply.h"
#include "smtpd/sasl.h"
#include "smtpd/xattr.h"

/* A row is left out when `when` says false. */
struct feature {
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

static const struct feature features[EHLO_KEYWORDS] = {
	[EHLO_SIZE] = { NULL, size_value },
	[EHLO_VRFY] = { when_vrfy, NULL },
	[EHLO_STARTTLS] = { session_may_tls, NULL },
	[EHLO_AUTH] = { sasl_offered, sasl_mechanisms },
	[EHLO_XCLIENT] = { when_xclient, xclient_value },
	[EHLO_XFORWARD] = { when_xforward, xforward_value },
};

static void
log_discarded(const struct session *s)
{
	struct buf text;
	size_t i;

	buf_init(&text, 1024);
	for (i = 0; i < EHLO_KEYWORDS; i++)
		if (s->ehlo_discard & EHLO_BIT(i))
			buf_fmt(&text, " %s", ehlo_keywords[i]);
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

	s->ehlo_discard = s->prof->manners->ehlo_discard;
	buf_init(&words, TABLE_VALUE_MAX);
	if (matchlist_find(s->prof->manners->ehlo_maps, span_str(s->ip), &words) ==
	    TABLE_FOUND && !ehlo_mask(buf_span(&words), &s->ehlo_discard,
	    &bad)) {
		log_warning("smtpd_discard_ehlo_keyword_address_maps: %s: "
		    "\"%.*s\" is no EHLO keyword", s->ip, SPAN_ARG(bad));
		s->ehlo_discard = s->prof->manners->ehlo_discard;
	}
	buf_fini(&words);
	if (s->ehlo_discard != 0 && !(s->ehlo_discard & EHLO_SILENT))
		log_discarded(s);
	if (first_withholds_pipelining(s))
		s->ehlo_discard |= EHLO_BIT(EHLO_PIPELINING);
}

bool
ehlo_discards(const struct session *s, enum ehlo_keyword k)
{
	return s->ehlo_discard & EHLO_BIT(k);
}

static bool
shown(const struct session *s, size_t i)
{
	return !(s->ehlo_discard & EHLO_BIT(i)) &&
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

	for (i = 0; i < EHLO_KEYWORDS; i++)
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
		buf_str(&line, ehlo_keywords[i]);
		if (f->value != NULL) {
			buf_char(&line, ' ');
			f->value(s, &line);
		}
		reply_part(out, 250, i == last, "%s", buf_cstr(&line));
	}
	buf_fini(&line);
}
