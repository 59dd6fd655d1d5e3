/*
 * COPY and MOVE (RFC 6851), with COPYUID (RFC 4315). All or none.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "imapd/quota.h"
#include "imapd/seqs.h"

struct copy {
	struct seqs seqs;
	char to[FOLDER_NAME_MAX + 1];
	bool move;
	uint64_t bytes;
	struct folder_copied copied;
};

static void
copy_free(void *arg)
{
	struct copy *r = arg;

	seqs_fini(&r->seqs);
	folder_copied_fini(&r->copied);
	free(r);
}

static void
copy_size_job(struct session *s)
{
	struct copy *r = s->run;
	struct folder_msg m;
	size_t i;

	for (i = 0; i < r->seqs.n; i++)
		if (folder_msg(s->folder, r->seqs.seq[i], &m))
			r->bytes += m.size;
}

static void
copy_job(struct session *s)
{
	struct copy *r = s->run;

	s->job_rc = folder_copy(s->folder, r->seqs.seq, r->seqs.n, r->to,
	    r->move, &r->copied, &s->job_err);
}

/* "[COPYUID 38505 304,319:320 3956:3958]" */
static char *
copyuid(const struct copy *r)
{
	struct buf b;

	buf_init(&b, BUF_NO_CAP);
	buf_fmt(&b, "[COPYUID %u ", r->copied.uidvalidity);
	seqset_put(&b, r->copied.from, r->copied.n);
	buf_char(&b, ' ');
	seqset_put(&b, r->copied.to, r->copied.n);
	buf_char(&b, ']');
	return buf_take(&b);
}

static void
copy_failed(struct session *s)
{
	if (s->job_rc == PS_ENOTFOUND)
		session_reply(s, "NO", "[TRYCREATE] No such mailbox");
	else
		session_failed(s, &s->job_err);
}

static void
copy_done(struct session *s)
{
	struct copy *r = s->run;
	char *code;

	if (s->job_rc < 0) {
		copy_failed(s);
		return;
	}
	if (r->copied.n == 0) {
		session_ok(s);
		return;
	}
	session_changed_folder(s, r->to);
	code = copyuid(r);
	if (r->move) {
		session_changed_folder(s, folder_name(s->folder));
		/* before the EXPUNGEs, so the client knows where they went */
		stream_fmt(s->stream, "* OK %s Moved\r\n", code);
		condstore_expunged_ok(s);
	} else {
		session_reply(s, "OK", "%s Copied", code);
	}
	free(code);
}

static void
copy_room_known(struct session *s)
{
	if (s->room.fits)
		session_job(s, copy_job, copy_done);
	else
		session_reply(s, "NO", "[OVERQUOTA] Not enough room left");
}

static void
copy_size_known(struct session *s)
{
	const struct copy *r = s->run;

	quota_ask_room(s, r->seqs.n, r->bytes, copy_room_known);
}

static void
copy_common(struct session *s, struct arg_iter *it, bool move)
{
	struct copy *r = xcalloc(1, sizeof(*r));

	session_run_set(s, r, copy_free);
	r->move = move;
	if (!seqs_read(s, it, &r->seqs) || !command_folder(s, it, r->to) ||
	    !command_end(s, it))
		return;
	if (move && s->read_only)
		session_reply(s, "NO", "[CANNOT] Mailbox is read-only");
	else if (r->seqs.n == 0)
		session_ok(s);
	else if (move)		/* needs no more room than there is */
		session_job(s, copy_job, copy_done);
	else
		session_job(s, copy_size_job, copy_size_known);
}

void
cmd_copy(struct session *s, struct arg_iter *it)
{
	copy_common(s, it, false);
}

void
cmd_move(struct session *s, struct arg_iter *it)
{
	copy_common(s, it, true);
}
