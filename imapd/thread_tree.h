/*
 * Messages put into threads (RFC 5256 3: ORDEREDSUBJECT and REFERENCES) and
 * these written as THREAD answers. Pure: knows no folder. No recursion, and
 * no hash that a sender could aim at: ids and subjects are sorted.
 */
#ifndef IMAPD_THREAD_TREE_H
#define IMAPD_THREAD_TREE_H

#include "base/buf.h"
#include "base/span.h"

#define THREAD_REFS_MAX	100	/* per message; of more the last ones */
#define THREAD_REFS_BYTES (32 * 1024)	/* ... of so many bytes of the field */
#define THREAD_ID_MAX	255		/* what is longer is no id */
#define THREAD_REFS_ALL	(8 * 1024 * 1024) /* of all messages */
#define THREAD_TEXT_ALL	(256 * 1024 * 1024)

struct thread_tree {
	struct thread_msg *msg;		/* private from here */
	uint32_t n, size;
	struct thread_ref *ref;
	uint32_t n_refs, refs_size;
	struct buf text;		/* ids and subjects */
	struct thread_node *node;	/* messages, then dummies */
	uint32_t n_nodes, nodes_size;
};

void thread_init(struct thread_tree *t);
void thread_fini(struct thread_tree *t);
/* More than can be held was added: no answer can be made. */
bool thread_too_big(const struct thread_tree *t);
/* One message more, in the mailbox' order. `number` stands for it in the
 * answer, `subject` is its base subject as collation key. */
void thread_add(struct thread_tree *t, uint32_t number, int64_t sent,
    struct span subject, bool reply);
/* The first id in `value` is that of the message just added. */
void thread_add_id(struct thread_tree *t, struct span value);
/* The ids in `value`, at most `max`, are what it refers to. False: none. */
bool thread_add_refs(struct thread_tree *t, struct span value, size_t max);

/* Append "(2)(3 6 (4 23)(44 7 96))". */
void thread_by_subject(struct thread_tree *t, struct buf *out);
void thread_by_references(struct thread_tree *t, struct buf *out);

#endif
