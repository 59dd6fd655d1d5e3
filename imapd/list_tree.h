/*
 * The names a LIST may tell of, and what is true of each: folders,
 * subscriptions, and levels that are only the parents of these.
 */
#ifndef IMAPD_LIST_TREE_H
#define IMAPD_LIST_TREE_H

#include "store/account.h"
#include "store/special.h"

struct list_entry {
	const char *name;		/* on disk */
	bool exists, subscribed;
	bool children;			/* a folder is below it */
	unsigned uses;			/* bit per enum special_use */
	bool match;			/* matches a pattern */
	bool selected;			/* has what was asked for ... */
	bool below;			/* ... or one below it has */
	bool below_unmatched;		/* one that matches no pattern, nor
					 * does a level between */
};

struct list_tree {
	struct name_list names;		/* private */
	struct list_entry *entry;	/* in the order of the names' bytes */
	size_t n;
};

/* Reads the account. `words`: imap_special_use, `sep`: for these. */
int list_tree_read(struct list_tree *t, struct account *a,
    const char *words, char sep, struct err *err) MUST_CHECK;
void list_tree_fini(struct list_tree *t);
struct list_entry *list_tree_find(struct list_tree *t, const char *name);
/* The level above, which is in the tree; NULL at the top. */
struct list_entry *list_tree_parent(struct list_tree *t,
    const struct list_entry *e);
/* Tells the levels above of each entry's `selected` and `match`. */
void list_tree_spread(struct list_tree *t);

#endif
