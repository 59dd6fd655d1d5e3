#include "smtpd/first_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "base/xmalloc.h"
#include "gate/dnsscore_ask.h"
#include "smtpd/keeper_ask.h"
#include "smtpd/verdict_count.h"

#define WAITER_MAGIC	0x77616974u
#define TALK_MAX	100	/* of what it said early, for the log */

struct waiter {
	uint32_t magic;
	TAILQ_ENTRY(waiter) link;
	struct server *srv;
	struct profile *prof;
	struct io io;
	struct timer timer;
	struct sockaddr_storage from, to;
	bool has_to;
	struct endpoint peer;
	struct pass_key key;
	uint64_t began_ms;
	bool seen;		/* before: OLD, not NEW */
	bool failed;		/* a test, whatever the action is */
	bool watched;		/* for early talk */
	bool vouched;		/* by lists: it need not show anything */
	uint8_t due;		/* early tests that are not over yet */
	uint8_t passed;
	uint8_t todo;		/* for the session */
	char *refusal;
	struct keeper_ask *ask;
	struct dnsscore_ask *score;
};

/* --- so many at a time --- */

static size_t
client_waiting(const struct first *f, const struct pass_key *key)
{
	return (size_t)(uintptr_t)map_get(f->per_client, pass_key_span(key));
}

static void
count(struct waiter *w, int by)
{
	struct first *f = w->srv->first;
	uintptr_t n = client_waiting(f, &w->key) + (uintptr_t)(intptr_t)by;

	if (n > 0)
		(void)map_put(f->per_client, pass_key_span(&w->key),
		    (void *)n);
	else
		(void)map_del(f->per_client, pass_key_span(&w->key));
	f->n_waiting += (size_t)(intptr_t)by;
}

/* The reply when there is no room for it, else NULL. */
static const char *
no_room(struct server *srv, const struct first_client *c)
{
	const struct conf *conf = c->prof->conf;
	int64_t most = conf->postscreen_client_connection_count_limit;
	const char *why, *reply;

	if (most > 0 && client_waiting(srv->first, &c->key) >= (size_t)most) {
		why = "too many connections";
		reply = "421 4.7.0 Error: too many connections";
	} else if (srv->first->n_waiting >=
	    (size_t)conf->postscreen_pre_queue_limit) {
		why = "all screening ports busy";
		reply = "421 4.3.2 All server ports are busy";
	} else
		return NULL;
	log_info("NOQUEUE: reject: CONNECT from [%s]:%s: %s", c->peer.ip,
	    c->peer.port, why);
	return reply;
}

static bool
is_stress(const struct server *srv, const struct conf *conf)
{
	return srv->stress || srv->first->n_waiting * 2 >
	    (size_t)conf->postscreen_pre_queue_limit;
}

/* --- the end --- */

/* Forgets it; returns the socket, which is the caller's. */
static int
waiter_free(struct waiter *w)
{
	struct first *f = w->srv->first;
	int fd = w->io.fd;

	count(w, -1);
	TAILQ_REMOVE(&f->waiters, w, link);
	io_clear(&w->io);
	timer_clear(&w->timer);
	keeper_ask_cancel(&w->ask);
	dnsscore_cancel(&w->score);	/* before the profile it looks into */
	profile_unref(&w->prof);
	free(w->refusal);
	w->magic = 0;
	free(w);
	return fd;
}

static void
drop(struct waiter *w, const char *reply)
{
	struct server *srv = w->srv;

	first_turn_away(srv, waiter_free(w), reply);
}

static void
finish(struct waiter *w)
{
	struct server *srv = w->srv;
	struct first_verdict v = { .key = w->key, .todo = w->todo,
		.watched = w->watched, .refusal = w->refusal };
	struct profile *prof = profile_ref(w->prof);
	struct sockaddr_storage from = w->from, to = w->to;
	bool has_to = w->has_to;

	first_passed(srv, prof->conf, &w->key, w->passed, w->vouched);
	if (!w->failed) {
		log_info("PASS %s [%s]:%s", w->seen ? "OLD" : "NEW",
		    w->peer.ip, w->peer.port);
		if (w->seen)
			srv->first->stat.pass_old++;
		else
			srv->first->stat.pass_new++;
	}
	w->refusal = NULL;
	session_accept(srv, prof, waiter_free(w), &from, has_to ? &to : NULL,
	    &v);
	profile_unref(&prof);
}

