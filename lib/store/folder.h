/*
 * A view of one folder, as an IMAP session needs it: message sequence
 * numbers that change only when the session says so (RFC 3501 7.4.1, 5.5).
 *
 * Functions that take a struct err touch files: call them from a work.h
 * thread with the mailbox id as order key. All others are look-ups in memory
 * and may be called from the loop, as long as no thread works on this handle.
 * A handle belongs to one session. Handles (also of other processes) see each
 * other's changes at folder_refresh().
 *
 * Sequence numbers begin at 1 and run to folder_exists().
 */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "base/err.h"
#include "base/span.h"
#include "store/account.h"

struct folder;

/* Flag bits: six of the system's, then the keywords a..z. */
enum {
	MSG_ANSWERED = 1 << 0,
	MSG_FLAGGED = 1 << 1,
	MSG_DELETED = 1 << 2,
	MSG_SEEN = 1 << 3,
	MSG_DRAFT = 1 << 4,
	MSG_PASSED = 1 << 5,		/* $Forwarded, maildir's P */
	MSG_KEYWORD_SHIFT = 6
};
#define MSG_KEYWORD(i)	(UINT32_C(1) << (MSG_KEYWORD_SHIFT + (i)))
#define MSG_KEYWORDS	26

struct folder_msg {
	uint32_t uid;
	uint32_t flags;
	uint64_t modseq;
	uint64_t size;			/* RFC822.SIZE: octets with CRLF */
	int64_t date;			/* INTERNALDATE, seconds, UTC */
	bool recent;			/* \Recent in this session */
	bool gone;			/* expunged, session not told yet */
};

/* --- life --------------------------------------------------------------- */

/* Opens `name` ("" = INBOX). With `claim_recent` the new messages are \Recent
 * in this session and in no later one (SELECT, not EXAMINE). The account must
 * outlive the folder. PS_ENOTFOUND: no such folder. */
struct folder *folder_open(struct account *a, const char *name,
    bool claim_recent, struct err *err) MUST_CHECK;
/* The same, but of a large folder only what the functions up to folder_exists ...
 * folder_told_modseq below ask for; others need folder_load first. */
struct folder *folder_open_outline(struct account *a, const char *name,
    bool claim_recent, struct err *err) MUST_CHECK;
/* The same on a loop: waits for no disk and no lock, and reads little. NULL:
 * that was not enough, or it failed; folder_open_outline tells. */
struct folder *folder_open_warm(struct account *a, const char *name,
    bool claim_recent) MUST_CHECK;
bool folder_loaded(const struct folder *f);	/* memory */
/* Reads the messages, if that was not done. PS_ESTATE: the folder got another
 * UIDVALIDITY since it was opened. */
int folder_load(struct folder *f, struct err *err) MUST_CHECK;
/* Touches files only by close(2); safe from a loop. */
void folder_close(struct folder **f);
const char *folder_name(const struct folder *f);
/* Its directory, lent: to watch new/ and cur/ in it. */
int folder_dirfd(const struct folder *f);

/* --- the view: memory only ---------------------------------------------- */

uint32_t folder_exists(const struct folder *f);
uint32_t folder_recent(const struct folder *f);
uint32_t folder_unseen(const struct folder *f);
uint32_t folder_first_unseen(const struct folder *f);	/* seq, 0: none */
uint32_t folder_uidvalidity(const struct folder *f);
uint32_t folder_uidnext(const struct folder *f);
uint64_t folder_highest_modseq(const struct folder *f);
/* The same, but below that of any expunge that was not taken yet: who was told
 * no more than this has missed nothing (RFC 7162 3.2). */
uint64_t folder_told_modseq(const struct folder *f);

/* Message at seq (1..exists); false beyond. */
bool folder_msg(const struct folder *f, uint32_t seq, struct folder_msg *m);
uint32_t folder_uid(const struct folder *f, uint32_t seq);
/* The seq of uid, or 0. */
uint32_t folder_seq(const struct folder *f, uint32_t uid);
/* The first seq whose uid is >= uid; exists + 1 when there is none. */
uint32_t folder_seq_from(const struct folder *f, uint32_t uid);

/* --- what changed -------------------------------------------------------- */

/* Would folder_refresh find nothing? Waits for no disk and no lock, so it is
 * safe on a loop; false also when it would have to. */
bool folder_is_fresh(struct folder *f);
/* Reads what others did: appends new messages to the view, takes over flags,
 * marks expunged ones `gone` (they keep their seq until told). */
int folder_refresh(struct folder *f, struct err *err) MUST_CHECK;

/* The next message that changed since last asked, in no promised order; false
 * when there is none. Send FETCH (FLAGS) for it, or, without `flags`, FETCH
 * (MODSEQ). Also says so for our own folder_store, as that asked for. */
bool folder_changed_next(struct folder *f, uint32_t *seq, bool *flags);
/* The client was told flags and modseq of this message (1..exists). */
void folder_told(struct folder *f, uint32_t seq);

/* Takes all gone messages out of the view at once. *seqs (malloc'ed, yours)
 * are the numbers to send as `* n EXPUNGE`, in this order (RFC 3501 7.4.1);
 * *uids (may be NULL) their UIDs. Returns how many. */
size_t folder_expunged_take(struct folder *f, uint32_t **seqs,
    uint32_t **uids);
