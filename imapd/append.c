/*
 * APPEND and MULTIAPPEND (RFC 3501 6.3.11, RFC 3502; APPENDUID of RFC 4315,
 * literal8 of RFC 3516).
 * Each message comes as a literal that may be large: small ones gather in
 * memory, others in a file of the account's tmp/, written piece by piece in a
 * thread while the stream waits. All are added together or none.
 *
 * When a message cannot be taken (no such folder, too large), a client that
 * waits for "+" is told at once; of one that does not wait the bytes are
 * read and dropped, then it is told.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/append_binary.h"
#include "imapd/command.h"
#include "imapd/flags.h"
#include "imapd/quota.h"
#include "imapd/seqset.h"
#include "mail/date.h"

#define MEMORY_MAX	(64 * 1024)	/* a message's, and ... */
#define MEMORY_ALL	(16 * 1024 * 1024) /* ... the whole command's */
#define PIECE_BYTES	(256 * 1024)
#define MESSAGES_MAX	2000		/* each needs a descriptor at the end */

struct message_in {
	struct flag_list flags;
	int64_t date;
	uint64_t size;
	struct buf piece;		/* gathered, not yet written */
	struct store_tmp tmp;		/* fd -1: it stays in memory */
	bool literal8;			/* may hold NUL */
};

struct append {
	char name[FOLDER_NAME_MAX + 1];
	struct message_in *in;		/* all, the last one under way */
	size_t n;
	uint64_t bytes, memory;		/* of all */
	uint64_t left;			/* of the literal under way */
	bool sync;			/* the client waits for "+" */
	char *refusal;			/* tagged text when it cannot be */
	bool bad;			/* ... a BAD, not a NO */
	struct folder_new *item;
	uint32_t uidvalidity;
};

static void append_input(struct session *s);
static void end_line(struct session *s, struct span line);

static struct message_in *
latest(struct append *r)
{
	return &r->in[r->n - 1];
}

static void
append_free(void *arg)
{
	struct append *r = arg;
	size_t i;

	for (i = 0; i < r->n; i++) {
		/* drop_job, or folder_append */
		ps_assert(r->in[i].tmp.fd == -1);
		flag_list_fini(&r->in[i].flags);
		buf_fini(&r->in[i].piece);
	}
	free(r->in);
	free(r->item);
	free(r->refusal);
	free(r);
}

static void
drop_job(struct session *s)
{
	struct append *r = s->run;
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->in[i].tmp.fd != -1)
			account_tmp_drop(s->account, &r->in[i].tmp);
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
answer_refusal(struct session *s)
{
	struct append *r = s->run;

	session_reply(s, r->bad ? "BAD" : "NO", "%s", r->refusal);
}

/* --- before a literal ----------------------------------------------------------------- */

static struct append *
append_begin(struct session *s)
{
	struct append *r = xcalloc(1, sizeof(*r));

	s->uid = false;
	s->command = command_find(SPAN_LIT("APPEND"));
	s->server->stats.commands++;
	session_run_set(s, r, append_free);
	s->abandon = drop_job;
	return r;
}

static void
message_add(struct append *r)
{
	struct message_in *m;

	r->in = xreallocarray(r->in, r->n + 1, sizeof(*r->in));
	m = &r->in[r->n++];
	memset(m, 0, sizeof(*m));
	m->tmp.fd = -1;
	buf_init(&m->piece, BUF_NO_CAP);
}

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

/* [flags] [date] and the literal. */
static void
take_options(struct append *r, struct arg_iter *it)
{
	struct message_in *m = latest(r);
	struct span text;
	struct date date;
	const char *why;

	if (arg_is_list(it)) {
		why = flag_list_take(&m->flags, it, false);
		if (why != NULL)
			refuse(r, true, why);
	}
	m->date = clock_wall_us() / 1000000;
	if (it->end - it->at > 1) {
		if (arg_take_pattern(it, &text) && date_parse_imap(text, &date))
			m->date = date.utc;
		else
			refuse(r, true, "Date expected");
	}
	if (it->end - it->at != 1)
		refuse(r, true, "Message literal expected");
	else
		m->literal8 = it->args->arg[it->at].literal8;
}

static void
check_size(struct session *s, struct append *r)
{
	if (latest(r)->size > (uint64_t)s->conf->imap_append_limit)
		refuse(r, false, "[TOOBIG] Message too large");
	if (latest(r)->size == 0)
		refuse(r, false, "[CANNOT] A message has at least one byte");
	if (r->n > MESSAGES_MAX)
		refuse(r, false, "[LIMIT] Too many messages at once");
}

