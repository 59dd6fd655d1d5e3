/*
 * The life of a session: from accept to close, its one driver loop, its
 * timers. What commands do is in the cmd_ files.
 */
#include "smtpd/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/command.h"
#include "smtpd/limits.h"
#include "smtpd/quota.h"
#include "smtpd/reply.h"
#include "smtpd/sasl.h"
#include "smtpd/stress.h"

#define FINISH_MS	5000	/* for the peer to take our last reply */

static void session_run(struct session *s, enum step st);
static void session_close(struct session *s);

/* --- state --- */

static const struct {
	const char *name;
	unsigned from;		/* states it may be entered from */
} moves[SESSION_STATES] = {
#define S(x)	(1u << SESSION_##x)
	[SESSION_CONNECT] = { "connect", 0 },
	[SESSION_COMMAND] = { "command", S(CONNECT) | S(AUTH) | S(DATA) |
	    S(CHUNK) | S(TLS) },
	[SESSION_AUTH] = { "auth", S(COMMAND) },
	[SESSION_DATA] = { "data", S(COMMAND) },
	[SESSION_CHUNK] = { "chunk", S(COMMAND) },
	[SESSION_TLS] = { "tls", S(CONNECT) | S(COMMAND) },
#undef S
};

void
session_enter(struct session *s, enum session_state next)
{
	ps_assert(moves[next].from & 1u << s->state);
	log_debug("%s: state %s -> %s", s->id, moves[s->state].name,
	    moves[next].name);
	s->state = next;
	s->in_limit = MAX(STREAM_IN_LIMIT,
	    (uint32_t)session_conf(s)->smtpd_line_length_limit + 2);
	stream_in_limit(s->stream, s->in_limit);
}

/* --- time --- */

static void
timer_arm(struct session *s)
{
	uint64_t now = loop_now_ms(s->srv->loop);

	s->timer_at_ms = MIN(s->deadline_ms, s->ends_ms);
	timer_set_ms(&s->timer, s->timer_at_ms > now ?
	    s->timer_at_ms - now : 1);
}

/* The timer is not moved with every command: when it fires too early it is
 * set again for the rest. */
static void
deadline_set(struct session *s, uint64_t at_ms)
{
	s->deadline_ms = at_ms;
	if (at_ms < s->timer_at_ms)
		timer_arm(s);
}

static uint64_t
time_limit(const struct session *s, int64_t normal)
{
	return loop_now_ms(s->srv->loop) + (uint64_t)stress_value(s, normal,
	    session_conf(s)->smtpd_stress_timeout);
}

void
session_clock(struct session *s)
{
	live_touch(s->srv->live, &s->live);
	deadline_set(s, time_limit(s, session_conf(s)->smtpd_timeout));
}

void
session_clock_tls(struct session *s)
{
	deadline_set(s, time_limit(s,
	    session_conf(s)->smtpd_starttls_timeout));
}

void
session_clock_limit(struct session *s, uint64_t at_ms)
{
	deadline_set(s, MIN(s->deadline_ms, at_ms));
}

/* A line has one deadline from its first byte to its last. A text has one
 * for each read; with smtpd_per_request_deadline it must on the whole keep up
 * smtpd_min_data_rate. */
void
session_clock_text(struct session *s, size_t n)
{
	const struct conf *conf = session_conf(s);
	uint64_t at = time_limit(s, conf->smtpd_timeout);
	uint64_t earned = n * 1000 / (uint64_t)conf->smtpd_min_data_rate;
	bool strict = strcmp(conf->smtpd_per_request_deadline, "yes") == 0 ||
	    (strcmp(conf->smtpd_per_request_deadline, "stress") == 0 &&
	    stress_applies(s));

	deadline_set(s, strict ? MIN(at, s->deadline_ms + earned) : at);
}

/* Where TLS comes first nothing is said in the clear. */
static bool
may_speak(const struct session *s)
{
	return s->state != SESSION_TLS &&
	    (s->tls || !session_conf(s)->smtpd_tls_wrappermode);
}

static void
timer_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);
	uint64_t now = loop_now_ms(s->srv->loop);

	/* What a parked session waits for has a timeout of its own, but for
	 * the answer of authd and a client that does not read. */
	if (s->parked && !s->stuck && s->state != SESSION_AUTH &&
	    now < s->ends_ms)
		session_clock(s);
	if (now < s->deadline_ms && now < s->ends_ms) {
		timer_arm(s);
		return;
	}
	if (s->txn != NULL && s->txn->committing) {
		/* Its 250 may come any moment: never cut that off. */
		s->ends_ms = s->deadline_ms = now + 1000;
		timer_arm(s);
		return;
	}
	log_info("timeout after %s from %s", s->where, session_peer(s));
	if (may_speak(s))
		session_replyf(s, "421 4.4.2 %s Error: timeout exceeded",
		    session_conf(s)->myhostname);
	session_close(s);
}

static void
nap_cb(void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);
	step_fn *after = s->after;

	s->after = NULL;
	session_continue(s, after(s));
}