bool folder_has_gone(const struct folder *f);

/* The UIDs that were expunged after modseq `since`, ascending, but those that
 * this view still holds as gone; *uids is malloc'ed and yours. *known is false
 * when the folder's memory does not reach back so far (doc/store-format.md 5):
 * then every UID that is not there may have gone since. */
int folder_vanished(struct folder *f, uint64_t since, uint32_t **uids,
    size_t *n, bool *known, struct err *err) MUST_CHECK;

/* --- message contents ---------------------------------------------------- */

/* Opens the message file read-only; finds it again when another program
 * renamed it. *fd is yours. PS_ENOTFOUND: the file has gone. */
int folder_msg_open(struct folder *f, uint32_t seq, int *fd,
    struct err *err) MUST_CHECK;
/* True when the file has CRLF line ends throughout: its bytes are what IMAP
 * wants. Else lines end in LF: convert (size says the result's length). */
bool folder_msg_is_crlf(const struct folder *f, uint32_t seq);
/* The whole message in CRLF form into memory. At most `max` bytes. */
int folder_msg_load(struct folder *f, uint32_t seq, struct buf *out,
    struct err *err) MUST_CHECK;

struct msg_texts {
	struct span envelope;		/* "(...)" as in a FETCH response */
	struct span bodystructure;	/* BODYSTRUCTURE, "(...)" */
	struct span references;		/* the field's value, "" when there is
					 * none; p == NULL: not known */
	struct span fields;		/* field_names.h; p == NULL: not known */
	uint32_t header_bytes;		/* octets up to and with the empty
					 * line; 0 = not known */
};
/* The ready-made texts. Makes and stores them when they are not cached yet.
 * Spans are lent until the next call on f. Reads ahead: ask in ascending
 * order. */
int folder_msg_texts(struct folder *f, uint32_t seq, struct msg_texts *t,
    struct err *err) MUST_CHECK;

/* --- flags and keywords --------------------------------------------------- */

/* Names of the keywords in use; NULL where bit i has none. Memory. */
const char *folder_keyword(const struct folder *f, unsigned i);
/* Bit of a keyword (any case). Makes it when `create`. Returns the bit mask,
 * or 0: not there, or all 26 are taken, or not a name we take. */
int folder_keyword_bit(struct folder *f, struct span name, bool create,
    uint32_t *bit, struct err *err) MUST_CHECK;

enum flag_op { FLAG_SET, FLAG_ADD, FLAG_REMOVE };

struct flag_change {
	enum flag_op op;
	uint32_t flags;
	bool silent;			/* changed_next says nothing ... */
	bool stamp;			/* ... but that there is a modseq */
	uint64_t unchanged_since;	/* CONDSTORE; UINT64_MAX: always */
};
/* Changes flags of the n messages at seqs (ascending). Gone ones are passed
 * over. With unchanged_since, those that were changed later are left alone
 * and reported in `failed` (may be NULL; room for n), their number in
 * *n_failed. Survives a process crash when it returns, a power cut after the
 * next folder_flush. */
int folder_store(struct folder *f, const uint32_t *seqs, size_t n,
    const struct flag_change *c, uint32_t *failed, size_t *n_failed,
    struct err *err) MUST_CHECK;

/* Expunges the messages at seqs (ascending), or, with seqs == NULL, all that
 * have MSG_DELETED. They become `gone` in the view: take them with
 * folder_expunged_take. */
int folder_expunge(struct folder *f, const uint32_t *seqs, size_t n,
    struct err *err) MUST_CHECK;

/* Lazy work: file names follow the flags, expunged files are unlinked, the
 * index is synced. Call within 2 s after folder_store/folder_expunge and
 * before folder_close; does at most `max` files and says if there is more. */
int folder_flush(struct folder *f, unsigned max, bool *more,
    struct err *err) MUST_CHECK;
bool folder_needs_flush(const struct folder *f);	/* memory */

/* --- new messages ---------------------------------------------------------- */

/* One message to add: either `data`, or a finished account_tmp_new file that
 * is moved into place (tmp->fd becomes -1). */
struct folder_new {
	struct span data;
	struct store_tmp *tmp;
	uint32_t flags;			/* keyword bits of the target folder */
	int64_t date;			/* INTERNALDATE */
	uint32_t uid;			/* set on success */
};
/* Adds all or none (RFC 3502), on disk when it returns 0. Works on a folder
 * by name: no view is needed, an open view learns of it at refresh. */
int folder_append(struct account *a, const char *name,
    struct folder_new *items, size_t n, uint32_t *uidvalidity,
    struct err *err) MUST_CHECK;

struct folder_copied {
	uint32_t uidvalidity;
	size_t n;			/* of both arrays */
	uint32_t *from, *to;		/* malloc'ed: folder_copied_fini */
};
void folder_copied_fini(struct folder_copied *c);
/* Copies the messages at seqs (ascending) to folder `to` of the same account,
 * all or none, keywords by name. On disk when it returns 0. `move` expunges
 * them here afterwards (RFC 6851). PS_ENOTFOUND: no folder `to` (TRYCREATE);
 * gone messages are passed over. */
int folder_copy(struct folder *f, const uint32_t *seqs, size_t n,
    const char *to, bool move, struct folder_copied *out,
    struct err *err) MUST_CHECK;

#endif
