/*
 * XCLIENT: a peer in smtpd_authorized_xclient_hosts says who the client is;
 * the session begins anew as that client's. XFORWARD: one in
 * smtpd_authorized_xforward_hosts says where the next message came from; that
 * goes into the log and decides nothing.
 *
 * Both peers are believed for what they are, not for what they said before:
 * after XCLIENT the rights are those of the new client (S34).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/command.h"
#include "smtpd/limits.h"
#include "smtpd/reply.h"
#include "smtpd/xattr.h"

#define NOT_YOU		"550 5.7.0 Error: insufficient authorization"

void
session_trust(struct session *s)
{
	s->may_xclient = netlist_match(s->prof->manners->xclients, &s->addr);
	s->may_xforward = netlist_match(s->prof->manners->xforwards, &s->addr);
	s->trusted = gate_is_mynetworks(s->prof->gate, &s->addr);
}

/* False when the reply was given. */
static bool
parse(struct session *s, enum xattr_command command, bool may,
    struct span args, struct xattrs *x)
{
	struct buf reply;
	int rc;

	buf_init(&reply, REPLY_LINE_MAX);
	rc = xattrs_parse(command, args, x, &reply);
	/* Who says nothing is told the syntax before who is not allowed. */
	if (span_trim(args).n > 0 && !may) {
		session_log_reject(s, s->where, NOT_YOU, SPAN_NONE);
		session_reply(s, NOT_YOU);
		rc = PS_EDENIED;
	} else if (rc != 0)
		session_replyf(s, "%s", buf_cstr(&reply));
	buf_fini(&reply);
	return rc == 0;
}

/* --- XCLIENT --- */

static enum client_name_state
name_state(enum xattr_state a)
{
	return a == XATTR_GIVEN ? CLIENT_NAME_OK : a == XATTR_UNAVAILABLE ?
	    CLIENT_NAME_NONE : CLIENT_NAME_TEMP;
}

/* The text of an attribute, or what stands for none. */
static const char *
text_or(const struct xattrs *x, enum xattr a, const char *none)
{
	return x->v[a].state == XATTR_GIVEN ? x->v[a].text : none;
}

static void
take_text(char *to, size_t size, const struct xattrs *x, enum xattr a,
    const char *none)
{
	if (x->v[a].state != XATTR_ABSENT)
		(void)snprintf(to, size, "%.*s", (int)size - 1,
		    text_or(x, a, none));
}

/* Another address has another name: what DNS said about the old one is
 * forgotten, also where Postfix keeps it. */
static void
take_names(struct session *s, const struct xattrs *x)
{
	enum xattr_state name = x->v[XATTR_NAME].state;
	enum xattr_state reverse = x->v[XATTR_REVERSE_NAME].state;
	bool moved = x->v[XATTR_ADDR].state != XATTR_ABSENT;

	if (name != XATTR_ABSENT || moved) {
		free(s->name);
		s->name = xstrdup(text_or(x, XATTR_NAME, "unknown"));
		s->name_state = name_state(name);
		free(s->reverse_name);
		s->reverse_name = NULL;		/* as the name */
		s->reverse_state = s->name_state;
	}
	if (reverse != XATTR_ABSENT) {
		free(s->reverse_name);
		s->reverse_name = xstrdup(text_or(x, XATTR_REVERSE_NAME,
		    "unknown"));
		s->reverse_state = name_state(reverse);
	}
}

static void
take_address(struct session *s, const struct xattrs *x)
{
	if (x->v[XATTR_ADDR].state == XATTR_ABSENT)
		return;
	take_text(s->ip, sizeof(s->ip), x, XATTR_ADDR, "unknown");
	if (!net_addr_parse(span_str(s->ip), &s->addr))
		memset(&s->addr, 0, sizeof(s->addr));
}

/* Whatever was logged in before is not the new client, nor is the certificate
 * of a proxy its clients'. */
static void
take_login(struct session *s, const struct xattrs *x)
{
	ccert_free(&s->ccert);
	free(s->sasl_user);
	free(s->sasl_method);
	s->sasl_user = s->sasl_method = NULL;
	s->mailbox_id = 0;
	if (x->v[XATTR_LOGIN].state != XATTR_GIVEN)
		return;
	s->sasl_user = xstrdup(x->v[XATTR_LOGIN].text);
	s->sasl_method = xstrdup("XCLIENT");
}

