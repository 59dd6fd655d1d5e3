/*
 * Transfer encodings: base64 (RFC 4648) and quoted-printable (RFC 2045 6.7),
 * and the encoded words of header fields (RFC 2047).
 */
#ifndef MAIL_CODEC_H
#define MAIL_CODEC_H

#include "base/buf.h"
#include "base/span.h"

/* Whole and canonical, as SASL wants it; false on anything else. Appends
 * nothing in that case. "" decodes to nothing. */
bool base64_decode(struct buf *out, struct span in) MUST_CHECK;
/* No line breaks. */
void base64_encode(struct buf *out, struct span in);
/* As mail bodies have it: line ends and foreign bytes are skipped, '=' ends,
 * a torn end gives what it can. */
void base64_decode_mime(struct buf *out, struct span in);
/* underscore: RFC 2047's Q variant. Malformed escapes are kept as text. */
void qp_decode(struct buf *out, struct span in, bool underscore);

/* A header value as UTF-8: unfolded, encoded words decoded; what cannot be
 * converted stays as it was written. */
void words_decode(struct buf *out, struct span value);

#endif
