/*
 * What a SEARCH asks for, as a tree of keys (RFC 3501 6.4.4). In an AND the
 * cheap keys come first, so that files are read only for messages that pass
 * these.
 */
#ifndef IMAPD_SEARCH_PLAN_H
#define IMAPD_SEARCH_PLAN_H

#include "imapd/args.h"
#include "imapd/seqset.h"
#include "store/folder.h"

#define SEARCH_DEPTH_MAX	64
#define SEARCH_NONE		UINT32_MAX
/* Told to who names one that iconv(3) does not know; it knows more than these. */
#define SEARCH_CHARSETS	"US-ASCII UTF-8 ISO-8859-1 ISO-8859-2 ISO-8859-5 " \
			    "ISO-8859-7 ISO-8859-9 ISO-8859-15"

enum search_op {
	SEARCH_AND,		/* children; none: all messages */
	SEARCH_OR,
	SEARCH_NOT,
	SEARCH_SET,		/* sequence numbers or UIDs */
	SEARCH_FLAGS,		/* all of `flags` set, or with `off` unset */
	SEARCH_RECENT,
	SEARCH_SIZE,		/* larger, or with `off` smaller, than n */
	SEARCH_DATE,		/* day by `rel` */
	SEARCH_AGE,		/* date not before, or with `off` not after,
				 * `when` (RFC 5032) */
	SEARCH_MODSEQ,		/* modseq at least n (RFC 7162) */
	SEARCH_SENT,		/* the same of the envelope's date */
	SEARCH_ENVELOPE,	/* envelope field `n` holds text */
	SEARCH_HEADER,		/* header field holds text */
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_NOTHING		/* matches no message */
};

enum search_rel { REL_BEFORE, REL_ON, REL_SINCE };

/* Index, index cache, message file. */
enum search_cost { COST_MEMORY, COST_CACHE, COST_HEADER, COST_BODY };

struct search_key {
	enum search_op op;
	enum search_cost cost;
	uint32_t child, next;		/* indices, SEARCH_NONE */
	bool off, uid;
	enum search_rel rel;
	int32_t day;
	int64_t when;
	uint32_t flags;
	uint64_t n;
	struct seqset set;
	struct span field;		/* in the command */
	char *text;			/* folded UTF-8 */
	size_t text_n;
};

struct search_plan {
	struct search_key *key;
	uint32_t n, size;
	uint32_t root;
	bool bad_charset;
	bool modseq;			/* asks for mod-sequences */
	bool numbers;			/* names message numbers */
};

/* What sets and keywords mean. */
struct search_scope {
	const struct folder *folder;
	uint32_t exists;		/* messages that the client knows of */
	const struct seqset *saved;	/* UIDs of "$" (RFC 5182) */
};

/* Reads the keys up to the end. NULL when fine, else what is wrong; with
 * bad_charset the answer is NO [BADCHARSET]. search_plan_fini() always. */
const char *search_plan_take(struct search_plan *p, struct arg_iter *it,
    const struct search_scope *scope) MUST_CHECK;
/* The same where a known charset was named already (SORT, THREAD). */
const char *search_plan_take_in(struct search_plan *p, struct arg_iter *it,
    const struct search_scope *scope, struct span charset) MUST_CHECK;
void search_plan_fini(struct search_plan *p);

#endif
