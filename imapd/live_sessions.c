#include "imapd/live_sessions.h"

#include "imapd/command.h"
#include "imapd/session.h"
#include "store/layout.h"

static struct session *
session_of(struct live_link *l)
{
	return OBJ_CAST(CONTAINER_OF(l, struct session, live), session,
	    SESSION_MAGIC);
}

static const char *
state_of(const struct session *s)
{
	if (s->closing)
		return "ending";
	if (s->idling)
		return "IDLE";
	if (s->command != NULL)
		return s->command->name;
	return s->state == SESSION_GREETED ? "login" : "ready";
}

/* As clients name it. A job does not change the name while it runs. */
static struct span
mailbox_of(const struct session *s)
{
	static struct buf name;

	if (s->closing || s->state != SESSION_SELECTED || s->folder == NULL)
		return SPAN_NONE;
	if (name.cap == 0)
		buf_init(&name, 4096);
	buf_clear(&name);
	folder_name_to_wire(folder_name(s->folder),
	    s->conf->imap_hierarchy_separator[0], &name);
	return buf_span(&name);
}

static void
facts(struct live_link *l, struct live_facts *out)
{
	struct session *s = session_of(l);
	struct stream_tls tls = { .protocol = "" };

	if (s->stream == NULL || !stream_tls_info(s->stream, &tls))
		tls.protocol = "";
	*out = (struct live_facts){
		.id = s->id, .service = "imap", .ip = s->ip,
		.user = s->user, .tls = tls.protocol, .state = state_of(s),
		.mailbox = mailbox_of(s)
	};
}

static void
kick(struct live_link *l)
{
	session_bye(session_of(l), "Session ended by the administrator");
}

const struct live_ops live_sessions_ops = { facts, kick };
