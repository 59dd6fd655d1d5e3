/*
 * The spool alone: sessions that append one message after the other as soon
 * as the last was answered, the manager that reads, and an agent that says
 * "sent" at once, with a checkpoint a second.
 *
 *	spoolbench [-d DIR] [-s SECONDS] [-b BYTES] [SESSIONS...]
 *
 * Prints, for each number of sessions, messages a second, syncs a message
 * (journal and outcome logs), CPU a message, and the longest turn of the loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "spool/journal.h"
#include "spool/segment.h"
#include "spool/spool.h"

#define SESSIONS_MAX	1000

struct session {
	struct journal_append a;
	struct envelope env;
	struct envelope_rcpt rcpt;
	struct iovec iov;
	uint64_t began_us;
};

static struct bench {
	struct loop *loop;
	struct spool *spool;
	struct journal_writer *w;
	struct session session[SESSIONS_MAX];
	struct queueid_gen ids;
	char id[SESSION_ID_LEN + 1];
	unsigned number;
	bool running, ready;
	char *body;
	size_t body_len;
	uint64_t sent, slowest_us;
	struct timer checkpoint, end;
} b;

static void
append(struct session *s)
{
	while (!queueid_message(b.id, b.number++, s->env.queue_id)) {
		if (!queueid_session(&b.ids, b.id))
			log_fatal("out of ids");
		b.number = 0;
	}
	s->began_us = clock_mono_us();
	s->env.arrival_us = clock_wall_us();
	s->rcpt.mailbox_id = b.sent++ % 1000;
	if (journal_append(b.w, &s->a, &s->env, NULL) != 0)
		log_fatal("append refused");
}

static void
answered_cb(struct journal_append *a, bool ok, const struct err *err,
    void *arg)
{
	struct session *s = arg;

	(void)a;
	if (!ok)
		log_fatal("append failed: %s", err->why);
	b.slowest_us = MAX(b.slowest_us, clock_mono_us() - s->began_us);
	if (b.running)
		append(s);
}

static void
lent_cb(void *arg, const struct segment_ref *ref, uint64_t start, int fd)
{
	(void)arg;
	journal_writer_segment(b.w, ref->id, span_of(ref->epoch, EPOCH_SIZE),
	    start, ref->size, dup(fd));
}

static void
need_cb(void *arg)
{
	spool_borrow(b.spool, &b, lent_cb, arg);
}

static void
durable_cb(void *arg, uint32_t segment, uint64_t offset)
{
	if (spool_hint(b.spool, arg, segment, offset) != 0)
		log_fatal("hint refused");
}

static void
returned_cb(void *arg, uint32_t segment, uint64_t offset, bool failed)
{
	if (b.spool != NULL &&
	    spool_return(b.spool, arg, segment, offset, failed) != 0)
		log_fatal("return refused");
}

static const struct journal_writer_ops wops = { need_cb, durable_cb,
	returned_cb };

static void
message_cb(void *arg, struct spool_msg *m)
{
	unsigned lane = spool_lane_of(b.spool, m->rcpt[0].mailbox_id);

	(void)arg;
	if (m->rcpt[0].state != SPOOL_DUE)
		return;
	spool_start(m, 0);
	spool_outcome(b.spool, m, 0, JOB_SENT, lane);
	spool_answered(b.spool, lane);
}

static void
removed_cb(void *arg, struct spool_msg *m, bool deleted)
{
	(void)arg;
	(void)m;
	(void)deleted;
}

static void
ready_cb(void *arg, const struct err *err)
{
	(void)arg;
	if (err != NULL)
		log_fatal("%s", err->why);
	b.ready = true;
	loop_stop(b.loop);
}

static void
pressure_cb(void *arg, unsigned level, const char *why)
{
	(void)arg;
	(void)level;
	(void)why;
}

static const struct spool_ops ops = { ready_cb, message_cb, message_cb,
	removed_cb, pressure_cb };

static void
checkpoint_cb(void *arg)
{
	unsigned i;

	(void)arg;
	for (i = 0; i < 2; i++)
		spool_checkpointed(b.spool, i, true, UINT64_MAX);
	timer_set_ms(&b.checkpoint, 1000);
}

static void
end_cb(void *arg)
{
	loop_stop(arg);
}

static uint64_t
cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void
session_init(struct session *s)
{
	memset(s, 0, sizeof(*s));
	s->env.sender = span_str("sender@example.net");
	s->env.client_name = span_str("mx.example.net");
	s->env.client_ip = span_str("192.0.2.7");
	s->env.helo = span_str("mx.example.net");
	s->env.proto = span_str("ESMTP");
	s->env.body_size = b.body_len;
	s->env.rcpt = &s->rcpt;
	s->env.n_rcpt = 1;
	s->rcpt.orig = s->rcpt.final = span_str("somebody@example.com");
	s->iov = (struct iovec){ b.body, b.body_len };
	s->a = (struct journal_append){ .body = &s->iov, .n_body = 1,
	    .body_fd = -1, .cb = answered_cb, .arg = s };
}

static void
measure(unsigned sessions, unsigned seconds)
{
	struct journal_stats j0, j1;
	struct spool_stats s0, s1;
	uint64_t t0, t1, c0, n;
	unsigned i;

	for (i = 0; i < sessions; i++)
		session_init(&b.session[i]);
	b.running = true;
	b.slowest_us = 0;
	(void)loop_lag_ms_take(b.loop);
	journal_writer_stats(b.w, &j0);
	spool_stats(b.spool, &s0);
	t0 = clock_mono_us();
	c0 = cpu_us();
	for (i = 0; i < sessions; i++)
		append(&b.session[i]);
	timer_set_ms(&b.end, seconds * 1000);
	loop_run(b.loop);
	t1 = clock_mono_us();
	journal_writer_stats(b.w, &j1);
	spool_stats(b.spool, &s1);
	n = MAX(j1.appended - j0.appended, (uint64_t)1);
	printf("%5u sessions: %8.0f messages/s  %6.3f syncs/message  "
	    "%6.4f ms CPU/message  slowest answer %5.1f ms  loop lag %u ms\n",
	    sessions, (double)n * 1e6 / (double)(t1 - t0),
	    (double)(j1.groups - j0.groups + s1.log_syncs - s0.log_syncs) /
	    (double)n, (double)(cpu_us() - c0) / 1000 / (double)n,
	    (double)b.slowest_us / 1000, loop_lag_ms_take(b.loop));
	b.running = false;
	timer_set_ms(&b.end, 1200);	/* what is under way ends */
	loop_run(b.loop);
}

