/*
 * What changed in the selected folder, as untagged responses (RFC 3501 7.3,
 * 7.4): expunges first, as they move the numbers; then EXISTS and RECENT;
 * then new flags.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "imapd/condstore.h"
#include "imapd/flags.h"

#define FLAGS_PER_SLICE	500

static void
put_expunges(struct buf *out, const uint32_t *seqs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		buf_str(out, "* ");
		buf_dec(out, seqs[i]);
		buf_str(out, " EXPUNGE\r\n");
	}
}

static void
send_expunges(struct session *s)
{
	struct buf *out = session_out(s);
	uint32_t *seqs, *uids;
	size_t n;

	n = folder_expunged_take(s->folder, &seqs, &uids);
	if (qresync_on(s)) {
		buf_str(out, "* VANISHED ");
		seqset_put(out, uids, n);
		buf_str(out, "\r\n");
	} else {
		put_expunges(out, seqs, n);
	}
	free(seqs);
	free(uids);
	s->told_exists -= (uint32_t)MIN(n, (size_t)s->told_exists);
}

static void
send_counts(struct session *s)
{
	uint32_t exists = folder_exists(s->folder);
	uint32_t recent = folder_recent(s->folder);

	if (exists != s->told_exists)
		stream_fmt(s->stream, "* %u EXISTS\r\n", exists);
	if (recent != s->told_recent || exists != s->told_exists)
		stream_fmt(s->stream, "* %u RECENT\r\n", recent);
	s->told_exists = exists;
	s->told_recent = recent;
}

/* `flags`: else it is only the modseq that is new. */
static void
put_news(struct session *s, uint32_t seq, bool flags)
{
	struct buf *out = session_out(s);
	struct folder_msg m;

	if (seq > s->told_exists || !folder_msg(s->folder, seq, &m) ||
	    (!flags && !condstore_on(s)))
		return;
	buf_str(out, "* ");
	buf_dec(out, seq);
	buf_str(out, " FETCH (");
	/* RFC 7162 3.2.4 */
	if (s->uid || condstore_on(s)) {
		buf_str(out, "UID ");
		buf_dec(out, m.uid);
		buf_char(out, ' ');
	}
	if (flags) {
		buf_str(out, "FLAGS ");
		flags_put(out, s->folder, m.flags, m.recent);
	}
	if (condstore_on(s)) {
		buf_str(out, flags ? " " : "");
		modseq_put(out, m.modseq);
	}
	buf_str(out, ")\r\n");
}

/* While expunges are held back, what was told of later changes must not make
 * the client believe that it knows all up to there (RFC 7162 3.2). */
static void
send_modseq(struct session *s)
{
	bool held = folder_has_gone(s->folder);

	if (!qresync_on(s) || (!held && !s->modseq_lowered))
		return;
	stream_fmt(s->stream, "* OK [HIGHESTMODSEQ %llu] %s\r\n",
	    (unsigned long long)folder_told_modseq(s->folder),
	    held ? "Expunges wait" : "All was told");
	s->modseq_lowered = held;
}

static void
flags_slice(struct session *s)
{
	uint32_t seq;
	bool flags;
	int i;

	for (i = 0; i < FLAGS_PER_SLICE; i++) {
		if (!folder_changed_next(s->folder, &seq, &flags)) {
			send_modseq(s);
			s->update_done(s);
			return;
		}
		put_news(s, seq, flags);
	}
	session_slice(s, flags_slice);
}

void
update_send(struct session *s, bool expunges,
    void (*done)(struct session *))
{
	s->update_done = done;
	if (expunges && folder_has_gone(s->folder)) {
		/* who came and went while nobody looked must have come */
		if (folder_exists(s->folder) > s->told_exists)
			send_counts(s);
		send_expunges(s);
	}
	send_counts(s);
	flags_tell_new(s);
	flags_slice(s);
}

static void
refresh_job(struct session *s)
{
	idle_listen(s);
	s->job_rc = folder_refresh(s->folder, &s->job_err);
}

static void
refresh_done(struct session *s)
{
	s->refresh_ms = clock_mono_ms() - s->refresh_began_ms;
	if (s->job_rc == PS_ENOTFOUND) {
		log_info("%s: user=<%s>: folder=<%s> was deleted while it was "
		    "selected", s->id, s->user, folder_name(s->folder));
		session_bye(s, "Mailbox was deleted");
		return;
	}
	if (s->job_rc < 0) {
		log_error("%s: refresh user=<%s> folder=<%s>: %s", s->id,
		    s->user, folder_name(s->folder), s->job_err.why);
		/* RFC 3501 2.3.1.1: it cannot change in a session */
		if (s->job_rc == PS_ESTATE) {
			session_bye(s, "Mailbox got another UIDVALIDITY");
			return;
		}
	}
	update_send(s, s->update_expunges, s->update_done);
}

/* An idle session must listen, which needs the thread. */
static bool
refresh_warm(struct session *s)
{
	return !s->idling && folder_is_fresh(s->folder);
}

void
update_refresh(struct session *s, bool expunges,
    void (*done)(struct session *))
{
	s->stale = s->heard = false;
	s->refresh_began_ms = clock_mono_ms();
	s->update_expunges = expunges;
	s->update_done = done;
	session_job_warm(s, refresh_warm, refresh_job, refresh_done);
}
