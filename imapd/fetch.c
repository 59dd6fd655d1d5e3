/*
 * FETCH: a small machine that writes responses in slices. Each slice runs in
 * a thread until it has made enough text; then that is sent, and the next
 * begins once the client has taken it. A message body of any size passes
 * through in pieces.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/fetch_plan.h"
#include "imapd/flags.h"
#include "imapd/message.h"
#include "imapd/resync.h"
#include "imapd/seqs.h"
#include "mail/date.h"
#include "mail/imap_text.h"

#define SLICE_BYTES	(128 * 1024)
#define SLICE_US	20000
/* While one slice is sent the next is read. */
#define OUT_LOW		(128 * 1024)
#define OUT_HIGH	(256 * 1024)
#define SLICE_MESSAGES	2000
#define SEEN_BATCH	64

struct fetch {
	struct fetch_plan plan;
	struct seqs seqs;
	size_t at;			/* index of the present message */
	bool sifted;			/* CHANGEDSINCE was looked at */
	bool in_message;		/* its response is begun */
	bool told;			/* ... with all that can change */
	bool writable;
	size_t section;			/* next one of it */
	size_t mark;			/* where its text in s->out begins */
	bool mark_valid;		/* ... if it is all still there */
	struct piece piece;		/* what is left of a section */
	bool nul_ok;			/* ... may hold NUL (BINARY) */
	uint64_t newly;			/* batch: \Seen was set just now */
	size_t batch;			/* first index of the batch */
	bool any_seen, missing, unreadable, broken;
	bool unknown_encoding;		/* of a BINARY */
	struct message message;
	struct buf scratch;
};

static void
fetch_free(void *arg)
{
	struct fetch *r = arg;

	fetch_plan_fini(&r->plan);
	seqs_fini(&r->seqs);
	message_fini(&r->message);
	buf_fini(&r->scratch);
	free(r);
}

/* --- \Seen -------------------------------------------------------------------------- */

/* Marks the next batch of messages before they are sent. When that fails the
 * mail can be read all the same. */
static void
mark_batch(struct session *s, struct fetch *r)
{
	struct flag_change change = { .op = FLAG_ADD, .flags = MSG_SEEN,
	    .silent = true, .unchanged_since = UINT64_MAX };
	uint32_t seqs[SEEN_BATCH];
	struct folder_msg m;
	size_t i, n = 0;

	r->batch = r->at;
	r->newly = 0;
	for (i = 0; i < SEEN_BATCH && r->at + i < r->seqs.n; i++) {
		if (!folder_msg(s->folder, r->seqs.seq[r->at + i], &m) ||
		    (m.flags & MSG_SEEN) || m.gone)
			continue;
		r->newly |= UINT64_C(1) << i;
		seqs[n++] = r->seqs.seq[r->at + i];
	}
	if (n == 0)
		return;
	if (folder_store(s->folder, seqs, n, &change, NULL, NULL,
	    &s->job_err) < 0) {
		log_error("%s: user=<%s>: set \\Seen: %s", s->id, s->user,
		    s->job_err.why);
		r->writable = false;
		return;
	}
	r->any_seen = true;
}

static bool
newly_seen(const struct fetch *r)
{
	size_t i = r->at - r->batch;

	return r->plan.seen && r->writable && i < SEEN_BATCH &&
	    (r->newly >> i & 1);
}

/* --- one message ----------------------------------------------------------------------- */

static void
put_item(struct buf *out, bool *any, const char *name)
{
	if (*any)
		buf_char(out, ' ');
	*any = true;
	buf_str(out, name);
	buf_char(out, ' ');
}

static void
put_date(struct buf *out, int64_t date)
{
	char text[DATE_IMAP_LEN];

	date_format_imap(text, date, 0);
	buf_char(out, '"');
	buf_append(out, text, sizeof(text));
	buf_char(out, '"');
}

static int
put_texts(struct session *s, struct fetch *r, uint32_t seq, bool *any)
{
	struct buf *out = &s->out;
	struct msg_texts t;
	int rc;

	rc = folder_msg_texts(s->folder, seq, &t, &s->job_err);
	if (rc < 0)
		return rc;
	if (r->plan.items & FETCH_ENVELOPE) {
		put_item(out, any, "ENVELOPE");
		buf_span_add(out, t.envelope);
	}
	if (r->plan.items & FETCH_STRUCTURE) {
		put_item(out, any, "BODYSTRUCTURE");
		buf_span_add(out, t.bodystructure);
	}
	if (r->plan.items & FETCH_BODY) {
		put_item(out, any, "BODY");
		if (!imap_text_body(out, t.bodystructure))
			return err_set(&s->job_err, ERR_BUG, PS_ECORRUPT,
			    "bad structure text of message %u", seq);
	}
	return 0;
}