static void
bench_start(const char *dir)
{
	struct spool_config cfg = { .segments = 8,
	    .segment_size = 64u << 20, .lanes = 2, .incarnation = 1 };
	struct err err;

	cfg.spool_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	clock_boot_id(cfg.boot_id);
	b.loop = loop_new();
	if (cfg.spool_dir == -1 || (b.spool = spool_new(b.loop, &cfg, &ops,
	    &b, &err)) == NULL)
		log_fatal("cannot use %s", dir);
	if (queueid_gen_init(&b.ids, 1, (uint32_t)clock_wall_us() &
	    QUEUEID_INCARNATION_MAX) != 0 || !queueid_session(&b.ids, b.id))
		log_fatal("cannot make ids");
	loop_run(b.loop);
	spool_lane_up(b.spool, 0);
	spool_lane_up(b.spool, 1);
	timer_init(&b.checkpoint, b.loop, checkpoint_cb, NULL);
	timer_init(&b.end, b.loop, end_cb, b.loop);
	timer_set_ms(&b.checkpoint, 1000);
	b.w = journal_writer_new(b.loop, &wops, &b);
	/* let the segments be made */
	timer_set_ms(&b.end, 6000);
	loop_run(b.loop);
}

int
main(int argc, char **argv)
{
	const char *dir = NULL;
	char tmp[] = "spoolbench-XXXXXX";
	unsigned seconds = 3;
	int c;

	b.body_len = 4096;
	while ((c = getopt(argc, argv, "d:s:b:")) != -1) {
		if (c == 'd')
			dir = optarg;
		else if (c == 's')
			seconds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'b')
			b.body_len = strtoul(optarg, NULL, 10);
		else
			return 64;
	}
	if (dir == NULL && (dir = mkdtemp(tmp)) == NULL)
		log_fatal("mkdtemp");
	b.body = xcalloc(1, b.body_len + 1);
	bench_start(dir);
	if (optind == argc) {
		measure(1, seconds);
		measure(20, seconds);
		measure(100, seconds);
	}
	for (; optind < argc; optind++)
		measure((unsigned)MIN(strtoul(argv[optind], NULL, 10),
		    (unsigned long)SESSIONS_MAX), seconds);
	journal_writer_free(&b.w);
	spool_free(&b.spool);
	loop_free(&b.loop);
	return 0;
}