static void
take_helo(struct session *s, const struct xattrs *x)
{
	free(s->helo);
	s->helo = x->v[XATTR_HELO].state != XATTR_GIVEN ? NULL :
	    xstrdup(x->v[XATTR_HELO].text);
	s->esmtp = span_is(span_str(text_or(x, XATTR_PROTO, "")), "ESMTP");
}

/* The new client is within its limits. */
static enum step
begin_anew(struct session *s, struct span args)
{
	return session_greeting(s);
}

/* Whose login it is, for the restrictions about owners of addresses. They
 * would refuse for good what nobody could tell now. */
static enum step
login_known(struct session *s, const struct resolution *res)
{
	if (res->class == RESOLVE_TEMP) {
		session_replyf(s, "421 4.3.0 %s Error: who is logged in "
		    "can't be looked up now", session_conf(s)->myhostname);
		return STEP_CLOSE;
	}
	if (res->class == RESOLVE_MAILBOX && res->n_mailboxes == 1)
		s->mailbox_id = res->mailboxes[0].id;
	return limits_connected(s, begin_anew);
}

static void
login_cb(const struct resolution *res, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);

	s->login_ask = NULL;
	session_continue(s, login_known(s, res));
}

static enum step
login_find(struct session *s)
{
	struct resolution *res;
	struct buf normal;
	enum step st = STEP_PARKED;

	buf_init(&normal, ADDRESS_MAX + 1);
	if (s->sasl_user == NULL || address_normal_text(
	    span_str(s->sasl_user), &normal, NULL) != 0) {
		st = limits_connected(s, begin_anew);
	} else if ((res = directory_peek(s->srv->world.dir, buf_span(&normal))) !=
	    NULL) {
		st = login_known(s, res);
		resolution_unref(&res);
	} else
		s->login_ask = directory_resolve(s->srv->world.dir,
		    buf_span(&normal), login_cb, s);
	buf_fini(&normal);
	return st;
}

enum step
cmd_xclient(struct session *s, struct span args)
{
	struct xattrs x;

	if (!parse(s, XATTR_XCLIENT, s->may_xclient, args, &x))
		return STEP_NEXT;
	log_debug("%s: XCLIENT from %s", s->id, session_peer(s));
	session_reset(s);
	limits_gone(s);
	judge_forget(s, GATE_CLIENT);
	s->talked_ahead = false;
	take_names(s, &x);
	take_address(s, &x);
	take_text(s->port, sizeof(s->port), &x, XATTR_PORT, "0");
	take_text(s->own.ip, sizeof(s->own.ip), &x, XATTR_DESTADDR,
	    "unknown");
	take_text(s->own.port, sizeof(s->own.port), &x, XATTR_DESTPORT, "0");
	take_login(s, &x);
	take_helo(s, &x);
	s->refused = false;
	session_trust(s);
	first_anew(s);
	limits_connect(s);
	return login_find(s);
}

/* --- XFORWARD --- */

enum step
cmd_xforward(struct session *s, struct span args)
{
	struct xattrs x;
	struct forward *f;

	if (!parse(s, XATTR_XFORWARD, s->may_xforward, args, &x))
		return STEP_NEXT;
	if (s->forward == NULL)
		s->forward = xcalloc(1, sizeof(*s->forward));
	f = s->forward;
	take_text(f->name, sizeof(f->name), &x, XATTR_NAME, "unknown");
	take_text(f->ip, sizeof(f->ip), &x, XATTR_ADDR, "");
	take_text(f->ident, sizeof(f->ident), &x, XATTR_IDENT, "");
	session_reply(s, "250 2.0.0 Ok");
	return STEP_NEXT;
}

void
forward_describe(const struct session *s, struct buf *out)
{
	const struct forward *f = s->forward;

	if (f == NULL)
		return;
	if (f->ident[0] != '\0')
		buf_fmt(out, ", orig_queue_id=%s", f->ident);
	if (f->ip[0] != '\0')
		buf_fmt(out, ", orig_client=%s[%s]", f->name[0] == '\0' ?
		    "unknown" : f->name, f->ip);
	else if (f->name[0] != '\0')
		buf_fmt(out, ", orig_client=%s", f->name);
}
