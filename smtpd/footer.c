#include "smtpd/footer.h"

#include <time.h>

#include "base/clock.h"
#include "gate/access.h"
#include "gate/template.h"
#include "smtpd/reply.h"
#include "smtpd/session.h"

void
reply_soften(char *reply, size_t n)
{
	if (n < 4 || reply[0] != '5')
		return;
	reply[0] = '4';
	if (n > 5 && reply[4] == '5' && reply[5] == '.')
		reply[4] = '4';
}

/* --- the names in a template (manners.c knows them too) --- */

static void
local_time(struct buf *out)
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	char text[32];
	struct tm tm;

	(void)localtime_r(&now, &tm);
	if (strftime(text, sizeof(text), "%b %d %H:%M:%S", &tm) > 0)
		buf_str(out, text);
}

static bool
macro(struct span name, struct buf *out, void *arg)
{
	struct session *s = arg;
	struct gate_facts facts;
	struct gate_eval eval = { .facts = &facts };

	if (span_is(name, "localtime")) {
		local_time(out);
		return true;
	}
	if (span_is(name, "server_name"))
		buf_str(out, session_conf(s)->myhostname);
	else if (span_is(name, "server_address"))
		buf_str(out, s->own.ip);
	else if (span_is(name, "server_port"))
		buf_str(out, s->own.port);
	else if (span_is(name, "client_port"))
		buf_str(out, s->port);
	else {
		judge_facts(s, s->judge == NULL ? SPAN_NONE :
		    s->judge->facts.recipient, &facts);
		return gate_macro(&eval, name, out);
	}
	return true;
}

/* --- the lines --- */

/* Cuts what stands before the next "\n" of the template. The template is cut
 * first and expanded then: no value makes a line of its own. */
static bool
piece_next(struct span *rest, struct span *line)
{
	const char *at;

	if (rest->p == NULL)
		return false;
	at = memmem(rest->p, rest->n, "\\n", 2);
	if (at == NULL) {
		*line = *rest;
		*rest = SPAN_NONE;
		return true;
	}
	*line = span_of(rest->p, (size_t)(at - rest->p));
	*rest = span_sub(*rest, line->n + 2, rest->n);
	return true;
}

static void
expand(struct session *s, struct span line, struct buf *out)
{
	struct buf text;

	buf_init(&text, 4096);
	if (template_expand(line, &text, macro, s))
		buf_span_add(out, buf_span(&text));
	buf_fini(&text);
}

/* The template that is meant for this reply: that of a table, or the general
 * one. */
static struct span
template_for(struct session *s, struct span reply, struct buf *found)
{
	if (matchlist_find(s->prof->manners->footer_maps, reply, found) ==
	    TABLE_FOUND)
		return buf_span(found);
	return span_str(session_conf(s)->smtpd_reject_footer);
}

void
footer_add(struct session *s, struct buf *out, size_t at)
{
	struct span reply = span_sub(buf_span(out), at,
	    buf_len(out) - at - 2), rest, text, piece;
	char dsn[ACCESS_DSN_MAX] = "";
	struct buf found, line;
	int code;

	buf_init(&found, TABLE_VALUE_MAX);
	buf_init(&line, 4096);
	rest = template_for(s, reply, &found);
	if (rest.n > 0) {
		code = reply_code(reply.p);
		text = span_sub(reply, 4, reply.n);
		buf_span_add(&line, text);
		access_dsn_take(&text, dsn);
		buf_truncate(out, at);
		if (span_starts(rest, "\\c")) {
			rest = span_sub(rest, 2, rest.n);
			if (piece_next(&rest, &piece))
				expand(s, piece, &line);
		}
		while (piece_next(&rest, &piece)) {
			reply_part(out, code, false, "%s", buf_cstr(&line));
			buf_clear(&line);
			buf_fmt(&line, "%s%s", dsn, dsn[0] == '\0' ? "" :
			    " ");
			expand(s, piece, &line);
		}
		reply_part(out, code, true, "%s", buf_cstr(&line));
	}
	buf_fini(&line);
	buf_fini(&found);
}
