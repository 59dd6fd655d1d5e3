/*
 * The framing of IMAP commands: bytes in, whole commands out (RFC 3501 2.2,
 * 4.3; RFC 7888). A command is its line with all literals in place, without
 * the last CRLF. The owner decides about each literal, so one that is a
 * message never gathers here. Knows nothing of what commands mean.
 *
 * Never holds more than the limit; without a command under way it holds
 * nothing. Only CRLF ends a line.
 */
#ifndef IMAPD_READER_H
#define IMAPD_READER_H

#include "base/buf.h"
#include "base/span.h"

enum reader_event {
	READER_MORE,		/* all input used, nothing complete */
	READER_COMMAND,		/* reader_text() is a whole command */
	READER_LITERAL,		/* reader_text() ends in "{n}" CRLF: now call
				 * one of reader_literal_... */
	READER_SKIPPED,		/* a command whose literal was refused ended */
	READER_BARE_LF,		/* a line not ended by CRLF was dropped */
	READER_TOO_LONG		/* over the limit: nothing more can be read */
};

enum reader_state {
	READER_LINE,
	READER_DECIDE,
	READER_COLLECT,
	READER_DROP,
	READER_BROKEN
};

struct reader {
	struct buf text;		/* private from here */
	enum reader_state state;
	bool plain, skipping;
	size_t limit;
	uint64_t left;			/* of the literal under way */
	uint64_t literal;
	bool sync;
};

void reader_init(struct reader *r, size_t limit);
void reader_fini(struct reader *r);
/* Takes effect with the next byte. */
void reader_limit(struct reader *r, size_t limit);
/* Plain lines: no literals (SASL responses, DONE). */
void reader_plain(struct reader *r, bool on);

/* Reads up to the next event; *used says how much of `in` it took. */
enum reader_event reader_feed(struct reader *r, struct span in, size_t *used);
/* Lent until the next feed or reset. The owner may write into it. */
struct span reader_text(const struct reader *r);
/* After READER_COMMAND: forgets the command and its memory. */
void reader_reset(struct reader *r);

/* Size of the literal that READER_LITERAL announced; sync: the client waits
 * for "+" before it sends it. */
uint64_t reader_literal_size(const struct reader *r);
bool reader_literal_sync(const struct reader *r);
/* Gather it as part of the command; false when the limit forbids. */
bool reader_literal_collect(struct reader *r) MUST_CHECK;
/* Refuse it: what the client has under way is dropped, READER_SKIPPED
 * follows (at once, without input, when it waits for "+"). */
void reader_literal_skip(struct reader *r);
/* The owner takes its bytes from the input itself; what follows them is the
 * rest of the command: reader_text() begins anew there. */
void reader_literal_taken(struct reader *r);

#endif
