/*
 * DATA and BDAT: the text of a message streams from the connection into its
 * body, is counted and looked at on the way, and is refused at its end at the
 * latest. Commit is commit.c's.
 */
#include "base/log.h"
#include "base/clock.h"
#include "smtpd/command.h"
#include "smtpd/commit.h"
#include "smtpd/complete.h"
#include "smtpd/ehlo.h"
#include "smtpd/received.h"

/* Our lines come first, so that they lie in front in the file as in memory:
 * what access rules prepend, then Received. They are no part of what the
 * client sent: not counted, not scanned. */
static void
text_begin(struct session *s)
{
	struct txn *t = s->txn;

	t->arrival_us = clock_wall_us();
	actions_header(&t->act, &t->body.mem);
	received_write(s, &t->body.mem);
	t->body.size = buf_len(&t->body.mem);
	headfilter_init(&t->filter, session_conf(s)->authserv_id,
	    session_conf(s)->myhostname);
	if (complete_is_due(s))
		headfilter_supply_with(&t->filter, complete_supply, s);
	t->size = 0;
}

static void
body_sink(struct span run, void *arg)
{
	body_add(arg, run);
}

/* Decoded bytes. A message that is refused already is only drained. */
static void
text_sink(struct span run, void *arg)
{
	struct session *s = arg;
	struct txn *t = s->txn;

	t->size += run.n;
	if (t->refusal != TXN_FINE)
		return;
	if (t->size > (uint64_t)session_conf(s)->message_size_limit) {
		t->refusal = TXN_TOO_BIG;
	} else {
		headscan_feed(&t->head, run);
		if (t->head.hops > session_conf(s)->hopcount_limit)
			t->refusal = TXN_TOO_MANY_HOPS;
	}
	if (t->refusal == TXN_FINE && !t->act.discard)
		headfilter_feed(&t->filter, run, body_sink, &t->body);
	else if (t->body.flush == NULL)
		body_fini(&t->body);
}

static void
flushed_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	session_continue(s, STEP_NEXT);
}

/* Texts come in large reads, if there is room for them. */
static void
read_more(struct session *s)
{
	uint32_t limit = body_memory_tight() ? BODY_MEMORY_TIGHT :
	    BODY_MEMORY;

	if (s->in_limit == limit)
		return;
	s->in_limit = limit;
	stream_in_limit(s->stream, limit);
}

/* Parks while a thread writes what memory may not hold. */
static enum step
spill(struct session *s)
{
	read_more(s);
	if (!body_full(&s->txn->body))
		return STEP_NEXT;
	body_flush(&s->txn->body, s->srv->pool, flushed_cb, s);
	return STEP_PARKED;
}

static enum step
judged_end(struct session *s, enum gate_result r)
{
	if (r == GATE_PERMIT) {
		judge_end(s);
		return actions_apply(s, commit_begin);
	}
	session_log_reject(s, "END-OF-MESSAGE", s->judge->eval.reply,
	    SPAN_NONE);
	session_reply(s, s->judge->eval.reply);
	judge_end(s);
	session_reset(s);
	return STEP_NEXT;
}

static const char *const refusals[] = {
	[TXN_TOO_BIG] = "552 5.3.4 Error: message file too big",
	[TXN_TOO_MANY_HOPS] = "554 5.4.0 Error: too many hops",
};

static void
message_id_log(const struct session *s)
{
	const struct txn *t = s->txn;
	struct span id = headscan_id(&t->head);
	struct buf own;

	buf_init(&own, BUF_NO_CAP);
	if (id.n == 0 && complete_is_due(s)) {
		complete_message_id(s, &own);
		id = buf_span(&own);
	}
	if (id.n > 0)
		log_info("%s: message-id=%.*s", t->queue_id, SPAN_ARG(id));
	buf_fini(&own);
}

static enum step
text_end(struct session *s)
{
	struct txn *t = s->txn;

	s->where = "END-OF-MESSAGE";
	first_at_text_end(s);
	headscan_end(&t->head);
	if (t->refusal == TXN_FINE &&
	    t->head.hops > session_conf(s)->hopcount_limit)
		t->refusal = TXN_TOO_MANY_HOPS;
	session_enter(s, SESSION_COMMAND);
	if (t->refusal != TXN_FINE) {
		session_log_reject(s, "END-OF-MESSAGE", refusals[t->refusal],
		    SPAN_NONE);
		session_reply(s, refusals[t->refusal]);
		session_reset(s);
		return STEP_NEXT;
	}
	if (!t->act.discard)
		headfilter_end(&t->filter, body_sink, &t->body);
	if (t->filter.removed > 0)
		log_info("%s: removed %u forged result field%s",
		    t->queue_id, t->filter.removed, t->filter.removed == 1 ?
		    "" : "s");
	message_id_log(s);
	return judge_begin(s, GATE_AT_END_OF_DATA, SPAN_NONE,
	    SPAN_NONE, judged_end);
}

/* A text that two servers could read as two messages (S1): nothing of it is
 * kept, and nothing more of this client is read. */
static enum step
text_bare(struct session *s, const char *what)
{
	char reply[320];

	if (strcmp(what, "LF") == 0)
		first_bare_newline(s);
	(void)snprintf(reply, sizeof(reply), "521 5.5.2 %s Error: bare <%s> "
	    "received", session_conf(s)->myhostname, what);
	session_log_reject(s, "DATA", reply, SPAN_NONE);
	session_reply(s, reply);
	session_reset(s);
	return STEP_CLOSE;
}

