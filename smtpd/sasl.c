#include "smtpd/sasl.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "mail/codec.h"
#include "proto/proto.h"
#include "smtpd/command.h"
#include "smtpd/ehlo.h"
#include "smtpd/limits.h"

/* RFC 4954 4: lines of an exchange may be this long. */
#define SASL_LINE_MAX	12288
#define SASL_BYTES_MAX	(SASL_LINE_MAX / 4 * 3)

struct sasl {
	uint64_t id;		/* of the exchange with authd; 0: over */
	char *mechanism;
	char *user;		/* who it is, once confirmed */
	uint64_t mailbox_id;
	bool final;		/* the last challenge carries server data: an
				 * empty response, then 235 */
	struct line_reader line;
};

/* --- what is offered --- */

static bool
is_plus(struct span mech)
{
	return span_ends(mech, "-PLUS");
}

/* Channel binding needs a channel; PLUS without TLS can't work. */
static bool
mech_usable(const struct session *s, struct span mech)
{
	return s->tls || (!is_plus(mech) &&
	    !session_conf(s)->smtpd_tls_auth_only);
}

bool
sasl_offered(const struct session *s)
{
	return session_conf(s)->smtpd_sasl_auth_enable &&
	    !session_authenticated(s) &&
	    (s->tls || !session_conf(s)->smtpd_tls_auth_only);
}

void
sasl_mechanisms(const struct session *s, struct buf *out)
{
	struct span rest = span_str(session_conf(s)->sasl_mechanisms), word;
	const char *sep = "";

	while (conf_list_next(&rest, &word)) {
		if (!mech_usable(s, word))
			continue;
		buf_str(out, sep);
		buf_span_add(out, word);
		sep = " ";
	}
}

static bool
mech_offered(const struct session *s, struct span mech)
{
	struct span rest = span_str(session_conf(s)->sasl_mechanisms), word;

	while (conf_list_next(&rest, &word))
		if (span_ieq(word, mech))
			return mech_usable(s, word);
	return false;
}

/* --- the exchange --- */

static void
sasl_drop(struct session *s)
{
	struct sasl *a = s->sasl;

	s->sasl = NULL;
	if (a == NULL)
		return;
	(void)map_del_u64(s->srv->auth_waits, a->id);
	free(a->mechanism);
	free(a->user);
	free(a);
}

void
sasl_free(struct session *s)
{
	if (s->sasl != NULL && s->sasl->id != 0 && !s->sasl->final &&
	    s->srv->authd != NULL)
		PROTO_SEND(s->srv->authd, s->sasl->id, AUTH_CANCEL,
		    auth_cancel);
	sasl_drop(s);
}

/* The exchange is over with this reply; the session takes commands again. */
static enum step
over(struct session *s, const char *reply)
{
	sasl_drop(s);
	if (s->state == SESSION_AUTH)
		session_enter(s, SESSION_COMMAND);
	session_reply(s, reply);
	return STEP_NEXT;
}

static enum step
refuse(struct session *s, const char *reply, const char *why, struct span user)
{
	const char *mech = s->sasl->mechanism;

	s->srv->stat.auth_bad++;
	if (user.n > 0)
		log_warning("%s: SASL %s authentication failed: %s, "
		    "sasl_username=%.*s", session_peer(s), mech, why,
		    SPAN_ARG(user));
	else
		log_warning("%s: SASL %s authentication failed: %s",
		    session_peer(s), mech, why);
	return over(s, reply);
}

/* Login defence: no password was checked. Other words than refuse() has, for
 * who counts failures in the log must not count this. */
static enum step
later(struct session *s, struct span user)
{
	s->srv->stat.auth_bad++;
	log_info("%s: SASL %s authentication put off: too many wrong passwords "
	    "lately, sasl_username=%.*s", session_peer(s),
	    s->sasl->mechanism, SPAN_ARG(user));
	return over(s, "454 4.7.0 Too many wrong passwords lately; try again "
	    "later");
}

static void
challenge_send(struct session *s, struct span challenge)
{
	struct buf *out = stream_out(s->stream);

	buf_str(out, "334 ");
	base64_encode(out, challenge);
	buf_str(out, "\r\n");
}

/* Sends one decoded response on; parks until authd answers. */
static enum step
respond(struct session *s, struct span response)
{
	if (s->srv->authd == NULL)
		return refuse(s,
		    "454 4.7.0 Temporary authentication failure",
		    "authd is away", SPAN_NONE);
	PROTO_SEND(s->srv->authd, s->sasl->id, AUTH_STEP, auth_step,
	    .response = response);
	return STEP_PARKED;
}

