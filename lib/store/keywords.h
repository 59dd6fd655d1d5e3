/*
 * postern.keywords: the names of a folder's keywords a..z, one per line, line
 * i for letter 'a' + i. Truth: names in file names mean nothing without it.
 * Names are only ever added. Blocks.
 */
#ifndef STORE_KEYWORDS_H
#define STORE_KEYWORDS_H

#include "base/err.h"
#include "base/span.h"
#include "store/folder.h"

#define KEYWORD_MAX	64

struct keywords {
	char name[MSG_KEYWORDS][KEYWORD_MAX + 1];	/* "": none */
	unsigned n;
};

int keywords_read(int folder_dir, struct keywords *k, struct err *err)
    MUST_CHECK;
/* Index of the name (any case), or -1. */
int keywords_find(const struct keywords *k, struct span name);
/* Adds a name (folder locked by the caller), syncs the file; its index. A
 * name that cannot be one (RFC 3501 flag-keyword) or no letter left: PS_EFULL. */
int keywords_add(int folder_dir, struct keywords *k, struct span name,
    struct err *err) MUST_CHECK;

#endif
