#include "authd/defence.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "authd/guesses.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/pack.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "gate/netlist.h"

/* Beside the kinds that are told of: failures of SCRAM within a slot, and
 * accounts that know networks. */
#define POOL_SCRAM	DEFENCE_KINDS
#define POOL_KNOWER	(DEFENCE_KINDS + 1)
#define POOLS		(DEFENCE_KINDS + 2)

#define KNOWN_RAISE	5	/* an account raises its network's limit by a
				 * fifth */
#define SITE_RAISE	10	/* a /48 may have as much as ten of its /64 */
#define KNOWN_TELL	30	/* others are told anew after a thirtieth */

TAILQ_HEAD(subject_list, subject);

struct subject {
	TAILQ_ENTRY(subject) age;	/* touched last comes first */
	struct guesses *guesses;	/* NULL: nothing counted */
	struct subject *net, *site;	/* of KNOWN: that network; NULL none */
	struct subject *knower;		/* of KNOWN, with net: that account */
	TAILQ_ENTRY(subject) learnt;	/* of KNOWN: in knower->nets */
	struct subject_list nets;	/* of KNOWER: learnt last comes first */
	int64_t known_until, told_until;	/* of KNOWN */
	unsigned n_known;		/* of NETWORK: accounts that know it;
					 * of KNOWER: networks */
	int64_t closed_slot;		/* when `closed` was told last */
	int64_t slot;			/* SCRAM: of n_failed; else of ... */
	uint32_t n_failed;		/* ... n_refused */
	uint32_t n_refused;
	uint16_t n;
	char name[];
};

/* Networks that accounts know, and those accounts, are in `pinned`: they go
 * when what is known goes. */
struct pool {
	struct map *by_name;
	struct subject_list ages, pinned;
	size_t n_ages;
};

struct defence {
	size_t entries;
	struct defence_events events;
	struct pool pool[POOLS];
	struct netlist *exempt;
	bool on;
	unsigned window;			/* slots */
	unsigned limit[DEFENCE_KINDS];
	int64_t known_ms;
	uint64_t delay_ms;
};

/* --- subjects --- */

static bool
is_pinned(const struct subject *s)
{
	return s->n_known > 0;
}

static void
subject_unlink(struct pool *p, struct subject *s)
{
	if (is_pinned(s)) {
		TAILQ_REMOVE(&p->pinned, s, age);
		return;
	}
	TAILQ_REMOVE(&p->ages, s, age);
	p->n_ages--;
}

static void
subject_link(struct pool *p, struct subject *s)
{
	if (is_pinned(s)) {
		TAILQ_INSERT_HEAD(&p->pinned, s, age);
		return;
	}
	TAILQ_INSERT_HEAD(&p->ages, s, age);
	p->n_ages++;
}

static void
subject_touch(struct pool *p, struct subject *s)
{
	subject_unlink(p, s);
	subject_link(p, s);
}

/* One account more or less knows the network. */
static void
subject_pin(struct pool *p, struct subject *s, int by)
{
	subject_unlink(p, s);
	s->n_known = (unsigned)((int)s->n_known + by);
	subject_link(p, s);
}

static void
subject_drop(struct defence *d, unsigned kind, struct subject *s)
{
	struct pool *p = &d->pool[kind];

	if (s->net != NULL)
		subject_pin(&d->pool[DEFENCE_NETWORK], s->net, -1);
	if (s->site != NULL)
		subject_pin(&d->pool[DEFENCE_NETWORK], s->site, -1);
	if (s->knower != NULL) {
		TAILQ_REMOVE(&s->knower->nets, s, learnt);
		subject_pin(&d->pool[POOL_KNOWER], s->knower, -1);
	}
	subject_unlink(p, s);
	(void)map_del(p->by_name, span_of(s->name, s->n));
	free(s->guesses);
	free(s);
}

static struct subject *
subject_find(const struct defence *d, unsigned kind, struct span name)
{
	return map_get(d->pool[kind].by_name, name);
}

