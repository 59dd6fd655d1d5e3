/*
 * From connection to account: STARTTLS, LOGIN, AUTHENTICATE. authd checks the
 * password and gives a ticket; deliver gives the account's directory for it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/sasl.h"
#include "mail/codec.h"
#include "proto/proto.h"

#define FAILED_LOGINS_MAX	5
#define RESPONSE_MAX		12288

/* --- STARTTLS and LOGOUT ------------------------------------------------------- */

/* S3: bytes in the clear behind STARTTLS were put there by somebody else. */
static void
injected(struct session *s, size_t n)
{
	log_warning("%s: %zu bytes pipelined behind STARTTLS from [%s]",
	    s->id, n, s->ip);
	s->bye = true;
	session_close(s);
}

void
cmd_starttls(struct session *s, struct arg_iter *it)
{
	size_t early = buf_len(stream_in(s->stream));

	if (!command_end(s, it))
		return;
	if (!sasl_may_starttls(s)) {
		session_bad(s, "TLS is not available");
		return;
	}
	session_reply(s, "OK", "Begin TLS negotiation now");
	if (early == 0)
		early = stream_tls_accept(s->stream, s->server->certs);
	if (early > 0)
		injected(s, early);
}

void
cmd_logout(struct session *s, struct arg_iter *it)
{
	if (!command_end(s, it))
		return;
	stream_str(s->stream, "* BYE Logging out\r\n");
	session_ok(s);
	s->bye = true;
	session_close(s);
}

/* --- outcome -------------------------------------------------------------------- */

static void
log_login(struct session *s)
{
	struct stream_tls tls = { .protocol = "no" };

	if (!stream_tls_info(s->stream, &tls))
		tls.protocol = "no";
	log_info("%s login user=<%s> mech=%s ip=%s tls=%s", s->id, s->user,
	    s->mech, s->ip, tls.protocol);
}

/* `user`: whom the client named, if that is known. */
static void
log_failed(struct session *s, const char *why, struct span user)
{
	const char *mark = user.n > 0 ? ", sasl_username=" : "";

	/* fail2ban filters read this line */
	log_warning("%s: unknown[%s]: SASL %s authentication failed: %s%s%.*s",
	    s->id, s->ip, s->mech, why, mark, SPAN_ARG(user));
}

/* Back to nobody. */
static void
login_reset(struct session *s)
{
	free(s->user);
	s->user = NULL;
	secret_free(&s->ticket);
	server_left(s->server, s);
	if (s->counted)
		server_account_closed(s->server, s->mailbox_id);
	s->counted = false;
	s->mailbox_id = 0;
}

static void
send_logged_in(struct session *s)
{
	struct buf caps;

	buf_init(&caps, 4096);
	capability_put(s, &caps);
	session_reply(s, "OK", "[CAPABILITY %s] Logged in", buf_cstr(&caps));
	buf_fini(&caps);
}

static void
opened_done(struct session *s)
{
	if (s->job_rc < 0) {
		log_error("%s: user=<%s>: %s", s->id, s->user,
		    s->job_err.why);
		login_reset(s);
		session_reply(s, "NO", "[UNAVAILABLE] Your mailbox cannot be "
		    "opened now, see the log under %s", s->id);
		return;
	}
	log_login(s);
	s->server->stats.logins++;
	session_state_set(s, SESSION_AUTHENTICATED);
	send_logged_in(s);
}

/* The directory descriptor waits in `run` for the thread. */
struct opening {
	int fd;
};

static void
opening_free(void *arg)
{
	struct opening *o = arg;

	if (o->fd != -1)
		close(o->fd);
	free(o);
}

static void
open_job(struct session *s)
{
	struct opening *o = s->run;

	s->account = account_open(o->fd, s->mailbox_id, &s->job_err);
	o->fd = -1;
	s->job_rc = s->account == NULL ? MIN(s->job_err.code, -1) : 0;
}

static void
login_unavailable(struct session *s, const char *why)
{
	s->asked = 0;
	log_warning("%s: login of user=<%s> put off: %s", s->id,
	    s->user == NULL ? "" : s->user, why);
	login_reset(s);
	session_reply(s, "NO", "[UNAVAILABLE] Try again later");
}

