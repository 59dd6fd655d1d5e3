/*
 * smtpload: SMTP load on one server from one thread, for benchmarks and the
 * crash storm. Every message has a number of its own in a header, is offered
 * once and never again, and is noted in a file when it got its 250, so that
 * what arrived can be accounted for.
 *
 * Figures go to standard output as NAME=VALUE words. See usage().
 */
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_MAX	4096
#define RCPTS_MAX	200
#define IN_BYTES	4096
#define RETRY_S		0.02	/* before a refused connection is retried */

enum state { IDLE, BANNER, HELO, MAIL, RCPT, DATA, BODY, QUIT };

struct session {
	int fd;			/* -1: closed */
	enum state state;
	long number;		/* of the message in hand; -1: none */
	int rcpt, accepted_rcpts;
	double began, retry_at;
	char *out;		/* one message at most */
	size_t out_len, out_at;
	char in[IN_BYTES];
	size_t in_len;
};

static struct {
	int sessions, rcpts, domains;
	long messages, users, size, first;
	bool kept, pipelined, persistent;
	double seconds, patience;
	const char *sender, *accepted_file, *watch_dir;
	struct sockaddr_in server;
} opt = { .sessions = 20, .rcpts = 1, .domains = 50, .messages = 1000,
    .users = 1000, .size = 4096, .patience = 300,
    .sender = "s%ld@sender.test" };

static struct {
	long started, finished, accepted, refused, broken, connections;
	long arrived;
	double *latency;
	char last_refusal[160];
} did;

static int ep, notify = -1, accepted_fd = -1;
static volatile sig_atomic_t told_to_stop;	/* how often */
static char *body;
static size_t body_len;

static void
usage(void)
{
	fputs("usage: smtpload [options] ADDRESS:PORT\n"
	    "  -s N     sessions at a time (20)\n"
	    "  -m N     messages in all (1000)\n"
	    "  -t S     stop offering after S seconds\n"
	    "  -l N     bytes of a message (4096)\n"
	    "  -r N     recipients of a message (1)\n"
	    "  -d       keep connections for many messages\n"
	    "  -p       pipeline MAIL, RCPT and DATA\n"
	    "  -k       go on when connections break or are refused\n"
	    "  -U N     mailboxes: u1@d1.test ... (1000)\n"
	    "  -D N     domains of them; uK is in d((K-1) mod N + 1) (50)\n"
	    "  -f FMT   sender; %ld is the message number\n"
	    "  -n N     number of the first message (0)\n"
	    "  -a FILE  append the numbers that got 250, a line each\n"
	    "  -w DIR   watch all directories `new' below DIR until all came\n"
	    "  -T S     give up after S seconds in all (300)\n", stderr);
	exit(64);
}

static void
die(const char *what)
{
	fprintf(stderr, "smtpload: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- what is sent --- */

/* Recipients of one message follow each other in a fixed walk over all
 * mailboxes (37 shares no factor with the usual counts): none is double. */
static void
recipient_put(char *to, size_t n, long number, int i)
{
	long k = (number * opt.rcpts + i) % opt.users * 37 % opt.users;

	snprintf(to, n, "RCPT TO:<u%ld@d%ld.test>\r\n", k + 1,
	    k % opt.domains + 1);
}

static void
body_make(void)
{
	size_t i, column = 0, want = (size_t)opt.size;
	int head;

	body = malloc(want + 512);
	if (body == NULL)
		die("malloc");
	head = snprintf(body, 512, "From: Load <s@sender.test>\r\n"
	    "To: <list@d1.test>\r\nSubject: load\r\n"
	    "Date: Thu, 20 Nov 2025 09:00:00 +0000\r\n\r\n");
	body_len = (size_t)head;
	for (i = 0; body_len + 80 < want; i++) {
		if (column == 76) {
			memcpy(body + body_len, "\r\n", 2);
			body_len += 2;
			column = 0;
		}
		body[body_len++] = "abcdefghijklmnopqrstuvwxyz012345"
		    [(i * 7 + i / 78) % 32];
		column++;
	}
	memcpy(body + body_len, "\r\n.\r\n", 5);
	body_len += 5;
}

static void
want_events(struct session *s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev) == -1)
		die("epoll_ctl");
}