/* Makes it if need be; then the one not touched for longest goes. */
static struct subject *
subject_get(struct defence *d, unsigned kind, struct span name)
{
	struct pool *p = &d->pool[kind];
	struct subject *s = map_get(p->by_name, name);

	if (s != NULL) {
		subject_touch(p, s);
		return s;
	}
	while (p->n_ages >= d->entries)
		subject_drop(d, kind, TAILQ_LAST(&p->ages, subject_list));
	s = xcalloc(1, sizeof(*s) + name.n);
	s->n = (uint16_t)name.n;
	memcpy(s->name, name.p, name.n);
	(void)map_put(p->by_name, name, s);
	subject_link(p, s);
	return s;
}

static struct guesses *
subject_guesses(struct subject *s)
{
	if (s->guesses == NULL)
		s->guesses = xcalloc(1, sizeof(*s->guesses));
	return s->guesses;
}

/* --- names --- */

static bool
is_v4(const struct net_addr *a)
{
	static const uint8_t v4[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, v4, sizeof(v4)) == 0;
}

static void
v6_net(struct net_addr a, size_t bytes, char out[DEFENCE_NET_MAX])
{
	char text[INET6_ADDRSTRLEN];

	memset(a.b + bytes, 0, sizeof(a.b) - bytes);
	if (inet_ntop(AF_INET6, a.b, text, sizeof(text)) != NULL)
		(void)snprintf(out, DEFENCE_NET_MAX, "%s/%zu", text,
		    bytes * 8);
}

void
defence_net(struct span ip, char out[DEFENCE_NET_MAX])
{
	struct net_addr a;

	out[0] = '\0';
	if (!net_addr_parse(ip, &a))
		return;
	if (is_v4(&a))
		(void)snprintf(out, DEFENCE_NET_MAX, "%u.%u.%u.0/24",
		    a.b[12], a.b[13], a.b[14]);
	else
		v6_net(a, 8, out);
}

void
defence_site(struct span ip, char out[DEFENCE_NET_MAX])
{
	struct net_addr a;

	out[0] = '\0';
	if (net_addr_parse(ip, &a) && !is_v4(&a))
		v6_net(a, 6, out);
}

/* Who tries, as names of subjects. */
struct names {
	char net[DEFENCE_NET_MAX], site[DEFENCE_NET_MAX];
	char both[DEFENCE_SUBJECT_MAX];		/* "ACCOUNT NETWORK" */
	struct span of[DEFENCE_KINDS];		/* .n == 0: is none */
	bool exempt;
};

static void
names_set(const struct defence *d, const struct defence_who *who,
    struct names *n)
{
	struct net_addr a;
	int len = 0;

	defence_net(who->ip, n->net);
	defence_site(who->ip, n->site);
	if (who->account.n > 0 && n->net[0] != '\0')
		len = snprintf(n->both, sizeof(n->both), "%.*s %s",
		    SPAN_ARG(who->account), n->net);
	n->of[DEFENCE_ACCOUNT] = who->account;
	n->of[DEFENCE_NETWORK] = span_str(n->net);
	n->of[DEFENCE_KNOWN] = span_of(n->both,
	    len < (int)sizeof(n->both) ? (size_t)len : 0);
	n->exempt = net_addr_parse(who->ip, &a) && d->exempt != NULL &&
	    netlist_match(d->exempt, &a);
}

/* The network as the account knows it, or NULL. */
static struct subject *
known_find(struct defence *d, int64_t now, const struct names *n)
{
	struct subject *s = subject_find(d, DEFENCE_KNOWN,
	    n->of[DEFENCE_KNOWN]);

	if (s == NULL || s->known_until > now)
		return s;
	if (s->net != NULL)	/* else its guesses came before it */
		subject_drop(d, DEFENCE_KNOWN, s);
	return NULL;
}

/* --- limits --- */

static unsigned
limit_of(const struct defence *d, unsigned kind, const struct subject *s)
{
	uint64_t limit = d->limit[kind];

	if (kind == DEFENCE_NETWORK && s != NULL &&
	    span_ends(span_of(s->name, s->n), "/48"))
		limit *= SITE_RAISE;
	if (kind == DEFENCE_NETWORK)
		limit += (uint64_t)MAX(limit / KNOWN_RAISE, limit > 0) *
		    s->n_known;
	return (unsigned)MIN(limit, UINT32_MAX);
}