void
login_opened(struct session *s, bool ok, struct span why, int *fd)
{
	struct opening *o;
	char *text;

	s->asked = 0;
	if (s->closing)
		return;
	if (!ok) {
		text = xmemdup0(why.p, why.n);
		login_unavailable(s, text);
		free(text);
		return;
	}
	server_account_opened(s->server, s->mailbox_id);
	s->counted = true;
	o = xmalloc(sizeof(*o));
	o->fd = *fd;
	*fd = -1;
	if (s->run != NULL)
		s->run_free(s->run);
	session_run_set(s, o, opening_free);
	session_job(s, open_job, opened_done);
}

void
login_too_many(struct session *s)
{
	s->asked = 0;
	if (s->closing)
		return;
	log_info("%s: user=<%s> ip=%s has imap_user_connection_limit (%d) "
	    "sessions from there already", s->id, s->user, s->ip,
	    (int)s->conf->imap_user_connection_limit);
	login_reset(s);
	session_reply(s, "NO", "[LIMIT] You have too many sessions from your "
	    "network already");
}

static void
mailbox_open(struct session *s)
{
	struct ipc *c = server_deliver(s->server, s->mailbox_id);

	if (c == NULL) {
		login_unavailable(s, "deliver is not there");
		return;
	}
	s->asked = ipc_next_id();
	server_await(s->server, s->asked, s);
	s->seat_on = c;
	PROTO_SEND(c, s->asked, MBOX_OPEN, mbox_open,
	    .ticket = span_of(s->ticket, s->ticket_n),
	    .client = span_of(s->client, s->client_n),
	    .client_limit = (uint32_t)s->conf->imap_user_connection_limit);
	secret_free(&s->ticket);
}

/* The client's answer to the last server data (SCRAM's v=): empty. */
static void
final_line(struct session *s, struct span line)
{
	session_line_end(s);
	if (line.n != 0) {
		login_reset(s);
		session_bad(s, "Empty response expected");
		return;
	}
	mailbox_open(s);
}

static void
send_continuation(struct session *s, struct span data)
{
	struct buf *out = session_out(s);

	buf_str(out, "+ ");
	base64_encode(out, data);
	buf_str(out, "\r\n");
}

static void
login_accepted(struct session *s, const struct msg_auth_result *m)
{
	s->user = xmemdup0(m->user.p, m->user.n);
	s->mailbox_id = m->mailbox_id;
	s->quota_bytes = m->quota_bytes;
	s->quota_messages = m->quota_messages;
	s->ticket = xmemdup0(m->ticket.p, m->ticket.n);
	s->ticket_n = m->ticket.n;
	if (m->final.n == 0) {
		mailbox_open(s);
		return;
	}
	send_continuation(s, m->final);
	session_read_lines(s, final_line);
}

static void
login_refused(struct session *s, struct span user)
{
	log_failed(s, "authentication failure", user);
	s->server->stats.failed_logins++;
	session_reply(s, "NO", "[AUTHENTICATIONFAILED] Authentication "
	    "failed");
	if (++s->failed_logins >= FAILED_LOGINS_MAX)
		session_bye(s, "Too many failed logins");
}

/* Login defence: no password was checked, so nobody's mail program should ask
 * for another one. Other words than log_failed() has, for who counts failures
 * in the log must not count this. */
static void
login_later(struct session *s, struct span user)
{
	log_info("%s: unknown[%s]: SASL %s authentication put off: too many "
	    "wrong passwords lately, sasl_username=%.*s", s->id, s->ip,
	    s->mech, SPAN_ARG(user));
	s->server->stats.failed_logins++;
	session_reply(s, "NO", "[UNAVAILABLE] Too many wrong passwords "
	    "lately; try again later");
	if (++s->failed_logins >= FAILED_LOGINS_MAX)
		session_bye(s, "Too many failed logins");
}

void
login_result(struct session *s, const struct msg_auth_result *m)
{
	s->asked = 0;
	if (s->closing)
		return;
	switch (m->result) {
	case AUTH_OK:
		login_accepted(s, m);
		break;
	case AUTH_BAD:
		login_refused(s, m->user);
		break;
	case AUTH_LATER:
		login_later(s, m->user);
		break;
	case AUTH_PROTOCOL:
		log_failed(s, "malformed exchange", m->user);
		session_bad(s, "Malformed authentication exchange");
		break;
	case AUTH_NO_MECH:
		session_reply(s, "NO", "[CANNOT] Mechanism not available");
		break;
	default:
		login_unavailable(s, "authd says later");
		break;
	}
}