static void
session_flush(struct session *s)
{
	ssize_t n;

	while (s->out_at < s->out_len) {
		n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN) {
			want_events(s, EPOLLIN | EPOLLOUT);
			return;
		}
		if (n == -1)
			return;		/* reading will tell */
		s->out_at += (size_t)n;
	}
	if (s->out_len > 0) {
		s->out_len = s->out_at = 0;
		want_events(s, EPOLLIN);
	}
}

static void
put(struct session *s, const char *text, size_t n)
{
	memcpy(s->out + s->out_len, text, n);
	s->out_len += n;
}

static void
put_text(struct session *s, const char *text)
{
	put(s, text, strlen(text));
}

static void
put_recipient(struct session *s)
{
	char line[200];

	recipient_put(line, sizeof(line), s->number, s->rcpt);
	put_text(s, line);
}

static void
session_close(struct session *s)
{
	close(s->fd);
	s->fd = -1;
	s->state = IDLE;
}

static bool
may_start(void)
{
	return !told_to_stop && did.started < opt.messages;
}

static void
message_start(struct session *s)
{
	char line[300], sender[200];

	s->number = opt.first + did.started++;
	s->began = now();
	s->rcpt = s->accepted_rcpts = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(sender, sizeof(sender), opt.sender, s->number);
#pragma GCC diagnostic pop
	snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\n", sender);
	put_text(s, line);
	s->state = MAIL;
	if (opt.pipelined) {
		for (s->rcpt = 0; s->rcpt < opt.rcpts; s->rcpt++)
			put_recipient(s);
		put_text(s, "DATA\r\n");
		s->rcpt = 0;
	}
}

static void
message_end(struct session *s, bool good, const char *line)
{
	char text[32];
	int n;

	did.finished++;
	if (good) {
		did.latency[did.accepted++] = now() - s->began;
		n = snprintf(text, sizeof(text), "%ld\n", s->number);
		if (accepted_fd >= 0 && write(accepted_fd, text, (size_t)n) !=
		    n)
			die(opt.accepted_file);
	} else {
		did.refused++;
		snprintf(did.last_refusal, sizeof(did.last_refusal), "%.150s",
		    line);
	}
	s->number = -1;
	if (opt.kept && may_start())
		message_start(s);
	else {
		put_text(s, "QUIT\r\n");
		s->state = QUIT;
	}
}

/* --- what comes back --- */

static void
helo_done(struct session *s)
{
	if (may_start())
		message_start(s);
	else {
		put_text(s, "QUIT\r\n");
		s->state = QUIT;
	}
}

static void
rcpt_done(struct session *s, int code, const char *line)
{
	s->accepted_rcpts += code / 100 == 2;
	if (code / 100 != 2)
		snprintf(did.last_refusal, sizeof(did.last_refusal), "%.150s",
		    line);
	if (++s->rcpt < opt.rcpts) {
		if (!opt.pipelined)
			put_recipient(s);
		return;
	}
	/* Pipelined DATA is out already and will be answered by itself. */
	if (s->accepted_rcpts == 0 && !opt.pipelined) {
		message_end(s, false, line);
		return;
	}
	if (!opt.pipelined)
		put_text(s, "DATA\r\n");
	s->state = DATA;
}

static void
data_go(struct session *s)
{
	char line[64];

	snprintf(line, sizeof(line), "X-Load-Number: %ld\r\n", s->number);
	put_text(s, line);
	put(s, body, body_len);
	s->state = BODY;
}

