#include "imapd/sasl.h"

#include "proto/proto.h"

static bool
is_protected(const struct session *s)
{
	return stream_is_tls(s->stream) || s->listener->imap_plaintext_auth;
}

bool
sasl_may_starttls(const struct session *s)
{
	return !stream_is_tls(s->stream) &&
	    !s->listener->imap_tls_wrappermode &&
	    certs_usable(s->server->certs);
}

bool
sasl_may_login(const struct session *s)
{
	return is_protected(s);
}

/* -PLUS needs channel binding data to bind to. */
static bool
mechanism_usable(const struct session *s, struct span name)
{
	uint8_t data[STREAM_BINDING_MAX];
	const char *type;

	return !span_ends(name, "-PLUS") ||
	    stream_binding(s->stream, &type, data) > 0;
}

void
sasl_mechanisms_put(const struct session *s, struct buf *out)
{
	struct span rest = span_str(s->conf->sasl_mechanisms), name;

	if (!is_protected(s))
		return;
	while (conf_list_next(&rest, &name)) {
		if (!mechanism_usable(s, name))
			continue;
		buf_str(out, " AUTH=");
		buf_span_add(out, name);
	}
}

bool
sasl_may_use(const struct session *s, struct span mechanism)
{
	struct span rest = span_str(s->conf->sasl_mechanisms), name;

	while (conf_list_next(&rest, &name))
		if (span_ieq(name, mechanism))
			return mechanism_usable(s, name);
	return false;
}

bool
sasl_start(struct session *s, struct span mechanism, struct span initial)
{
	uint8_t data[STREAM_BINDING_MAX];
	const char *type = "";
	size_t n;

	if (s->server->authd == NULL)
		return false;
	n = stream_binding(s->stream, &type, data);
	s->asked = ipc_next_id();
	server_await(s->server, s->asked, s);
	PROTO_SEND(s->server->authd, s->asked, AUTH_START, auth_start,
	    .service = SPAN_LIT("imap"), .mechanism = mechanism,
	    .has_initial = initial.p != NULL, .initial = initial,
	    .client_ip = span_str(s->ip), .tls = stream_is_tls(s->stream),
	    .binding_type = span_str(type), .binding = span_of(data, n));
	return true;
}
