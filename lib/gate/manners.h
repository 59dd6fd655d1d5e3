/*
 * How a listener talks, apart from its restriction lists: who may speak for
 * others, which commands and keywords are not for everyone, what stands behind
 * a refusal. smtpd has one for each [service]; start and `postern config
 * check` make one to see that it can be made.
 */
#ifndef GATE_MANNERS_H
#define GATE_MANNERS_H

#include "base/conf.h"
#include "gate/iplist.h"
#include "gate/netlist.h"
#include "table/matchlist.h"

/* What EHLO offers, in the order in which it does. */
enum ehlo_keyword {
	EHLO_PIPELINING, EHLO_SIZE, EHLO_VRFY, EHLO_ETRN, EHLO_STARTTLS,
	EHLO_AUTH, EHLO_XCLIENT, EHLO_XFORWARD, EHLO_ENHANCEDSTATUSCODES,
	EHLO_8BITMIME, EHLO_DSN, EHLO_SMTPUTF8, EHLO_CHUNKING, EHLO_KEYWORDS
};
#define EHLO_BIT(k)	(1u << (k))
/* Not a keyword: nothing is logged about the others. */
#define EHLO_SILENT	EHLO_BIT(EHLO_KEYWORDS)

extern const char *const ehlo_keywords[EHLO_KEYWORDS];
/* Words of smtpd_discard_ehlo_keywords as bits; false with *bad for one that
 * is none. */
bool ehlo_mask(struct span words, unsigned *mask, struct span *bad);

struct manners {
	bool proxied;			/* a PROXY header comes first */
	struct netlist *proxies;	/* who may send one */
	struct netlist *xclients, *xforwards;
	struct matchlist *forbidden, *noops;	/* commands */
	struct matchlist *filter;		/* smtpd_command_filter */
	unsigned ehlo_discard;
	struct matchlist *ehlo_maps;
	bool first_contact;		/* unknown clients are tested */
	struct iplist *first_access;	/* postscreen_access_list */
	bool has_footer;
	struct matchlist *footer_maps;
};

/* NULL when something is wrong: "file:line: ..." lines in complaints. */
struct manners *manners_new(const struct conf *conf, struct buf *complaints)
    MUST_CHECK;
void manners_free(struct manners **m);

#endif