static enum step
begin(struct session *s, bool has_initial, struct span initial)
{
	uint8_t binding[STREAM_BINDING_MAX];
	const char *type = "";
	size_t n = s->tls ? stream_binding(s->stream, &type, binding) : 0;

	if (s->srv->authd == NULL)
		return refuse(s,
		    "454 4.7.0 Temporary authentication failure",
		    "authd is away", SPAN_NONE);
	s->sasl->id = ipc_next_id();
	(void)map_put_u64(s->srv->auth_waits, s->sasl->id, s);
	PROTO_SEND(s->srv->authd, s->sasl->id, AUTH_START, auth_start,
	    .service = SPAN_LIT("smtp"),
	    .mechanism = span_str(s->sasl->mechanism),
	    .has_initial = has_initial, .initial = initial,
	    .client_ip = span_str(s->ip), .tls = s->tls,
	    .binding_type = span_str(type),
	    .binding = span_of(binding, n));
	return STEP_PARKED;
}

static const char *
auth_not_now(const struct session *s)
{
	const struct conf *conf = session_conf(s);

	if (!conf->smtpd_sasl_auth_enable || ehlo_discards(s, EHLO_AUTH))
		return "503 5.5.1 Error: authentication not enabled";
	if (session_authenticated(s))
		return "503 5.5.1 Error: already authenticated";
	if (!s->esmtp)
		return "503 5.5.1 Error: send EHLO first";
	if (conf->smtpd_tls_auth_only && !s->tls)
		return "538 5.7.11 Encryption required for requested "
		    "authentication mechanism";
	return NULL;
}

