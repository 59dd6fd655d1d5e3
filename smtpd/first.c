#include "smtpd/first_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "smtpd/keeper_ask.h"

#define OWN_ENTRIES	10000
#define DRAIN_MAX	16	/* reads before a close */

/* --- the tests as data --- */

/* When a listener makes them, and for how long a pass is good. */
static const struct {
	size_t enable, ttl;	/* in struct conf */
} tests[PASS_TESTS] = {
#define AT(member)	offsetof(struct conf, member)
	[PASS_GREET] = { 0, AT(postscreen_greet_ttl) },
	[PASS_DNSBL] = { 0, AT(postscreen_dnsbl_ttl) },
	[PASS_PIPELINING] = { AT(postscreen_pipelining_enable),
	    AT(postscreen_pipelining_ttl) },
	[PASS_NON_SMTP] = { AT(postscreen_non_smtp_command_enable),
	    AT(postscreen_non_smtp_command_ttl) },
	[PASS_BARE_NEWLINE] = { AT(postscreen_bare_newline_enable),
	    AT(postscreen_bare_newline_ttl) },
#undef AT
};

enum first_action
first_action_of(const char *word)
{
	return strcmp(word, "ignore") == 0 ? FIRST_IGNORE :
	    strcmp(word, "enforce") == 0 ? FIRST_ENFORCE : FIRST_DROP;
}

uint32_t
first_ttl(const struct conf *conf, enum pass_test t)
{
	int64_t ms;

	memcpy(&ms, (const char *)conf + tests[t].ttl, sizeof(ms));
	return (uint32_t)(ms / 1000);
}

unsigned
first_tests(const struct profile *prof)
{
	const struct conf *conf = prof->conf;
	unsigned bits = 0;
	bool on;
	int t;

	for (t = 0; t < PASS_TESTS; t++) {
		if (tests[t].enable == 0)
			continue;
		memcpy(&on, (const char *)conf + tests[t].enable, sizeof(on));
		bits |= on ? PASS_BIT(t) : 0;
	}
	if (conf->postscreen_greet_wait > 0)
		bits |= PASS_BIT(PASS_GREET);
	if (*conf->postscreen_dnsbl_sites != '\0')
		bits |= PASS_BIT(PASS_DNSBL);
	return bits;
}

/* --- what is known --- */

uint64_t
first_now_s(struct server *srv)
{
	return loop_now_ms(srv->loop) / 1000;
}

/* gatekeeper is to know, and so all hosts. */
static void
tell(struct server *srv, const struct pass_key *key,
    const struct pass_left *left)
{
	struct buf body, packed;

	buf_init(&body, 256);
	buf_init(&packed, 64);
	pass_left_pack(&packed, left);
	entry_pass_ask_pack(&body, &(struct entry_pass_ask){
	    .client = pass_key_span(key), .left = buf_span(&packed) });
	keeper_tell(srv, KEEPER_PASS, buf_span(&body));
	buf_fini(&packed);
	buf_fini(&body);
}

void
first_passed(struct server *srv, const struct conf *conf,
    const struct pass_key *key, unsigned bits, bool vouched)
{
	struct pass_left left;
	int t;

	if (bits == 0)
		return;
	for (t = 0; t < PASS_TESTS; t++)
		left.s[t] = bits & PASS_BIT(t) ? first_ttl(conf, t) :
		    vouched ? first_ttl(conf, PASS_DNSBL) : 0;
	(void)passes_add(srv->first->own, pass_key_span(key), &left,
	    first_now_s(srv));
	tell(srv, key, &left);
}

int
first_forget_message_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct server *srv = arg;
	struct msg_keeper_forget in;

	if (!msg_keeper_forget_unpack(m->body, &in))
		return PS_ESYNTAX;
	if (in.subject == KEEPER_PASS)
		(void)passes_forget(srv->first->own, in.key);
	return 0;
}

/* --- who is tested --- */

/* What comes is read and dropped first: else closing is a reset, which may
 * eat our reply. */
void
first_turn_away(struct server *srv, int fd, const char *reply)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s\r\n", reply), i;

	srv->first->stat.turned_away++;
	if (n > 0 && (size_t)n < sizeof(line))
		(void)send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	for (i = 0; i < DRAIN_MAX; i++)
		if (recv(fd, line, sizeof(line), MSG_DONTWAIT) <= 0)
			break;
	(void)close(fd);
}

static void
begin_session(struct server *srv, const struct first_client *c,
    struct first_verdict *v)
{
	session_accept(srv, c->prof, c->fd, c->from, c->to, v);
}

