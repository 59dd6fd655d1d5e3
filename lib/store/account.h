/*
 * One account: the Maildir++ tree below a mailbox's home, reached through a
 * directory descriptor only (deliver makes it, imapd is handed it). Folder
 * names here are names on disk: "" is INBOX, ".Sent", ".Work.2026"; layout.h
 * turns them into names on the wire and back.
 *
 * Every function that takes a struct err reads or writes files: call it from
 * a work.h thread (order key: the mailbox id), never from a loop. One handle
 * is used by one thread at a time; several handles for one account, in
 * several processes, are fine.
 */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include "base/err.h"
#include "base/span.h"
#include "store/layout.h"

struct account;

/* Once per process, before any account: the host part of new file names
 * (myhostname). Copied. */
void store_host_set(const char *host);

/* Makes the home of a mailbox when it is missing, opens it. *fd is yours.
 * Only deliver can: imapd has no store_dir. */
int account_home_open(int store_dir, uint64_t mailbox_id, bool create,
    int *fd, struct err *err) MUST_CHECK;

/* Takes over dirfd, also when it fails. NULL on failure. */
struct account *account_open(int dirfd, uint64_t mailbox_id,
    struct err *err) MUST_CHECK;
/* For adopt.c, which has the account for itself: does not look at INBOX. */
struct account *account_bare(int dirfd, uint64_t mailbox_id);
void account_close(struct account **a);
uint64_t account_id(const struct account *a);
int account_dirfd(const struct account *a);	/* lent */

struct name_list {
	char (*name)[FOLDER_NAME_MAX + 1];
	size_t n, size;			/* size is private */
};
void name_list_fini(struct name_list *l);
bool name_list_has(const struct name_list *l, const char *name);

/* All folders, sorted, INBOX ("") first. */
int account_folders(struct account *a, struct name_list *out,
    struct err *err) MUST_CHECK;
bool account_folder_exists(struct account *a, const char *name);
/* PS_EEXIST when it is there, PS_ESYNTAX for a name we do not make. On disk
 * when it returns 0. Parents are not made. */
int account_folder_create(struct account *a, const char *name,
    struct err *err) MUST_CHECK;
/* Messages and all; children stay. INBOX cannot be deleted. */
int account_folder_delete(struct account *a, const char *name,
    struct err *err) MUST_CHECK;
/* With all children, or nothing. PS_EEXIST when `to` is there, or a child of it
 * that would be made; PS_ENOTFOUND when `from` is not. INBOX: see folder.h (move
 * its messages; RFC 3501 6.3.5). */
int account_folder_rename(struct account *a, const char *from,
    const char *to, struct err *err) MUST_CHECK;

int account_subscriptions(struct account *a, struct name_list *out,
    struct err *err) MUST_CHECK;
int account_subscribe(struct account *a, const char *name, bool on,
    struct err *err) MUST_CHECK;

/* Quota: live bytes and messages over all folders, from the index headers. */
struct usage {
	uint64_t bytes, messages;
};
int account_usage(struct account *a, struct usage *u,
    struct err *err) MUST_CHECK;

/* STATUS without opening a view. */
struct folder_status {
	uint32_t messages, recent, unseen, deleted;
	uint32_t uidnext, uidvalidity;
	uint64_t highest_modseq, bytes;	/* bytes: with CRLF line ends */
};
int account_folder_status(struct account *a, const char *name,
    struct folder_status *st, struct err *err) MUST_CHECK;
/* What an EXPUNGE would give back. Reads the whole index. */
int account_folder_deleted_bytes(struct account *a, const char *name,
    uint64_t *bytes, struct err *err) MUST_CHECK;

/* A named file in the account's tmp/, open read-write, to collect an APPEND
 * literal in: folder_append moves it into place without copying. Give it
 * back with account_tmp_drop when it is not wanted. */
struct store_tmp {
	char name[64];			/* "tmp/..." below the account */
	int fd;				/* -1: none */
};
int account_tmp_new(struct account *a, struct store_tmp *t,
    struct err *err) MUST_CHECK;
void account_tmp_drop(struct account *a, struct store_tmp *t);

#endif