/* One of its early tests is over; with the last the wait is. */
static void
over(struct waiter *w, enum pass_test t, bool good)
{
	w->due &= (uint8_t)~PASS_BIT(t);
	if (good)
		w->passed |= PASS_BIT(t);
	else
		w->failed = true;
	if (w->due == 0)
		finish(w);
}

/* A test is failed, and the listener's action for that is `action`. `soft`:
 * it may do better a little later. */
static void
fail(struct waiter *w, enum pass_test t, const char *action, bool soft,
    const char *text)
{
	bool ends = first_action_of(action) == FIRST_DROP;
	char reply[GATE_REPLY_MAX];

	(void)snprintf(reply, sizeof(reply), "%d %s", soft ?
	    (ends ? 421 : 450) : (ends ? 521 : 550), text);
	verdict_count(w->srv, "smtpd_first_contact", pass_names[t], NULL,
	    first_action_of(action) == FIRST_IGNORE ? "warn" : soft ? "defer" :
	    "reject");
	switch (first_action_of(action)) {
	case FIRST_DROP:
		drop(w, reply);
		return;
	case FIRST_ENFORCE:
		if (w->refusal == NULL)
			w->refusal = xstrdup(reply);
		break;
	case FIRST_IGNORE:
		break;
	}
	over(w, t, false);
}

/* --- the wait --- */

/* "0.07", for the log. */
static double
waited_s(const struct waiter *w)
{
	return (double)(loop_now_ms(w->srv->loop) - w->began_ms) / 1000;
}

static void
hung_up(struct waiter *w)
{
	log_info("HANGUP after %.2f from [%s]:%s in tests before SMTP "
	    "handshake", waited_s(w), w->peer.ip, w->peer.port);
	log_info("DISCONNECT [%s]:%s", w->peer.ip, w->peer.port);
	w->srv->first->stat.hangups++;
	(void)close(waiter_free(w));
}

/* Looks and takes nothing: what it said is its session's. */
static void
readable_cb(int fd, int what, void *arg)
{
	struct waiter *w = OBJ_CAST(arg, waiter, WAITER_MAGIC);
	char text[2048];
	ssize_t n = recv(fd, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			hung_up(w);
		return;
	}
	io_want(&w->io, 0);
	if (!(w->due & PASS_BIT(PASS_GREET)))
		return;		/* that test is not what it waits for */
	log_info("PREGREET %zd after %.2f from [%s]:%s: %.*s", n,
	    waited_s(w), w->peer.ip, w->peer.port, (int)MIN(n, TALK_MAX),
	    text);
	w->srv->first->stat.pregreet++;
	fail(w, PASS_GREET, w->prof->conf->postscreen_greet_action, false,
	    FIRST_PROTOCOL_ERROR);
}

/* Lists that know it for good let it in at once, untested; and it need not
 * wait while that is remembered. */
static void
allowed(struct waiter *w)
{
	w->passed |= PASS_BIT(PASS_DNSBL);
	w->vouched = !w->failed;
	w->due = w->todo = 0;
	finish(w);
}

static void
scored_cb(const struct dnsscore *score, const char *reply, void *arg)
{
	struct waiter *w = OBJ_CAST(arg, waiter, WAITER_MAGIC);
	bool unsure = score->verdict == DNSSCORE_UNSURE;
	char text[GATE_REPLY_MAX];

	w->score = NULL;
	if (score->verdict == DNSSCORE_ALLOW) {
		allowed(w);
		return;
	}
	if (score->verdict == DNSSCORE_NEUTRAL) {
		over(w, PASS_DNSBL, true);
		return;
	}
	log_info("DNSBL rank %lld for [%s]:%s", (long long)score->score,
	    w->peer.ip, w->peer.port);
	w->srv->first->stat.dnsbl++;
	(void)snprintf(text, sizeof(text), "%s %s", unsure ? "4.7.1" :
	    "5.7.1", reply);
	fail(w, PASS_DNSBL, w->prof->conf->postscreen_dnsbl_action, unsure,
	    text);
}

static void
timer_cb(void *arg)
{
	struct waiter *w = OBJ_CAST(arg, waiter, WAITER_MAGIC);

	/* What lists have not said by now is nothing for or against it. */
	dnsscore_cancel(&w->score);
	w->due &= (uint8_t)~PASS_BIT(PASS_DNSBL);
	if (w->due & PASS_BIT(PASS_GREET))
		over(w, PASS_GREET, true);
	else
		finish(w);
}

