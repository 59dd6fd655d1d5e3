/*
 * What a large folder costs a reader: folderbench DIR [messages]. A folder that
 * is there is taken as it is. Prints milliseconds of each step; no timed
 * assertion.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "store/account.h"
#include "store/folder.h"

#define MAILBOX		1
#define BATCH		500
#define WARM		20		/* repetitions of what is short */

static void die(const char *what, const struct err *err) NORETURN;

static void
die(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "folderbench: %s: %s\n", what, err->why);
	exit(1);
}

static uint64_t began;

static void
start(void)
{
	began = clock_mono_us();
}

static void
told(const char *what)
{
	(void)printf("%-44s %9.2f ms\n", what,
	    (double)(clock_mono_us() - began) / 1000);
}

static void
fill(struct account *a, uint32_t n)
{
	static struct folder_new items[BATCH];
	char *text = xmalloc(3000);
	struct err err;
	uint32_t i, uidv;
	int len;

	len = snprintf(text, 3000, "From: Ann <ann@a.example>\r\n"
	    "To: bob@b.example\r\nSubject: number\r\n"
	    "Message-ID: <x@a.example>\r\n\r\n");
	memset(text + len, 'x', 2000);
	for (i = 0; i < BATCH; i++)
		items[i] = (struct folder_new){ .data = span_of(text,
		    (size_t)len + 2000), .date = 1700000000 };
	for (i = 0; i < n; i += BATCH)
		if (folder_append(a, "", items, MIN(BATCH, n - i), &uidv,
		    &err) < 0)
			die("append", &err);
	free(text);
}

static struct folder *
open_it(struct account *a)
{
	struct folder *f;
	struct err err;

	f = folder_open(a, "", true, &err);
	if (f == NULL)
		die("open", &err);
	return f;
}

static void
texts_all(struct folder *f)
{
	struct msg_texts t;
	struct err err;
	uint32_t i;

	for (i = 1; i <= folder_exists(f); i++)
		if (folder_msg_texts(f, i, &t, &err) < 0)
			die("texts", &err);
}

static void
flush_all(struct folder *f)
{
	struct err err;
	bool more = true;

	while (more)
		if (folder_flush(f, 500, &more, &err) < 0)
			die("flush", &err);
}

static void
changes(struct account *a, struct folder *f, const uint32_t *seqs)
{
	const struct flag_change seen = { .op = FLAG_ADD, .flags = MSG_SEEN,
	    .silent = true, .unchanged_since = UINT64_MAX };
	uint32_t n = folder_exists(f), *gone;
	struct folder_copied c;
	struct err err;

	start();
	if (folder_store(f, seqs, n, &seen, NULL, NULL, &err) < 0)
		die("store", &err);
	told("STORE 1:* +FLAGS");
	start();
	flush_all(f);
	told("  names follow");
	if (account_folder_create(a, ".Copy", &err) < 0 &&
	    err.code != PS_EEXIST)
		die("create", &err);
	start();
	if (folder_copy(f, seqs, MIN(n, 5000U), ".Copy", false, &c, &err) < 0)
		die("copy", &err);
	told("COPY 5000");
	folder_copied_fini(&c);
	start();
	if (folder_expunge(f, seqs, MIN(n, 5000U), &err) < 0)
		die("expunge", &err);
	(void)folder_expunged_take(f, &gone, NULL);
	free(gone);
	told("EXPUNGE 5000");
	start();
	flush_all(f);
	told("  unlinks follow");
}

int
main(int argc, char **argv)
{
	uint32_t n = 50000, i, *seqs;
	struct account *a;
	struct folder *f;
	struct err err;
	int store, home;

	if (argc < 2 || (argc > 2 && !span_u32(span_str(argv[2]), 1, 10000000,
	    &n))) {
		(void)fprintf(stderr, "usage: folderbench DIR [messages]\n");
		return 64;
	}
	store = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store == -1 || account_home_open(store, MAILBOX, true, &home,
	    &err) < 0 || (a = account_open(home, MAILBOX, &err)) == NULL)
		die(argv[1], &err);
	f = open_it(a);
	if (folder_exists(f) == 0) {
		start();
		fill(a, n);
		told("MULTIAPPEND, 500 at a time");
	}
	folder_close(&f);
	start();
	f = open_it(a);
	told("SELECT");
	folder_close(&f);
	start();
	for (i = 0; i < WARM; i++) {
		f = folder_open_outline(a, "", true, &err);
		if (f == NULL)
			die("open", &err);
		folder_close(&f);
	}
	told("SELECT, warm, 20 times");
	start();
	for (i = 0; i < WARM; i++) {
		f = open_it(a);
		folder_close(&f);
	}
	told("  with the messages, 20 times");
	f = open_it(a);
	start();
	texts_all(f);
	told("ENVELOPE of all, cached");
	folder_close(&f);
	(void)unlinkat(home, "postern.index", 0);
	(void)unlinkat(home, "postern.cache", 0);
	start();
	f = open_it(a);
	told("SELECT, index gone");
	start();
	texts_all(f);
	told("ENVELOPE of all, index gone");
	seqs = xcalloc(folder_exists(f), sizeof(*seqs));
	for (i = 0; i < folder_exists(f); i++)
		seqs[i] = i + 1;
	changes(a, f, seqs);
	free(seqs);
	start();
	if (folder_refresh(f, &err) < 0)
		die("refresh", &err);
	told("NOOP");
	folder_close(&f);
	account_close(&a);
	(void)close(store);
	return 0;
}
