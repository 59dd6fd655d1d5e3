#include "mail/spf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/queue.h"
#include "base/xmalloc.h"
#include "net/dnscache.h"

#define SPF_MAGIC	0x73706631u
/* 10 terms, each at most an MX and 10 addresses; PTR and its 10; the TXTs */
#define FACTS_MAX	160

/* A DNS answer, asked for once and kept until the verdict. */
struct kept {
	SLIST_ENTRY(kept) link;
	struct spf_check *check;
	struct dns_query *query;	/* NULL: it has come */
	struct spf_fact fact;		/* points into: */
	struct dns_kept *answer;
};

struct spf_check {
	uint32_t magic;
	struct dns *dns;
	struct spf_identity id;
	char *strings[4];
	spf_cb *cb;
	void *arg;
	struct map *facts;		/* "type name" -> struct kept */
	SLIST_HEAD(, kept) kept;
	struct timer timer;
	struct defer run;
	bool late;
};

static void
answer_cb(const struct dns_answer *a, void *arg)
{
	struct kept *k = arg;

	k->query = NULL;
	k->answer = dns_kept_new(a);
	k->fact = (struct spf_fact){ .result = a->result, .n = a->n_records,
		.record = k->answer->answer.record };
	defer_call(&k->check->run);
}

static const struct spf_fact *
fact_ask(const char *name, enum dns_type type, void *arg)
{
	static const struct spf_fact failed = { .result = DNS_TEMPFAIL };
	struct spf_check *c = OBJ_CAST(arg, spf_check, SPF_MAGIC);
	char key[DNS_NAME_MAX + 16];
	struct kept *k;
	int n = snprintf(key, sizeof(key), "%d %s", (int)type, name);

	if ((k = map_get(c->facts, span_of(key, (size_t)n))) != NULL)
		return k->query == NULL ? &k->fact : c->late ? &failed : NULL;
	if (c->late || map_count(c->facts) >= FACTS_MAX)
		return &failed;
	k = xcalloc(1, sizeof(*k));
	k->check = c;
	SLIST_INSERT_HEAD(&c->kept, k, link);
	(void)map_put(c->facts, span_of(key, (size_t)n), k);
	k->query = dns_lookup(c->dns, name, type, answer_cb, k);
	return NULL;
}

static void
check_free(struct spf_check *c)
{
	struct kept *k;
	size_t i;

	while ((k = SLIST_FIRST(&c->kept)) != NULL) {
		SLIST_REMOVE_HEAD(&c->kept, link);
		dns_cancel(&k->query);
		dns_kept_unref(&k->answer);
		free(k);
	}
	map_free(&c->facts);
	timer_clear(&c->timer);
	defer_cancel(&c->run);
	for (i = 0; i < ARRAY_LEN(c->strings); i++)
		free(c->strings[i]);
	c->magic = 0;
	free(c);
}

static void
run_cb(void *arg)
{
	struct spf_check *c = OBJ_CAST(arg, spf_check, SPF_MAGIC);
	struct spf_source src = { .fact = fact_ask, .arg = c };
	struct spf_verdict v;
	spf_cb *cb = c->cb;
	void *cb_arg = c->arg;

	if (!spf_run(&c->id, &src, &v))
		return;		/* an answer brings us back */
	check_free(c);
	cb(&v, cb_arg);
}

static void
timeout_cb(void *arg)
{
	struct spf_check *c = OBJ_CAST(arg, spf_check, SPF_MAGIC);

	c->late = true;		/* what is not here now has failed */
	run_cb(c);
}

struct spf_check *
spf_check(struct loop *l, struct dns *dns, const struct spf_identity *id,
    uint64_t timeout_ms, spf_cb *cb, void *arg)
{
	struct spf_check *c = xcalloc(1, sizeof(*c));

	c->magic = SPF_MAGIC;
	c->dns = dns;
	c->cb = cb;
	c->arg = arg;
	c->id.ip = c->strings[0] = xstrdup(id->ip);
	c->id.helo = c->strings[1] = xstrdup(id->helo);
	c->id.sender = c->strings[2] = xstrdup(id->sender);
	c->id.receiver = c->strings[3] = xstrdup(id->receiver);
	c->facts = map_new();
	SLIST_INIT(&c->kept);
	timer_init(&c->timer, l, timeout_cb, c);
	timer_set_ms(&c->timer, timeout_ms);
	defer_init(&c->run, l, run_cb, c);
	defer_call(&c->run);
	return c;
}

void
spf_cancel(struct spf_check **cp)
{
	struct spf_check *c = *cp;

	*cp = NULL;
	if (c != NULL)
		check_free(c);
}
