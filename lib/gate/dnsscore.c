#include "gate/dnsscore.h"

#include <stdlib.h>

#include "base/xmalloc.h"

struct dnssites {
	size_t n;
	struct site {
		struct dnslist *list;
		int64_t weight;
	} site[DNSSITES_MAX];
};

/* --- sites --- */

static bool
site_parse(struct span word, struct site *site, struct buf *why)
{
	ptrdiff_t star = span_rchr(word, '*');
	struct span list = star < 0 ? word : span_sub(word, 0, (size_t)star);

	site->weight = 1;
	if (star >= 0 && !span_i64(span_sub(word, (size_t)star + 1, word.n),
	    -DNSSCORE_WEIGHT_MAX, DNSSCORE_WEIGHT_MAX, &site->weight)) {
		buf_fmt(why, "\"%.*s\": behind \"*\" a weight is wanted, a "
		    "number such as 2 or -1", SPAN_ARG(word));
		return false;
	}
	site->list = dnslist_parse(list, why);
	return site->list != NULL;
}

struct dnssites *
dnssites_parse(const char *text, struct buf *why)
{
	struct dnssites *s = xcalloc(1, sizeof(*s));
	struct span rest = span_str(text), word;

	while (conf_list_next(&rest, &word)) {
		if (s->n == DNSSITES_MAX)
			buf_fmt(why, "more than %d lists", DNSSITES_MAX);
		else if (site_parse(word, &s->site[s->n], why)) {
			s->n++;
			continue;
		}
		dnssites_free(&s);
		break;
	}
	return s;
}

void
dnssites_free(struct dnssites **sp)
{
	struct dnssites *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	while (s->n > 0)
		dnslist_free(&s->site[--s->n].list);
	free(s);
}

size_t
dnssites_count(const struct dnssites *s)
{
	return s->n;
}

const struct dnslist *
dnssites_at(const struct dnssites *s, size_t i)
{
	return i < s->n ? s->site[i].list : NULL;
}

/* --- the count --- */

/* Answers to come and answers that will not come, by what they could add. */
struct open {
	int64_t up, down;	/* down <= 0 */
	int64_t lost_down;	/* of allow lists that don't answer */
};

static void
hit_add(struct dnsscore *out, const struct site *site, const uint8_t addr[4])
{
	size_t i = MIN((size_t)out->n_hits, (size_t)DNSSCORE_TOLD_MAX);

	if (site->weight <= 0)
		return;
	out->n_hits++;
	while (i > 0 && out->hit[i - 1].weight < site->weight) {
		if (i < DNSSCORE_TOLD_MAX)
			out->hit[i] = out->hit[i - 1];
		i--;
	}
	if (i == DNSSCORE_TOLD_MAX)
		return;
	out->hit[i].list = site->list;
	out->hit[i].weight = site->weight;
	memcpy(out->hit[i].answer, addr, 4);
}

static void
site_count(const struct site *site, const char *ip, enum list_kind kind,
    const struct gate_ops *ops, void *arg, struct dnsscore *out,
    struct open *open)
{
	const char *zone = dnslist_zone(site->list);
	const struct dns_answer *a = NULL;
	enum list_use use = ops->list == NULL ? LIST_USE_YES :
	    ops->list(zone, kind, arg);
	char query[DNS_NAME_MAX];
	const uint8_t *addr;

	if (use == LIST_USE_NEVER || !dns_reverse_name(ip, zone, query))
		return;
	if (use == LIST_USE_YES && ops->dns != NULL)
		a = ops->dns(query, DNS_A, arg);
	if (use == LIST_USE_NO || ops->dns == NULL ||
	    (a != NULL && a->result == DNS_TEMPFAIL)) {
		open->lost_down += MIN(site->weight, 0);
	} else if (a == NULL) {
		open->up += MAX(site->weight, 0);
		open->down += MIN(site->weight, 0);
	} else if ((addr = dnslist_find(site->list, a)) != NULL) {
		out->score += site->weight;
		hit_add(out, site, addr);
	} else if (dnslist_is_odd(a) && ops->list_odd != NULL)
		ops->list_odd(zone, kind, arg);
}