static struct defence_verdict
verdict_of(const struct defence *d, int64_t now, unsigned kind,
    const struct subject *s)
{
	struct defence_verdict v = { .kind = kind };
	unsigned free_of_delay;

	if (!d->on || s == NULL || s->guesses == NULL ||
	    (v.limit = limit_of(d, kind, s)) == 0)
		return v;
	v.level = guesses_level(s->guesses, guess_slot(now), d->window);
	free_of_delay = MAX(v.limit / 4, 1);
	if (v.level >= v.limit)
		v.answer = DEFENCE_REFUSED;
	else if (v.level >= free_of_delay && d->delay_ms > 0) {
		v.answer = DEFENCE_SLOW;
		v.delay_ms = d->delay_ms * (v.level - free_of_delay + 1) /
		    (v.limit - free_of_delay);
	}
	return v;
}

static struct defence_verdict
verdict_worse(struct defence_verdict a, struct defence_verdict b)
{
	if (a.answer != b.answer)
		return a.answer > b.answer ? a : b;
	return a.delay_ms >= b.delay_ms ? a : b;
}

struct defence_verdict
defence_ask(struct defence *d, int64_t now, const struct defence_who *who)
{
	struct names n;
	struct subject *known;
	struct defence_verdict v;

	names_set(d, who, &n);
	if ((known = known_find(d, now, &n)) != NULL)
		return verdict_of(d, now, DEFENCE_KNOWN, known);
	v = verdict_of(d, now, DEFENCE_ACCOUNT,
	    subject_find(d, DEFENCE_ACCOUNT, n.of[DEFENCE_ACCOUNT]));
	if (n.exempt)
		return v;
	v = verdict_worse(v, verdict_of(d, now, DEFENCE_NETWORK,
	    subject_find(d, DEFENCE_NETWORK, n.of[DEFENCE_NETWORK])));
	return verdict_worse(v, verdict_of(d, now, DEFENCE_NETWORK,
	    subject_find(d, DEFENCE_NETWORK, span_str(n.site))));
}

void
defence_refused(struct defence *d, int64_t now, const struct defence_who *who,
    const struct defence_verdict *v)
{
	int64_t slot = guess_slot(now);
	struct subject *s;
	struct names n;

	names_set(d, who, &n);
	s = subject_find(d, v->kind, n.of[v->kind]);
	if (s == NULL)
		return;
	if (s->slot != slot)
		s->n_refused = 0;
	s->slot = slot;
	s->n_refused += s->n_refused < UINT32_MAX;
}

/* --- counting --- */

static uint32_t
mark_of(const char *sort, struct span a, struct span b)
{
	struct buf text;
	uint32_t mark;

	buf_init(&text, BUF_NO_CAP);
	/* whole at once: growing would leave copies of a password behind */
	(void)buf_reserve(&text, 12 + strlen(sort) + a.n + b.n);
	pack_span(&text, span_str(sort));
	pack_span(&text, a);
	pack_span(&text, b);
	mark = (uint32_t)siphash(buf_data(&text), buf_len(&text));
	buf_fini_secret(&text);
	return mark;
}

/* A wrong proof: see DEFENCE_SCRAM_SAME. The name may be anything, a password
 * too, so it is not kept either. */
static uint32_t
scram_mark(struct defence *d, int64_t slot, struct span account,
    struct span net)
{
	uint32_t who = mark_of("who", account, net);
	struct subject *s = subject_get(d, POOL_SCRAM,
	    span_of(&who, sizeof(who)));
	struct { int64_t slot; uint32_t who, n; } at;

	if (s->slot != slot)
		s->n_failed = 0;
	s->slot = slot;
	s->n_failed++;
	memset(&at, 0, sizeof(at));
	at.slot = slot;
	at.who = who;
	at.n = s->n_failed <= DEFENCE_SCRAM_SAME ? 0 : s->n_failed;
	return mark_of("scram", span_of(&at, sizeof(at)), SPAN_NONE);
}

