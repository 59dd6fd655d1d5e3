/*
 * What a policy service costs the one who asks it: making the request, and
 * asking a service in the same process that answers DUNNO at once.
 *
 *	policybench [requests]
 *
 * Prints CPU and allocations per request (both ends of the second line, the
 * service's own work included); no timed assertion.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/xmalloc.h"
#include "gate/policy_facts.h"
#include "net/stream.h"
#include "policy/policy.h"

#define AT_ONCE	20	/* asks under way */

static unsigned long allocations;

/* Counts, and goes on to libc's. */
void *
malloc(size_t n)
{
	static void *(*real)(size_t);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "malloc");
	allocations++;
	return real(n);
}

void *
realloc(void *p, size_t n)
{
	static void *(*real)(void *, size_t);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "realloc");
	allocations++;
	return real(p, n);
}

static double
cpu_us(void)
{
	struct rusage r;

	(void)getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void
print(const char *what, double us, unsigned long n, unsigned long allocs)
{
	printf("%-10s %8.2f us CPU  %6.1f allocations  each\n", what,
	    us / (double)n, (double)allocs / (double)n);
}

/* --- the service --- */

static struct loop *loop;
static struct io listener;

static void
readable_cb(struct stream *s, void *arg)
{
	struct buf *in = stream_in(s);
	char *end;

	(void)arg;
	while ((end = memmem(buf_data(in), buf_len(in), "\n\n", 2)) != NULL) {
		buf_consume(in, (size_t)(end + 2 - buf_data(in)));
		stream_str(s, "action=DUNNO\n\n");
	}
}

static void
ended_cb(struct stream *s, enum stream_end end, const char *text, void *arg)
{
	(void)end;
	(void)text;
	(void)arg;
	stream_free(&s);
}

static void
accept_cb(int fd, int what, void *arg)
{
	static const struct stream_cbs cbs = { readable_cb, NULL, NULL,
		ended_cb };
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	(void)arg;
	if (c != -1)
		(void)stream_new(loop, c, &cbs, NULL);
}

static void
service_start(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0 ||
	    listen(fd, 64) != 0) {
		perror(path);
		exit(1);
	}
	io_init(&listener, loop, fd, accept_cb, NULL);
	io_want(&listener, IO_READ);
}

/* --- who asks --- */

static struct policy *client;
static struct policy_spec *spec;
static struct gate_facts facts = {
	.where = "RCPT", .client_name = "mx.example.net",
	.client_ip = "192.0.2.7", .client_port = "40000",
	.server_ip = "198.51.100.2", .server_port = "25",
	.helo = "mx.example.net", .sender = { "someone@example.net", 19 },
	.recipient = { "kim@a.example", 13 }, .queue_id = "3kF9tQ01AA00",
	.esmtp = true, .message_us = 1764325123456789, .size = 12345,
	.tls_protocol = "TLSv1.3", .tls_cipher = "TLS_AES_256_GCM_SHA384",
	.tls_bits = 256,
};
static unsigned long to_ask, answered;

static void ask(void);

static void
answer_cb(const struct policy_answer *a, void *arg)
{
	(void)arg;
	if (a->failed)
		exit(1);
	answered++;
	if (to_ask > 0)
		ask();
	else if (answered % AT_ONCE == 0)
		loop_stop(loop);
}

static void
ask(void)
{
	struct buf request;

	to_ask--;
	buf_init(&request, POLICY_REQUEST_MAX);
	policy_facts_write(&facts, spec, &request);
	(void)policy_ask(client, spec, buf_span(&request), answer_cb, NULL);
	buf_fini(&request);
}

static void
bench_encode(unsigned long n)
{
	unsigned long i, before = allocations;
	double from = cpu_us();
	struct buf out;

	for (i = 0; i < n; i++) {
		buf_init(&out, POLICY_REQUEST_MAX);
		policy_facts_write(&facts, spec, &out);
		buf_fini(&out);
	}
	print("make", cpu_us() - from, n, allocations - before);
}

static void
bench_ask(unsigned long n)
{
	unsigned long before;
	double from;
	int i;

	to_ask = n;
	answered = 0;
	before = allocations;
	from = cpu_us();
	for (i = 0; i < AT_ONCE; i++)
		ask();
	loop_run(loop);
	print("ask", cpu_us() - from, n, allocations - before);
}

int
main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
	struct work_pool *names;
	struct buf complaints;
	struct conf *conf;
	char path[64], word[80];
	struct err err;

	n = MAX(n / AT_ONCE, 1) * AT_ONCE;
	(void)snprintf(path, sizeof(path), "/tmp/policybench.%d", getpid());
	(void)snprintf(word, sizeof(word), "unix:%s", path);
	buf_init(&complaints, 4096);
	conf = conf_parse("bench", SPAN_NONE, &complaints);
	loop = loop_new();
	names = work_pool_new(loop, 1);
	client = policy_new(loop, names);
	spec = policy_spec_new(span_str(word), conf, &err);
	service_start(path);
	bench_encode(n);
	bench_ask(AT_ONCE);		/* opens the connections */
	bench_ask(n);
	(void)unlink(path);
	policy_free(&client);
	return 0;
}
