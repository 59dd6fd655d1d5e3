/*
 * The "NAME=value" words of XCLIENT and XFORWARD: a trusted peer's word on
 * who the client is, or was. The parser owns nothing; values are copied,
 * decoded and cleaned. Whether the peer is one to be believed, and what is
 * done with its word, is cmd_xclient.c's.
 */
#ifndef SMTPD_XATTR_H
#define SMTPD_XATTR_H

#include "base/buf.h"
#include "base/span.h"

#define XATTR_VALUE_MAX	255

enum xattr {
	XATTR_NAME, XATTR_REVERSE_NAME, XATTR_ADDR, XATTR_PORT, XATTR_PROTO,
	XATTR_HELO, XATTR_LOGIN, XATTR_DESTADDR, XATTR_DESTPORT, XATTR_IDENT,
	XATTR_SOURCE, XATTRS
};

enum xattr_command { XATTR_XCLIENT = 1, XATTR_XFORWARD = 2 };

enum xattr_state {
	XATTR_ABSENT,
	XATTR_GIVEN,
	XATTR_UNAVAILABLE,	/* [UNAVAILABLE]: there is none */
	XATTR_TEMPUNAVAIL	/* [TEMPUNAVAIL]: it could not be found out */
};

struct xattrs {
	struct {
		enum xattr_state state;
		char text[XATTR_VALUE_MAX + 1];	/* when GIVEN */
	} v[XATTRS];
};

/* 0, or PS_ESYNTAX with the reply ("501 5.5.4 ...") appended to it. The last
 * of two words with one name counts. */
int xattrs_parse(enum xattr_command command, struct span args,
    struct xattrs *x, struct buf *reply) MUST_CHECK;
/* "NAME ADDR PORT ...", as EHLO announces the command. */
void xattrs_names(enum xattr_command command, struct buf *out);

#endif