/* "* 7 FETCH (" and all but the sections. */
static int
begin_message(struct session *s, struct fetch *r)
{
	uint32_t seq = r->seqs.seq[r->at];
	unsigned items = r->plan.items;
	struct buf *out = &s->out;
	struct folder_msg m;
	bool any = false;
	size_t i;
	int rc;

	if (!folder_msg(s->folder, seq, &m))
		return err_set(&s->job_err, ERR_TEMP, PS_ENOTFOUND,
		    "message %u is not there", seq);
	r->mark = buf_len(out);
	r->mark_valid = r->in_message = true;
	r->section = 0;
	buf_str(out, "* ");
	buf_dec(out, seq);
	buf_str(out, " FETCH (");
	if (newly_seen(r))
		items |= FETCH_FLAGS | (condstore_on(s) ? FETCH_UID |
		    FETCH_MODSEQ : 0);
	if (items & FETCH_UID) {
		put_item(out, &any, "UID");
		buf_dec(out, m.uid);
	}
	if (items & FETCH_FLAGS) {
		put_item(out, &any, "FLAGS");
		flags_put(out, s->folder, m.flags, m.recent);
	}
	if (items & FETCH_MODSEQ) {
		if (any)
			buf_char(out, ' ');
		any = true;
		modseq_put(out, m.modseq);
	}
	r->told = (items & FETCH_FLAGS) &&
	    (!condstore_on(s) || (items & FETCH_MODSEQ));
	if (items & FETCH_DATE) {
		put_item(out, &any, "INTERNALDATE");
		put_date(out, m.date);
	}
	if (items & FETCH_SIZE) {
		put_item(out, &any, "RFC822.SIZE");
		buf_dec(out, m.size);
	}
	if (items & FETCH_TEXTS) {
		rc = put_texts(s, r, seq, &any);
		if (rc < 0)
			return rc;
	}
	if (r->plan.n == 0)
		return 0;
	if (any)
		buf_char(out, ' ');
	rc = message_open(&r->message, s->folder, seq, m.size, &s->job_err);
	/* what cannot be decoded is known before anything is sent */
	for (i = 0; rc == 0 && i < r->plan.n; i++)
		rc = message_section_check(&r->message, &r->plan.section[i],
		    &s->job_err);
	return rc;
}

static int
begin_section(struct session *s, struct fetch *r)
{
	const struct section *sec = &r->plan.section[r->section];
	struct buf *out = &s->out;
	int rc;

	rc = message_section(&r->message, sec, &r->scratch, &r->piece,
	    &s->job_err);
	if (rc < 0)
		return rc;
	if (r->section++ > 0)
		buf_char(out, ' ');
	section_label_put(out, sec);
	if (sec->form == FORM_BINARY_SIZE) {
		buf_char(out, ' ');
		buf_dec(out, r->piece.len);
		r->piece.len = 0;
		return 0;
	}
	if (r->piece.nil) {
		buf_str(out, " NIL");
		r->piece.len = 0;
		return 0;
	}
	r->nul_ok = sec->form == FORM_BINARY;
	buf_str(out, r->nul_ok && memchr(r->piece.mem.p, '\0',
	    r->piece.mem.n) != NULL ? " ~{" : " {");
	buf_dec(out, r->piece.len);
	buf_str(out, "}\r\n");
	return 0;
}

/* No literal can hold NUL (RFC 3501 9, CHAR8); 0x80 is what others send. */
static void
hide_nul(char *p, size_t n)
{
	char *end = p + n;

	while (p < end && (p = memchr(p, '\0', (size_t)(end - p))) != NULL)
		*p++ = (char)0x80;
}

static int
copy_piece(struct session *s, struct fetch *r)
{
	struct piece *p = &r->piece;
	size_t n = (size_t)MIN(p->len, (uint64_t)SLICE_BYTES);
	size_t mark = buf_len(&s->out);
	int rc = 0;

	if (p->mem.p != NULL) {
		buf_append(&s->out, p->mem.p, n);
		p->mem = span_sub(p->mem, n, p->mem.n);
	} else {
		rc = message_read(&r->message, p->off, n, &s->out,
		    &s->job_err);
		/* the length is promised: nothing can mend this */
		r->broken = rc < 0;
	}
	if (!r->nul_ok)
		hide_nul(buf_data(&s->out) + mark, buf_len(&s->out) - mark);
	p->off += n;
	p->len -= n;
	return rc;
}

static void
end_message(struct session *s, struct fetch *r)
{
	buf_str(&s->out, ")\r\n");
	message_close(&r->message);
	if (r->told)
		folder_told(s->folder, r->seqs.seq[r->at]);
	r->in_message = false;
	r->at++;
}

