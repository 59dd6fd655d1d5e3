/*
 * From the accepted connection to the greeting: limits, the client's name,
 * implicit TLS, the client restrictions when they are not delayed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/ehlo.h"
#include "smtpd/limits.h"
#include "smtpd/reply.h"
#include "smtpd/stress.h"

void
endpoint_set(struct endpoint *e, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *four = (const void *)ss;
	const struct sockaddr_in6 *six = (const void *)ss;
	unsigned port = 0;

	(void)snprintf(e->ip, sizeof(e->ip), "unknown");
	if (ss->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, e->ip,
		    sizeof(e->ip));
		port = ntohs(four->sin_port);
	} else if (ss->ss_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
			(void)inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12],
			    e->ip, sizeof(e->ip));
		else
			(void)inet_ntop(AF_INET6, &six->sin6_addr, e->ip,
			    sizeof(e->ip));
		port = ntohs(six->sin6_port);
	}
	(void)snprintf(e->port, sizeof(e->port), "%u", port);
}

void
endpoint_own(struct endpoint *e, int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0)
		ss.ss_family = AF_UNSPEC;
	endpoint_set(e, &ss);
}

void
session_accept(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from, const struct sockaddr_storage *to,
    struct first_verdict *first)
{
	size_t most = (size_t)prof->conf->smtpd_reply_buffer_limit;
	struct stream *stream;
	struct endpoint peer;
	struct session *s;

	endpoint_set(&peer, from);
	stream = stream_new(srv->loop, fd, &session_stream_cbs, NULL);
	stream_out_marks(stream, most / 4, most);
	s = session_new(srv, prof, stream, peer.ip);
	memcpy(s->port, peer.port, sizeof(s->port));
	if (to != NULL)
		endpoint_set(&s->own, to);
	else
		endpoint_own(&s->own, fd);
	if (first != NULL)
		first_take(s, first);
	stream_arg_set(stream, &session_stream_cbs, s);
	session_start(s);
}

static void
name_take(struct session *s, const struct client_name *n)
{
	free(s->name);
	s->name = xstrdup(n->name);
	free(s->reverse_name);
	s->reverse_name = strcmp(n->name, n->reverse_name) == 0 ? NULL :
	    xstrdup(n->reverse_name);
	s->name_state = n->name_state;
	s->reverse_state = n->reverse_state;
}

static void
named_cb(const struct client_name *n, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	s->name_ask = NULL;
	name_take(s, n);
	session_named(s);
}

/* At once, when the cache knows; else named_cb comes. */
static void
name_find(struct session *s)
{
	struct dnscache *cache = s->srv->world.dns;
	struct client_name n;

	if (cache == NULL || !session_conf(s)->smtpd_peername_lookup)
		return;
	s->name_ask = client_name_find(cache, s->ip, &n, named_cb, s);
	if (s->name_ask == NULL)
		name_take(s, &n);
}

/* Who speaks before the greeting is no mail server (S38). What is done about
 * an unknown client that does has been decided (first.h). */
static bool
spoke_first(struct session *s)
{
	char mem[100];
	ssize_t n;

	n = s->first.watched || stream_fd(s->stream) == -1 ? 0 :
	    recv(stream_fd(s->stream), mem, sizeof(mem),
	    MSG_PEEK | MSG_DONTWAIT);
	if (n <= 0)
		return false;
	log_info("improper command pipelining after CONNECT from %s: %.*s",
	    session_peer(s), (int)n, mem);
	return true;
}

void
session_start(struct session *s)
{
	session_trust(s);
	s->parked = true;
	stream_pause(s->stream);
	limits_connect(s);
	name_find(s);
	if (!stress_arrived(s)) {
		log_warning("too many sessions: refusing %s",
		    session_peer(s));
		session_kick(s, "421 4.3.2 All server ports are busy");
		return;
	}
	if (queueid_session(&s->srv->ids, s->id) == false) {
		log_error("out of session ids: this worker must restart");
		session_kick(s, "421 4.3.2 Service shutting down");
		return;
	}
	if (s->name_ask == NULL)
		session_named(s);
}

static enum step
handshake(struct session *s, struct span args)
{
	session_tls_begin(s);
	return STEP_MORE_INPUT;
}

/* No limit is in its way. */
static enum step
admitted(struct session *s, struct span args)
{
	if (!session_conf(s)->smtpd_tls_wrappermode) {
		if (!spoke_first(s))
			return session_greeting(s);
		session_reply(s,
		    "554 5.5.0 Error: SMTP protocol synchronization");
		return STEP_CLOSE;
	}
	if (!certs_usable(s->srv->certs)) {
		log_error("smtpd_tls_wrappermode is on, but there is no "
		    "certificate");
		return STEP_CLOSE;	/* nothing in the clear */
	}
	return limits_handshake(s, SPAN_NONE, handshake);
}

void
session_named(struct session *s)
{
	log_info("connect from %s", session_peer(s));
	session_continue(s, limits_connected(s, admitted));
}

static enum step
greet_judged(struct session *s, enum gate_result r)
{
	if (s->state != SESSION_COMMAND)	/* it is, after XCLIENT */
		session_enter(s, SESSION_COMMAND);
	if (r == GATE_PERMIT) {
		session_replyf(s, "220 %s", session_conf(s)->smtpd_banner);
	} else {
		session_log_reject(s, "CONNECT", s->judge->eval.reply,
		    SPAN_NONE);
		session_reply(s, s->judge->eval.reply);
		s->refused = true;
	}
	judge_end(s);
	return STEP_NEXT;
}

enum step
session_greeting(struct session *s)
{
	if (s->srv->stopping) {
		session_reply(s, "421 4.3.2 Service shutting down");
		return STEP_CLOSE;
	}
	session_clock(s);
	ehlo_choose(s);
	return judge_begin(s, GATE_AT_CONNECT, SPAN_NONE, SPAN_NONE,
	    greet_judged);
}