/* Asks the store once the first message is announced. */
static void
check_job(struct session *s)
{
	struct append *r = s->run;
	struct message_in *m = latest(r);

	if (r->n == 1 && !account_folder_exists(s->account, r->name))
		refuse(r, false, "[TRYCREATE] No such mailbox");
	if (r->refusal != NULL)
		return;
	if (m->size <= MEMORY_MAX && r->memory + m->size <= MEMORY_ALL) {
		r->memory += m->size;
		return;
	}
	s->job_rc = account_tmp_new(s->account, &m->tmp, &s->job_err);
	if (s->job_rc < 0) {
		log_error("%s: user=<%s>: %s", s->id, s->user,
		    s->job_err.why);
		refuse(r, false, "[UNAVAILABLE] Try again later");
	}
}

static void
check_done(struct session *s)
{
	struct append *r = s->run;

	if (r->refusal != NULL && r->sync) {
		/* the client sends nothing more of this command */
		session_job(s, drop_job, answer_refusal);
		return;
	}
	if (r->refusal == NULL && r->sync)
		stream_str(s->stream, "+ OK\r\n");
	stream_in_limit(s->stream, PIECE_BYTES);
	session_take_input(s, append_input);
}

static void
room_known(struct session *s)
{
	if (!s->room.fits)
		refuse(s->run, false, "[OVERQUOTA] Not enough room left");
	check_done(s);
}

/* Each message, with all before it. */
static void
ask_room(struct session *s)
{
	const struct append *r = s->run;

	if (r->refusal == NULL)
		quota_ask_room(s, r->n, r->bytes, room_known);
	else
		check_done(s);
}

/* Did the session's last APPEND go there? Then it is not looked for before the
 * literal; when it has gone since, the end of the command says so. */
static bool
was_there(const struct session *s, const struct append *r)
{
	return s->appended != NULL && strcmp(s->appended, r->name) == 0;
}

static void
remember(struct session *s, const struct append *r)
{
	if (was_there(s, r))
		return;
	free(s->appended);
	s->appended = xstrdup(r->name);
}

static void
literal_begin(struct session *s, struct append *r)
{
	latest(r)->size = r->left = reader_literal_size(&s->reader);
	r->bytes += r->left;
	r->sync = reader_literal_sync(&s->reader);
	check_size(s, r);
	if (r->refusal != NULL) {
		check_done(s);
	} else if ((r->n > 1 || was_there(s, r)) && r->left <= MEMORY_MAX &&
	    r->memory + r->left <= MEMORY_ALL) {
		/* small, and the folder is known: no thread to be judged */
		r->memory += r->left;
		ask_room(s);
	} else {
		session_job(s, check_job, ask_room);
	}
}

/* Is the literal just announced an APPEND's message? The mailbox name may be
 * a literal too, but is the first argument. */
static bool
is_append_message(struct session *s, struct arg_iter *it)
{
	struct arg_iter rest = *it;
	struct span tag, name;

	if (!(s->state & SESSION_LOGGED_IN) || !arg_take_atom(&rest, &tag) ||
	    !arg_take_atom(&rest, &name) || !span_is(name, "APPEND") ||
	    arg_next(&rest) == NULL || arg_at_end(&rest) ||
	    !session_take_tag(s, it))
		return false;
	arg_next(it);
	return true;
}

bool
append_literal(struct session *s)
{
	struct arg_iter it = args_iter(&s->args);
	struct append *r = s->run;

	if (s->line == end_line) {		/* one message more */
		if (r->n > MESSAGES_MAX) {	/* refused, and goes on */
			session_bye(s, "[LIMIT] Too many messages at once");
			return true;
		}
		session_line_end(s);
		args_unescape(&s->args);
		message_add(r);
	} else {
		if (!is_append_message(s, &it))
			return false;
		args_unescape(&s->args);
		r = append_begin(s);
		message_add(r);
		take_mailbox(s, r, &it);
	}
	if (r->refusal == NULL)
		take_options(r, &it);
	literal_begin(s, r);
	return true;
}

/* --- the literal ------------------------------------------------------------------------ */

