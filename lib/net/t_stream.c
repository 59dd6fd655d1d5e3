/*
 * Streams over a socket pair: a server end that echoes lines and a client end
 * that is a second stream or bare system calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/conf.h"
#include "base/testloop.h"
#include "base/xmalloc.h"
#include "net/certs.h"
#include "net/stream.h"
#include "net/testcert.h"
#include "net/tls.h"

struct end {
	struct stream *s;
	struct buf got;		/* all that was consumed */
	unsigned reads, drains, secured, ends;
	enum stream_end why;
	char text[128];
	bool echo;		/* answer each line with "ok LINE" */
	bool park;		/* pause at each line */
	bool hold;		/* consume nothing */
	bool free_in_read, finish_at_quit, quit_is_last;
};

static struct loop *loop;

static void
end_readable(struct stream *s, void *arg)
{
	struct end *e = arg;
	struct buf *in = stream_in(s);
	ptrdiff_t nl;

	e->reads++;
	if (e->free_in_read) {
		stream_free(&e->s);
		return;
	}
	while (!e->hold && (nl = span_chr(buf_span(in), '\n')) != -1) {
		struct span line = span_sub(buf_span(in), 0, (size_t)nl + 1);
		bool quit = span_is(span_trim(line), "quit");

		buf_span_add(&e->got, line);
		if (e->echo)
			stream_fmt(s, "ok %.*s", SPAN_ARG(line));
		buf_consume(in, (size_t)nl + 1);
		if (quit && e->finish_at_quit) {
			if (e->quit_is_last)
				stream_peer_done(s);
			stream_finish(&e->s, 60000);
			return;
		}
		if (e->park) {
			stream_pause(s);
			return;
		}
	}
}

static void
end_drained(struct stream *s, void *arg)
{
	(void)s;
	((struct end *)arg)->drains++;
}

static void
end_secured(struct stream *s, void *arg)
{
	assert_true(stream_is_tls(s));
	((struct end *)arg)->secured++;
}

static void
end_ended(struct stream *s, enum stream_end why, const char *text, void *arg)
{
	struct end *e = arg;

	(void)s;
	e->ends++;
	e->why = why;
	(void)snprintf(e->text, sizeof(e->text), "%s", text);
}

static const struct stream_cbs end_cbs = {
	end_readable, end_drained, end_secured, end_ended
};

static void
end_init(struct end *e, int fd)
{
	*e = (struct end){ 0 };
	buf_init(&e->got, BUF_NO_CAP);
	if (fd != -1)
		e->s = stream_new(loop, fd, &end_cbs, e);
}

static void
end_fini(struct end *e)
{
	stream_free(&e->s);
	buf_fini(&e->got);
}

/* Lets the loop run for ms. */
static void
run_ms(unsigned ms)
{
	testloop_ms(loop, ms);
}

/* Runs until *flag is at least n, 60 s at most. */
static void
run_until(const unsigned *flag, unsigned n)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (*flag < n && clock_mono_ms() < end)
		run_ms(1);
	assert_true(*flag >= n);
}

static void
run_until_got(const struct end *e, size_t n)
{
	uint64_t end = clock_mono_ms() + 60000;

	while (buf_len(&e->got) < n && clock_mono_ms() < end)
		run_ms(1);
	assert_true(buf_len(&e->got) >= n);
}

static void
pair_make(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
}

/* Over TCP, where a close with unread input resets the connection. */
static void
tcp_pair_make(int fd[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(l, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(l, 1), 0);
	stream_listen(l, 8192);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &n), 0);
	fd[1] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd[1], (struct sockaddr *)&a, n), 0);
	fd[0] = accept(l, NULL, NULL);
	assert_true(fd[0] >= 0);
	close(l);
}

static void
assert_got(const struct end *e, const char *want)
{
	assert_int_equal(buf_len(&e->got), strlen(want));
	assert_memory_equal(buf_data(&e->got), want, strlen(want));
}

