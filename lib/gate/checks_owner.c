/*
 * Checks of the sender: is there such an address, and is it the one's who is
 * logged in? Owners are the mailboxes it leads to or, where there is one,
 * what smtpd_sender_login_maps says.
 */
#include <stdio.h>

#include "gate/checks.h"
#include "mail/address.h"

enum owner { OWNER_PARKED, OWNER_TEMP, OWNER_NONE, OWNER_ME, OWNER_OTHER };

static bool
has_sender(const struct gate_eval *e)
{
	return e->facts->sender.n > 0;
}

static bool
ask_sender(struct gate_eval *e)
{
	return e->facts->from != NULL ||
	    e->ops->need(GATE_NEED_SENDER, e->facts, e->arg);
}

/* --- smtpd_sender_login_maps --- */

static bool
names_me(struct span logins, const struct gate_facts *f)
{
	struct span word;

	while (conf_list_next(&logins, &word))
		if (f->user != NULL && span_is(word, f->user))
			return true;
	return false;
}

/* One key in all tables; OWNER_NONE: it is in none. */
static enum owner
key_owner(struct gate_eval *e, struct span key)
{
	enum table_result r = TABLE_NOTFOUND;
	enum owner o = OWNER_NONE;
	struct buf logins;
	struct table *t;
	struct err err;
	size_t i;

	buf_init(&logins, TABLE_VALUE_MAX);
	for (i = 0; r == TABLE_NOTFOUND &&
	    (t = gate_login_map(e->gate, i)) != NULL; i++)
		r = gate_look_up(e, t, key, &logins, &err);
	if (r == TABLE_PARKED)
		o = OWNER_PARKED;
	else if (r == TABLE_TEMPFAIL)
		o = OWNER_TEMP;
	else if (r == TABLE_FOUND)
		o = names_me(buf_span(&logins), e->facts) ? OWNER_ME :
		    OWNER_OTHER;
	buf_fini(&logins);
	return o;
}

/* The address, the same without extension, its domain. */
static enum owner
mapped_owner(struct gate_eval *e, struct span address)
{
	const char *delimiters = gate_conf(e->gate)->recipient_delimiter;
	ptrdiff_t at = span_rchr(address, '@');
	enum owner o = key_owner(e, address);
	struct buf bare;
	size_t plus = 1;

	if (o != OWNER_NONE || at < 0)
		return o;
	while (plus < (size_t)at &&
	    strchr(delimiters, address.p[plus]) == NULL)
		plus++;
	if (plus < (size_t)at) {
		buf_init(&bare, TABLE_KEY_MAX);
		buf_span_add(&bare, span_sub(address, 0, plus));
		buf_span_add(&bare, span_sub(address, (size_t)at, address.n));
		o = key_owner(e, buf_span(&bare));
		buf_fini(&bare);
	}
	return o != OWNER_NONE ? o :
	    key_owner(e, span_sub(address, (size_t)at, address.n));
}

static enum owner
map_owner(struct gate_eval *e)
{
	struct buf normal;
	struct err err;
	enum owner o;

	buf_init(&normal, TABLE_KEY_MAX);
	if (address_normal_text(e->facts->sender, &normal, &err) != 0) {
		buf_clear(&normal);
		buf_span_add(&normal, e->facts->sender);
	}
	o = mapped_owner(e, buf_span(&normal));
	buf_fini(&normal);
	return o;
}

/* --- owners --- */

static enum owner
owner(struct gate_eval *e)
{
	const struct gate_facts *f = e->facts;
	size_t i;

	if (gate_login_map(e->gate, 0) != NULL)
		return map_owner(e);
	if (!ask_sender(e))
		return OWNER_PARKED;
	switch (f->from->class) {
	case RESOLVE_TEMP:
		return OWNER_TEMP;
	case RESOLVE_NOT_LOCAL:
	case RESOLVE_UNKNOWN:
	case RESOLVE_RELAY:
		return OWNER_NONE;
	case RESOLVE_DISABLED:
		return OWNER_OTHER;	/* no one's any more */
	case RESOLVE_MAILBOX:
		break;
	}
	for (i = 0; i < f->from->n_mailboxes; i++)
		if (f->mailbox_id != 0 &&
		    f->from->mailboxes[i].id == f->mailbox_id)
			return OWNER_ME;
	return f->from->n_mailboxes > 0 ? OWNER_OTHER : OWNER_NONE;
}

static enum gate_result
mismatch(struct gate_eval *e, bool unowned_too)
{
	enum owner o = owner(e);
	char why[320];

	if (o == OWNER_PARKED)
		return GATE_PARKED;
	if (o == OWNER_TEMP)
		return gate_lookup_failed(e, e->facts->sender);
	if (o == OWNER_ME || (o == OWNER_NONE && !unowned_too))
		return GATE_DUNNO;
	(void)snprintf(why, sizeof(why), "not owned by user %.280s",
	    e->facts->user == NULL ? "" : e->facts->user);
	return gate_refuse(e, GATE_IS_SENDER, 553, "5.7.1", why);
}

enum gate_result
reject_authenticated_sender_login_mismatch(struct gate_eval *e,
    const struct gate_rule *r)
{
	return has_sender(e) && e->facts->authenticated ?
	    mismatch(e, true) : GATE_DUNNO;
}

enum gate_result
reject_unauthenticated_sender_login_mismatch(struct gate_eval *e,
    const struct gate_rule *r)
{
	if (!has_sender(e) || e->facts->authenticated)
		return GATE_DUNNO;
	switch (owner(e)) {
	case OWNER_PARKED:
		return GATE_PARKED;
	case OWNER_TEMP:
		return gate_lookup_failed(e, e->facts->sender);
	case OWNER_NONE:
		return GATE_DUNNO;
	case OWNER_ME:
	case OWNER_OTHER:
		break;
	}
	return gate_refuse(e, GATE_IS_SENDER, 553, "5.7.1", "not logged in");
}

enum gate_result
reject_known_sender_login_mismatch(struct gate_eval *e,
    const struct gate_rule *r)
{
	if (!e->facts->authenticated)
		return reject_unauthenticated_sender_login_mismatch(e, r);
	return has_sender(e) ? mismatch(e, false) : GATE_DUNNO;
}

enum gate_result
reject_sender_login_mismatch(struct gate_eval *e, const struct gate_rule *r)
{
	return e->facts->authenticated ?
	    reject_authenticated_sender_login_mismatch(e, r) :
	    reject_unauthenticated_sender_login_mismatch(e, r);
}

enum gate_result
reject_unlisted_sender(struct gate_eval *e, const struct gate_rule *r)
{
	if (!has_sender(e))
		return GATE_DUNNO;
	if (!ask_sender(e))
		return GATE_PARKED;
	if (e->facts->from->class == RESOLVE_TEMP)
		return gate_lookup_failed(e, e->facts->sender);
	if (e->facts->from->class != RESOLVE_UNKNOWN)
		return GATE_DUNNO;
	return gate_refuse(e, GATE_IS_SENDER,
	    gate_conf(e->gate)->unknown_virtual_mailbox_reject_code, "5.1.0",
	    "User unknown in virtual mailbox table");
}
