#include "gate/ask_spf.h"

#include <stdlib.h>

#include "base/xmalloc.h"

/* Identities of one evaluation: HELO, sender, and spf_domain_whitelist. */
#define IDENTITIES_MAX	24
/* Answers of one of them: 10 terms, each at most an MX and 10 addresses; PTR
 * and its 10; the TXTs. */
#define FACTS_MAX	160

struct gate_ask_spf_one {
	SLIST_ENTRY(gate_ask_spf_one) link;
	struct gate_ask *ask;
	struct spf_identity id;
	char *helo, *sender;
	bool done;
	bool late;		/* what is not here now will not come */
	struct timer timer;
	unsigned n_facts;	/* of the present run */
	struct spf_verdict verdict;
};

static const struct spf_fact failed = { .result = DNS_TEMPFAIL };

static const struct spf_fact *
fact(const char *name, enum dns_type type, void *arg)
{
	struct gate_ask_spf_one *s = arg;
	const struct spf_fact *f;

	if (++s->n_facts > FACTS_MAX)
		return &failed;
	f = gate_ask_spf_fact(s->ask, name, type);
	return f == NULL && s->late ? &failed : f;
}

static bool
run(struct gate_ask_spf_one *s)
{
	struct spf_source src = { .fact = fact, .arg = s };

	s->n_facts = 0;
	if (!s->done && spf_run(&s->id, &src, &s->verdict)) {
		s->done = true;
		timer_clear(&s->timer);
	}
	return s->done;
}

static void
late_cb(void *arg)
{
	struct gate_ask_spf_one *s = arg;

	s->late = true;
	defer_call(&s->ask->again);
}

static struct gate_ask_spf_one *
find(struct gate_ask *a, const char *helo, const char *sender, unsigned *n)
{
	struct gate_ask_spf_one *s;

	*n = 0;
	SLIST_FOREACH(s, &a->spf, link) {
		if (strcmp(s->helo, helo) == 0 &&
		    strcmp(s->sender, sender) == 0)
			return s;
		++*n;
	}
	return NULL;
}

const struct spf_verdict *
gate_ask_spf(const struct conf *conf, const char *helo, const char *sender,
    void *arg)
{
	static const struct spf_verdict too_many = {
		.result = SPF_TEMPERROR, .why = "too many identities" };
	struct gate_ask *a = arg;
	struct gate_ask_spf_one *s;
	unsigned n;

	if ((s = find(a, helo, sender, &n)) == NULL) {
		if (n >= IDENTITIES_MAX)
			return &too_many;
		s = xcalloc(1, sizeof(*s));
		s->ask = a;
		s->helo = xstrdup(helo);
		s->sender = xstrdup(sender);
		s->id = (struct spf_identity){ .ip = a->facts->client_ip,
			.helo = s->helo, .sender = s->sender,
			.receiver = conf->myhostname };
		timer_init(&s->timer, a->world->loop, late_cb, s);
		SLIST_INSERT_HEAD(&a->spf, s, link);
		if (!run(s))
			timer_set_ms(&s->timer, (uint64_t)
			    conf->spf_lookup_time);
	}
	return run(s) ? &s->verdict : NULL;
}

void
gate_ask_spf_end(struct gate_ask *a)
{
	struct gate_ask_spf_one *s;

	while ((s = SLIST_FIRST(&a->spf)) != NULL) {
		SLIST_REMOVE_HEAD(&a->spf, link);
		timer_clear(&s->timer);
		free(s->helo);
		free(s->sender);
		free(s);
	}
}