static void
reply(struct session *s, int code, const char *line)
{
	switch (s->state) {
	case BANNER:
		if (code == 220) {
			put_text(s, "EHLO load.test\r\n");
			s->state = HELO;
		} else
			s->state = QUIT;	/* 421: it closes */
		break;
	case HELO:
		helo_done(s);
		break;
	case MAIL:
		if (code == 250) {
			s->state = RCPT;
			if (!opt.pipelined)
				put_recipient(s);
		} else
			message_end(s, false, line);
		break;
	case RCPT:
		rcpt_done(s, code, line);
		break;
	case DATA:
		if (code == 354)
			data_go(s);
		else
			message_end(s, false, line);
		break;
	case BODY:
		message_end(s, code == 250, line);
		break;
	case IDLE:
	case QUIT:
		break;
	}
}

/*
 * Linux drops the last packet of a handshake without a word when the listening
 * socket closes at that moment: the client is connected to nobody and waits
 * for a greeting that no process owes it. A probe finds that out (the answer
 * is a reset); a server that holds the connection and is silent answers
 * probes, and is found by who waits for us.
 */
static void
probe_idle(int fd)
{
	int on = 1, idle = 5, every = 1, count = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

static void
session_open(struct session *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		die("socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (opt.persistent)
		probe_idle(s->fd);
	s->state = BANNER;
	s->number = -1;
	s->began = now();
	s->in_len = s->out_len = s->out_at = 0;
	did.connections++;
	if (connect(s->fd, (const struct sockaddr *)&opt.server,
	    sizeof(opt.server)) == -1 && errno != EINPROGRESS) {
		if (!opt.persistent)
			die("connect");
		session_close(s);
		s->retry_at = now() + RETRY_S;
		return;
	}
	if (epoll_ctl(ep, EPOLL_CTL_ADD, s->fd, &ev) == -1)
		die("epoll_ctl");
}

/* The connection ended, wanted or not. */
static void
session_ended(struct session *s)
{
	bool early = s->state != QUIT;

	if (s->number >= 0) {
		did.finished++;
		did.broken++;
	} else if (early)
		did.broken++;
	s->number = -1;
	session_close(s);
	if (early && !opt.persistent) {
		fprintf(stderr, "smtpload: the server closed a session\n");
		exit(1);
	}
	if (!may_start())
		return;
	if (early)
		s->retry_at = now() + RETRY_S;
	else
		session_open(s);
}

static void
lines_run(struct session *s)
{
	char *p = s->in, *end;
	size_t left = s->in_len;

	while (s->fd >= 0 && (end = memchr(p, '\n', left)) != NULL) {
		*end = '\0';
		if (end - p >= 3 && p[3] != '-')
			reply(s, (int)strtol(p, NULL, 10), p);
		left -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	memmove(s->in, p, left);
	s->in_len = left == IN_BYTES - 1 ? 0 : left;
}

static void
session_readable(struct session *s)
{
	ssize_t n;

	n = recv(s->fd, s->in + s->in_len, IN_BYTES - 1 - s->in_len, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		session_ended(s);
		return;
	}
	s->in_len += (size_t)n;
	lines_run(s);
	if (s->fd >= 0)
		session_flush(s);
}

/* --- what arrives --- */

static void
watch_below(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(dir);

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || e->d_type != DT_DIR)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >=
		    (int)sizeof(path))
			continue;
		if (strcmp(e->d_name, "new") == 0) {
			if (inotify_add_watch(notify, path, IN_CREATE |
			    IN_MOVED_TO) == -1)
				die("inotify_add_watch (fs.inotify."
				    "max_user_watches?)");
		} else if (strcmp(e->d_name, "cur") != 0 &&
		    strcmp(e->d_name, "tmp") != 0)
			watch_below(path);
	}
	closedir(d);
}

static void
watch_start(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &notify };

	notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (notify == -1)
		die("inotify_init1");
	watch_below(opt.watch_dir);
	if (epoll_ctl(ep, EPOLL_CTL_ADD, notify, &ev) == -1)
		die("epoll_ctl");
}

static void
watch_drain(void)
{
	static union {
		struct inotify_event align;
		char mem[65536];
	} b;
	const struct inotify_event *e;
	ssize_t n;
	char *p;

	while ((n = read(notify, b.mem, sizeof(b.mem))) > 0)
		for (p = b.mem; p < b.mem + n; p += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(void *)p;
			if (e->mask & IN_Q_OVERFLOW) {
				fprintf(stderr, "smtpload: watch overflow "
				    "(fs.inotify.max_queued_events)\n");
				exit(1);
			}
			did.arrived++;
		}
}