enum step
session_nap(struct session *s, uint64_t ms, step_fn *after)
{
	s->after = after;
	timer_set_ms(&s->nap, ms);
	return STEP_PARKED;
}

static enum step
nap_over(struct session *s)
{
	stream_write(s->stream, span_of(s->held, s->held_n));
	free(s->held);
	s->held = NULL;
	s->held_n = 0;
	return STEP_NEXT;
}

/* Past the soft limit the reply itself waits (error sleep). */
static enum step
hold_reply(struct session *s)
{
	struct buf *out = stream_out(s->stream);
	struct span reply;

	if (buf_len(out) <= s->reply_at)
		return STEP_NEXT;
	reply = span_sub(buf_span(out), s->reply_at, buf_len(out));
	s->held = xmemdup0(reply.p, reply.n);
	s->held_n = reply.n;
	buf_truncate(out, s->reply_at);
	return session_nap(s,
	    (uint64_t)session_conf(s)->smtpd_error_sleep_time, nap_over);
}

/* --- the driver --- */

static void
count(struct session *s)
{
	size_t i = (size_t)(s->cmd - commands);

	if (s->counts[i].all < UINT16_MAX) {
		s->counts[i].all++;
		s->counts[i].ok += !s->failed;
	}
}

/* A command has got its last reply: counts it, applies the error limits. As
 * in Postfix a reply waits when there had been enough errors before it, also
 * when it is none itself. */
static enum step
command_over(struct session *s)
{
	const struct conf *conf = session_conf(s);
	bool slow = s->errors >= conf->smtpd_soft_error_limit &&
	    conf->smtpd_error_sleep_time > 0;

	if (s->cmd == NULL || s->state != SESSION_COMMAND)
		return STEP_NEXT;
	count(s);
	if (s->failed && s->errors < UINT16_MAX)
		s->errors++;
	if (s->cmd->flags & COMMAND_JUNK && s->junk++ > stress_value(s,
	    conf->smtpd_junk_command_limit,
	    conf->smtpd_stress_junk_command_limit) && s->errors < UINT16_MAX)
		s->errors++;
	s->cmd = NULL;
	s->failed = false;
	if (s->errors >= stress_value(s, conf->smtpd_hard_error_limit,
	    conf->smtpd_stress_hard_error_limit)) {
		log_info("too many errors after %s from %s", s->where,
		    session_peer(s));
		session_replyf(s, "421 4.7.0 %s Error: too many errors",
		    conf->myhostname);
		return STEP_CLOSE;
	}
	if (s->shut && s->txn == NULL) {
		session_reply(s, "421 4.3.2 Service shutting down");
		return STEP_CLOSE;
	}
	return slow ? hold_reply(s) : STEP_NEXT;
}

static enum step
command_input(struct session *s)
{
	struct span line;

	switch (line_next(&s->line, stream_in(s->stream),
	    (size_t)session_conf(s)->smtpd_line_length_limit, &line)) {
	case LINE_MORE:
		return STEP_MORE_INPUT;
	case LINE_OK:
		session_clock(s);
		return command_run(s, line);
	case LINE_TOO_LONG:
		s->cmd = command_unknown;
		session_reply(s, "500 5.5.2 Error: line too long");
		return STEP_NEXT;
	case LINE_BARE_LF:
		first_bare_newline(s);
		session_replyf(s, "521 5.5.2 %s Error: bare <LF> received",
		    session_conf(s)->myhostname);
		return STEP_CLOSE;
	case LINE_BARE_CR:
		break;
	}
	session_replyf(s, "521 5.5.2 %s Error: bare <CR> received",
	    session_conf(s)->myhostname);
	return STEP_CLOSE;
}

static enum step
no_input(struct session *s)
{
	return STEP_MORE_INPUT;
}

static step_fn *const inputs[SESSION_STATES] = {
	[SESSION_CONNECT] = no_input,
	[SESSION_COMMAND] = command_input,
	[SESSION_AUTH] = sasl_input,
	[SESSION_DATA] = text_input,
	[SESSION_CHUNK] = chunk_input,
	[SESSION_TLS] = no_input,
};

static void
session_run(struct session *s, enum step st)
{
	ps_assert(!s->running);
	s->running = true;
	while (st == STEP_NEXT) {
		st = command_over(s);
		if (st != STEP_NEXT)
			break;
		/* A client that does not read its replies waits. */
		s->stuck = stream_full(s->stream);
		st = s->stuck ? STEP_PARKED : inputs[s->state](s);
	}
	s->running = false;
	s->parked = st == STEP_PARKED;
	if (st == STEP_CLOSE) {
		session_close(s);
		return;
	}
	if (s->parked && !s->stuck)
		stress_busy(s);
	else
		stress_idle(s);
	if (s->parked)
		stream_pause(s->stream);
	else if (stream_paused(s->stream))
		stream_resume(s->stream);
}

void
session_continue(struct session *s, enum step st)
{
	s->parked = s->stuck = false;
	session_run(s, st);
}

static void
readable_cb(struct stream *stream, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (!s->parked)
		session_run(s, STEP_NEXT);
}

