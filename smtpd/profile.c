#include "smtpd/profile.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "smtpd/ehlo.h"
#include "smtpd/footer.h"

static void complain(const struct conf *conf, const char *param,
    struct buf *complaints, const char *fmt, ...) PRINTF(4, 5);

static void
complain(const struct conf *conf, const char *param, struct buf *complaints,
    const char *fmt, ...)
{
	const char *where = conf_where(conf, param);
	va_list ap;

	buf_fmt(complaints, "%s%s%s: ", where, *where == '\0' ? "" : ": ",
	    param);
	va_start(ap, fmt);
	buf_vfmt(complaints, fmt, ap);
	va_end(ap);
	buf_char(complaints, '\n');
}

/* A list of networks; what is none is a complaint. */
static struct netlist *
networks(const struct conf *conf, const char *param, const char *text,
    struct buf *complaints)
{
	struct span bad = SPAN_NONE;
	struct netlist *n = netlist_parse(text, &bad);

	if (n == NULL)
		complain(conf, param, complaints, "\"%.*s\" is no network",
		    SPAN_ARG(bad));
	return n;
}

/* Commands and keywords: what smtpd says no to, or does not say. */
static void
command_lists(struct profile *p, struct buf *complaints)
{
	const struct conf *conf = p->conf;
	struct span bad = SPAN_NONE;

#define LIST_OF(param, kind) \
	matchlist_new(conf, #param, conf->param, kind, complaints)
	p->forbidden = LIST_OF(smtpd_forbidden_commands, MATCHLIST_WORDS_TOO);
	p->noops = LIST_OF(smtpd_noop_commands, MATCHLIST_WORDS_TOO);
	p->filter = LIST_OF(smtpd_command_filter, MATCHLIST_TABLES_ONLY);
	p->ehlo_maps = LIST_OF(smtpd_discard_ehlo_keyword_address_maps,
	    MATCHLIST_TABLES_ONLY);
	p->footer_maps = LIST_OF(smtpd_reject_footer_maps,
	    MATCHLIST_TABLES_ONLY);
#undef LIST_OF
	if (!ehlo_mask(span_str(conf->smtpd_discard_ehlo_keywords),
	    &p->ehlo_discard, &bad))
		complain(conf, "smtpd_discard_ehlo_keywords", complaints,
		    "\"%.*s\" is no EHLO keyword", SPAN_ARG(bad));
	if (!footer_fits(conf->smtpd_reject_footer))
		complain(conf, "smtpd_reject_footer", complaints,
		    "malformed, or a $name that is unknown");
	p->has_footer = *conf->smtpd_reject_footer != '\0' ||
	    !matchlist_empty(p->footer_maps);
}

struct profile *
profile_new(struct conf *conf, struct buf *complaints)
{
	struct profile *p = xcalloc(1, sizeof(*p));
	size_t before = buf_len(complaints);

	p->refs = 1;
	p->conf = conf_ref(conf);
	p->gate = gate_new(conf, complaints);
	p->ccert = ccert_policy_new(conf, complaints);
	p->proxied = *conf->smtpd_upstream_proxy_protocol != '\0';
#define NETWORKS(param)	networks(conf, #param, conf->param, complaints)
	p->proxies = NETWORKS(smtpd_upstream_proxy_hosts);
	p->xclients = NETWORKS(smtpd_authorized_xclient_hosts);
	p->xforwards = NETWORKS(smtpd_authorized_xforward_hosts);
#undef NETWORKS
	command_lists(p, complaints);
	if (buf_len(complaints) != before)
		profile_unref(&p);
	return p;
}

struct profile *
profile_ref(struct profile *p)
{
	p->refs++;
	return p;
}

void
profile_unref(struct profile **pp)
{
	struct profile *p = *pp;

	*pp = NULL;
	if (p == NULL || --p->refs > 0)
		return;
	gate_unref(&p->gate);
	ccert_policy_unref(&p->ccert);
	netlist_free(&p->proxies);
	netlist_free(&p->xclients);
	netlist_free(&p->xforwards);
	matchlist_free(&p->forbidden);
	matchlist_free(&p->noops);
	matchlist_free(&p->filter);
	matchlist_free(&p->ehlo_maps);
	matchlist_free(&p->footer_maps);
	conf_unref(&p->conf);
	free(p);
}
