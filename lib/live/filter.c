#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/netlist.h"
#include "live/live.h"
#include "proto/proto.h"

#define TESTS_MAX	8
#define VALUE_MAX	1000

struct test {
	bool (*match)(const struct test *t, const struct live_facts *f);
	char *value;
	struct netlist *net;		/* NULL: value is no network */
};

struct live_filter {
	size_t n;
	struct test test[TESTS_MAX];
};

static bool
is_text(const char *text, const char *value)
{
	return text != NULL && span_is(span_str(text), value);
}

static bool
match_id(const struct test *t, const struct live_facts *f)
{
	/* ids that differ in case are different ids */
	return f->id != NULL && strcmp(f->id, t->value) == 0;
}

static bool
match_user(const struct test *t, const struct live_facts *f)
{
	return t->value[0] == '@' ? f->user != NULL &&
	    span_ends(span_str(f->user), t->value) :
	    is_text(f->user, t->value);
}

static bool
match_ip(const struct test *t, const struct live_facts *f)
{
	struct net_addr a;

	return t->net != NULL && f->ip != NULL &&
	    net_addr_parse(span_str(f->ip), &a) && netlist_match(t->net, &a);
}

static bool
match_service(const struct test *t, const struct live_facts *f)
{
	return is_text(f->service, t->value);
}

static bool
match_any(const struct test *t, const struct live_facts *f)
{
	return match_id(t, f) || match_user(t, f) || match_ip(t, f);
}

static const struct {
	const char *key;
	bool (*match)(const struct test *t, const struct live_facts *f);
	bool must_be_net, may_be_net;
} keys[] = {
	{ "id", match_id, false, false },
	{ "user", match_user, false, false },
	{ "ip", match_ip, true, true },
	{ "service", match_service, false, false },
	{ "any", match_any, false, true },
};

static bool
test_add(struct live_filter *f, struct span word, const char **why)
{
	ptrdiff_t eq = span_chr(word, '=');
	struct span key = span_sub(word, 0, eq < 0 ? 0 : (size_t)eq);
	struct span value = span_sub(word, (size_t)(eq + 1), word.n), bad;
	struct test *t = &f->test[f->n];
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		if (span_is(key, keys[i].key))
			break;
	*why = "there is no such filter";
	if (i == ARRAY_LEN(keys) || f->n == TESTS_MAX ||
	    value.n > VALUE_MAX || span_chr(value, '\0') != -1)
		return false;
	f->n++;
	t->match = keys[i].match;
	t->value = xmemdup0(value.p, value.n);
	if (keys[i].may_be_net && value.n > 0)
		t->net = netlist_parse(t->value, &bad);
	*why = "that is no address and no network";
	return t->net != NULL || !keys[i].must_be_net;
}

struct live_filter *
live_filter_new(struct span args, const char **why)
{
	struct live_filter *f = xcalloc(1, sizeof(*f));
	struct entry_ctl_arg a;

	while (entry_ctl_arg_next(&args, &a))
		if (!test_add(f, a.value, why)) {
			live_filter_free(&f);
			break;
		}
	return f;
}

void
live_filter_free(struct live_filter **fp)
{
	struct live_filter *f = *fp;

	if (f == NULL)
		return;
	for (size_t i = 0; i < f->n; i++) {
		free(f->test[i].value);
		netlist_free(&f->test[i].net);
	}
	free(f);
	*fp = NULL;
}

bool
live_filter_match(const struct live_filter *f, const struct live_facts *facts)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->test[i].match(&f->test[i], facts))
			return false;
	return true;
}
