/*
 * What first-contact tests (smtpd/first.h) would make of a client that
 * connected now, for `postern explain`: is it tested, what is known of it, and
 * what DNS lists say. What it would show in the dialogue is not known.
 */
#ifndef ADMIN_EXPLAIN_FIRST_H
#define ADMIN_EXPLAIN_FIRST_H

#include "admin/cli.h"
#include "admin/explain.h"

struct explain_first {
	const char *result;	/* "permit": not tested; "dunno"; "reject" */
	char *reply;		/* of each recipient, or of the connection
				 * when `ends`; "" none */
	bool ends;
	struct buf told;	/* lines */
};

/* False: the listener (of section) does not test. Its passes are looked up
 * as the admin role, which may complain. *f is to be finished. */
bool explain_first(struct cli *cli, struct explain *x,
    const struct conf *section, const char *ip, struct explain_first *f)
    MUST_CHECK;
void explain_first_fini(struct explain_first *f);

#endif
