/*
 * What a delivery costs the store: many mailboxes, warm handles, one syncfs
 * at the end of every batch, as deliver does it.
 *
 *	storebench DIR [messages [mailboxes [bytes [batch]]]]
 *
 * Prints deliveries per second and CPU of this process and of the whole
 * machine (write-back included) per delivery; no timed assertion.
 */
#include <sys/resource.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/xmalloc.h"
#include "store/account.h"
#include "store/deliver_one.h"
#include "store/texts.h"

static double
cpu_self_us(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

/* All but idle and waiting, from /proc/stat, in microseconds. */
static double
cpu_machine_us(void)
{
	unsigned long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "r");
	int got;

	if (f == NULL)
		return 0;
	got = fscanf(f, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", &v[0], &v[1],
	    &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
	(void)fclose(f);
	return got != 8 ? 0 : (double)(v[0] + v[1] + v[2] + v[5] + v[6] +
	    v[7]) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static struct span
message_make(size_t bytes)
{
	static const char head[] = "Received: from client.example\r\n"
	    "\tby mx.example.org with ESMTP id 3kF9tQ010100;\r\n"
	    "\tFri, 20 Nov 2026 10:57:48 +0000 (UTC)\r\n"
	    "From: Ann Example <ann@a.example>\r\n"
	    "To: Bob Example <bob@b.example>\r\nSubject: a benchmark\r\n"
	    "Date: Fri, 20 Nov 2026 10:57:47 +0000\r\n"
	    "Message-ID: <0123456789@a.example>\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n";
	size_t n = sizeof(head) - 1, i;
	char *p = xmalloc(bytes + n + 80);

	memcpy(p, head, n);
	for (i = 0; n < bytes; i++, n++)
		p[n] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
	memcpy(p + n, "\r\n", 2);
	return span_of(p, n + 2);
}

static void
die(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "storebench: %s: %s\n", what, err->why);
	exit(1);
}

static uint64_t
arg_or(int argc, char **argv, int i, uint64_t def)
{
	uint64_t v = def;

	if (i < argc && !span_u64(span_str(argv[i]), 1, 100000000, &v)) {
		(void)fprintf(stderr, "storebench: bad number %s\n", argv[i]);
		exit(64);
	}
	return v;
}

struct bench {
	struct delivery_target **target;
	uint64_t n_boxes, n, batch;
	struct delivery_body body;
	struct texts texts;
	int store;
	uint64_t round;
};

static void
run(struct bench *b, const char *label)
{
	double self = cpu_self_us(), all = cpu_machine_us();
	uint64_t from = clock_mono_us(), i;
	struct delivery d = { .arrival = clock_wall_us() / 1000000,
	    .head = SPAN_LIT("Return-Path: <ann@a.example>\r\n"
	    "Delivered-To: bob@b.example\r\n"), .body = &b->body };
	enum delivered how;
	struct err err;
	uint32_t uid;
	char key[32];

	b->round++;
	for (i = 0; i < b->n; i++) {
		/* parsed once per message, as deliver does */
		texts_make(&b->texts, b->body.mem);
		b->body.envelope = buf_span(&b->texts.envelope);
		b->body.bodystructure = buf_span(&b->texts.bodystructure);
		(void)snprintf(key, sizeof(key), "%04llx%08llx",
		    (unsigned long long)b->round, (unsigned long long)i);
		d.queue_id = span_str(key);
		if (deliver_one(b->target[i * 7919 % b->n_boxes], &d, false,
		    &how, &uid, &err) < 0)
			die("deliver", &err);
		if (i % b->batch == b->batch - 1 &&
		    disk_syncfs(b->store) == -1)
			die("syncfs", &err);
	}
	self = cpu_self_us() - self;
	(void)disk_syncfs(b->store);
	all = cpu_machine_us() - all;
	from = clock_mono_us() - from;
	(void)printf("%s: %.0f deliveries/s, CPU per delivery: %.1f us "
	    "itself, %.1f us machine\n", label,
	    (double)b->n * 1e6 / (double)from, self / (double)b->n,
	    all / (double)b->n);
}

int
main(int argc, char **argv)
{
	struct bench b = { .n = arg_or(argc, argv, 2, 20000),
	    .n_boxes = arg_or(argc, argv, 3, 1000),
	    .batch = arg_or(argc, argv, 5, 2000) };
	struct rlimit rl;
	struct err err;
	uint64_t i;

	if (argc < 2) {
		(void)fprintf(stderr, "usage: storebench DIR [messages "
		    "[mailboxes [bytes [batch]]]]\n");
		return 64;
	}
	(void)getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	b.store = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b.store == -1) {
		perror(argv[1]);
		return 66;
	}
	store_host_set("mx.example.org");
	b.body.fd = -1;
	b.body.mem = message_make((size_t)arg_or(argc, argv, 4, 4096));
	texts_init(&b.texts);
	b.target = xcalloc(b.n_boxes, sizeof(struct delivery_target *));
	for (i = 0; i < b.n_boxes; i++) {
		b.target[i] = delivery_open(b.store, i + 1, &err);
		if (b.target[i] == NULL)
			die("open", &err);
	}
	run(&b, "first (new indexes)");
	run(&b, "warm");
	run(&b, "warm");
	for (i = 0; i < b.n_boxes; i++)
		delivery_close(&b.target[i]);
	free(b.target);
	texts_fini(&b.texts);
	free((void *)(uintptr_t)b.body.mem.p);
	return 0;
}
