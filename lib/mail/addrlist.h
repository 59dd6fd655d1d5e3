/*
 * Address lists of header fields (RFC 5322 3.4, with the obsolete forms of
 * 4.4): mailboxes and groups, one item at a time, in linear time whatever
 * the field holds. What cannot be understood still yields an item, because a
 * reader must see that somebody was named.
 */
#ifndef MAIL_ADDRLIST_H
#define MAIL_ADDRLIST_H

#include "base/buf.h"
#include "base/span.h"

enum addr_kind {
	ADDR_MAILBOX,
	ADDR_GROUP_START,	/* name only */
	ADDR_GROUP_END		/* nothing but the kind */
};

/*
 * Quoting and comments are undone. An absent part has p == NULL. The comment
 * of "joe@a.example (Joe)" serves as name when there is no phrase.
 */
struct addr_item {
	enum addr_kind kind;
	struct span name;
	struct span route;	/* "@a,@b" of the obsolete source route */
	struct span local;
	struct span domain;
};

struct addrlist {
	struct span rest;	/* private */
	bool in_group;
	struct buf text, comment;
};

/* `value` may be folded and must outlive the iteration. */
void addrlist_init(struct addrlist *l, struct span value);
void addrlist_fini(struct addrlist *l);
/* False at the end. The item is lent until the next call. */
bool addrlist_next(struct addrlist *l, struct addr_item *item);

#endif
