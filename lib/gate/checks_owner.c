/*
 * Checks of the sender against the directory: is there such an address, and
 * is it the one's who is logged in? Owners are the mailboxes it leads to.
 */
#include <stdio.h>

#include "gate/checks.h"

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

static enum owner
owner(struct gate_eval *e)
{
	const struct gate_facts *f = e->facts;
	size_t i;

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
