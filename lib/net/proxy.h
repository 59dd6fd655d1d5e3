/*
 * The header that a proxy puts in front of a connection to tell whose it is
 * (the PROXY protocol of HAProxy, versions 1 and 2). The parser owns nothing
 * and keeps no state: it is offered all that came so far.
 *
 * It says what a header claims. Whether to believe it is the caller's
 * question: anyone can send one (S34).
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include <sys/socket.h>

#include "base/span.h"

#define PROXY_V1_MAX	107	/* with CR LF */
#define PROXY_MAX	8192	/* version 2 with its TLVs; ours */

enum proxy_result {
	PROXY_MORE,		/* so far it may be one; all of it is header */
	PROXY_DONE,
	PROXY_BAD		/* no header, or one that lies about itself */
};

enum proxy_kind {
	PROXY_LOCAL,		/* the proxy speaks for itself (a check) */
	PROXY_UNKNOWN,		/* for someone, it does not say whom */
	PROXY_INET		/* for `from` */
};

struct proxy_header {
	enum proxy_kind kind;
	struct sockaddr_storage from, to;	/* PROXY_INET */
	size_t n;		/* its length; what follows is the client's */
};

enum proxy_result proxy_parse(struct span in, struct proxy_header *h);

#endif
