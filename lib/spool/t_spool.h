/*
 * What the spool's tests share: a scratch spool, messages, a writer that is
 * driven until its appends are answered.
 */
#ifndef SPOOL_T_SPOOL_H
#define SPOOL_T_SPOOL_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/disk_record.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "spool/envelope.h"
#include "spool/journal.h"
#include "spool/segment.h"

struct t_dirs {
	char *root;
	int spool, journal, queue;
};

static inline int
t_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static inline void
t_dirs_open(struct t_dirs *d, const char *root)
{
	d->spool = t_dir(AT_FDCWD, root);
	(void)mkdirat(d->spool, "journal", 0700);
	(void)mkdirat(d->spool, "queue", 0700);
	d->journal = t_dir(d->spool, "journal");
	d->queue = t_dir(d->spool, "queue");
}

static inline void
t_dirs_new(struct t_dirs *d, const char *name)
{
	d->root = disk_record_tmpdir(name);
	t_dirs_open(d, d->root);
}

static inline void
t_dirs_close(struct t_dirs *d)
{
	(void)close(d->spool);
	(void)close(d->journal);
	(void)close(d->queue);
}

static inline void
t_dirs_free(struct t_dirs *d)
{
	t_dirs_close(d);
	disk_record_rmdir(d->root);
	free(d->root);
}

/* Message `n`: one mailbox recipient, id of its own. */
struct t_msg {
	struct envelope env;
	struct envelope_rcpt rcpt[4];
	struct iovec iov;
	struct journal_append a;
	int answered;		/* times cb ran */
	bool ok;
};

static inline void
t_msg_answer(struct journal_append *a, bool ok, const struct err *err,
    void *arg)
{
	struct t_msg *m = arg;

	(void)err;
	assert_ptr_equal(a, &m->a);
	m->answered++;
	m->ok = ok;
}

static inline void
t_msg_init(struct t_msg *m, unsigned n, const char *body, size_t len)
{
	memset(m, 0, sizeof(*m));
	(void)snprintf(m->env.queue_id, sizeof(m->env.queue_id), "Tmsg%08u",
	    n % 100000000);
	m->env.arrival_us = 1000000LL * n;
	m->env.sender = span_str("sender@a.example");
	m->env.client_ip = span_str("192.0.2.1");
	m->env.proto = span_str("ESMTP");
	m->env.body_size = len;
	m->env.rcpt = m->rcpt;
	m->env.n_rcpt = 1;
	m->rcpt[0].kind = ENVELOPE_MAILBOX;
	m->rcpt[0].mailbox_id = 100 + n;
	m->rcpt[0].orig = m->rcpt[0].final = span_str("kim@b.example");
	m->iov = (struct iovec){ (void *)(uintptr_t)body, len };
	m->a = (struct journal_append){ .body = &m->iov, .n_body = 1,
	    .body_fd = -1, .cb = t_msg_answer, .arg = m };
}

static inline void
t_stop_cb(void *arg)
{
	loop_stop(arg);
}

/* Runs the loop for about a millisecond. */
static inline void
t_turn(struct loop *l)
{
	struct timer t;

	timer_init(&t, l, t_stop_cb, l);
	timer_set_ms(&t, 1);
	loop_run(l);
	timer_clear(&t);
}

/* Turns the loop until the condition holds, at most ~20 s. */
#define T_UNTIL(l, cond) do {					\
	unsigned t_left_ = 20000;				\
	while (!(cond) && t_left_-- > 0)			\
		t_turn(l);					\
	assert_true(cond);					\
} while (0)

#endif