static void
write_job(struct session *s)
{
	struct append *r = s->run;
	struct message_in *m = latest(r);
	struct span rest = buf_span(&m->piece);
	ssize_t n;

	while (rest.n > 0) {
		n = write(m->tmp.fd, rest.p, rest.n);
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
	buf_clear(&m->piece);
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
	struct message_in *m = latest(r);
	struct buf *in = stream_in(s->stream);
	size_t n = (size_t)MIN(r->left, (uint64_t)buf_len(in));

	if (r->refusal == NULL)
		buf_append(&m->piece, buf_data(in), n);
	buf_consume(in, n);
	r->left -= n;
	if (m->tmp.fd != -1 && r->refusal == NULL &&
	    (buf_len(&m->piece) >= PIECE_BYTES ||
	    (r->left == 0 && buf_len(&m->piece) > 0))) {
		stream_pause(s->stream);
		session_job(s, write_job, write_done);
		return;
	}
	if (r->left > 0)
		return;
	stream_in_limit(s->stream, STREAM_IN_LIMIT);
	/* then the end of the line, or what announces the next message, which
	 * many clients send apart */
	if (buf_len(in) == 0)
		stream_ack_now(s->stream);
	session_input_end(s);
	s->line = end_line;
}

/* --- after the last ----------------------------------------------------------------------- */

/* Turns keyword names into bits, opening the folder when there are any. */
static int
resolve_flags(struct session *s, struct append *r)
{
	struct folder *f = NULL;
	size_t i;
	int rc = 0;

	for (i = 0; i < r->n && rc == 0; i++) {
		r->item[i].flags = r->in[i].flags.bits;
		if (r->in[i].flags.n == 0)
			continue;
		if (f == NULL)
			f = folder_open(s->account, r->name, false,
			    &s->job_err);
		rc = f == NULL ? MIN(s->job_err.code, -1) :
		    flag_list_resolve(&r->in[i].flags, f, true,
		    &r->item[i].flags, &s->job_err);
	}
	folder_close(&f);
	return rc;
}

/* False: refused. */
static bool
convert_binary(struct session *s, struct append *r)
{
	size_t i;

	for (i = 0; i < r->n && s->job_rc == 0; i++)
		if (r->in[i].literal8)
			s->job_rc = append_binary(&r->in[i].tmp,
			    &r->in[i].piece, &s->job_err);
	if (s->job_rc != PS_ENOSYS)
		return s->job_rc == 0;
	refuse(r, false, "[UNKNOWN-CTE] NUL outside of parts with binary "
	    "transfer encoding");
	return false;
}

static void
append_job(struct session *s)
{
	struct append *r = s->run;
	size_t i;

	if (!convert_binary(s, r)) {
		drop_job(s);
		return;
	}
	r->item = xcalloc(r->n, sizeof(*r->item));
	for (i = 0; i < r->n; i++) {
		r->item[i].date = r->in[i].date;
		if (r->in[i].tmp.fd != -1)
			r->item[i].tmp = &r->in[i].tmp;
		else
			r->item[i].data = buf_span(&r->in[i].piece);
	}
	s->job_rc = resolve_flags(s, r);
	if (s->job_rc == 0)
		s->job_rc = folder_append(s->account, r->name, r->item, r->n,
		    &r->uidvalidity, &s->job_err);
	if (s->job_rc < 0)
		drop_job(s);
}

static void
append_done(struct session *s)
{
	struct append *r = s->run;
	struct buf set;
	uint32_t *uids;
	size_t i;

	if (r->refusal != NULL) {
		answer_refusal(s);
		return;
	}
	if (s->job_rc == PS_ENOTFOUND) {
		free(s->appended);
		s->appended = NULL;
		session_reply(s, "NO", "[TRYCREATE] No such mailbox");
		return;
	}
	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	remember(s, r);
	session_changed_folder(s, r->name);
	buf_init(&set, BUF_NO_CAP);
	uids = xcalloc(r->n, sizeof(*uids));
	for (i = 0; i < r->n; i++)
		uids[i] = r->item[i].uid;
	seqset_put(&set, uids, r->n);
	session_reply(s, "OK", "[APPENDUID %u %s] APPEND completed",
	    r->uidvalidity, buf_cstr(&set));
	free(uids);
	buf_fini(&set);
}

static void
end_line(struct session *s, struct span line)
{
	struct append *r = s->run;

	session_line_end(s);
	if (line.n > 0)
		refuse(r, true, "Message literal expected");
	session_job(s, r->refusal == NULL ? append_job : drop_job,
	    r->refusal == NULL ? append_done : answer_refusal);
}

/* Without any literal it is malformed. */
void
cmd_append(struct session *s, struct arg_iter *it)
{
	session_bad(s, "APPEND takes a mailbox and a message literal");
}