static ssize_t
read_all(int fd, char *p, size_t n)
{
	ssize_t r, sum = 0;

	while ((size_t)sum < n && (r = recv(fd, p + sum, n - (size_t)sum,
	    MSG_DONTWAIT)) > 0)
		sum += r;
	return sum;
}

/* --- plain --- */

static void
test_lines_whole_and_byte_by_byte(void **state)
{
	static const char text[] = "one\r\ntwo\r\n\r\nfour\r\n";
	static const char want[] =
	    "ok one\r\nok two\r\nok \r\nok four\r\n";

	(void)state;
	for (size_t step = 1; step <= sizeof(text); step += sizeof(text) - 1) {
		struct end e;
		char out[64];
		int fd[2];

		pair_make(fd);
		end_init(&e, fd[0]);
		e.echo = true;
		for (size_t i = 0; i < sizeof(text) - 1; i += step) {
			size_t n = MIN(step, sizeof(text) - 1 - i);

			assert_int_equal(write(fd[1], text + i, n), n);
			run_ms(1);
		}
		assert_got(&e, text);
		assert_int_equal(read_all(fd[1], out, sizeof(out)),
		    sizeof(want) - 1);
		assert_memory_equal(out, want, sizeof(want) - 1);
		end_fini(&e);
		close(fd[1]);
	}
}

/* Replies of one turn leave in one send: a SEQPACKET keeps the borders. */
static void
test_replies_are_corked(void **state)
{
	struct end e;
	char out[256];
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	end_init(&e, fd[0]);
	e.echo = true;
	assert_int_equal(write(fd[1], "a\nb\nc\n", 6), 6);
	run_ms(5);
	assert_int_equal(recv(fd[1], out, sizeof(out), MSG_DONTWAIT), 15);
	end_fini(&e);
	close(fd[1]);
}

static void
test_input_before_eof_is_offered_first(void **state)
{
	struct end e;
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&e, fd[0]);
	e.park = true;
	assert_int_equal(write(fd[1], "one\ntwo\nrest", 12), 12);
	close(fd[1]);
	run_ms(5);
	assert_got(&e, "one\n");
	assert_int_equal(e.ends, 0);	/* parked: the end waits */
	stream_resume(e.s);
	run_ms(5);
	assert_got(&e, "one\ntwo\n");
	assert_int_equal(e.ends, 0);
	stream_resume(e.s);
	run_until(&e.ends, 1);
	assert_int_equal(e.why, STREAM_EOF);
	assert_int_equal(buf_len(stream_in(e.s)), 4);
	run_ms(5);
	assert_int_equal(e.ends, 1);
	end_fini(&e);
}

static void
test_reading_stops_at_the_limit(void **state)
{
	static char flood[200000];
	struct end e;
	int fd[2];

	(void)state;
	memset(flood, 'x', sizeof(flood));
	pair_make(fd);
	end_init(&e, fd[0]);
	e.hold = true;
	stream_in_limit(e.s, 5000);
	assert_true(send(fd[1], flood, sizeof(flood), MSG_DONTWAIT) > 10000);
	run_ms(20);
	assert_int_equal(buf_len(stream_in(e.s)), 5000);
	stream_in_limit(e.s, 6000);
	run_ms(20);
	assert_int_equal(buf_len(stream_in(e.s)), 6000);
	end_fini(&e);
	close(fd[1]);
}

static void
test_back_pressure(void **state)
{
	struct end e;
	static char piece[10000], sink[100000];
	size_t put = 0, got = 0;
	ssize_t n;
	int fd[2];

	(void)state;
	memset(piece, 'y', sizeof(piece));
	pair_make(fd);
	end_init(&e, fd[0]);
	for (; !stream_full(e.s); put += sizeof(piece)) {
		stream_write(e.s, span_of(piece, sizeof(piece)));
		run_ms(1);
	}
	assert_true(stream_queued(e.s) > STREAM_OUT_HIGH);
	assert_int_equal(e.drains, 0);
	while (got < put) {
		if ((n = recv(fd[1], sink, sizeof(sink), MSG_DONTWAIT)) > 0)
			got += (size_t)n;
		else
			run_ms(1);
	}
	run_ms(1);
	assert_int_equal(e.drains, 1);
	assert_int_equal(stream_queued(e.s), 0);
	end_fini(&e);
	close(fd[1]);
}

