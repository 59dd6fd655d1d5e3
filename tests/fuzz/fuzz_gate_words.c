/*
 * What stands in lists and tables: a DNS list with its filter, a reply
 * template, an access(5) value, a list of networks, one of clients.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gate/access.h"
#include "gate/checks.h"
#include "gate/clientlist.h"
#include "gate/dnslist.h"
#include "gate/iplist.h"
#include "gate/netlist.h"
#include "gate/template.h"
#include "tests/fuzz/fuzz.h"

static bool
macro(struct span name, struct buf *out, void *arg)
{
	buf_span_add(out, name);
	return name.n % 3 != 0;
}

static void
dnslist(struct span s)
{
	static const uint8_t refused[4] = { 127, 255, 255, 254 },
	    elsewhere[4] = { 192, 0, 2, 1 };
	struct dnslist *l;
	struct buf why;

	buf_init(&why, 4096);
	l = dnslist_parse(s, &why);
	if ((l == NULL) == (buf_len(&why) == 0 && !buf_failed(&why)))
		__builtin_trap();
	if (l != NULL && (dnslist_match(l, refused) ||
	    dnslist_match(l, elsewhere)))
		__builtin_trap();
	dnslist_free(&l);
	buf_fini(&why);
}

static void
template(struct span s)
{
	struct buf out;
	size_t i;

	buf_init(&out, 2048);
	if (template_expand(s, &out, macro, NULL) && buf_len(&out) > 2048)
		__builtin_trap();
	for (i = 0; i < buf_len(&out); i++)
		if (buf_data(&out)[i] == '\0' &&
		    memchr(s.p, '\0', s.n) == NULL)
			__builtin_trap();
	buf_fini(&out);
}

static void
networks(struct span s)
{
	char *text = xmemdup0(s.p, s.n);
	struct span bad = SPAN_NONE;
	struct netlist *n = netlist_parse(text, &bad);

	if (n == NULL && bad.n == 0)
		__builtin_trap();
	netlist_free(&n);
	free(text);
}

/* Not those that name a file by its path: this reads no device. */
static void
clients(struct span s)
{
	char *text = xmemdup0(s.p, s.n);
	struct net_addr a = { { 0 } };
	struct client_list *l;
	struct buf why;

	buf_init(&why, 4096);
	if (strstr(text, ":/") == NULL) {
		l = client_list_parse(text, &why);
		if ((l == NULL) == (buf_len(&why) == 0 && !buf_failed(&why)))
			__builtin_trap();
		if (l != NULL && client_list_match(l, text, "::", &a) &&
		    text[strspn(text, " \t\r\n\v\f,")] == '\0')
			__builtin_trap();
		client_list_free(&l);
	}
	buf_fini(&why);
	free(text);
}

/* As clients(). An address that no word of a list speaks of is decided by
 * none. */
static void
addresses(struct span s)
{
	static struct conf *conf;
	char *text = xmemdup0(s.p, s.n);
	struct net_addr a = { { 0 } };
	struct buf complaints;
	struct iplist *l;
	const char *by;

	buf_init(&complaints, 65536);
	if (conf == NULL)
		conf = conf_parse("f", SPAN_LIT("mynetworks = 10.0.0.0/8\n"),
		    &complaints);
	if (strstr(text, ":/") == NULL) {
		l = iplist_new(conf, "p", text, &complaints);
		if (iplist_find(l, "::", &a, &by) != IPLIST_DUNNO &&
		    *by == '\0')
			__builtin_trap();
		iplist_free(&l);
	}
	buf_fini(&complaints);
	free(text);
}

/* What is done with a message goes into headers, envelopes and the log. */
static void
effect(enum gate_do what, struct span text, const char *line, void *arg)
{
	size_t i;

	for (i = 0; i < text.n; i++)
		if (((unsigned char)text.p[i] < ' ' && text.p[i] != '\t') ||
		    text.p[i] == 0x7f)
			__builtin_trap();
	if (strlen(line) >= GATE_REPLY_MAX || strpbrk(line, "\r\n") != NULL)
		__builtin_trap();
	if (what == GATE_DO_PREPEND && (span_chr(text, ':') <= 0 ||
	    text.n > 998))
		__builtin_trap();
	if ((what == GATE_DO_BCC || what == GATE_DO_REDIRECT) &&
	    span_chr(text, '@') <= 0)
		__builtin_trap();
	if (what == GATE_DO_FILTER && text.n > GATE_FILTER_MAX)
		__builtin_trap();
	*(unsigned *)arg += 1;
}

static void
effects(const struct access *a)
{
	static const struct gate_ops ops = { .effect = effect };
	struct gate_facts facts = { .client_name = "unknown",
		.client_ip = "192.0.2.1", .helo = "",
		.sender = SPAN_LIT("x@y.example") };
	unsigned n = 0;
	struct gate_eval e = { .facts = &facts, .ops = &ops, .arg = &n,
		.stage = GATE_SENDER };

	if (a->what < ACCESS_HOLD || a->what > ACCESS_FILTER)
		return;
	if ((gate_access_effect(&e, a, GATE_IS_SENDER, "t:t",
	    SPAN_LIT("key")) == GATE_PERMIT) != (a->what == ACCESS_DISCARD))
		__builtin_trap();
	if (n > 1 || (n == 0 && (a->what == ACCESS_HOLD ||
	    a->what == ACCESS_DISCARD)))
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	struct access a;

	log_level_set(LOG_L_FATAL);
	dnslist(s);
	template(s);
	networks(s);
	clients(s);
	addresses(s);
	access_parse(s, &a);
	if (a.text.n > s.n)
		__builtin_trap();
	effects(&a);
	return 0;
}