/* No limit is in the way. */
static enum step
auth(struct session *s, struct span args)
{
	const char *no = auth_not_now(s);
	struct span mech, initial, more;
	struct buf plain;
	enum step st;
	char *p;

	if (no != NULL) {
		session_reply(s, no);
		return STEP_NEXT;
	}
	if (!span_word(&args, &mech) || mech.n > 64) {
		session_reply(s, "501 5.5.4 Syntax: AUTH mechanism");
		return STEP_NEXT;
	}
	if (!mech_offered(s, mech)) {
		log_warning("%s: SASL %.*s authentication failed: Invalid "
		    "authentication mechanism", session_peer(s),
		    SPAN_ARG(mech));
		session_reply(s, "504 5.5.4 Unrecognized authentication "
		    "mechanism");
		return STEP_NEXT;
	}
	s->sasl = xcalloc(1, sizeof(*s->sasl));
	s->sasl->mechanism = xmemdup0(mech.p, mech.n);
	for (p = s->sasl->mechanism; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
	session_enter(s, SESSION_AUTH);
	stream_in_limit(s->stream, SASL_LINE_MAX + 2);
	if (!span_word(&args, &initial))
		return begin(s, false, SPAN_NONE);
	if (span_word(&args, &more))
		return over(s, "501 5.5.4 Syntax: AUTH mechanism");
	buf_init(&plain, SASL_BYTES_MAX);
	if (span_is(initial, "="))
		st = begin(s, true, SPAN_NONE);
	else if (base64_decode(&plain, initial))
		st = begin(s, true, buf_span(&plain));
	else
		st = over(s, "501 5.5.2 Error: malformed initial response");
	buf_fini_secret(&plain);
	return st;
}

enum step
cmd_auth(struct session *s, struct span args)
{
	return limits_check(s, KEEPER_AUTH, args, auth);
}

static enum step authenticated(struct session *s);

static enum step
response(struct session *s, struct span line)
{
	struct buf plain;
	enum step st;

	if (span_is(line, "*")) {
		sasl_free(s);
		return over(s, "501 5.7.0 Authentication aborted");
	}
	if (s->sasl->final)
		return line.n == 0 ? authenticated(s) :
		    over(s, "501 5.5.2 Error: unexpected response");
	buf_init(&plain, SASL_BYTES_MAX);
	if (base64_decode(&plain, line)) {
		st = respond(s, buf_span(&plain));
	} else {
		sasl_free(s);
		st = over(s, "501 5.5.2 Error: malformed response");
	}
	buf_fini_secret(&plain);
	return st;
}

enum step
sasl_input(struct session *s)
{
	struct span line;

	switch (line_next(&s->sasl->line, stream_in(s->stream),
	    SASL_LINE_MAX, &line)) {
	case LINE_MORE:
		return STEP_MORE_INPUT;
	case LINE_OK:
		session_clock(s);
		return response(s, line);
	case LINE_TOO_LONG:
		sasl_free(s);
		return over(s, "500 5.5.6 Error: authentication exchange "
		    "line is too long");
	case LINE_BARE_LF:
	case LINE_BARE_CR:
		break;
	}
	sasl_free(s);
	session_replyf(s, "521 5.5.2 %s Error: bare <LF> received",
	    session_conf(s)->myhostname);
	return STEP_CLOSE;
}

/* --- authd's answers --- */

int
sasl_challenge_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_auth_challenge in;
	struct session *s;

	if (!msg_auth_challenge_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_get_u64(srv->auth_waits, m->id);
	if (s == NULL || !s->parked)
		return 0;
	challenge_send(s, in.challenge);
	session_continue(s, STEP_NEXT);
	return 0;
}

static enum step
authenticated(struct session *s)
{
	s->sasl_method = xstrdup(s->sasl->mechanism);
	s->sasl_user = s->sasl->user;
	s->sasl->user = NULL;
	s->mailbox_id = s->sasl->mailbox_id;
	s->srv->stat.auth_ok++;
	return over(s, "235 2.7.0 Authentication successful");
}

static enum step
verdict(struct session *s, const struct msg_auth_result *in)
{
	switch (in->result) {
	case AUTH_OK:
		break;
	case AUTH_TEMP:
		return refuse(s,
		    "454 4.7.0 Temporary authentication failure",
		    "temporary failure", in->user);
	case AUTH_LATER:
		return later(s, in->user);
	case AUTH_PROTOCOL:
		return refuse(s, "501 5.5.2 Error: malformed exchange",
		    "malformed exchange", in->user);
	case AUTH_NO_MECH:
		return refuse(s,
		    "504 5.5.4 Unrecognized authentication mechanism",
		    "Invalid authentication mechanism", in->user);
	default:
		return refuse(s, "535 5.7.8 Error: authentication failed: "
		    "authentication failure", "authentication failure",
		    in->user);
	}
	s->sasl->user = xmemdup0(in->user.p, in->user.n);
	s->sasl->mailbox_id = in->mailbox_id;
	if (in->final.n == 0)
		return authenticated(s);
	/* The server's last word (SCRAM v=) goes in a challenge; the client
	 * confirms with an empty line. Until then nobody is logged in. */
	challenge_send(s, in->final);
	s->sasl->final = true;
	return STEP_NEXT;
}

int
sasl_result_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_auth_result in;
	struct session *s;

	if (!msg_auth_result_unpack(m->body, &in))
		return PS_ESYNTAX;
	s = map_del_u64(srv->auth_waits, m->id);
	if (s == NULL || s->sasl == NULL || !s->parked)
		return 0;
	s->sasl->id = 0;
	session_continue(s, verdict(s, &in));
	return 0;
}

/* Logged in, or accepted by authd with only the client's last, empty line to
 * come: nobody will ask authd about that one again. */
static bool
is_login_of(const struct session *s, uint64_t mailbox_id)
{
	return s->mailbox_id == mailbox_id ||
	    (s->sasl != NULL && s->sasl->mailbox_id == mailbox_id);
}

/* The account was disabled or its password changed: its sessions end. */
int
sasl_revoke_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_auth_revoke in;
	struct session *s, *next;

	if (!msg_auth_revoke_unpack(m->body, &in))
		return PS_ESYNTAX;
	TAILQ_FOREACH_SAFE(s, &srv->sessions, link, next)
		if (in.mailbox_id != 0 && is_login_of(s, in.mailbox_id))
			session_kick(s, "421 4.7.0 Error: credentials were "
			    "withdrawn");
	return 0;
}

void
sasl_authd_lost(struct server *srv)
{
	struct span key;
	struct session *s;
	void *p;
	size_t pos;

	while (pos = 0, map_next(srv->auth_waits, &pos, &key, &p)) {
		s = p;
		(void)map_del(srv->auth_waits, key);
		s->sasl->id = 0;
		if (s->parked)
			session_continue(s, refuse(s, "454 4.7.0 Temporary "
			    "authentication failure", "authd went away",
			    SPAN_NONE));
	}
}
