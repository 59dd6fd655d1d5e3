/*
 * check_*_access: a form of the client, the name or the address is looked up
 * and the table's value becomes a verdict. A table that fails, or a value we
 * can't carry out, is a 451: never a permit, never a 5xx.
 */
#include "base/log.h"
#include "gate/access.h"
#include "gate/checks.h"
#include "mail/address.h"

/* What a look-up is about and where its answer goes. */
struct lookup {
	struct access_ask ask;
	enum gate_what what;
	struct buf value, key;
	struct err err;
};

static enum gate_result
refusal(struct gate_eval *e, enum gate_what what, const struct access *a,
    enum gate_result how)
{
	const struct conf *conf = gate_conf(e->gate);
	int64_t code = a->code;
	const char *usual = how == GATE_REJECT || how == GATE_DEFER ?
	    "Access denied" : "Service unavailable";
	struct buf why;

	if (code == 0)
		code = how == GATE_REJECT ? conf->access_map_reject_code :
		    conf->access_map_defer_code;
	buf_init(&why, GATE_REPLY_MAX);
	if (a->text.n == 0)
		buf_str(&why, usual);
	else
		buf_span_add(&why, span_sub(a->text, 0, GATE_REPLY_MAX / 2));
	(void)gate_refuse(e, what, code, a->dsn[0] == '\0' ? "5.7.1" :
	    a->dsn, buf_cstr(&why));
	buf_fini(&why);
	return how == GATE_REJECT && code < 500 ? GATE_DEFER : how;
}

static enum gate_result
noted(struct gate_eval *e, const char *as, const struct access *a)
{
	struct buf text;

	buf_init(&text, GATE_REPLY_MAX);
	buf_span_add(&text, span_sub(a->text, 0, GATE_REPLY_MAX / 2));
	gate_note(e, as, buf_cstr(&text));
	buf_fini(&text);
	return GATE_DUNNO;
}

enum gate_result
gate_access_act(struct gate_eval *e, struct span value, enum gate_what what,
    const char *who, struct span key)
{
	struct access a;

	access_parse(value, &a);
	switch (a.what) {
	case ACCESS_OK:
		return GATE_PERMIT;
	case ACCESS_DUNNO:
		return GATE_DUNNO;
	case ACCESS_REJECT:
		return refusal(e, what, &a, GATE_REJECT);
	case ACCESS_DEFER:
		return refusal(e, what, &a, GATE_DEFER);
	case ACCESS_DEFER_IF_PERMIT:
		return refusal(e, what, &a, GATE_DEFER_IF_PERMIT);
	case ACCESS_DEFER_IF_REJECT:
		return refusal(e, what, &a, GATE_DEFER_IF_REJECT);
	case ACCESS_WARN:
		return noted(e, "warn", &a);
	case ACCESS_INFO:
		return noted(e, "info", &a);
	case ACCESS_HOLD:
	case ACCESS_DISCARD:
	case ACCESS_PREPEND:
	case ACCESS_REDIRECT:
	case ACCESS_BCC:
	case ACCESS_FILTER:
		return gate_access_effect(e, &a, what, who, key);
	case ACCESS_LIST:
		break;
	}
	return gate_run_words(e, a.text);
}

static enum gate_result
verdict(struct gate_eval *e, struct lookup *l, enum table_result r)
{
	switch (r) {
	case TABLE_FOUND:
		return gate_access_act(e, buf_span(&l->value), l->what,
		    table_name(l->ask.table), buf_span(&l->key));
	case TABLE_NOTFOUND:
		return GATE_DUNNO;
	case TABLE_PARKED:
		return GATE_PARKED;
	case TABLE_TEMPFAIL:
		break;
	}
	(void)gate_broken(e, "%s: %s", table_name(l->ask.table),
	    l->err.why);
	return gate_refuse(e, l->what, 451, "4.3.5",
	    "Server configuration error");
}

static enum table_result
look_up(struct table *t, struct span key, struct buf *out, struct err *err,
    void *arg)
{
	return gate_look_up(arg, t, key, out, err);
}

static void
begin(struct lookup *l, struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what what)
{
	l->ask = (struct access_ask){ .table = rule->table,
		.dotted_parents = gate_dotted_parents(e->gate),
		.null_key = gate_conf(e->gate)->smtpd_null_access_lookup_key,
		.look_up = look_up, .arg = e, .value = &l->value,
		.key = &l->key, .err = &l->err };
	l->what = what;
	buf_init(&l->value, TABLE_VALUE_MAX);
	buf_init(&l->key, TABLE_KEY_MAX);
	err_clear(&l->err);
}

static void
end(struct lookup *l)
{
	buf_fini(&l->value);
	buf_fini(&l->key);
}

/* A name, then the client's address. */
static enum gate_result
by_client(struct gate_eval *e, const struct gate_rule *rule,
    const char *name, enum gate_what what)
{
	enum gate_result v;
	enum table_result r;
	struct lookup l;

	begin(&l, e, rule, what);
	r = access_domain(&l.ask, span_str(name));
	if (r == TABLE_NOTFOUND)
		r = access_address(&l.ask, span_str(e->facts->client_ip));
	v = verdict(e, &l, r);
	end(&l);
	return v;
}

