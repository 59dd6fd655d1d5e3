#include "smtpd/live_sessions.h"

#include "smtpd/session.h"

static struct session *
session_of(struct live_link *l)
{
	return OBJ_CAST(CONTAINER_OF(l, struct session, live), session,
	    SESSION_MAGIC);
}

static const char *
state_of(const struct session *s)
{
	static const char *const names[SESSION_STATES] = {
		[SESSION_CONNECT] = "greeting", [SESSION_COMMAND] = "idle",
		[SESSION_AUTH] = "auth", [SESSION_DATA] = "data",
		[SESSION_CHUNK] = "data", [SESSION_TLS] = "tls",
	};

	if (s->txn != NULL && s->txn->committing)
		return "commit";
	if (s->state != SESSION_COMMAND)
		return names[s->state];
	return s->parked ? "busy" : s->txn != NULL ? "mail" : "idle";
}

static void
facts(struct live_link *l, struct live_facts *out)
{
	struct session *s = session_of(l);
	struct stream_tls tls = { .protocol = "" };

	if (s->stream == NULL || !stream_tls_info(s->stream, &tls))
		tls.protocol = "";
	*out = (struct live_facts){
		.id = s->id, .service = "smtp", .ip = s->ip,
		.user = s->sasl_user, .tls = tls.protocol,
		.state = state_of(s)
	};
}

/* One whose message is being made durable is told of that first: else its
 * client would send it again. */
static void
kick(struct live_link *l)
{
	struct session *s = session_of(l);

	if (s->txn != NULL && s->txn->committing)
		s->shut = true;
	else
		session_kick(s, "421 4.3.2 Session ended by the "
		    "administrator");
}

const struct live_ops live_sessions_ops = { facts, kick };