static void
drained_cb(struct stream *stream, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (s->parked && s->stuck)
		session_continue(s, STEP_NEXT);
}

static void
ended_cb(struct stream *stream, enum stream_end end, const char *text,
    void *arg)
{
	static const char own[] = "SSL_accept error: ";
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	if (end == STREAM_TLS_FAILED && !s->tls)
		limits_failed_tls(s);
	if (end == STREAM_TLS_FAILED)
		log_info("SSL_accept error from %s: %s", session_peer(s),
		    strncmp(text, own, sizeof(own) - 1) == 0 ?
		    text + sizeof(own) - 1 : text);
	if (s->state == SESSION_DATA || s->state == SESSION_CHUNK)
		log_info("lost connection after %s (%llu bytes) from %s",
		    s->where, (unsigned long long)(s->txn == NULL ? 0 :
		    s->txn->size), session_peer(s));
	else
		log_info("lost connection after %s from %s", s->where,
		    session_peer(s));
	session_close(s);
}

static void
secured_cb(struct stream *stream, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	session_secured(s);
}

const struct stream_cbs session_stream_cbs = { readable_cb, drained_cb,
	secured_cb, ended_cb };

/* --- birth and death --- */

struct session *
session_new(struct server *srv, struct profile *prof, struct stream *stream,
    const char *ip)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->magic = SESSION_MAGIC;
	s->srv = srv;
	s->prof = profile_ref(prof);
	s->stream = stream;
	s->where = "CONNECT";
	(void)snprintf(s->ip, sizeof(s->ip), "%s", ip);
	(void)snprintf(s->port, sizeof(s->port), "0");
	s->own = (struct endpoint){ "unknown", "0" };
	if (!net_addr_parse(span_str(s->ip), &s->addr))
		memset(&s->addr, 0, sizeof(s->addr));
	s->name = xstrdup("unknown");
	/* not looked up: that is no reason to refuse for good */
	s->name_state = s->reverse_state = CLIENT_NAME_TEMP;
	timer_init(&s->timer, srv->loop, timer_cb, s);
	timer_init(&s->nap, srv->loop, nap_cb, s);
	session_clock(s);
	s->ends_ms = loop_now_ms(srv->loop) +
	    (uint64_t)session_conf(s)->smtpd_session_limit;
	timer_arm(s);
	TAILQ_INSERT_TAIL(&srv->sessions, s, link);
	live_enter(srv->live, &s->live);
	srv->n_sessions++;
	srv->stat.connects++;
	return s;
}

/* Cancels what is under way and drops what is held. */
static void
session_forget(struct session *s)
{
	struct txn *t = s->txn;

	client_name_cancel(&s->name_ask);
	directory_cancel(&s->login_ask);
	limits_forget(s);
	judge_end(s);
	sasl_free(s);
	if (t != NULL) {
		quota_forget(s);
		t->session = NULL;
		directory_cancel(&t->act.ask);
		if (!t->committing)
			txn_free(&t);
		s->txn = NULL;
	}
	timer_clear(&s->timer);
	timer_clear(&s->nap);
	free(s->held);
	s->held = NULL;
	free(s->asked);
	s->asked = NULL;
	s->after = NULL;
}

static void
session_close(struct session *s)
{
	struct server *srv = s->srv;
	struct buf counts;

	buf_init(&counts, 1024);
	if (s->cmd != NULL)
		count(s);
	command_counts(s, &counts);
	log_info("disconnect from %s %s", session_peer(s),
	    buf_cstr(&counts));
	buf_fini(&counts);
	session_forget(s);
	if (s->stream != NULL)
		stream_finish(&s->stream, FINISH_MS);
	TAILQ_REMOVE(&srv->sessions, s, link);
	live_leave(srv->live, &s->live);
	srv->n_sessions--;
	limits_gone(s);
	stress_busy(s);
	stress_left(srv);
	profile_unref(&s->prof);
	free(s->name);
	free(s->reverse_name);
	judge_forget(s, GATE_CLIENT);
	free(s->helo);
	free(s->sasl_user);
	free(s->sasl_method);
	ccert_free(&s->ccert);
	first_forget(s);
	free(s->forward);
	s->magic = 0;
	free(s);
	server_check_idle(srv);
}

void
session_kick(struct session *s, const char *reply)
{
	ps_assert(!s->running);
	if (may_speak(s))
		session_reply(s, reply);
	session_close(s);
}

/* Minutes may be left of it, and nothing has been promised. */
static bool
is_sleeping(const struct session *s)
{
	return s->judge != NULL && s->judge->ask.napping == NAP_ON;
}

void
session_shut(struct session *s)
{
	if ((!s->parked && s->txn == NULL && s->cmd == NULL) ||
	    is_sleeping(s))
		session_kick(s, "421 4.3.2 Service shutting down");
	else
		s->shut = true;
}

void
session_reset(struct session *s)
{
	free(s->forward);
	s->forward = NULL;
	judge_forget(s, GATE_SENDER);
	if (s->txn != NULL)
		txn_free(&s->txn);
}
