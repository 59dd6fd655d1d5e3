/*
 * What Dovecot and Courier keep beside the messages of a maildir: UIDs,
 * keywords, subscriptions, quota. Reading only, and pure: a text goes in,
 * spans in the result point into it. A line that makes no sense is passed
 * over and counted, as those servers do; only a file whose first line cannot
 * be read is refused.
 */
#ifndef STORE_FOREIGN_H
#define STORE_FOREIGN_H

#include "base/span.h"
#include "store/folders.h"

/* Keywords that are looked at, of a folder of Courier's. */
#define FOREIGN_KEYWORDS	64

/* --- UIDs: dovecot-uidlist (versions 1 and 3), courierimapuiddb ------------ */

struct foreign_uid {
	struct span name;		/* of the file, without ":2,..." */
	uint32_t uid;
};

struct foreign_uids {
	uint32_t uidvalidity, next;
	struct foreign_uid *uid;	/* by name */
	size_t n, size;			/* size is private */
	size_t bad;			/* lines not understood */
};

/* False: no such file, or one of a version we do not know. Names that occur
 * twice keep the higher UID. foreign_uids_fini in any case. */
bool foreign_uids_parse(struct span text, struct foreign_uids *u) MUST_CHECK;
/* The UID of a file, 0: none. */
uint32_t foreign_uids_find(const struct foreign_uids *u, struct span base);
void foreign_uids_fini(struct foreign_uids *u);

/* --- keywords ---------------------------------------------------------------- */

struct foreign_kept {
	struct span base;		/* of the file, without ":2,..." */
	uint64_t keywords;		/* bit i: name[i] */
	uint64_t age;			/* of several the highest counts */
};

struct foreign_keywords {
	struct span name[FOREIGN_KEYWORDS];	/* .n == 0: none */
	unsigned n;
	/* Courier's: which message has which */
	struct foreign_kept *kept;
	size_t n_kept, size;
	size_t bad;
};

/* dovecot-keywords: "0 $Forwarded": the name of letter 'a' + 0. */
void foreign_letters_parse(struct span text, struct foreign_keywords *k);
/* courierimapkeywords/:list: names, an empty line, "base:0 2". */
void foreign_list_parse(struct span text, struct foreign_keywords *k);
/* One of its files of news: the names of all keywords of one message. */
void foreign_update_parse(struct span text, struct span base, uint64_t age,
    struct foreign_keywords *k);
/* Their names: "base" is the newest state of that message, ".1234.base" an
 * older one. False: not such a file. */
bool foreign_update_name(struct span name, struct span *base, uint64_t *age);
/* After the list and all updates, before the first find. */
void foreign_keywords_sort(struct foreign_keywords *k);
uint64_t foreign_keywords_find(const struct foreign_keywords *k,
    struct span base);
void foreign_keywords_fini(struct foreign_keywords *k);

/* --- subscriptions, quota ------------------------------------------------------ */

/* Dovecot's subscriptions (both versions), Courier's courierimapsubscribed,
 * or ours: names on disk are added to `out`. `exists` says which folders
 * there are, to tell "INBOX.Sent" (Courier's way to write .Sent) from a
 * folder .INBOX.Sent. */
void foreign_subscriptions_parse(struct span text,
    const struct name_list *exists, struct name_list *out);

/* First line of maildirsize: "10000000S,1000C"; 0: no limit. */
bool foreign_quota_parse(struct span text, uint64_t *bytes,
    uint64_t *messages) MUST_CHECK;

#endif
