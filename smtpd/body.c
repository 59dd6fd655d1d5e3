#include "smtpd/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/xmalloc.h"

/* One write of a thread; owns the bytes, so that the body may go away. */
struct body_flush {
	struct work work;
	struct body *body;		/* NULL: it is gone */
	void (*cb)(void *arg);
	void *arg;
	struct buf bytes;
	uint64_t at;
	int fd;
	struct err err;
};

static size_t cap = 64 * 1024 * 1024;
static size_t used;

void
body_cap_set(size_t bytes)
{
	cap = bytes;
}

size_t
body_memory_used(void)
{
	return used;
}

bool
body_memory_tight(void)
{
	return used > cap;
}

static void
recount(struct body *b)
{
	used = used - b->counted + buf_len(&b->mem);
	b->counted = buf_len(&b->mem);
}

void
body_init(struct body *b)
{
	buf_init(&b->mem, BUF_NO_CAP);
	b->size = b->in_file = 0;
	b->fd = -1;
	b->flush = NULL;
	b->counted = 0;
	err_clear(&b->err);
}

void
body_fini(struct body *b)
{
	if (b->flush != NULL)
		b->flush->body = NULL;	/* it closes the file */
	else if (b->fd != -1)
		(void)close(b->fd);
	buf_fini(&b->mem);
	recount(b);
	body_init(b);
}

void
body_add(struct body *b, struct span bytes)
{
	buf_span_add(&b->mem, bytes);
	b->size += bytes.n;
	recount(b);
}

bool
body_full(const struct body *b)
{
	return buf_len(&b->mem) >
	    (body_memory_tight() ? BODY_MEMORY_TIGHT : BODY_MEMORY);
}

static int
temporary_file(struct err *err)
{
	static const char *const dirs[] = { "/var/tmp", "/tmp" };
	size_t i;
	int fd = -1;

	/* Scratch, not spool: nothing here must survive anything, so it does
	 * not go through disk.h. */
	for (i = 0; i < ARRAY_LEN(dirs) && fd == -1; i++)
		fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd == -1)
		(void)err_errno(err, "temporary file");
	return fd;
}

static void
flush_run(void *arg)
{
	struct body_flush *f = arg;
	struct span rest = buf_span(&f->bytes);
	ssize_t n;

	if (f->fd == -1 && (f->fd = temporary_file(&f->err)) == -1)
		return;
	while (rest.n > 0) {
		n = pwrite(f->fd, rest.p, rest.n, (off_t)f->at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			(void)err_errno(&f->err, "temporary file");
			return;
		}
		f->at += (uint64_t)n;
		rest = span_sub(rest, (size_t)n, rest.n);
	}
}

static void
flush_done(void *arg)
{
	struct body_flush *f = arg;
	struct body *b = f->body;
	void (*cb)(void *) = f->cb;
	void *cb_arg = f->arg;

	if (b == NULL) {
		if (f->fd != -1)
			(void)close(f->fd);
	} else {
		b->fd = f->fd;
		b->in_file = f->at;
		if (f->err.kind != ERR_NONE)
			b->err = f->err;
		b->flush = NULL;
	}
	used -= buf_len(&f->bytes);
	buf_fini(&f->bytes);
	free(f);
	if (b != NULL)
		cb(cb_arg);
}

void
body_flush(struct body *b, struct work_pool *pool, void (*cb)(void *arg),
    void *arg)
{
	struct body_flush *f = xcalloc(1, sizeof(*f));

	ps_assert(b->flush == NULL);
	f->body = b;
	f->cb = cb;
	f->arg = arg;
	f->bytes = b->mem;
	f->at = b->in_file;
	f->fd = b->fd;
	f->work.run = flush_run;
	f->work.done = flush_done;
	f->work.arg = f;
	buf_init(&b->mem, BUF_NO_CAP);
	recount(b);
	used += buf_len(&f->bytes);
	b->flush = f;
	work_give(pool, &f->work);
}
