/*
 * APPEND (RFC 3501 6.3.11, APPENDUID of RFC 4315). The message comes as a
 * literal that may be large: up to MEMORY_MAX it gathers in memory, beyond
 * in a file of the account's tmp/, written piece by piece in a thread while
 * the stream waits.
 *
 * When the message cannot be taken (no such folder, too large), a client that
 * waits for "+" is told at once; of one that does not wait the bytes are
 * read and dropped, then it is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/flags.h"
#include "imapd/quota.h"
#include "mail/date.h"

#define MEMORY_MAX	(64 * 1024)
#define PIECE_BYTES	(256 * 1024)

struct append {
	char name[FOLDER_NAME_MAX + 1];
	struct flag_list flags;
	int64_t date;
	uint64_t size, left;
	bool sync;
	char *refusal;			/* tagged text when it cannot be */
	bool bad;			/* ... a BAD, not a NO */
	struct buf piece;		/* gathered, not yet written */
	struct store_tmp tmp;
	struct folder_new item;
	uint32_t uidvalidity;
};

static void
append_free(void *arg)
{
	struct append *r = arg;

	ps_assert(r->tmp.fd == -1);	/* drop_job, or folder_append */
	flag_list_fini(&r->flags);
	buf_fini(&r->piece);
	free(r->refusal);
	free(r);
}

static void
refuse(struct append *r, bool bad, const char *text)
{
	if (r->refusal != NULL)
		return;
	r->bad = bad;
	r->refusal = xstrdup(text);
}

static void
drop_job(struct session *s)
{
	struct append *r = s->run;

	if (r->tmp.fd != -1)
		account_tmp_drop(s->account, &r->tmp);
}

/* --- before the literal -------------------------------------------------------------- */

static void
take_mailbox(struct session *s, struct append *r, struct arg_iter *it)
{
	struct span name;

	if (!arg_take_astring(it, &name))
		refuse(r, true, "Mailbox name expected");
	else if (!folder_name_to_disk(name,
	    *s->conf->imap_hierarchy_separator, r->name))
		refuse(r, false, "[CANNOT] No mailbox can have that name");
}

/* [flags] [date] */
static void
take_options(struct append *r, struct arg_iter *it)
{
	struct span text;
	struct date date;
	const char *why;

	if (arg_is_list(it)) {
		why = flag_list_take(&r->flags, it, false);
		if (why != NULL)
			refuse(r, true, why);
	}
	r->date = clock_wall_us() / 1000000;
	if (it->end - it->at > 1) {
		if (arg_take_pattern(it, &text) && date_parse_imap(text, &date))
			r->date = date.utc;
		else
			refuse(r, true, "Date expected");
	}
	if (it->end - it->at != 1)
		refuse(r, true, "Message literal expected");
}

/* Is the literal just announced an APPEND's message? The mailbox name may be
 * a literal too, but is the first argument. */
static bool
is_append_message(struct session *s, struct arg_iter *it, struct span *tag)
{
	struct arg_iter rest;
	struct span name;

	if (!(s->state & SESSION_LOGGED_IN) || !arg_take_atom(it, tag) ||
	    tag->n > TAG_MAX || !arg_take_atom(it, &name) ||
	    !span_is(name, "APPEND"))
		return false;
	rest = *it;
	return arg_next(&rest) != NULL && !arg_at_end(&rest);
}

static void append_input(struct session *s);
static void end_line(struct session *s, struct span line);

static void
check_job(struct session *s)
{
	struct append *r = s->run;

	if (!account_folder_exists(s->account, r->name))
		refuse(r, false, "[TRYCREATE] No such mailbox");
	else if (!quota_has_room(s, 1, r->size))
		refuse(r, false, "[OVERQUOTA] Not enough room left");
	if (r->refusal != NULL || r->size <= MEMORY_MAX)
		return;
	s->job_rc = account_tmp_new(s->account, &r->tmp, &s->job_err);
	if (s->job_rc < 0) {
		log_error("%s: user=<%s>: %s", s->id, s->user,
		    s->job_err.why);
		refuse(r, false, "[UNAVAILABLE] Try again later");
	}
}

static void
answer_refusal(struct session *s, struct append *r)
{
	session_reply(s, r->bad ? "BAD" : "NO", "%s", r->refusal);
}

static void
check_done(struct session *s)
{
	struct append *r = s->run;

	if (r->refusal != NULL && r->sync) {
		/* the client sends nothing more of this command */
		s->input = NULL;
		answer_refusal(s, r);
		return;
	}
	if (r->refusal == NULL && r->sync)
		stream_str(s->stream, "+ OK\r\n");
	session_take_input(s, append_input);
	stream_in_limit(s->stream, PIECE_BYTES);
}

