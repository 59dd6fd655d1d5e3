/*
 * Special uses of folders (RFC 6154): which folder of an account is for sent
 * mail, drafts and so on, as clients said. One folder per use. They are kept
 * in postern.special, lines "\Sent .Folder on disk", and follow a folder when
 * it is renamed. Blocks.
 */
#ifndef STORE_SPECIAL_H
#define STORE_SPECIAL_H

#include "store/account.h"

/* \All and \Flagged are for servers with virtual folders. */
enum special_use {
	SPECIAL_ARCHIVE, SPECIAL_DRAFTS, SPECIAL_JUNK, SPECIAL_SENT,
	SPECIAL_TRASH, SPECIAL_USES
};

/* "\Archive" ...; NULL beyond. */
const char *special_use_name(enum special_use use);
/* The name with its backslash, any case; false for any other. */
bool special_use_find(struct span name, enum special_use *use);

struct specials {
	char folder[SPECIAL_USES][FOLDER_NAME_MAX + 1];	/* "": none */
};

int account_specials(struct account *a, struct specials *out,
    struct err *err) MUST_CHECK;
/* Gives folder `name` the uses whose bits are set. PS_EEXIST, and nothing
 * done, when a folder that exists has one of them. */
int account_special_set(struct account *a, const char *name, unsigned uses,
    struct err *err) MUST_CHECK;
/* For account.c: the folder and those below it are now called `to`, or with
 * NULL the folder alone has gone. */
int account_special_moved(struct account *a, const char *from,
    const char *to, struct err *err) MUST_CHECK;

#endif