static void
subject_row(const struct defence *d, int64_t now, unsigned kind,
    const struct subject *s, struct defence_row *row)
{
	struct defence_verdict v = verdict_of(d, now, kind, s);
	int64_t slot = guess_slot(now);

	*row = (struct defence_row){ .kind = kind,
	    .subject = span_of(s->name, s->n), .answer = v.answer,
	    .level = v.level, .limit = limit_of(d, kind, s),
	    .delay_ms = v.delay_ms, .known_until_ms = s->known_until,
	    .refused = s->slot == slot ? s->n_refused : 0 };
	if (s->guesses != NULL)
		row->level = guesses_level(s->guesses, slot, d->window);
	if (v.answer == DEFENCE_REFUSED)
		row->until_ms = guesses_below_at(s->guesses, slot, d->window,
		    v.limit);
}

static void
closed_tell(struct defence *d, int64_t now, unsigned kind, struct subject *s)
{
	struct defence_row row;

	if (d->events.closed == NULL || s->closed_slot == guess_slot(now))
		return;
	subject_row(d, now, kind, s, &row);
	if (row.answer != DEFENCE_REFUSED)
		return;
	s->closed_slot = guess_slot(now);
	d->events.closed(kind, row.subject, row.level, row.until_ms,
	    d->events.arg);
}

/* False: it was counted before. */
static bool
count(struct defence *d, int64_t now, unsigned kind, struct span name,
    uint32_t mark)
{
	struct subject *s = subject_get(d, kind, name);
	struct guesses *g = subject_guesses(s);
	int64_t slot = MAX(guess_slot(now), g->newest);

	if (!guesses_add(g, slot, mark))
		return false;
	if (d->events.counted != NULL)
		d->events.counted(kind, name, g->epoch, slot, false,
		    d->events.arg);
	closed_tell(d, now, kind, s);
	return true;
}

void
defence_wrong(struct defence *d, int64_t now, const struct defence_who *who,
    struct span password)
{
	struct span as;
	struct names n;
	uint32_t mark;

	if (!d->on)
		return;
	names_set(d, who, &n);
	as = who->account.n > 0 ? who->account : who->name;
	mark = password.p == NULL ?
	    scram_mark(d, guess_slot(now), as, n.of[DEFENCE_NETWORK]) :
	    mark_of("password", as, password);
	if (known_find(d, now, &n) != NULL) {
		(void)count(d, now, DEFENCE_KNOWN, n.of[DEFENCE_KNOWN], mark);
		return;
	}
	/* What is stale for the account is so for its network, which has too
	 * few marks for all the phones of an office. */
	if (who->account.n > 0 && who->account.n <= DEFENCE_SUBJECT_MAX &&
	    !count(d, now, DEFENCE_ACCOUNT, who->account, mark))
		return;
	if (n.net[0] != '\0' && !n.exempt)
		(void)count(d, now, DEFENCE_NETWORK, n.of[DEFENCE_NETWORK],
		    mark);
	if (n.site[0] != '\0' && !n.exempt)
		(void)count(d, now, DEFENCE_NETWORK, span_str(n.site), mark);
}

/* --- networks that accounts know --- */

static struct subject *
network_pinned(struct defence *d, struct span net)
{
	struct subject *s = subject_get(d, DEFENCE_NETWORK, net);

	subject_pin(&d->pool[DEFENCE_NETWORK], s, 1);
	return s;
}

/* The account learns one more. The one that it has not used for longest goes
 * when it has its share: no account may push those of others out. */
static void
known_learn(struct defence *d, struct subject *s, struct span account)
{
	struct subject *k = subject_get(d, POOL_KNOWER, account);

	if (k->n_known == 0)
		TAILQ_INIT(&k->nets);
	if (k->n_known >= DEFENCE_KNOWN_MAX)
		subject_drop(d, DEFENCE_KNOWN, TAILQ_LAST(&k->nets,
		    subject_list));
	s->knower = k;
	TAILQ_INSERT_HEAD(&k->nets, s, learnt);
	subject_pin(&d->pool[POOL_KNOWER], k, 1);
}

