/*
 * What messages are ordered by (RFC 5256 2, 3): made once per message, from
 * the index and its cache. For threads.
 */
#ifndef IMAPD_SORT_KEY_H
#define IMAPD_SORT_KEY_H

#include "imapd/session.h"

#define SORT_TEXT_MAX	512	/* bytes of a field that are compared */
#define SORT_ALL_MAX	(256 * 1024 * 1024) /* of all messages, as keys */

enum sort_kind {
	SORT_ARRIVAL, SORT_CC, SORT_DATE, SORT_FROM, SORT_SIZE, SORT_SUBJECT,
	SORT_TO, SORT_KINDS
};

struct sort_key {
	enum sort_kind kind;
	bool reverse;
};

/* A number, or text in sort_text. */
struct sort_value {
	int64_t number;
	size_t off, len;
};

struct sort_text {
	struct buf text;		/* of all messages; test buf_failed() */
	struct buf field, base;		/* private: scratch */
	struct span envelope, references; /* lent by the folder */
	struct folder_msg msg;
};

bool sort_key_find(struct span word, enum sort_kind *kind);

void sort_text_init(struct sort_text *t);
void sort_text_fini(struct sort_text *t);
/* Looks at a message; what cannot be read has no text. */
void sort_text_message(struct sort_text *t, struct session *s, uint32_t seq);
/* A value of that message. */
void sort_key_value(struct sort_text *t, enum sort_kind kind,
    struct sort_value *out);
/* Its base subject as collation key; true when it is a reply or forward. */
bool sort_subject(struct sort_text *t, struct sort_value *out);
int sort_value_cmp(const struct sort_text *t, const struct sort_value *a,
    const struct sort_value *b);

#endif