/* --- the run --- */

static struct session *sessions;

/* Opens what waited to be tried again; the number of open sessions. */
static int
sessions_revive(double t)
{
	int i, open = 0;

	for (i = 0; i < opt.sessions; i++) {
		struct session *s = &sessions[i];

		if (s->fd == -1 && opt.persistent && may_start() &&
		    t >= s->retry_at)
			session_open(s);
		open += s->fd != -1;
	}
	return open;
}

static void
events_run(void)
{
	struct epoll_event ev[256];
	int i, n;

	n = epoll_wait(ep, ev, 256, 20);
	for (i = 0; i < n; i++) {
		struct session *s = ev[i].data.ptr;

		if (ev[i].data.ptr == &notify) {
			watch_drain();
			continue;
		}
		if (s->fd >= 0 && (ev[i].events & EPOLLOUT))
			session_flush(s);
		if (s->fd >= 0 && (ev[i].events & ~(uint32_t)EPOLLOUT))
			session_readable(s);
	}
}

static int
by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double
percentile(double p)
{
	if (did.accepted == 0)
		return 0;
	return did.latency[(long)(p * (double)(did.accepted - 1) + 0.5)] *
	    1e3;
}

static void
print_figures(double accepted_s, double complete_s)
{
	struct rusage ru;

	qsort(did.latency, (size_t)did.accepted, sizeof(double), by_size);
	getrusage(RUSAGE_SELF, &ru);
	printf("offered=%ld accepted=%ld refused=%ld broken=%ld "
	    "connections=%ld accept_s=%.3f accept_rate=%.1f p50_ms=%.2f "
	    "p99_ms=%.2f max_ms=%.2f client_cpu_s=%.3f", did.started,
	    did.accepted, did.refused, did.broken, did.connections,
	    accepted_s, (double)did.accepted / accepted_s, percentile(0.5),
	    percentile(0.99), percentile(1), (double)(ru.ru_utime.tv_sec +
	    ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec +
	    ru.ru_stime.tv_usec) / 1e6);
	if (opt.watch_dir != NULL)
		printf(" arrived=%ld complete_s=%.3f complete_rate=%.1f",
		    did.arrived, complete_s, complete_s > 0 ?
		    (double)did.arrived / opt.rcpts / complete_s : 0.0);
	printf("\n");
	if (did.last_refusal[0] != '\0')
		fprintf(stderr, "smtpload: last refusal: %s\n",
		    did.last_refusal);
}

/* Told a second time to stop: who still waits for the server, and for what. */
static void
sessions_print(void)
{
	static const char *const awaited[] = { "nothing", "greeting", "EHLO",
	    "MAIL", "RCPT", "DATA", "end of the message", "QUIT" };
	struct sockaddr_in a;
	socklen_t n;
	int i;

	for (i = 0; i < opt.sessions; i++) {
		const struct session *s = &sessions[i];

		if (s->fd == -1)
			continue;
		n = sizeof(a);
		memset(&a, 0, sizeof(a));
		getsockname(s->fd, (struct sockaddr *)&a, &n);
		fprintf(stderr, "smtpload: port %d waits for the reply to %s, "
		    "message %ld, for %.1f s, %zu bytes not taken, %zu "
		    "bytes of a reply\n", ntohs(a.sin_port),
		    awaited[s->state], s->number, now() - s->began,
		    s->out_len - s->out_at, s->in_len);
	}
}

