/*
 * THREAD (RFC 5256): messages are gathered in slices, then put into threads
 * at once.
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/gather.h"
#include "imapd/sort_key.h"
#include "imapd/thread_tree.h"
#include "mail/header.h"
#include "mail/imap_read.h"

struct thread {
	struct gather gather;
	struct sort_text text;
	struct thread_tree tree;
	struct message message;
	struct buf field;
	bool references;		/* by them, else by subject */
	bool gathered, done;
};

static void
thread_free(void *arg)
{
	struct thread *r = arg;

	gather_fini(&r->gather);
	sort_text_fini(&r->text);
	thread_fini(&r->tree);
	message_fini(&r->message);
	buf_fini(&r->field);
	free(r);
}

static struct span
envelope_field(struct thread *r, enum imap_envelope which)
{
	buf_clear(&r->field);
	if (!imap_read_envelope(r->text.envelope, which, &r->field))
		buf_clear(&r->field);
	return buf_span(&r->field);
}

/* From the cache; the header is read for what was too long to keep there. */
static struct span
references_field(struct session *s, struct thread *r, uint32_t seq)
{
	struct span head, value = SPAN_LIT("");
	struct err err;

	if (r->text.references.p != NULL)
		return r->text.references;
	if (message_open(&r->message, s->folder, seq, r->text.msg.size,
	    &err) < 0 || message_head(&r->message, &head, &err) < 0)
		session_unreadable(s, "thread", r->text.msg.uid, &err);
	else
		(void)header_find(head, "References", &value);
	return value;
}

static void
keep_one(struct session *s, uint32_t seq)
{
	struct thread *r = s->run;
	struct sort_value subject, sent;
	bool reply;

	if (thread_too_big(&r->tree))
		return;
	buf_clear(&r->text.text);
	sort_text_message(&r->text, s, seq);
	sort_key_value(&r->text, SORT_DATE, &sent);
	reply = sort_subject(&r->text, &subject);
	thread_add(&r->tree, s->uid ? r->text.msg.uid : seq, sent.number,
	    span_sub(buf_span(&r->text.text), subject.off, subject.len),
	    reply);
	if (!r->references)
		return;
	thread_add_id(&r->tree, envelope_field(r, IMAP_ENV_MESSAGE_ID));
	if (!thread_add_refs(&r->tree, references_field(s, r, seq), SIZE_MAX))
		(void)thread_add_refs(&r->tree,
		    envelope_field(r, IMAP_ENV_IN_REPLY_TO), 1);
	message_close(&r->message);
}

static void
thread_job(struct session *s)
{
	struct thread *r = s->run;

	if (!r->gathered) {
		r->gathered = gather_run(&r->gather, s, keep_one);
		return;
	}
	r->done = true;
	if (thread_too_big(&r->tree))
		return;
	buf_str(&s->out, "* THREAD ");
	if (r->references)
		thread_by_references(&r->tree, &s->out);
	else
		thread_by_subject(&r->tree, &s->out);
	if (r->tree.n == 0)
		buf_truncate(&s->out, buf_len(&s->out) - 1);
	buf_str(&s->out, "\r\n");
}

static void thread_slice(struct session *s);

static void
thread_done(struct session *s)
{
	struct thread *r = s->run;

	if (!r->done) {
		session_slice(s, thread_slice);
		return;
	}
	if (thread_too_big(&r->tree)) {
		session_reply(s, "NO", "[LIMIT] Too much to thread");
		return;
	}
	session_send_out(s);
	session_ok(s);
}

static void
thread_slice(struct session *s)
{
	session_job(s, thread_job, thread_done);
}

void
cmd_thread(struct session *s, struct arg_iter *it)
{
	struct thread *r = xcalloc(1, sizeof(*r));
	struct span word;

	gather_init(&r->gather);
	sort_text_init(&r->text);
	thread_init(&r->tree);
	message_init(&r->message);
	buf_init(&r->field, BUF_NO_CAP);
	session_run_set(s, r, thread_free);
	if (!arg_take_atom(it, &word) || (!span_is(word, "REFERENCES") &&
	    !span_is(word, "ORDEREDSUBJECT"))) {
		session_bad(s, "Unknown threading algorithm");
		return;
	}
	r->references = span_is(word, "REFERENCES");
	if (gather_take(&r->gather, s, it))
		thread_slice(s);
}
