#include "admin/explain_first.h"

#include <stdlib.h>

#include "admin/sql.h"
#include "base/xmalloc.h"
#include "gate/manners.h"

static void told(struct explain_first *f, const char *fmt, ...) PRINTF(2, 3);

static void
told(struct explain_first *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&f->told, fmt, ap);
	va_end(ap);
	buf_char(&f->told, '\n');
}

/* A test is failed whose action is this. */
static void
failed(struct explain_first *f, const char *action, const char *enforce,
    const char *drop)
{
	if (strcmp(action, "ignore") == 0 || *f->reply != '\0')
		return;
	f->result = "reject";
	f->ends = strcmp(action, "drop") == 0;
	free(f->reply);
	f->reply = xstrdup(f->ends ? drop : enforce);
}

/* --- the list --- */

/* True: it decides. */
static bool
listed(struct explain_first *f, const struct manners *m,
    const struct conf *conf, const char *ip, const struct net_addr *a)
{
	const char *by;

	switch (iplist_find(m->first_access, ip, a, &by)) {
	case IPLIST_PERMIT:
		told(f, "not tested: %s in postscreen_access_list", by);
		f->result = "permit";
		return true;
	case IPLIST_REJECT:
		told(f, "denied by %s in postscreen_access_list", by);
		failed(f, conf->postscreen_denylist_action,
		    "550 5.3.2 Service currently unavailable",
		    "521 5.3.2 Service currently unavailable");
		return strcmp(f->result, "reject") == 0;
	case IPLIST_DUNNO:
		break;
	}
	if (netlist_match(m->xclients, a)) {
		told(f, "not tested: in smtpd_authorized_xclient_hosts");
		f->result = "permit";
		return true;
	}
	return false;
}

/* --- the passes --- */

#define TESTS	5

static const char *const names[TESTS] = { "greet", "dnsbl", "pipelining",
	"non_smtp_command", "bare_newline" };

/* The tests that this listener makes. */
static void
tests_of(const struct conf *conf, bool on[TESTS])
{
	on[0] = conf->postscreen_greet_wait > 0;
	on[1] = *conf->postscreen_dnsbl_sites != '\0';
	on[2] = conf->postscreen_pipelining_enable;
	on[3] = conf->postscreen_non_smtp_command_enable;
	on[4] = conf->postscreen_bare_newline_enable;
}

/* Is a client known? Seconds that each pass is still good for. */
static bool
passes_of(struct cli *cli, const char *ip, uint64_t left[TESTS])
{
	struct span p[] = { span_str(ip) };
	struct sql_result *r;
	bool known;
	size_t t;
	int rc;

	r = cli_ask(cli, "SELECT s.* FROM postern.first_contact_list($1) c, "
	    "LATERAL (SELECT extract(epoch FROM c.greet_until - now())::bigint,"
	    " extract(epoch FROM c.dnsbl_until - now())::bigint, "
	    "extract(epoch FROM c.pipelining_until - now())::bigint, "
	    "extract(epoch FROM c.non_smtp_command_until - now())::bigint, "
	    "extract(epoch FROM c.bare_newline_until - now())::bigint) s",
	    p, 1, &rc);
	known = r != NULL && sql_rows(r) > 0;
	for (t = 0; t < TESTS; t++)
		if (!known || !span_u64(sql_get(r, 0, t), 0, UINT64_MAX,
		    &left[t]))
			left[t] = 0;		/* never, or run out */
	sql_result_free(&r);
	return known;
}

static void
pass_told(struct explain_first *f, const char *name, uint64_t s)
{
	if (s == 0)
		told(f, "%s: to be tested", name);
	else
		told(f, "%s: passed, good for %llud %02lluh %02llum %02llus",
		    name, (unsigned long long)s / 86400,
		    (unsigned long long)s / 3600 % 24,
		    (unsigned long long)s / 60 % 60,
		    (unsigned long long)s % 60);
}

static void
score_told(struct explain_first *f, struct explain *x,
    const struct conf *conf, const char *ip)
{
	struct dnsscore s;
	struct buf reply, hard, drop;

	buf_init(&reply, 4096);
	buf_init(&hard, 4096);
	buf_init(&drop, 4096);
	explain_score(x, ip, &s, &reply);
	told(f, "DNSBL rank %lld%s", (long long)s.score,
	    s.verdict == DNSSCORE_ALLOW ? ": allowed without a wait" : "");
	if (s.verdict == DNSSCORE_BLOCK || s.verdict == DNSSCORE_UNSURE) {
		bool soft = s.verdict == DNSSCORE_UNSURE;

		buf_fmt(&hard, "%s %s", soft ? "450 4.7.1" : "550 5.7.1",
		    buf_cstr(&reply));
		buf_fmt(&drop, "%s %s", soft ? "421 4.7.1" : "521 5.7.1",
		    buf_cstr(&reply));
		failed(f, conf->postscreen_dnsbl_action, buf_cstr(&hard),
		    buf_cstr(&drop));
	}
	buf_fini(&drop);
	buf_fini(&hard);
	buf_fini(&reply);
}

static void
tested(struct explain_first *f, struct cli *cli, struct explain *x,
    const struct conf *conf, const char *ip)
{
	bool on[TESTS], known;
	uint64_t left[TESTS];
	size_t t;

	tests_of(conf, on);
	known = passes_of(cli, ip, left);
	if (on[0] && left[0] == 0)
		told(f, "%s client, waits %lld.%03lld s for its greeting",
		    known ? "OLD" : "NEW",
		    (long long)conf->postscreen_greet_wait / 1000,
		    (long long)conf->postscreen_greet_wait % 1000);
	else
		told(f, "%s client, does not wait", known ? "OLD" : "NEW");
	for (t = 0; t < TESTS; t++)
		if (on[t])
			pass_told(f, names[t], left[t]);
	if (on[1] && left[1] == 0)
		score_told(f, x, conf, ip);
}

/* --- all of it --- */

bool
explain_first(struct cli *cli, struct explain *x, const struct conf *section,
    const char *ip, struct explain_first *f)
{
	struct buf complaints;
	struct manners *m;
	struct net_addr a;
	bool tests;

	if (!net_addr_parse(span_str(ip), &a))
		return false;
	buf_init(&complaints, 65536);
	m = manners_new(section, &complaints);
	buf_fini(&complaints);
	tests = m != NULL && m->first_contact;
	if (tests) {
		*f = (struct explain_first){ .result = "dunno",
			.reply = xstrdup("") };
		buf_init(&f->told, 65536);
		if (!listed(f, m, section, ip, &a))
			tested(f, cli, x, section, ip);
	}
	manners_free(&m);
	return tests;
}

void
explain_first_fini(struct explain_first *f)
{
	free(f->reply);
	f->reply = NULL;
	buf_fini(&f->told);
}