enum gate_result
check_client_access(struct gate_eval *e, const struct gate_rule *rule)
{
	return by_client(e, rule, e->facts->client_name, GATE_IS_CLIENT);
}

/* What others can put into the DNS must never let anyone in. DISCARD lets
 * nothing in either, and has been carried out by now. */
enum gate_result
gate_forbid_permit(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_result r, const char *who)
{
	if (r != GATE_PERMIT || e->facts->discard)
		return r;
	return gate_broken(e, "restriction %s returns OK for %s: this is not "
	    "allowed for security reasons; use DUNNO instead of OK if you "
	    "want to make an exception", rule->is->name, who);
}

enum gate_result
check_reverse_client_hostname_access(struct gate_eval *e,
    const struct gate_rule *rule)
{
	const char *name = gate_reverse_name(e->facts);

	return gate_forbid_permit(e, rule, by_client(e, rule, name,
	    GATE_IS_REVERSE), name);
}

static enum gate_result
by_name(struct gate_eval *e, const struct gate_rule *rule, const char *name,
    enum gate_what what)
{
	struct lookup l;
	enum gate_result v;

	if (name[0] == '\0')
		return GATE_DUNNO;
	begin(&l, e, rule, what);
	v = verdict(e, &l, access_domain(&l.ask, span_str(name)));
	end(&l);
	return v;
}

/* For checks_server.c: a server's name (NULL: only the address), or its
 * address. *found: the table had something. */
enum gate_result
gate_server_access(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what what, struct span name, bool is_address, bool *found)
{
	struct lookup l;
	enum table_result r;
	enum gate_result v;

	begin(&l, e, rule, what);
	r = is_address ? access_address(&l.ask, name) :
	    access_domain(&l.ask, name);
	*found = r != TABLE_NOTFOUND;
	v = verdict(e, &l, r);
	end(&l);
	return v;
}

enum gate_result
check_helo_access(struct gate_eval *e, const struct gate_rule *rule)
{
	return by_name(e, rule, e->facts->helo, GATE_IS_HELO);
}

/* Tables know an address by its normal form: quotes, case, a domain left out
 * and the like are no way around an entry. */
static enum gate_result
by_mail(struct gate_eval *e, const struct gate_rule *rule,
    struct span address, enum gate_what what)
{
	struct lookup l;
	struct buf normal;
	enum gate_result v;

	begin(&l, e, rule, what);
	buf_init(&normal, TABLE_KEY_MAX);
	if (address.n > 0 && address_normal_text(address, &normal,
	    &l.err) != 0) {
		buf_clear(&normal);
		buf_span_add(&normal, address);
	}
	if (address.n > 0 && span_rchr(buf_span(&normal), '@') == -1)
		buf_fmt(&normal, "@%s", gate_conf(e->gate)->myorigin);
	err_clear(&l.err);
	v = verdict(e, &l, access_mail(&l.ask, buf_span(&normal),
	    gate_conf(e->gate)->recipient_delimiter));
	buf_fini(&normal);
	end(&l);
	return v;
}

/* Before MAIL there is no sender, which is not the null sender. */
enum gate_result
check_sender_access(struct gate_eval *e, const struct gate_rule *rule)
{
	if (e->facts->sender.p == NULL)
		return GATE_DUNNO;
	return by_mail(e, rule, e->facts->sender, GATE_IS_SENDER);
}

/* An OK for a domain is none for what would go on from there to elsewhere:
 * user%b.example@a.example (Postfix: allow_untrusted_routing = no). */
enum gate_result
check_recipient_access(struct gate_eval *e, const struct gate_rule *rule)
{
	enum gate_result r;

	if (e->facts->recipient.n == 0)
		return GATE_DUNNO;
	r = by_mail(e, rule, e->facts->recipient, GATE_IS_RECIPIENT);
	return r == GATE_PERMIT && !e->facts->discard &&
	    gate_is_routed(e->facts->recipient) ? GATE_DUNNO : r;
}

enum gate_result
gate_key_access(struct gate_eval *e, const struct gate_rule *rule,
    enum gate_what what, struct span key, bool *found)
{
	struct lookup l;
	enum table_result r;
	enum gate_result v;

	begin(&l, e, rule, what);
	r = access_key(&l.ask, key);
	*found = r != TABLE_NOTFOUND;
	v = verdict(e, &l, r);
	end(&l);
	return v;
}

/* The login name as it stands: no parts of it are looked up. */
enum gate_result
check_sasl_access(struct gate_eval *e, const struct gate_rule *rule)
{
	bool found;

	if (!e->facts->authenticated || e->facts->user == NULL)
		return GATE_DUNNO;
	return gate_key_access(e, rule, GATE_IS_SASL,
	    span_str(e->facts->user), &found);
}

enum gate_result
check_etrn_access(struct gate_eval *e, const struct gate_rule *rule)
{
	struct lookup l;
	enum gate_result v;

	begin(&l, e, rule, GATE_IS_ETRN);
	v = verdict(e, &l, access_domain(&l.ask, e->facts->etrn));
	end(&l);
	return v;
}