/* postscreen_access_list says reject. False: the action is to ignore that. */
static bool
denied(struct server *srv, const struct first_client *c)
{
	struct first_verdict v = { .key = c->key };

	log_info("DENYLISTED [%s]:%s", c->peer.ip, c->peer.port);
	srv->first->stat.denylisted++;
	switch (first_action_of(c->prof->conf->postscreen_denylist_action)) {
	case FIRST_IGNORE:
		return false;
	case FIRST_ENFORCE:
		v.refusal = xstrdup("550 " FIRST_UNAVAILABLE);
		begin_session(srv, c, &v);
		break;
	case FIRST_DROP:
		first_turn_away(srv, c->fd, "521 " FIRST_UNAVAILABLE);
		break;
	}
	return true;
}

/* False: it waits, as far as this worker knows. */
static bool
is_known(struct server *srv, const struct first_client *c)
{
	unsigned want = first_tests(c->prof), missing;
	struct first_verdict v = { .key = c->key };
	struct pass_left left;

	if (!passes_get(srv->first->own, pass_key_span(&c->key),
	    first_now_s(srv), &left))
		return false;
	missing = want & pass_missing(&left);
	if (missing & PASS_EARLY)
		return false;
	log_info("PASS OLD [%s]:%s", c->peer.ip, c->peer.port);
	srv->first->stat.pass_old++;
	v.todo = (uint8_t)missing;
	begin_session(srv, c, &v);
	return true;
}

/* Nobody to test: no address, a peer that speaks for others, us stopping. */
static bool
is_exempt(struct server *srv, struct first_client *c)
{
	if (!c->prof->manners->first_contact || srv->stopping)
		return true;
	endpoint_set(&c->peer, c->from);
	return !net_addr_parse(span_str(c->peer.ip), &c->addr) ||
	    netlist_match(c->prof->manners->xclients, &c->addr);
}

void
first_accept(struct server *srv, struct profile *prof, int fd,
    const struct sockaddr_storage *from, const struct sockaddr_storage *to)
{
	struct first_client c = { .prof = prof, .fd = fd, .from = from,
		.to = to };
	const char *by;

	if (is_exempt(srv, &c)) {
		begin_session(srv, &c, NULL);
		return;
	}
	pass_key_set(&c.key, &c.addr);
	switch (iplist_find(prof->manners->first_access, c.peer.ip, &c.addr,
	    &by)) {
	case IPLIST_PERMIT:
		log_info("ALLOWLISTED [%s]:%s", c.peer.ip, c.peer.port);
		srv->first->stat.allowlisted++;
		begin_session(srv, &c, NULL);
		return;
	case IPLIST_REJECT:
		if (denied(srv, &c))
			return;
		break;
	case IPLIST_DUNNO:
		break;
	}
	if (!is_known(srv, &c))
		first_wait(srv, &c);
}

/* --- life --- */

struct first *
first_new(struct server *srv)
{
	struct first *f = xcalloc(1, sizeof(*f));

	f->srv = srv;
	f->own = passes_new(OWN_ENTRIES, 0);
	f->per_client = map_new();
	TAILQ_INIT(&f->waiters);
	return f;
}

void
first_free(struct first **fp)
{
	struct first *f = *fp;

	if (f == NULL)
		return;
	first_wait_end_all(f->srv, NULL);
	*fp = NULL;
	passes_free(&f->own);
	map_free(&f->per_client);
	free(f);
}

void
first_stop(struct server *srv)
{
	first_wait_end_all(srv, "421 4.3.2 Service shutting down");
}

void
first_status(const struct server *srv, struct buf *json)
{
	const struct first *f = srv->first;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "waiting", f->n_waiting },
		{ "known", passes_count(f->own) },
		{ "tested", f->stat.tested },
		{ "pass_new", f->stat.pass_new },
		{ "pass_old", f->stat.pass_old },
		{ "allowlisted", f->stat.allowlisted },
		{ "denylisted", f->stat.denylisted },
		{ "pregreet", f->stat.pregreet },
		{ "dnsbl", f->stat.dnsbl },
		{ "pipelining", f->stat.pipelining },
		{ "non_smtp_command", f->stat.non_smtp_command },
		{ "bare_newline", f->stat.bare_newline },
		{ "hangups", f->stat.hangups },
		{ "turned_away", f->stat.turned_away },
	};
	size_t i;

	buf_str(json, "\"first_contact\": {");
	for (i = 0; i < ARRAY_LEN(rows); i++)
		buf_fmt(json, "%s\"%s\": %llu", i == 0 ? "" : ", ",
		    rows[i].name, (unsigned long long)rows[i].value);
	buf_char(json, '}');
}
