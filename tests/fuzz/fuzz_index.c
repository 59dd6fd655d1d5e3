/*
 * Patches to a sound index file, checksums made right again, so that nothing
 * but the meaning is wrong: opening, reading and changing the folder must
 * end, and UIDs must ascend. Input: 4-byte patches (page 1 bit and offset 15
 * bits little-endian, two bytes of value).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pack.h"
#include "store/account.h"
#include "store/deliver_one.h"
#include "store/folder.h"
#include "store/index.h"
#include "tests/fuzz/fuzz.h"

#define MAILBOX		1
#define HOME		"01/1/"
#define PATCHES_MAX	64

static struct {
	char dir[64];
	int store;
	struct index_header header;
	struct index_group group;
} made;

static void
deliver_one_more(const char *key)
{
	struct delivery_body body = { .mem =
	    SPAN_LIT("Subject: x\r\n\r\nbody\r\n"), .fd = -1 };
	struct delivery d = { .queue_id = span_str(key), .arrival = 1,
	    .body = &body };
	struct delivery_target *t;
	enum delivered how;
	struct err err;
	uint32_t uid;

	t = delivery_open(made.store, MAILBOX, &err);
	if (t == NULL || deliver_one(t, &d, false, &how, &uid, &err) < 0)
		__builtin_trap();
	delivery_close(&t);
}

static void
store_remove(void)
{
	char cmd[128];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", made.dir);
	if (system(cmd) != 0)
		(void)fprintf(stderr, "%s is left behind\n", made.dir);
}

static void
store_make(void)
{
	struct err err;
	int fd;

	(void)snprintf(made.dir, sizeof(made.dir), "%s/postern-fuzz.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(made.dir) == NULL)
		__builtin_trap();
	(void)atexit(store_remove);
	made.store = open(made.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log_level_set(LOG_L_FATAL);
	deliver_one_more("aaaaaaaaaaaa");
	deliver_one_more("bbbbbbbbbbbb");
	deliver_one_more("cccccccccccc");
	fd = openat(made.store, HOME "postern.index", O_RDONLY | O_CLOEXEC);
	if (index_header_read(fd, &made.header, &err) < 0 ||
	    index_group_read(fd, 0, made.header.generation, &made.group,
	    &err) < 0)
		__builtin_trap();
	(void)close(fd);
}

static void
index_write(const uint8_t *data, size_t size)
{
	struct index_header h = made.header;
	struct index_group g = made.group;
	size_t i, at;
	char *page;
	int fd;

	for (i = 0; i + 4 <= size; i += 4) {
		at = get_u16(data + i);
		page = at & 0x8000 ? (char *)&g : (char *)&h;
		at &= INDEX_PAGE - 1;
		if (at <= INDEX_PAGE - 2)
			memcpy(page + at, data + i + 2, 2);
	}
	index_header_seal(&h);
	index_group_seal(&g);
	fd = openat(made.store, HOME "postern.index", O_WRONLY | O_CREAT |
	    O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || pwrite(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    pwrite(fd, &g, sizeof(g), INDEX_PAGE) != sizeof(g))
		__builtin_trap();
	(void)close(fd);
}

static void
folder_use(struct account *a)
{
	const struct flag_change c = { .op = FLAG_ADD, .flags = MSG_SEEN,
	    .unchanged_since = UINT64_MAX };
	struct folder *f;
	struct msg_texts t;
	uint32_t i, seq = 1;
	struct err err;
	bool more;

	f = folder_open(a, "", true, &err);
	if (f == NULL)
		return;
	for (i = 1; i <= folder_exists(f); i++) {
		if (i > 1 && folder_uid(f, i) <= folder_uid(f, i - 1))
			__builtin_trap();
		(void)!folder_msg_texts(f, i, &t, &err);
	}
	(void)!folder_store(f, &seq, 1, &c, NULL, NULL, &err);
	(void)!folder_flush(f, 10, &more, &err);
	folder_close(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct account *a;
	struct err err;
	int fd;

	if (size > 4 * PATCHES_MAX)
		return 0;
	if (made.store == 0)
		store_make();
	index_write(data, size);
	if (account_home_open(made.store, MAILBOX, false, &fd, &err) < 0)
		__builtin_trap();
	a = account_open(fd, MAILBOX, &err);
	if (a == NULL)
		__builtin_trap();
	folder_use(a);
	account_close(&a);
	return 0;
}