static unsigned released;

static void
release_cb(void *arg)
{
	(void)arg;
	released++;
}

static void
test_lent_bytes_keep_order_and_are_released_once(void **state)
{
	static char big[300000], got[400000];
	struct end e;
	size_t sum = 0;
	int fd[2];

	(void)state;
	memset(big, 'z', sizeof(big));
	pair_make(fd);
	end_init(&e, fd[0]);
	released = 0;
	stream_str(e.s, "head ");
	stream_write_ref(e.s, span_of(big, sizeof(big)), release_cb, NULL);
	stream_str(e.s, " tail");
	stream_write_take(e.s, xstrdup(" own"), 4);
	stream_write_ref(e.s, SPAN_NONE, release_cb, NULL);
	assert_int_equal(released, 1);
	while (sum < sizeof(big) + 14) {
		run_ms(1);
		sum += (size_t)read_all(fd[1], got + sum, sizeof(got) - sum);
	}
	assert_int_equal(released, 2);
	assert_memory_equal(got, "head zz", 7);
	assert_memory_equal(got + 5 + sizeof(big), " tail own", 9);
	stream_write_ref(e.s, span_of(big, sizeof(big)), release_cb, NULL);
	run_ms(1);
	end_fini(&e);
	assert_int_equal(released, 3);
	close(fd[1]);
}

static void
test_free_inside_a_callback(void **state)
{
	struct end e;
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&e, fd[0]);
	e.free_in_read = true;
	assert_int_equal(write(fd[1], "x\n", 2), 2);
	run_until(&e.reads, 1);
	assert_null(e.s);
	assert_int_equal(e.ends, 0);
	end_fini(&e);
	close(fd[1]);
}

static void
test_write_to_a_gone_peer_ends_even_when_parked(void **state)
{
	struct end e;
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&e, fd[0]);
	stream_pause(e.s);
	close(fd[1]);
	stream_str(e.s, "anybody?\r\n");
	run_until(&e.ends, 1);
	assert_int_equal(e.why, STREAM_ERROR);
	stream_str(e.s, "dropped");
	assert_int_equal(stream_queued(e.s), 0);
	run_ms(2);
	assert_int_equal(e.ends, 1);
	end_fini(&e);
}

static void
test_finish_sends_all_and_waits_for_the_peer(void **state)
{
	struct end e;
	char out[64];
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&e, fd[0]);
	e.echo = e.finish_at_quit = true;
	assert_int_equal(write(fd[1], "quit\nmore that nobody reads\n", 28),
	    28);
	run_ms(5);
	assert_null(e.s);
	assert_int_equal(stream_finishing(), 1);
	assert_int_equal(read_all(fd[1], out, sizeof(out)), 8);
	assert_memory_equal(out, "ok quit\n", 8);
	assert_int_equal(write(fd[1], "late", 4), 4);	/* no EPIPE */
	run_ms(2);
	assert_int_equal(stream_finishing(), 1);
	close(fd[1]);
	run_ms(5);
	assert_int_equal(stream_finishing(), 0);
	assert_int_equal(e.ends, 0);
	end_fini(&e);
}

/* Closed at once after QUIT, but not over bytes that nobody read: closing
 * would reset the connection and could eat the last reply. */