static int
run(void)
{
	double t0 = now(), t, accepted_s = 0, complete_s = 0;
	bool all_offered, all_came;
	int i, open;

	for (i = 0; i < opt.sessions; i++)
		session_open(&sessions[i]);
	for (;;) {
		events_run();
		t = now();
		if (opt.seconds > 0 && t - t0 >= opt.seconds)
			told_to_stop = 1;
		open = sessions_revive(t);
		all_offered = !may_start() && did.finished >= did.started;
		if (all_offered && accepted_s == 0)
			accepted_s = t - t0;
		all_came = opt.watch_dir == NULL ||
		    did.arrived >= did.accepted * opt.rcpts;
		if (all_offered && all_came && complete_s == 0)
			complete_s = t - t0;
		if (all_offered && all_came && open == 0)
			break;
		if (t - t0 > opt.patience || told_to_stop > 1) {
			fprintf(stderr, "smtpload: gave up\n");
			sessions_print();
			break;
		}
	}
	print_figures(accepted_s > 0 ? accepted_s : now() - t0, complete_s);
	return complete_s > 0 || opt.watch_dir == NULL ? 0 : 1;
}

static void
on_signal(int signo)
{
	(void)signo;
	told_to_stop++;
}

static long
number_arg(const char *s, long lo, long hi)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (*s == '\0' || *end != '\0' || n < lo || n > hi)
		usage();
	return n;
}

static void
server_arg(const char *arg)
{
	char host[64];
	const char *colon = strrchr(arg, ':');

	if (colon == NULL || (size_t)(colon - arg) >= sizeof(host))
		usage();
	memcpy(host, arg, (size_t)(colon - arg));
	host[colon - arg] = '\0';
	opt.server.sin_family = AF_INET;
	opt.server.sin_port = htons((uint16_t)number_arg(colon + 1, 1, 65535));
	if (inet_pton(AF_INET, host, &opt.server.sin_addr) != 1)
		usage();
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:m:t:l:r:dpkU:D:f:n:a:w:T:")) != -1)
		switch (c) {
		case 's':
			opt.sessions = (int)number_arg(optarg, 1,
			    SESSIONS_MAX);
			break;
		case 'm':
			opt.messages = number_arg(optarg, 1, 100000000);
			break;
		case 't': opt.seconds = strtod(optarg, NULL); break;
		case 'l':
			opt.size = number_arg(optarg, 400, 64L << 20);
			break;
		case 'r':
			opt.rcpts = (int)number_arg(optarg, 1, RCPTS_MAX);
			break;
		case 'd': opt.kept = true; break;
		case 'p': opt.pipelined = true; break;
		case 'k': opt.persistent = true; break;
		case 'U': opt.users = number_arg(optarg, 1, 10000000); break;
		case 'D':
			opt.domains = (int)number_arg(optarg, 1, 1000000);
			break;
		case 'f': opt.sender = optarg; break;
		case 'n': opt.first = number_arg(optarg, 0, LONG_MAX); break;
		case 'a': opt.accepted_file = optarg; break;
		case 'w': opt.watch_dir = optarg; break;
		case 'T': opt.patience = strtod(optarg, NULL); break;
		default: usage();
		}
	if (optind != argc - 1 || opt.rcpts > opt.users)
		usage();
	server_arg(argv[optind]);
	if (opt.sessions > opt.messages)
		opt.sessions = (int)opt.messages;
}

int
main(int argc, char **argv)
{
	int i;

	options(argc, argv);
	/* A storm that was ended from outside must not leave its load. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	body_make();
	sessions = calloc((size_t)opt.sessions, sizeof(*sessions));
	did.latency = malloc(sizeof(double) * (size_t)opt.messages);
	if (sessions == NULL || did.latency == NULL)
		die("malloc");
	for (i = 0; i < opt.sessions; i++) {
		sessions[i].fd = -1;
		sessions[i].out = malloc(body_len + 8192 +
		    (size_t)opt.rcpts * 128);
		if (sessions[i].out == NULL)
			die("malloc");
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	if (ep == -1)
		die("epoll_create1");
	if (opt.accepted_file != NULL) {
		accepted_fd = open(opt.accepted_file, O_WRONLY | O_CREAT |
		    O_APPEND | O_CLOEXEC, 0644);
		if (accepted_fd == -1)
			die(opt.accepted_file);
	}
	if (opt.watch_dir != NULL)
		watch_start();
	return run();
}