/* One message's trouble must not end the command for the others. */
static void
skip_message(struct session *s, struct fetch *r)
{
	if (s->job_err.code == PS_ENOSYS)
		r->unknown_encoding = true;
	else
		session_unreadable(s, "fetch", folder_uid(s->folder,
		    r->seqs.seq[r->at]), &s->job_err);
	r->missing = true;
	r->unreadable = r->unreadable || (s->job_err.code != PS_ENOSYS &&
	    s->job_err.code != PS_ENOTFOUND);
	if (r->in_message && !r->mark_valid)
		r->broken = true;
	else if (r->in_message)
		buf_truncate(&s->out, r->mark);
	message_close(&r->message);
	r->piece.len = 0;
	r->in_message = false;
	r->at++;
}

static int
fetch_step(struct session *s, struct fetch *r)
{
	if (r->piece.len > 0)
		return copy_piece(s, r);
	if (!r->in_message) {
		if (r->plan.seen && r->writable && (r->at == 0 ||
		    r->at - r->batch >= SEEN_BATCH))
			mark_batch(s, r);
		return begin_message(s, r);
	}
	if (r->section < r->plan.n)
		return begin_section(s, r);
	end_message(s, r);
	return 0;
}

/* CHANGEDSINCE: only those, as they are now, and before them what went. */
static int
sift(struct session *s, struct fetch *r)
{
	struct folder_msg m;
	size_t i, n = 0;
	int rc;

	r->sifted = true;
	rc = r->plan.vanished ? vanished_put(s, &s->out, &r->seqs.set, 0,
	    r->plan.since, &s->job_err) :
	    folder_refresh(s->folder, &s->job_err);
	for (i = 0; rc == 0 && i < r->seqs.n; i++)
		if (folder_msg(s->folder, r->seqs.seq[i], &m) &&
		    m.modseq > r->plan.since && !m.gone)
			r->seqs.seq[n++] = r->seqs.seq[i];
	r->seqs.n = n;
	return rc;
}

static void
fetch_job(struct session *s)
{
	struct fetch *r = s->run;
	uint64_t end = clock_mono_us() + SLICE_US;
	size_t from = r->at;

	if (r->plan.changed_only && !r->sifted) {
		s->job_rc = sift(s, r);
		if (s->job_rc < 0)
			return;
	}

	/* what was begun in an earlier slice is already sent */
	r->mark_valid = false;
	while (r->at < r->seqs.n && !r->broken &&
	    r->at - from < SLICE_MESSAGES && buf_len(&s->out) < SLICE_BYTES) {
		if (fetch_step(s, r) < 0)
			skip_message(s, r);
		/* sections that are decoded cost more than their bytes say */
		if (r->plan.n > 0 && !r->in_message && clock_mono_us() > end)
			break;
	}
}

static void fetch_slice(struct session *s);

static void
fetch_done(struct session *s)
{
	struct fetch *r = s->run;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	session_send_out(s);
	if (r->broken) {
		session_bye(s, "[SERVERBUG] A message changed while it was "
		    "read");
		return;
	}
	if (r->at < r->seqs.n) {
		session_slice(s, fetch_slice);
		return;
	}
	stream_out_marks(s->stream, STREAM_OUT_LOW, STREAM_OUT_HIGH);
	if (r->any_seen)
		session_changed_folder(s, folder_name(s->folder));
	if (r->unknown_encoding)
		session_reply(s, "NO", "[UNKNOWN-CTE] Some parts could not "
		    "be decoded");
	else if (r->unreadable)
		session_reply(s, "NO", "[CONTACTADMIN] Some messages could "
		    "not be read, see the log under %s", s->id);
	else if (r->missing)
		session_reply(s, "NO", "[EXPUNGEISSUED] Some messages could "
		    "not be read");
	else
		session_ok(s);
}

static void
fetch_slice(struct session *s)
{
	session_job(s, fetch_job, fetch_done);
}

void
cmd_fetch(struct session *s, struct arg_iter *it)
{
	struct fetch *r = xcalloc(1, sizeof(*r));
	const char *why;

	message_init(&r->message);
	buf_init(&r->scratch, MESSAGE_LOAD_MAX);
	session_run_set(s, r, fetch_free);
	if (!seqs_read(s, it, &r->seqs))
		return;
	why = fetch_plan_take(&r->plan, it);
	if (why != NULL) {
		session_bad(s, why);
		return;
	}
	why = fetch_modifiers_take(&r->plan, it);
	if (why == NULL && r->plan.vanished && (!s->uid || !qresync_on(s)))
		why = "VANISHED is for UID FETCH after ENABLE QRESYNC";
	if (why != NULL) {
		session_bad(s, why);
		return;
	}
	if (!command_end(s, it))
		return;
	if (r->plan.items & FETCH_MODSEQ)
		condstore_enable(s);
	if (s->uid)
		r->plan.items |= FETCH_UID;
	r->writable = !s->read_only;
	stream_out_marks(s->stream, OUT_LOW, OUT_HIGH);
	fetch_slice(s);
}
