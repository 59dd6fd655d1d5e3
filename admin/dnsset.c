#include "admin/dnsset.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/xmalloc.h"

#define AT_ONCE		256

struct asked {
	struct dnsset *set;
	char name[DNS_NAME_MAX];
	enum dns_type type;
	struct dns_answer answer;	/* copied: see answer_keep */
	struct dns_record *record;	/* NULL: not answered yet */
	char *why;
};

struct dnsset {
	struct loop *loop;
	struct dns *dns;
	struct map *by_key;
	struct asked **v;		/* in order of want */
	size_t n, started, running;
};

struct dnsset *
dnsset_new(const struct conf *conf, struct err *err)
{
	struct dnsset *s = xcalloc(1, sizeof(*s));

	s->loop = loop_new();
	s->by_key = map_new();
	s->dns = dns_new(s->loop, conf, err);
	if (s->dns == NULL)
		dnsset_free(&s);
	return s;
}

static void
asked_free(struct asked *a)
{
	size_t i;

	for (i = 0; i < a->answer.n_records; i++)
		free((char *)(uintptr_t)a->record[i].data.p);
	free(a->record);
	free(a->why);
	free(a);
}

void
dnsset_free(struct dnsset **sp)
{
	struct dnsset *s = *sp;

	*sp = NULL;
	dns_free(&s->dns);
	while (s->n > 0)
		asked_free(s->v[--s->n]);
	free(s->v);
	map_free(&s->by_key);
	loop_free(&s->loop);
	free(s);
}

static void
key_put(struct buf *key, const char *name, enum dns_type type)
{
	buf_init(key, DNS_NAME_MAX + 16);
	buf_fmt(key, "%u ", (unsigned)type);
	for (; *name != '\0'; name++)
		buf_char(key, ascii_lower(*name));
}

void
dnsset_want(struct dnsset *s, const char *name, enum dns_type type)
{
	struct asked *a;
	struct buf key;

	key_put(&key, name, type);
	if (!buf_failed(&key) && map_get(s->by_key, buf_span(&key)) == NULL) {
		a = xcalloc(1, sizeof(*a));
		a->set = s;
		a->type = type;
		(void)snprintf(a->name, sizeof(a->name), "%s", name);
		map_put(s->by_key, buf_span(&key), a);
		s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
		s->v[s->n++] = a;
	}
	buf_fini(&key);
}

/* The answer is lent for the call: a copy of what it points to. */
static void
answer_keep(struct asked *a, const struct dns_answer *answer)
{
	size_t i;

	a->answer = *answer;
	a->record = xcalloc(answer->n_records + 1, sizeof(*a->record));
	for (i = 0; i < answer->n_records; i++) {
		a->record[i] = answer->record[i];
		if (answer->record[i].data.p != NULL)
			a->record[i].data.p = xmemdup0(
			    answer->record[i].data.p,
			    answer->record[i].data.n);
	}
	a->answer.record = a->record;
	a->why = answer->why == NULL ? NULL : xstrdup(answer->why);
	a->answer.why = a->why;
}

static void
fill(struct dnsset *s);

static void
answer_cb(const struct dns_answer *answer, void *arg)
{
	struct asked *a = arg;

	answer_keep(a, answer);
	a->set->running--;
	fill(a->set);
}

static void
fill(struct dnsset *s)
{
	struct asked *a;

	while (s->started < s->n && s->running < AT_ONCE) {
		a = s->v[s->started++];
		s->running++;
		(void)dns_lookup(s->dns, a->name, a->type, answer_cb, a);
	}
	if (s->running == 0)
		loop_stop(s->loop);
}

void
dnsset_wait(struct dnsset *s)
{
	if (s->started == s->n)
		return;
	fill(s);
	loop_run(s->loop);
}

const struct dns_answer *
dnsset_get(const struct dnsset *s, const char *name, enum dns_type type)
{
	struct asked *a;
	struct buf key;

	key_put(&key, name, type);
	a = buf_failed(&key) ? NULL : map_get(s->by_key, buf_span(&key));
	buf_fini(&key);
	return a == NULL || a->record == NULL ? NULL : &a->answer;
}