static struct subject *
known_set(struct defence *d, struct span account, struct span both,
    struct span net, int64_t until_ms)
{
	struct subject *s = subject_get(d, DEFENCE_KNOWN, both);
	ptrdiff_t slash = span_rchr(net, '/');
	char site[DEFENCE_NET_MAX];

	if (s->net == NULL) {
		s->net = network_pinned(d, net);
		defence_site(span_sub(net, 0, slash < 0 ? net.n :
		    (size_t)slash), site);
		if (site[0] != '\0')
			s->site = network_pinned(d, span_str(site));
		known_learn(d, s, account);
	} else {
		TAILQ_REMOVE(&s->knower->nets, s, learnt);
		TAILQ_INSERT_HEAD(&s->knower->nets, s, learnt);
	}
	s->known_until = MAX(s->known_until, until_ms);
	return s;
}

void
defence_right(struct defence *d, int64_t now, const struct defence_who *who)
{
	struct subject *s;
	struct names n;

	if (!d->on)
		return;
	names_set(d, who, &n);
	if (n.of[DEFENCE_KNOWN].n == 0)
		return;
	s = known_set(d, who->account, n.of[DEFENCE_KNOWN],
	    n.of[DEFENCE_NETWORK], now + d->known_ms);
	if (s->known_until - s->told_until < d->known_ms / KNOWN_TELL)
		return;
	s->told_until = s->known_until;
	if (d->events.known != NULL)
		d->events.known(who->account, n.of[DEFENCE_NETWORK],
		    s->known_until, d->events.arg);
}

/* --- what others say --- */

void
defence_take_guesses(struct defence *d, int64_t now, enum defence_kind kind,
    struct span subject, uint64_t epoch, int64_t slot, unsigned n)
{
	int64_t newest = guess_slot(now) + 1;	/* clocks differ a little */
	struct subject *s;

	if (subject.n == 0 || subject.n > DEFENCE_SUBJECT_MAX ||
	    slot > newest || slot <= newest - GUESS_SLOTS ||
	    epoch > (uint64_t)(now + GUESS_SLOT_MS))
		return;
	s = subject_get(d, kind, subject);
	guesses_merge(subject_guesses(s), epoch, slot, n);
}

void
defence_take_known(struct defence *d, int64_t now, struct span account,
    struct span network, int64_t until_ms)
{
	char both[DEFENCE_SUBJECT_MAX];
	struct subject *s;
	int len;

	if (account.n == 0 || network.n == 0 || network.n >= DEFENCE_NET_MAX ||
	    until_ms <= now)
		return;
	len = snprintf(both, sizeof(both), "%.*s %.*s", SPAN_ARG(account),
	    SPAN_ARG(network));
	if (len >= (int)sizeof(both))
		return;
	s = known_set(d, account, span_of(both, (size_t)len), network,
	    until_ms);
	s->told_until = MAX(s->told_until, until_ms);
}

/* --- forgiving --- */

static bool
subject_forgive(struct defence *d, int64_t now, unsigned kind,
    struct subject *s)
{
	struct guesses *g = s->guesses;

	if (g == NULL || guesses_level(g, guess_slot(now), GUESS_SLOTS) == 0)
		return false;
	guesses_forgive(g, MAX((uint64_t)now, g->epoch + 1));
	s->closed_slot = 0;
	s->n_refused = 0;
	if (d->events.counted != NULL)
		d->events.counted(kind, span_of(s->name, s->n), g->epoch,
		    guess_slot(now), true, d->events.arg);
	return true;
}

/* Is it "ACCOUNT NETWORK" with that account, or that network? */
static bool
known_concerns(const struct subject *s, struct span who)
{
	struct span all = span_of(s->name, s->n);
	ptrdiff_t cut = span_rchr(all, ' ');

	return cut != -1 &&
	    (span_eq(span_sub(all, 0, (size_t)cut), who) ||
	    span_eq(span_sub(all, (size_t)cut + 1, all.n), who));
}

