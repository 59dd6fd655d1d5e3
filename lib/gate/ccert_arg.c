#include "gate/ccert_arg.h"

#include "base/conf.h"

static const char *const key_names[CCERT_KEYS] = {
	[CCERT_FINGERPRINT] = "cert_fingerprint",
	[CCERT_PUBKEY] = "pubkey_fingerprint",
	[CCERT_SUBJECT_CN] = "subject_cn",
	[CCERT_ISSUER_CN] = "issuer_cn",
};

/* "{ inside }", trimmed. False when it is not in braces. */
static bool
unbrace(struct span text, struct span *inside)
{
	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}')
		return false;
	*inside = span_trim(span_sub(text, 1, text.n - 2));
	return true;
}

static bool
key_take(struct span word, struct ccert_arg *a, struct buf *why)
{
	size_t i, k;

	for (k = 0; k < CCERT_KEYS; k++)
		if (span_is(word, key_names[k]))
			break;
	for (i = 0; k < CCERT_KEYS && i < a->n; i++)
		if (a->order[i] == (enum ccert_key)k)
			break;
	if (k == CCERT_KEYS || i < a->n) {
		buf_fmt(why, "search_order: \"%.*s\" is %s", SPAN_ARG(word),
		    k == CCERT_KEYS ? "unknown" : "there twice");
		return false;
	}
	a->order[a->n++] = (enum ccert_key)k;
	return true;
}

static bool
order_take(struct span option, struct ccert_arg *a, struct buf *why)
{
	struct span inside, name, word;

	if (!unbrace(option, &inside) || !span_split(&inside, '=', &name) ||
	    !span_is(span_trim(name), "search_order")) {
		buf_fmt(why, "{ search_order = ... } is wanted in place of "
		    "\"%.*s\"", SPAN_ARG(option));
		return false;
	}
	a->n = 0;
	while (conf_list_next(&inside, &word))
		if (!key_take(word, a, why))
			return false;
	if (a->n > 0)
		return true;
	buf_str(why, "search_order: nothing to search for");
	return false;
}

bool
ccert_arg_parse(struct span text, struct ccert_arg *a, struct buf *why)
{
	struct span inside, option;

	*a = (struct ccert_arg){ text, { CCERT_FINGERPRINT, CCERT_PUBKEY },
		2 };
	if (!unbrace(text, &inside))
		return true;
	if (!conf_braced_next(&inside, &a->table)) {
		buf_str(why, "{ } names no table");
		return false;
	}
	while (conf_braced_next(&inside, &option))
		if (!order_take(option, a, why))
			return false;
	return true;
}
