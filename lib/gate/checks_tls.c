/*
 * Checks of TLS client certificates. Nothing is asked of the client here: a
 * listener that wants certificates has smtpd_tls_ask_ccert.
 */
#include "gate/ccert_arg.h"
#include "gate/checks.h"

static const char *
key_of(const struct gate_facts *f, enum ccert_key k)
{
	switch (k) {
	case CCERT_FINGERPRINT:
		return f->ccert_fingerprint;
	case CCERT_PUBKEY:
		return f->ccert_pubkey_fingerprint;
	case CCERT_SUBJECT_CN:
		return f->ccert_subject;
	case CCERT_ISSUER_CN:
		return f->ccert_issuer;
	case CCERT_KEYS:
		break;
	}
	return NULL;
}

enum gate_result
permit_tls_all_clientcerts(struct gate_eval *e, const struct gate_rule *r)
{
	return e->facts->ccert_trusted ? GATE_PERMIT : GATE_DUNNO;
}

/* One table of relay_clientcerts, either fingerprint. */
static enum table_result
listed(struct gate_eval *e, struct table *t, struct err *err)
{
	static const enum ccert_key keys[] = { CCERT_FINGERPRINT,
		CCERT_PUBKEY };
	enum table_result r = TABLE_NOTFOUND;
	struct buf value;
	size_t i;

	buf_init(&value, TABLE_VALUE_MAX);
	for (i = 0; i < ARRAY_LEN(keys) && r == TABLE_NOTFOUND; i++)
		r = gate_look_up(e, t, span_str(key_of(e->facts, keys[i])),
		    &value, err);
	buf_fini(&value);
	return r;
}

/* Whether an issuer vouches for the certificate is no question here: its
 * fingerprint, or its key's, is in a list of our own. */
enum gate_result
permit_tls_clientcerts(struct gate_eval *e, const struct gate_rule *r)
{
	struct span rest = span_str(gate_conf(e->gate)->relay_clientcerts);
	struct span spec;
	struct err err;

	if (e->facts->ccert_fingerprint == NULL)
		return GATE_DUNNO;
	while (gate_word_next(&rest, &spec)) {
		err_clear(&err);
		switch (listed(e, gate_table(e->gate, spec), &err)) {
		case TABLE_FOUND:
			return GATE_PERMIT;
		case TABLE_NOTFOUND:
			break;
		case TABLE_PARKED:
			return GATE_PARKED;
		case TABLE_TEMPFAIL:
			return gate_broken(e, "relay_clientcerts: %.*s: %s",
			    SPAN_ARG(spec), err.why);
		}
	}
	return GATE_DUNNO;
}

enum gate_result
check_ccert_access(struct gate_eval *e, const struct gate_rule *rule)
{
	struct ccert_arg arg;
	struct buf why;
	enum gate_result r = GATE_DUNNO;
	const char *key;
	bool found;
	size_t i;

	if (e->facts->ccert_fingerprint == NULL)
		return GATE_DUNNO;
	buf_init(&why, 256);
	if (!ccert_arg_parse(span_str(rule->arg), &arg, &why))
		r = gate_broken(e, "%s", buf_cstr(&why));
	else
		for (i = 0; i < arg.n && r == GATE_DUNNO; i++) {
			key = key_of(e->facts, arg.order[i]);
			if (key[0] != '\0')
				r = gate_key_access(e, rule, GATE_IS_CCERT,
				    span_str(key), &found);
		}
	buf_fini(&why);
	return r;
}