bool
append_literal(struct session *s)
{
	struct arg_iter it = args_iter(&s->args);
	struct append *r;
	struct span tag;

	if (!is_append_message(s, &it, &tag))
		return false;
	memcpy(s->tag, tag.p, tag.n);
	s->tag[tag.n] = '\0';
	s->uid = false;
	s->command = command_find(SPAN_LIT("APPEND"));
	s->server->stats.commands++;
	r = xcalloc(1, sizeof(*r));
	r->tmp.fd = -1;
	r->size = r->left = reader_literal_size(&s->reader);
	r->sync = reader_literal_sync(&s->reader);
	buf_init(&r->piece, BUF_NO_CAP);
	session_run_set(s, r, append_free);
	s->abandon = drop_job;
	take_mailbox(s, r, &it);
	if (r->refusal == NULL)
		take_options(r, &it);
	if (r->size > (uint64_t)s->conf->imap_append_limit)
		refuse(r, false, "[TOOBIG] Message too large");
	if (r->size == 0)
		refuse(r, false, "[CANNOT] A message has at least one byte");
	if (r->refusal != NULL)
		check_done(s);
	else
		session_job(s, check_job, check_done);
	return true;
}

/* --- the literal ------------------------------------------------------------------------ */

static void
write_job(struct session *s)
{
	struct append *r = s->run;
	struct span rest = buf_span(&r->piece);
	ssize_t n;

	while (rest.n > 0) {
		n = write(r->tmp.fd, rest.p, rest.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			s->job_rc = err_errno(&s->job_err, "write message");
			log_error("%s: user=<%s>: %s", s->id, s->user,
			    s->job_err.why);
			refuse(r, false, "[UNAVAILABLE] Cannot write the "
			    "message");
			break;
		}
		rest = span_sub(rest, (size_t)n, rest.n);
	}
	buf_clear(&r->piece);
}

static void
write_done(struct session *s)
{
	/* there may be input that came meanwhile */
	stream_resume(s->stream);
	append_input(s);
}

static void
append_input(struct session *s)
{
	struct append *r = s->run;
	struct buf *in = stream_in(s->stream);
	size_t n = (size_t)MIN(r->left, (uint64_t)buf_len(in));

	if (r->refusal == NULL)
		buf_append(&r->piece, buf_data(in), n);
	buf_consume(in, n);
	r->left -= n;
	if (r->tmp.fd != -1 && r->refusal == NULL &&
	    (buf_len(&r->piece) >= PIECE_BYTES ||
	    (r->left == 0 && buf_len(&r->piece) > 0))) {
		stream_pause(s->stream);
		session_job(s, write_job, write_done);
		return;
	}
	if (r->left > 0)
		return;
	stream_in_limit(s->stream, STREAM_IN_LIMIT);
	/* what follows the message: the end of the line */
	session_input_end(s);
	session_read_lines(s, end_line);
}

/* --- after it ------------------------------------------------------------------------------ */

static void
append_job(struct session *s)
{
	struct append *r = s->run;
	struct folder *f = NULL;

	r->item.date = r->date;
	r->item.flags = r->flags.bits;
	if (r->flags.n > 0) {
		f = folder_open(s->account, r->name, false, &s->job_err);
		if (f == NULL) {
			s->job_rc = MIN(s->job_err.code, -1);
			return;
		}
		s->job_rc = flag_list_resolve(&r->flags, f, true,
		    &r->item.flags, &s->job_err);
		folder_close(&f);
		if (s->job_rc < 0)
			return;
	}
	if (r->tmp.fd != -1)
		r->item.tmp = &r->tmp;
	else
		r->item.data = buf_span(&r->piece);
	s->job_rc = folder_append(s->account, r->name, &r->item, 1,
	    &r->uidvalidity, &s->job_err);
	if (s->job_rc < 0 && r->tmp.fd != -1)
		account_tmp_drop(s->account, &r->tmp);
}

static void
append_done(struct session *s)
{
	struct append *r = s->run;

	if (s->job_rc == PS_ENOTFOUND) {
		session_reply(s, "NO", "[TRYCREATE] No such mailbox");
		return;
	}
	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	session_changed_folder(s, r->name);
	session_reply(s, "OK", "[APPENDUID %u %u] APPEND completed",
	    r->uidvalidity, r->item.uid);
}

static void
refused_done(struct session *s)
{
	answer_refusal(s, s->run);
}

static void
end_line(struct session *s, struct span line)
{
	struct append *r = s->run;

	session_line_end(s);
	if (line.n > 0)
		refuse(r, true, "One message at a time");
	if (r->refusal == NULL)
		session_job(s, append_job, append_done);
	else if (r->tmp.fd != -1)
		session_job(s, drop_job, refused_done);
	else
		answer_refusal(s, r);
}

/* Without any literal it is malformed. */
void
cmd_append(struct session *s, struct arg_iter *it)
{
	session_bad(s, "APPEND takes a mailbox and a message literal");
}
