#include "smtpd/profile.h"

#include <stdlib.h>

#include "base/xmalloc.h"

/* A list of networks; what is none is a complaint. */
static struct netlist *
networks(const struct conf *conf, const char *param, const char *text,
    struct buf *complaints)
{
	struct span bad = SPAN_NONE;
	struct netlist *n = netlist_parse(text, &bad);
	const char *where = conf_where(conf, param);

	if (n == NULL)
		buf_fmt(complaints, "%s%s%s: \"%.*s\" is no network\n", where,
		    *where == '\0' ? "" : ": ", param, SPAN_ARG(bad));
	return n;
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
	conf_unref(&p->conf);
	free(p);
}
