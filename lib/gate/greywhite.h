/*
 * Whitelists in the formats of postgrey: a line each, # begins a comment.
 *
 *	clients			recipients
 *	mail.example.net	kim@a.example	also kim+x@a.example
 *	(and below it)		kim@		in any domain
 *	/^mx\d+\.example/	a.example	(and below it)
 *	192.0.2  192.0.2.7	/^abuse@/
 *	192.0.2.0/24
 *	2001:db8::/32
 *
 * Regular expressions ignore case and are Perl's, as there. Owns its rules;
 * reads the files once.
 */
#ifndef GATE_GREYWHITE_H
#define GATE_GREYWHITE_H

#include "base/buf.h"
#include "gate/netlist.h"

struct greywhite;

enum greywhite_of { GREYWHITE_CLIENTS, GREYWHITE_RECIPIENTS };

struct greywhite *greywhite_new(void);
void greywhite_free(struct greywhite **w);
/* A file's text; lines that are wrong are lines "NAME:LINE: ..." in
 * complaints, and left out. */
void greywhite_parse(struct greywhite *w, enum greywhite_of of,
    const char *name, struct span text, struct buf *complaints);
/* The file itself; one that can't be read is a complaint. */
void greywhite_read(struct greywhite *w, enum greywhite_of of,
    const char *path, struct buf *complaints);

/* name: empty when it is not known for sure. */
bool greywhite_client(const struct greywhite *w, struct span name,
    struct span ip, const struct net_addr *a);
/* An address in normal form. */
bool greywhite_recipient(const struct greywhite *w, struct span address);

#endif