enum step
text_input(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	enum data_result r;
	size_t used;

	if (buf_len(in) == 0)
		return STEP_MORE_INPUT;
	r = data_decode(&s->txn->decoder, buf_span(in), &used, text_sink, s);
	buf_consume(in, used);
	session_clock_text(s, used);
	switch (r) {
	case DATA_MORE:
		/* many clients send the last dot apart */
		if (s->txn->decoder.state == DATA_LINE_START &&
		    buf_len(in) == 0)
			stream_ack_now(s->stream);
		return spill(s);
	case DATA_END:
		return text_end(s);
	case DATA_BARE_LF:
		return text_bare(s, "LF");
	case DATA_BARE_CR:
		break;
	}
	return text_bare(s, "CR");
}

/* --- DATA --- */

static enum step
data_judged(struct session *s, enum gate_result r)
{
	if (r != GATE_PERMIT) {
		session_log_reject(s, "DATA", s->judge->eval.reply,
		    SPAN_NONE);
		session_reply(s, s->judge->eval.reply);
	} else {
		text_begin(s);
		session_reply(s, "354 End data with <CR><LF>.<CR><LF>");
		session_enter(s, SESSION_DATA);
	}
	judge_end(s);
	return STEP_NEXT;
}

enum step
cmd_data(struct session *s, struct span args)
{
	if (args.n > 0) {
		session_reply(s, "501 5.5.4 Syntax: DATA");
		return STEP_NEXT;
	}
	if (s->txn->n_accepted == 0) {
		session_reply(s, "554 5.5.1 Error: no valid recipients");
		return STEP_NEXT;
	}
	return judge_begin(s, GATE_AT_DATA, SPAN_NONE, SPAN_NONE,
	    data_judged);
}

/* --- BDAT (RFC 3030) --- */

/* The chunk follows its command whatever we think of it, so a refused one is
 * read and dropped first, and only then told. */
static const char *
chunk_refusal(const struct session *s)
{
	if (s->refused)
		return "503 5.7.0 Error: access denied";
	if (s->txn == NULL)
		return "503 5.5.1 Error: need RCPT command";
	if (s->txn->n_accepted == 0)
		return "554 5.5.1 Error: no valid recipients";
	if (s->txn->size + s->chunk_size >
	    (uint64_t)session_conf(s)->message_size_limit)
		return "552 5.3.4 Chunk exceeds message size limit";
	return NULL;
}

static enum step
chunk_judged(struct session *s, enum gate_result r)
{
	if (r != GATE_PERMIT) {
		session_log_reject(s, "DATA", s->judge->eval.reply,
		    SPAN_NONE);
		s->chunk_skip = true;
		session_reply(s, s->judge->eval.reply);
	} else {
		s->txn->bdat = true;
		text_begin(s);
	}
	judge_end(s);
	session_enter(s, SESSION_CHUNK);
	return STEP_NEXT;
}

enum step
cmd_bdat(struct session *s, struct span args)
{
	struct span size, last = SPAN_NONE, more;
	const char *refusal;

	if (ehlo_discards(s, EHLO_CHUNKING)) {
		session_reply(s, "521 5.5.1 Error: command not implemented");
		return STEP_CLOSE;
	}
	/* When we can't tell how many bytes follow, what follows can't be
	 * told from commands: end it. */
	if (!span_word(&args, &size) ||
	    !span_u64(size, 0, UINT64_MAX / 4, &s->chunk_size) ||
	    (span_word(&args, &last) && !span_is(last, "LAST")) ||
	    span_word(&args, &more)) {
		session_reply(s, "521 5.5.4 Syntax: BDAT count [LAST]");
		return STEP_CLOSE;
	}
	s->chunk_left = s->chunk_size;
	s->chunk_last = last.n > 0;
	refusal = chunk_refusal(s);
	s->chunk_skip = refusal != NULL;
	if (refusal != NULL) {
		/* The reply stands in the output before the bytes came; the
		 * client reads it after it has sent them. */
		session_reply(s, refusal);
		session_reset(s);
	} else if (!s->txn->bdat)
		return judge_begin(s, GATE_AT_DATA, SPAN_NONE,
		    SPAN_NONE, chunk_judged);
	session_enter(s, SESSION_CHUNK);
	return STEP_NEXT;
}

static enum step
chunks_over(struct session *s)
{
	struct txn *t = s->txn;

	if (t->decoder.state == DATA_CR)
		return text_bare(s, "CR");
	/* Readers of the body rely on whole lines. */
	if (t->decoder.state == DATA_IN_LINE)
		text_sink(SPAN_LIT("\r\n"), s);
	return text_end(s);
}

static enum step
chunk_end(struct session *s)
{
	if (s->chunk_skip) {
		session_enter(s, SESSION_COMMAND);
		return STEP_NEXT;
	}
	if (s->chunk_last)
		return chunks_over(s);
	session_enter(s, SESSION_COMMAND);
	session_replyf(s, "250 2.0.0 Ok: %llu bytes",
	    (unsigned long long)s->chunk_size);
	return STEP_NEXT;
}

enum step
chunk_input(struct session *s)
{
	struct buf *in = stream_in(s->stream);
	struct span run = span_sub(buf_span(in), 0, (size_t)MIN(s->chunk_left,
	    (uint64_t)buf_len(in)));
	enum data_result r;

	if (s->chunk_left == 0)
		return chunk_end(s);
	if (run.n == 0)
		return STEP_MORE_INPUT;
	session_clock_text(s, run.n);
	s->chunk_left -= run.n;
	if (s->chunk_skip) {
		buf_consume(in, run.n);
		return STEP_NEXT;
	}
	r = data_check(&s->txn->decoder, run);
	if (r != DATA_MORE)
		return text_bare(s, r == DATA_BARE_LF ? "LF" : "CR");
	text_sink(run, s);
	buf_consume(in, run.n);
	return spill(s);
}
