/*
 * Does the index say what the files come to? For `postern quota audit`.
 * Blocks, and reads every name of every folder.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "store/account.h"

struct audit {
	struct usage index;		/* totals of the index headers */
	struct usage records;		/* what its records add up to */
	struct usage files;		/* what lies in new/ and cur/ */
};

/* All folders. An index that cannot be believed is brought up to date first,
 * as any opening of the folder does it. */
int account_audit(struct account *a, struct audit *out, struct err *err)
    MUST_CHECK;
/* Makes every folder's index anew from its directory, keeping UIDs. */
int account_audit_fix(struct account *a, struct err *err) MUST_CHECK;

#endif