static enum dnsscore_verdict
verdict_of(int64_t score, const struct open *open,
    const struct dnsscore_limits *limits)
{
	int64_t lowest = score + open->down, highest = score + open->up;

	if (lowest >= limits->block)
		return lowest + open->lost_down < limits->block ?
		    DNSSCORE_UNSURE : DNSSCORE_BLOCK;
	if (highest >= limits->block)
		return DNSSCORE_OPEN;
	if (limits->allow >= 0 || lowest > limits->allow)
		return DNSSCORE_NEUTRAL;
	return highest <= limits->allow ? DNSSCORE_ALLOW : DNSSCORE_OPEN;
}

struct dnsscore_limits
dnsscore_limits_of(const struct conf *conf)
{
	return (struct dnsscore_limits){
		.block = conf->postscreen_dnsbl_threshold,
		.allow = conf->postscreen_dnsbl_allowlist_threshold,
	};
}

void
dnsscore_count(const struct dnssites *s, const char *ip,
    const struct dnsscore_limits *limits, bool late,
    const struct gate_ops *ops, void *arg, struct dnsscore *out)
{
	enum list_kind kind = strchr(ip, ':') == NULL ? LIST_IPV4 : LIST_IPV6;
	struct open open = { .up = 0 };
	size_t i;

	*out = (struct dnsscore){ .score = 0 };
	for (i = 0; i < s->n; i++)
		site_count(&s->site[i], ip, kind, ops, arg, out, &open);
	if (late) {
		open.lost_down += open.down;
		open.up = open.down = 0;
	}
	out->verdict = verdict_of(out->score, &open, limits);
}

/* --- the reply --- */

/* The list's name in public. TABLE_FOUND: it is in *name. */
static enum table_result
public_name(const struct gate *g, const struct dnslist *l,
    const struct gate_ops *ops, void *arg, struct buf *name)
{
	struct span zone = span_str(dnslist_zone(l));
	enum table_result r = TABLE_NOTFOUND;
	struct table *t;
	struct err err;
	size_t i;

	err_clear(&err);
	for (i = 0; r == TABLE_NOTFOUND &&
	    (t = gate_score_reply_map(g, i)) != NULL; i++)
		r = ops->table == NULL ? table_look_up(t, zone, name, &err) :
		    ops->table(t, zone, name, &err, arg);
	if (r == TABLE_NOTFOUND) {
		buf_span_add(name, zone);
		r = TABLE_FOUND;
	}
	for (i = 0; i < buf_len(name); i++)	/* it goes into a reply */
		if ((unsigned char)buf_data(name)[i] < 0x20)
			return TABLE_TEMPFAIL;
	return r;
}

bool
dnsscore_names(const struct gate *g, const struct dnsscore *s,
    const struct gate_ops *ops, void *arg, struct buf *out)
{
	unsigned n = MIN(s->n_hits, (unsigned)DNSSCORE_TOLD_MAX), i;
	enum table_result r;
	struct buf name;
	bool all = true;

	buf_init(&name, TABLE_VALUE_MAX);
	for (i = 0; i < n; i++) {
		const struct dnsscore_hit *h = &s->hit[i];

		buf_clear(&name);
		r = public_name(g, h->list, ops, arg, &name);
		all = all && r != TABLE_PARKED;
		if (r != TABLE_FOUND)
			continue;
		buf_fmt(out, "%s%.100s (%u.%u.%u.%u)", buf_len(out) == 0 ? "" :
		    ", ", buf_cstr(&name), h->answer[0], h->answer[1],
		    h->answer[2], h->answer[3]);
	}
	buf_fini(&name);
	return all;
}