static void
test_finish_after_the_peers_last_word(void **state)
{
	static const struct {
		const char *sent;
		size_t in_limit;	/* what is read of it at a time */
		size_t finishing;
	} t[] = {
		{ "quit\n", STREAM_IN_LIMIT, 0 },
		{ "quit\nmore that was read\n", STREAM_IN_LIMIT, 0 },
		{ "quit\nmore that was not\n", 5, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct end e;
		char out[64];
		int fd[2];

		tcp_pair_make(fd);
		end_init(&e, fd[0]);
		e.echo = e.finish_at_quit = e.quit_is_last = true;
		stream_in_limit(e.s, t[i].in_limit);
		assert_int_equal(write(fd[1], t[i].sent, strlen(t[i].sent)),
		    strlen(t[i].sent));
		run_ms(5);
		assert_null(e.s);
		assert_int_equal(stream_finishing(), t[i].finishing);
		assert_int_equal(read_all(fd[1], out, sizeof(out)), 8);
		assert_memory_equal(out, "ok quit\n", 8);
		assert_int_equal(read(fd[1], out, sizeof(out)), 0);
		close(fd[1]);
		run_ms(5);
		assert_int_equal(stream_finishing(), 0);
		end_fini(&e);
	}
}

static void
test_connections_begin_as_their_listener_says(void **state)
{
	int fd[2], bytes, delay_off;
	socklen_t n = sizeof(int);

	(void)state;
	tcp_pair_make(fd);
	assert_int_equal(getsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY,
	    &delay_off, &n), 0);
	assert_true(delay_off);
	assert_int_equal(getsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &bytes, &n),
	    0);
	assert_int_equal(bytes, 2 * 8192);	/* as socket(7) says */
	close(fd[0]);
	close(fd[1]);
}

static void
test_finish_gives_up_at_its_limit(void **state)
{
	struct end e, patient;
	int fd[2], other[2];

	(void)state;
	pair_make(fd);
	pair_make(other);
	end_init(&e, fd[0]);
	end_init(&patient, other[0]);
	stream_finish(&e.s, 50);
	stream_finish(&patient.s, 300000);
	for (int i = 0; i < 500 && stream_finishing() > 1; i++)
		run_ms(10);
	run_ms(10);
	assert_int_equal(stream_finishing(), 1);
	close(other[1]);
	run_ms(5);
	assert_int_equal(stream_finishing(), 0);
	end_fini(&e);
	end_fini(&patient);
	close(fd[1]);
}

static void
test_idle_stream_is_small(void **state)
{
	enum { N = 200 };
	static struct end e[N];
	static int fd[N][2];
	size_t before;

	(void)state;
	for (int i = 0; i < N; i++)
		pair_make(fd[i]);
	run_ms(1);
	before = mallinfo2().uordblks;
	for (int i = 0; i < N; i++) {
		end_init(&e[i], fd[i][0]);
		e[i].echo = true;
		assert_int_equal(write(fd[i][1], "hello\n", 6), 6);
	}
	run_ms(20);
	for (int i = 0; i < N; i++) {
		assert_int_equal(buf_len(&e[i].got), 6);
		buf_fini(&e[i].got);
	}
	assert_true((mallinfo2().uordblks - before) / N <= 1024);
	for (int i = 0; i < N; i++) {
		end_fini(&e[i]);
		close(fd[i][1]);
	}
}

/* --- TLS --- */

static struct certs *certs;
static SSL_CTX *client_ctx;

static int
tls_setup(void **state)
{
	struct buf pem, why;
	struct conf *conf;

	(void)state;
	loop = loop_new();
	buf_init(&why, 4096);
	buf_init(&pem, 65536);
	conf = conf_parse("test", SPAN_NONE, &why);
	assert_non_null(conf);
	certs = certs_new(conf);
	testcert_make("mail.example", 0, &pem);
	assert_int_equal(certs_file(certs, "tls/default", buf_span(&pem),
	    NULL), 0);
	client_ctx = tls_ctx_new(false);
	conf_unref(&conf);
	buf_fini(&pem);
	buf_fini(&why);
	return 0;
}

static int
tls_teardown(void **state)
{
	(void)state;
	certs_unref(&certs);
	SSL_CTX_free(client_ctx);
	loop_free(&loop);
	return 0;
}

/* Two streams with a finished handshake of the version. */
static void
tls_pair(struct end *server, struct end *client, int version)
{
	int fd[2];

	pair_make(fd);
	end_init(server, fd[0]);
	end_init(client, fd[1]);
	SSL_CTX_set_max_proto_version(client_ctx, version);
	assert_int_equal(stream_tls_accept(server->s, certs), 0);
	assert_int_equal(stream_tls_connect(client->s, client_ctx,
	    "mail.example"), 0);
	run_until(&server->secured, 1);
	run_until(&client->secured, 1);
}

