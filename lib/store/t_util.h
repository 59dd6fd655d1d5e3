/*
 * What the store's tests share: a store in a fresh directory, deliveries,
 * ways to look at the directory with other eyes than the library's.
 */
#ifndef STORE_T_UTIL_H
#define STORE_T_UTIL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk_record.h"
#include "store/account.h"
#include "store/boot.h"
#include "store/deliver_one.h"
#include "store/folder.h"

struct t_store {
	char *dir;
	int fd;
};

#define T_MAILBOX	UINT64_C(12345)
#define T_HOME		"39/12345"

static inline int
t_setup(void **state)
{
	struct t_store *s = calloc(1, sizeof(*s));

	(void)umask(0007);
	s->dir = disk_record_tmpdir("store");
	s->fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_host_set("mx.example.org");
	store_boot_pretend(0);
	*state = s;
	return s->fd == -1;
}

static inline int
t_teardown(void **state)
{
	struct t_store *s = *state;

	store_boot_pretend(0);
	(void)close(s->fd);
	disk_record_rmdir(s->dir);
	free(s->dir);
	free(s);
	return 0;
}

/* The caller has a `struct err err`. */
#define t_ok(call) do {							\
	err = (struct err){ 0 };					\
	int rc_ = (call);						\
	if (rc_ != 0)							\
		fail_msg("%s: %d %s", #call, rc_, err.why);		\
} while (0)

/* Delivers `text` under key; returns the UID. */
static inline uint32_t
t_deliver_full(int store_fd, const char *key, const char *text, bool maybe,
    enum delivered *how)
{
	struct delivery_body body = { .mem = span_str(text), .fd = -1 };
	struct delivery d = { .queue_id = span_str(key),
	    .arrival = 1763640000, .head =
	    SPAN_LIT("Return-Path: <a@b.example>\r\n"), .body = &body,
	    .maybe_done = maybe };
	struct delivery_target *t;
	enum delivered h;
	struct err err = { 0 };
	uint32_t uid = 0;

	t = delivery_open(store_fd, T_MAILBOX, &err);
	if (t == NULL)
		fail_msg("delivery_open: %s", err.why);
	if (deliver_one(t, &d, false, &h, &uid, &err) != 0)
		fail_msg("deliver_one: %s", err.why);
	delivery_close(&t);
	if (how != NULL)
		*how = h;
	return uid;
}

static inline uint32_t
t_deliver(struct t_store *s, const char *key, const char *text)
{
	return t_deliver_full(s->fd, key, text, false, NULL);
}

static inline struct account *
t_account_at(int store_fd)
{
	struct account *a;
	struct err err = { 0 };
	int fd;

	if (account_home_open(store_fd, T_MAILBOX, true, &fd, &err) != 0)
		fail_msg("home: %s", err.why);
	a = account_open(fd, T_MAILBOX, &err);
	if (a == NULL)
		fail_msg("account: %s", err.why);
	return a;
}

static inline struct folder *
t_folder(struct account *a, const char *name)
{
	struct err err = { 0 };
	struct folder *f = folder_open(a, name, true, &err);

	if (f == NULL)
		fail_msg("folder %s: %s", name, err.why);
	return f;
}

/* Number of files in a directory below the store (not dot files), and the
 * last one's name. */
static inline unsigned
t_count(const char *store_dir, const char *sub, char *last)
{
	char path[1024];
	struct dirent *de;
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "%s/%s", store_dir, sub);
	d = opendir(path);
	if (d == NULL)
		return 0;
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.')
			continue;
		n++;
		if (last != NULL)
			(void)snprintf(last, 256, "%s", de->d_name);
	}
	(void)closedir(d);
	return n;
}

static inline void
t_write(struct t_store *s, const char *sub, const char *text)
{
	char path[1024];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", s->dir, sub);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
}

static inline void
t_unlink(struct t_store *s, const char *sub)
{
	assert_int_equal(unlinkat(s->fd, sub, 0), 0);
}

#define T_TEXT(subject) \
	"From: Ann <a@b.example>\r\nSubject: " subject "\r\n" \
	"Message-ID: <" subject "@b.example>\r\n\r\nhello " subject "\r\n"

#endif