bool
defence_forgive(struct defence *d, int64_t now, struct span subject)
{
	bool is_account = span_chr(subject, '@') != -1;
	unsigned kind = is_account ? DEFENCE_ACCOUNT : DEFENCE_NETWORK;
	struct subject *s = subject_find(d, kind, subject);
	bool any = s != NULL && subject_forgive(d, now, kind, s);

	TAILQ_FOREACH(s, &d->pool[DEFENCE_KNOWN].ages, age)
		if (known_concerns(s, subject))
			any |= subject_forgive(d, now, DEFENCE_KNOWN, s);
	return any;
}

/* --- for people --- */

bool
defence_next(struct defence *d, int64_t now, enum defence_kind *kind,
    size_t *pos, struct defence_row *row)
{
	void *s;

	for (; *kind < DEFENCE_KINDS; ++*kind, *pos = 0)
		if (map_next(d->pool[*kind].by_name, pos, NULL, &s)) {
			subject_row(d, now, *kind, s, row);
			return true;
		}
	return false;
}

bool
defence_find(struct defence *d, int64_t now, enum defence_kind kind,
    struct span subject, struct defence_row *row)
{
	struct subject *s = subject_find(d, kind, subject);

	if (s == NULL)
		return false;
	subject_row(d, now, kind, s, row);
	return true;
}

/* --- life --- */

static bool
subject_expired(const struct subject *s, int64_t now, unsigned kind)
{
	int64_t slot = guess_slot(now);

	if (kind == POOL_SCRAM)
		return s->slot != slot;
	return s->known_until <= now && (s->guesses == NULL ||
	    guesses_level(s->guesses, slot, GUESS_SLOTS) == 0);
}

void
defence_sweep(struct defence *d, int64_t now, size_t most)
{
	struct subject *s;

	for (unsigned kind = 0; kind < POOLS; kind++)
		while (most > 0 && (s = TAILQ_LAST(&d->pool[kind].ages,
		    subject_list)) != NULL &&
		    subject_expired(s, now, kind)) {
			subject_drop(d, kind, s);
			most--;
		}
}

size_t
defence_count(const struct defence *d, enum defence_kind kind)
{
	return map_count(d->pool[kind].by_name);
}

void
defence_configure(struct defence *d, const struct conf *conf)
{
	struct span bad;

	d->on = conf->login_defence;
	d->window = (unsigned)((conf->login_defence_window +
	    GUESS_SLOT_MS - 1) / GUESS_SLOT_MS);
	d->limit[DEFENCE_ACCOUNT] =
	    (unsigned)conf->login_defence_account_limit;
	d->limit[DEFENCE_NETWORK] =
	    (unsigned)conf->login_defence_network_limit;
	d->limit[DEFENCE_KNOWN] = (unsigned)conf->login_defence_known_limit;
	d->known_ms = conf->login_defence_known_time;
	d->delay_ms = (uint64_t)conf->login_defence_delay;
	netlist_free(&d->exempt);
	d->exempt = netlist_parse(conf->login_defence_exempt_networks, &bad);
	if (d->exempt == NULL)
		log_warning("login_defence_exempt_networks: \"%.*s\" is no "
		    "network: there are none", SPAN_ARG(bad));
}

struct defence *
defence_new(size_t entries, const struct defence_events *events)
{
	struct defence *d = xcalloc(1, sizeof(*d));

	d->entries = entries;
	d->events = *events;
	for (unsigned i = 0; i < POOLS; i++) {
		d->pool[i].by_name = map_new();
		TAILQ_INIT(&d->pool[i].ages);
		TAILQ_INIT(&d->pool[i].pinned);
	}
	return d;
}

void
defence_free(struct defence **dp)
{
	struct defence *d = *dp;
	struct subject *s;

	if (d == NULL)
		return;
	/* what is known goes first: then nothing else is pinned */
	while ((s = TAILQ_FIRST(&d->pool[DEFENCE_KNOWN].ages)) != NULL)
		subject_drop(d, DEFENCE_KNOWN, s);
	for (unsigned i = POOLS; i-- > 0;) {
		while ((s = TAILQ_FIRST(&d->pool[i].ages)) != NULL)
			subject_drop(d, i, s);
		map_free(&d->pool[i].by_name);
	}
	netlist_free(&d->exempt);
	free(d);
	*dp = NULL;
}