static void
test_tls_echo(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(versions); v++) {
		struct end server, client;
		struct stream_tls info;

		tls_pair(&server, &client, versions[v]);
		server.echo = true;
		stream_str(client.s, "one\r\ntwo\r\n");
		run_until_got(&client, 16);
		assert_got(&client, "ok one\r\nok two\r\n");
		assert_true(stream_tls_info(server.s, &info));
		assert_string_equal(info.protocol,
		    v == 0 ? "TLSv1.3" : "TLSv1.2");
		assert_string_equal(info.sni, "mail.example");
		assert_true(info.bits >= 128);
		stream_finish(&client.s, 60000);
		run_until(&server.ends, 1);
		assert_int_equal(server.why, STREAM_EOF);
		end_fini(&server);
		run_ms(5);
		assert_int_equal(stream_finishing(), 0);
		end_fini(&client);
	}
}

static void
test_tls_both_ends_agree_on_the_binding(void **state)
{
	static const struct { int version; const char *type; } t[] = {
		{ TLS1_3_VERSION, "tls-exporter" },
		{ TLS1_2_VERSION, "tls-unique" }
	};

	(void)state;
	for (size_t v = 0; v < ARRAY_LEN(t); v++) {
		struct end server, client;
		uint8_t a[STREAM_BINDING_MAX], b[STREAM_BINDING_MAX];
		const char *ta, *tb;
		size_t n;

		tls_pair(&server, &client, t[v].version);
		n = stream_binding(server.s, &ta, a);
		assert_true(n >= 12);
		assert_int_equal(stream_binding(client.s, &tb, b), n);
		assert_string_equal(ta, t[v].type);
		assert_string_equal(tb, t[v].type);
		assert_memory_equal(a, b, n);
		end_fini(&server);
		end_fini(&client);
	}
}

static void
test_tls_bulk_with_lent_bytes_and_small_limit(void **state)
{
	static char big[1000000];
	struct end server, client;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i % 61 == 60 ? '\n' : (char)('a' + i % 26);
	big[sizeof(big) - 1] = '\n';
	tls_pair(&server, &client, TLS1_3_VERSION);
	stream_in_limit(client.s, 700);	/* less than a record */
	released = 0;
	stream_str(server.s, "head\n");
	stream_write_ref(server.s, span_of(big, sizeof(big)), release_cb,
	    NULL);
	stream_str(server.s, "tail\n");
	run_until_got(&client, sizeof(big) + 10);
	assert_int_equal(released, 1);
	assert_memory_equal(buf_data(&client.got) + 5, big, sizeof(big));
	assert_memory_equal(buf_data(&client.got) + 5 + sizeof(big),
	    "tail\n", 5);
	end_fini(&server);
	end_fini(&client);
}

/* S3: what came in the clear before the handshake is gone. */
static void
test_starttls_drops_injected_plaintext(void **state)
{
	struct end server, client;
	char out[64];
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&server, fd[0]);
	server.hold = true;
	assert_int_equal(write(fd[1], "RSET\r\n", 6), 6);
	run_until(&server.reads, 1);
	stream_str(server.s, "220 ready\r\n");
	assert_int_equal(stream_tls_accept(server.s, certs), 6);
	stream_str(server.s, "secret\r\n");	/* not in the clear */
	server.hold = false;
	run_ms(2);
	assert_int_equal(read_all(fd[1], out, sizeof(out)), 11);
	assert_memory_equal(out, "220 ready\r\n", 11);
	end_init(&client, fd[1]);
	SSL_CTX_set_max_proto_version(client_ctx, TLS1_3_VERSION);
	(void)stream_tls_connect(client.s, client_ctx, NULL);
	run_until(&server.secured, 1);
	run_until(&client.secured, 1);
	stream_str(client.s, "EHLO x\r\n");
	run_until_got(&server, 8);
	assert_got(&server, "EHLO x\r\n");
	run_until_got(&client, 8);
	assert_got(&client, "secret\r\n");
	end_fini(&server);
	end_fini(&client);
}