static void
teaser(struct waiter *w)
{
	const char *banner = w->prof->conf->postscreen_greet_banner;
	char line[512];
	int n = snprintf(line, sizeof(line), "220-%s\r\n", banner);

	if (*banner != '\0' && n > 0 && (size_t)n < sizeof(line))
		(void)send(w->io.fd, line, (size_t)n,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
begin(struct waiter *w)
{
	const struct conf *conf = w->prof->conf;
	int64_t ms = conf->postscreen_greet_wait;

	w->srv->first->stat.tested++;
	if (is_stress(w->srv, conf))
		ms = MIN(ms, conf->postscreen_stress_greet_wait);
	io_want(&w->io, IO_READ);
	w->watched = w->due & PASS_BIT(PASS_GREET);
	if (w->watched)
		teaser(w);
	if (w->due & PASS_BIT(PASS_DNSBL))
		w->score = dnsscore_ask(&w->srv->world, w->prof->gate,
		    w->peer.ip, scored_cb, w);
	if (ms > 0)
		timer_set_ms(&w->timer, (uint64_t)ms);
}

/* --- its beginning --- */

static struct waiter *
waiter_new(struct server *srv, const struct first_client *c)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->magic = WAITER_MAGIC;
	w->srv = srv;
	w->prof = profile_ref(c->prof);
	w->from = *c->from;
	w->has_to = c->to != NULL;
	if (w->has_to)
		w->to = *c->to;
	w->peer = c->peer;
	w->key = c->key;
	w->began_ms = loop_now_ms(srv->loop);
	io_init(&w->io, srv->loop, c->fd, readable_cb, w);
	timer_init(&w->timer, srv->loop, timer_cb, w);
	TAILQ_INSERT_TAIL(&srv->first->waiters, w, link);
	count(w, 1);
	return w;
}

/* What was found out about its passes: what is left to be tested. */
static void
informed(struct waiter *w, bool seen, const struct pass_left *left)
{
	unsigned missing = first_tests(w->prof) & pass_missing(left);

	w->seen = seen;
	w->due = (uint8_t)(missing & PASS_EARLY);
	w->todo = (uint8_t)(missing & ~PASS_EARLY);
	if (w->due == 0)
		finish(w);
	else
		begin(w);
}

/* As far as this worker knows. */
static void
uninformed(struct waiter *w)
{
	struct pass_left left;
	bool seen = passes_get(w->srv->first->own, pass_key_span(&w->key),
	    first_now_s(w->srv), &left);

	informed(w, seen, &left);
}

static void
answer_cb(struct span body, void *arg)
{
	struct waiter *w = OBJ_CAST(arg, waiter, WAITER_MAGIC);
	struct entry_pass_known in;
	struct pass_left left;

	w->ask = NULL;
	if (!entry_pass_known_next(&body, &in) ||
	    !pass_left_unpack(in.left, &left)) {
		uninformed(w);
		return;
	}
	(void)passes_add(w->srv->first->own, pass_key_span(&w->key), &left,
	    first_now_s(w->srv));
	informed(w, in.known, &left);
}

static void
ask(struct waiter *w)
{
	struct buf body;

	buf_init(&body, 256);
	entry_pass_ask_pack(&body, &(struct entry_pass_ask){
	    .client = pass_key_span(&w->key) });
	w->ask = keeper_ask(w->srv, KEEPER_PASS, buf_span(&body), answer_cb,
	    w);
	buf_fini(&body);
	if (w->ask == NULL)
		uninformed(w);
}

void
first_wait(struct server *srv, const struct first_client *c)
{
	const char *busy = no_room(srv, c);
	struct endpoint own;

	if (c->to != NULL)
		endpoint_set(&own, c->to);
	else
		endpoint_own(&own, c->fd);
	log_info("CONNECT from [%s]:%s to [%s]:%s", c->peer.ip, c->peer.port,
	    own.ip, own.port);
	if (busy != NULL) {
		first_turn_away(srv, c->fd, busy);
		return;
	}
	ask(waiter_new(srv, c));
}

void
first_wait_end_all(struct server *srv, const char *reply)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&srv->first->waiters)) != NULL) {
		if (reply != NULL)
			drop(w, reply);
		else
			(void)close(waiter_free(w));
	}
}