void
login_lost(struct session *s)
{
	server_forget(s->server, s->asked);
	if (s->line != NULL)
		session_line_end(s);
	login_unavailable(s, "the process asked has gone");
}

void
login_abandon(struct session *s)
{
	if (s->asked == 0)
		return;
	server_forget(s->server, s->asked);
	if (s->mailbox_id == 0 && s->server->authd != NULL)
		PROTO_SEND(s->server->authd, s->asked, AUTH_CANCEL,
		    auth_cancel);
	s->asked = 0;
}

/* --- AUTHENTICATE ----------------------------------------------------------------- */

static void
response_line(struct session *s, struct span line)
{
	struct buf data;

	session_line_end(s);
	if (line.n == 1 && *line.p == '*') {
		login_abandon(s);
		session_bad(s, "Authentication cancelled");
		return;
	}
	buf_init(&data, RESPONSE_MAX);
	if (!base64_decode(&data, line) || buf_failed(&data)) {
		login_abandon(s);
		log_failed(s, "bad base64", SPAN_LIT(""));
		session_bad(s, "Bad base64");
	} else if (s->server->authd != NULL) {
		PROTO_SEND(s->server->authd, s->asked, AUTH_STEP, auth_step,
		    .response = buf_span(&data));
	}
	buf_fini_secret(&data);
}

void
login_challenge(struct session *s, struct span challenge)
{
	if (s->closing)
		return;
	send_continuation(s, challenge);
	session_read_lines(s, response_line);
}

/* "=" stands for an empty initial response (RFC 4959). */
static bool
initial_decode(struct buf *out, struct span text)
{
	if (text.n == 1 && *text.p == '=')
		return true;
	return base64_decode(out, text) && !buf_failed(out);
}

static void
mech_set(struct session *s, struct span name)
{
	size_t n = MIN(name.n, sizeof(s->mech) - 1);
	size_t i;

	for (i = 0; i < n; i++)
		s->mech[i] = (char)(ascii_isalpha((unsigned char)name.p[i]) ?
		    name.p[i] & ~32 : name.p[i]);
	s->mech[n] = '\0';
}

void
cmd_authenticate(struct session *s, struct arg_iter *it)
{
	struct span name, text = SPAN_NONE, initial = SPAN_NONE;
	struct buf data;

	if (!arg_take_atom(it, &name) ||
	    (!arg_at_end(it) && !arg_take_atom(it, &text))) {
		session_bad(s, "AUTHENTICATE takes a mechanism and an "
		    "initial response");
		return;
	}
	if (!command_end(s, it))
		return;
	mech_set(s, name);
	if (!sasl_may_login(s)) {
		session_reply(s, "NO", "[PRIVACYREQUIRED] Use TLS first");
		return;
	}
	if (!sasl_may_use(s, name)) {
		session_reply(s, "NO", "[CANNOT] Mechanism not available");
		return;
	}
	buf_init(&data, RESPONSE_MAX);
	if (text.p != NULL) {
		if (!initial_decode(&data, text)) {
			buf_fini_secret(&data);
			session_bad(s, "Bad base64");
			return;
		}
		initial = buf_span(&data);
	}
	if (!sasl_start(s, span_str(s->mech), initial))
		login_unavailable(s, "authd is not there");
	buf_fini_secret(&data);
}

/* LOGIN is PLAIN in other clothes (RFC 4616). */
void
cmd_login(struct session *s, struct arg_iter *it)
{
	struct span user, password;
	struct buf data;

	if (!arg_take_astring(it, &user) || !arg_take_pattern(it, &password)) {
		session_bad(s, "LOGIN takes a user name and a password");
		return;
	}
	if (!command_end(s, it))
		return;
	memcpy(s->mech, "LOGIN", 6);
	if (!sasl_may_login(s)) {
		session_reply(s, "NO", "[PRIVACYREQUIRED] Use TLS first");
		return;
	}
	buf_init(&data, RESPONSE_MAX);
	buf_char(&data, '\0');
	buf_span_add(&data, user);
	buf_char(&data, '\0');
	buf_span_add(&data, password);
	if (!sasl_start(s, SPAN_LIT("PLAIN"), buf_span(&data)))
		login_unavailable(s, "authd is not there");
	buf_fini_secret(&data);
}