static void
test_plain_bytes_instead_of_a_handshake(void **state)
{
	struct end server;
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&server, fd[0]);
	assert_int_equal(stream_tls_accept(server.s, certs), 0);
	assert_int_equal(write(fd[1], "EHLO not.tls\r\n", 14), 14);
	run_until(&server.ends, 1);
	assert_int_equal(server.why, STREAM_TLS_FAILED);
	assert_non_null(strstr(server.text, "SSL_accept error"));
	assert_int_equal(server.secured, 0);
	end_fini(&server);
	close(fd[1]);
}

static void
test_close_in_the_middle_of_a_handshake(void **state)
{
	struct end server;
	int fd[2];

	(void)state;
	pair_make(fd);
	end_init(&server, fd[0]);
	(void)stream_tls_accept(server.s, certs);
	run_ms(2);
	close(fd[1]);
	run_until(&server.ends, 1);
	assert_int_equal(server.why, STREAM_TLS_FAILED);
	end_fini(&server);
}

static void
pass_on(int fd, char c)
{
	while (send(fd, &c, 1, MSG_DONTWAIT) != 1)
		run_ms(1);
	run_ms(0);
}

static void
test_handshake_byte_by_byte(void **state)
{
	struct end server, client;
	int a[2], b[2];
	char c;

	(void)state;
	pair_make(a);
	pair_make(b);
	end_init(&server, a[0]);
	end_init(&client, b[0]);
	SSL_CTX_set_max_proto_version(client_ctx, TLS1_3_VERSION);
	(void)stream_tls_accept(server.s, certs);
	(void)stream_tls_connect(client.s, client_ctx, "mail.example");
	server.echo = true;
	stream_str(client.s, "");
	for (int quiet = 0; quiet < 5; quiet++) {
		run_ms(1);
		while (recv(b[1], &c, 1, MSG_DONTWAIT) == 1) {
			pass_on(a[1], c);
			quiet = 0;
		}
		while (recv(a[1], &c, 1, MSG_DONTWAIT) == 1) {
			pass_on(b[1], c);
			quiet = 0;
		}
		if (client.secured == 1 && buf_len(&server.got) == 0 &&
		    stream_queued(client.s) == 0)
			stream_str(client.s, "hi\n");
	}
	assert_int_equal(server.secured, 1);
	assert_true(buf_len(&client.got) >= 6);
	assert_memory_equal(buf_data(&client.got), "ok hi\n", 6);
	end_fini(&server);
	end_fini(&client);
	close(a[1]);
	close(b[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_whole_and_byte_by_byte),
		cmocka_unit_test(test_replies_are_corked),
		cmocka_unit_test(test_input_before_eof_is_offered_first),
		cmocka_unit_test(test_reading_stops_at_the_limit),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(
		    test_lent_bytes_keep_order_and_are_released_once),
		cmocka_unit_test(test_free_inside_a_callback),
		cmocka_unit_test(
		    test_write_to_a_gone_peer_ends_even_when_parked),
		cmocka_unit_test(test_finish_sends_all_and_waits_for_the_peer),
		cmocka_unit_test(test_finish_after_the_peers_last_word),
		cmocka_unit_test(test_connections_begin_as_their_listener_says),
		cmocka_unit_test(test_finish_gives_up_at_its_limit),
		cmocka_unit_test(test_idle_stream_is_small),
		cmocka_unit_test(test_tls_echo),
		cmocka_unit_test(test_tls_both_ends_agree_on_the_binding),
		cmocka_unit_test(
		    test_tls_bulk_with_lent_bytes_and_small_limit),
		cmocka_unit_test(test_starttls_drops_injected_plaintext),
		cmocka_unit_test(test_plain_bytes_instead_of_a_handshake),
		cmocka_unit_test(test_close_in_the_middle_of_a_handshake),
		cmocka_unit_test(test_handshake_byte_by_byte),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
