/*
 * The contents of one message while a command looks at it: read from its
 * file no further than needed. For threads.
 */
#ifndef IMAPD_MESSAGE_H
#define IMAPD_MESSAGE_H

#include "base/buf.h"
#include "imapd/fetch_plan.h"
#include "mail/mime.h"
#include "store/folder.h"

#define MESSAGE_LOAD_MAX	((size_t)512 * 1024 * 1024)

struct message {
	struct folder *folder;		/* private */
	uint32_t seq;
	uint64_t size;			/* octets with CRLF */
	int fd;
	bool crlf, have_whole, have_mime;
	struct buf head, whole;
	struct mime mime;
};

/* Where the bytes of a section are: in memory (lent until the message is
 * closed), or, with mem.p == NULL, in the file. */
struct piece {
	bool nil;			/* no such part */
	struct span mem;
	uint64_t off, len;
};

/* m->folder's message; the struct may be reused from message to message. */
void message_init(struct message *m);
void message_fini(struct message *m);
int message_open(struct message *m, struct folder *f, uint32_t seq,
    uint64_t size, struct err *err) MUST_CHECK;
void message_close(struct message *m);

/* The header with its empty line, CRLF form. */
int message_head(struct message *m, struct span *head,
    struct err *err) MUST_CHECK;
/* All of it, CRLF form; parsed too when `mime`. */
int message_whole(struct message *m, struct span *whole, bool mime,
    struct err *err) MUST_CHECK;
/* PS_ENOSYS for a BINARY section whose transfer encoding nobody knows. */
int message_section_check(struct message *m, const struct section *s,
    struct err *err) MUST_CHECK;
/* A section that passed, its partial range applied. `scratch` may be used to build it. */
int message_section(struct message *m, const struct section *s,
    struct buf *scratch, struct piece *out, struct err *err) MUST_CHECK;
/* Reads exactly n bytes at off of the file onto out. PS_ECORRUPT when it has
 * become shorter. */
int message_read(struct message *m, uint64_t off, size_t n, struct buf *out,
    struct err *err) MUST_CHECK;

#endif
