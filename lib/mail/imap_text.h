/*
 * ENVELOPE, BODYSTRUCTURE and BODY as IMAP response text (RFC 3501 7.4.2),
 * ready to be sent: made once at delivery and kept in the index cache.
 * Text that no quoted string may hold goes as a literal, NUL as 0x80. The
 * output buffer's cap bounds all; test buf_failed().
 */
#ifndef MAIL_IMAP_TEXT_H
#define MAIL_IMAP_TEXT_H

#include "base/buf.h"
#include "base/span.h"
#include "mail/mime.h"

/* "(date subject ...)" of the header that `text` begins with. */
void imap_text_envelope(struct buf *out, struct span text);
/* "(...)" of part 0 of m, which was parsed from message. */
void imap_text_bodystructure(struct buf *out, struct span message,
    const struct mime *m);
/* Both of one message in one call, each into its own buffer. m is scratch
 * that the caller keeps between messages (mime_init, mime_fini). */
void imap_text_message(struct buf *envelope, struct buf *structure,
    struct mime *m, struct span message);

/* BODY from BODYSTRUCTURE text made here: drops the extension data. False
 * when `structure` is not well-formed (a damaged cache). */
bool imap_text_body(struct buf *out, struct span structure) MUST_CHECK;

/* nil / quoted / literal, whichever `s` needs; NIL when s.p == NULL. */
void imap_text_nstring(struct buf *out, struct span s);
/* As nstring, of a header value: unfolded. */
void imap_text_value(struct buf *out, struct span value);
/* As nstring, never NIL. */
void imap_text_string(struct buf *out, struct span s);
/* An atom when it may be one, else a string (mailbox names). */
void imap_text_astring(struct buf *out, struct span s);

#endif
