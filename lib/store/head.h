/*
 * postern.head and postern.account (doc/store-format.md, 4): UIDVALIDITY and
 * the ceilings of UIDs and mod-sequences. Truth, not cache. Blocks.
 */
#ifndef STORE_HEAD_H
#define STORE_HEAD_H

#include "base/err.h"
#include "base/span.h"

#define HEAD_SIZE	64
#define HEAD_STEP	1024		/* UIDs per raise of the ceiling */
#define HEAD_MODSEQ_STEP (UINT64_C(1) << 20)

struct head {
	uint32_t uidvalidity;		/* account file: last one given */
	uint32_t ceiling;		/* UIDs given out are below it */
	uint64_t modseq;		/* so are modseqs; 0: not known */
	uint8_t boot[16];
};

enum head_kind { HEAD_FOLDER, HEAD_ACCOUNT };

/* Pure. False: not one of ours, or damaged. */
bool head_parse(enum head_kind kind, struct span bytes, struct head *h)
    MUST_CHECK;
void head_make(enum head_kind kind, const struct head *h,
    char out[HEAD_SIZE]);

/* PS_ECORRUPT when it is empty or damaged. */
int head_read(int fd, enum head_kind kind, struct head *h, struct err *err)
    MUST_CHECK;
/* With this boot's id. */
int head_write(int fd, enum head_kind kind, struct head *h, struct err *err)
    MUST_CHECK;

/* A UIDVALIDITY this account never had before and, `above` being one seen
 * elsewhere, higher than that. With `sync` it is durable before it is
 * returned (folders that users make). */
int account_uidvalidity_next(int account_dir, uint32_t above, bool sync,
    uint32_t *out, struct err *err) MUST_CHECK;

/* Write lock on the whole file, as folder and account locks are: tried again
 * until patience ends (PS_EAGAIN). Ends with close(2), too. */
int store_lock(int fd, const char *what, struct err *err) MUST_CHECK;
void store_unlock(int fd);
/* Whoever takes a lock again and again, for a long work in slices, rests
 * between: those who wait for it try only now and then. */
#define STORE_SLICE_US	8000		/* of holding it */
void store_lock_rest(void);

#endif
