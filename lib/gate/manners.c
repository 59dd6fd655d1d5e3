#include "gate/manners.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "gate/gate_int.h"
#include "gate/template.h"

const char *const ehlo_keywords[EHLO_KEYWORDS] = {
	[EHLO_PIPELINING] = "PIPELINING", [EHLO_SIZE] = "SIZE",
	[EHLO_VRFY] = "VRFY", [EHLO_ETRN] = "ETRN",
	[EHLO_STARTTLS] = "STARTTLS", [EHLO_AUTH] = "AUTH",
	[EHLO_XCLIENT] = "XCLIENT", [EHLO_XFORWARD] = "XFORWARD",
	[EHLO_ENHANCEDSTATUSCODES] = "ENHANCEDSTATUSCODES",
	[EHLO_8BITMIME] = "8BITMIME", [EHLO_DSN] = "DSN",
	[EHLO_SMTPUTF8] = "SMTPUTF8", [EHLO_CHUNKING] = "CHUNKING",
};

bool
ehlo_mask(struct span words, unsigned *mask, struct span *bad)
{
	struct span word;
	size_t i;

	*mask = 0;
	while (conf_list_next(&words, &word)) {
		if (span_is(word, "silent-discard")) {
			*mask |= EHLO_SILENT;
			continue;
		}
		for (i = 0; i < EHLO_KEYWORDS; i++)
			if (span_is(word, ehlo_keywords[i]))
				break;
		if (i == EHLO_KEYWORDS) {
			*bad = word;
			return false;
		}
		*mask |= EHLO_BIT(i);
	}
	return true;
}

#define WHERE(param)	conf_where(conf, #param)

/* Whether the networks hold strangers is trust.c's question. */
static struct netlist *
peers(const struct conf *conf, const char *param, const char *text,
    struct buf *complaints)
{
	struct span bad = SPAN_NONE;
	struct netlist *n = netlist_parse(text, &bad);

	if (n == NULL)
		gate_complain(complaints, conf_where(conf, param),
		    "%s: \"%.*s\" is no network", param, SPAN_ARG(bad));
	return n;
}

static void
take_peers(struct manners *m, const struct conf *conf, struct buf *complaints)
{
#define PEERS(param)	peers(conf, #param, conf->param, complaints)
	m->proxied = *conf->smtpd_upstream_proxy_protocol != '\0';
	m->proxies = PEERS(smtpd_upstream_proxy_hosts);
	m->xclients = PEERS(smtpd_authorized_xclient_hosts);
	m->xforwards = PEERS(smtpd_authorized_xforward_hosts);
#undef PEERS
	if (m->proxied && *conf->smtpd_upstream_proxy_hosts == '\0')
		gate_complain(complaints, WHERE(smtpd_upstream_proxy_protocol),
		    "smtpd_upstream_proxy_protocol: "
		    "smtpd_upstream_proxy_hosts is empty: nobody could "
		    "connect");
}

/* Who logs in is no stranger, and where TLS comes first nothing can be said
 * in the clear meanwhile. */
static void
take_first_contact(struct manners *m, const struct conf *conf,
    struct buf *complaints)
{
	m->first_contact = conf->smtpd_first_contact &&
	    strcmp(conf->protocol, "smtp") == 0 &&
	    !conf->smtpd_tls_wrappermode;
	m->first_access = iplist_new(conf, "postscreen_access_list",
	    conf->postscreen_access_list, complaints);
}

static void
take_lists(struct manners *m, const struct conf *conf, struct buf *complaints)
{
#define LIST_OF(param, kind) \
	matchlist_new(conf, #param, conf->param, kind, complaints)
	m->forbidden = LIST_OF(smtpd_forbidden_commands, MATCHLIST_WORDS_TOO);
	m->noops = LIST_OF(smtpd_noop_commands, MATCHLIST_WORDS_TOO);
	m->filter = LIST_OF(smtpd_command_filter, MATCHLIST_TABLES_ONLY);
	m->ehlo_maps = LIST_OF(smtpd_discard_ehlo_keyword_address_maps,
	    MATCHLIST_TABLES_ONLY);
	m->footer_maps = LIST_OF(smtpd_reject_footer_maps,
	    MATCHLIST_TABLES_ONLY);
#undef LIST_OF
}

/* --- the footer: smtpd/footer.c expands it --- */

static bool
name_known(struct span name, struct buf *out, void *arg)
{
	static const char *const own[] = { "localtime", "server_name",
		"server_address", "server_port", "client_port" };
	struct gate_facts nobody = { .client_name = "", .client_ip = "",
		.helo = "" };
	struct gate_eval eval = { .facts = &nobody };
	size_t i;

	for (i = 0; i < ARRAY_LEN(own); i++)
		if (span_is(name, own[i]))
			return true;
	return gate_macro(&eval, name, out);
}

static bool
footer_fits(const char *text)
{
	struct buf scratch;
	bool ok;

	buf_init(&scratch, BUF_NO_CAP);
	ok = template_expand(span_str(text), &scratch, name_known, NULL);
	buf_fini(&scratch);
	return ok;
}

struct manners *
manners_new(const struct conf *conf, struct buf *complaints)
{
	struct manners *m = xcalloc(1, sizeof(*m));
	size_t before = buf_len(complaints);
	struct span bad = SPAN_NONE;

	take_peers(m, conf, complaints);
	take_first_contact(m, conf, complaints);
	take_lists(m, conf, complaints);
	if (!ehlo_mask(span_str(conf->smtpd_discard_ehlo_keywords),
	    &m->ehlo_discard, &bad))
		gate_complain(complaints, WHERE(smtpd_discard_ehlo_keywords),
		    "smtpd_discard_ehlo_keywords: \"%.*s\" is no EHLO "
		    "keyword", SPAN_ARG(bad));
	if (!footer_fits(conf->smtpd_reject_footer))
		gate_complain(complaints, WHERE(smtpd_reject_footer),
		    "smtpd_reject_footer: malformed, or a $name that is "
		    "unknown");
	m->has_footer = *conf->smtpd_reject_footer != '\0' ||
	    !matchlist_empty(m->footer_maps);
	if (buf_len(complaints) != before)
		manners_free(&m);
	return m;
}

void
manners_free(struct manners **mp)
{
	struct manners *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	netlist_free(&m->proxies);
	netlist_free(&m->xclients);
	netlist_free(&m->xforwards);
	iplist_free(&m->first_access);
	matchlist_free(&m->forbidden);
	matchlist_free(&m->noops);
	matchlist_free(&m->filter);
	matchlist_free(&m->ehlo_maps);
	matchlist_free(&m->footer_maps);
	free(m);
}
