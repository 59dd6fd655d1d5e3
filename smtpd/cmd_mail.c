/*
 * MAIL and RCPT: their syntax and parameters. What a recipient leads to is
 * rcpt.c's.
 */
#include "base/clock.h"
#include "base/log.h"
#include "mail/address.h"
#include "smtpd/command.h"
#include "smtpd/ehlo.h"
#include "smtpd/limits.h"
#include "smtpd/rcpt.h"

#define MAIL_TEXT_MAX	1000	/* ENVID, ORCPT; RFC 3461 4.4: 100, 500 */

/* A parameter "KEY=value"; returns NULL or the reply that refuses it. */
struct param {
	const char *key;
	bool needs_value;	/* else it has none */
	bool dsn;		/* of RFC 3461 */
	const char *(*fn)(struct session *s, struct span value);
};

/* Lent until the next call. */
static const char *
unsupported(struct span key, struct span value)
{
	static char reply[256];

	(void)snprintf(reply, sizeof(reply), "555 5.5.4 Unsupported option: "
	    "%.*s%s%.*s", (int)MIN(key.n, (size_t)80), key.p,
	    value.p == NULL ? "" : "=", (int)MIN(value.n, (size_t)80),
	    value.p == NULL ? "" : value.p);
	return reply;
}

static const char *
take_params(struct session *s, struct span rest, const struct param *table,
    size_t n)
{
	struct span key, value;
	const char *refusal;
	size_t i;
	int rc;

	while ((rc = esmtp_param_next(&rest, &key, &value)) == 1) {
		for (i = 0; i < n; i++)
			if (span_is(key, table[i].key))
				break;
		if (i == n || table[i].needs_value != (value.p != NULL))
			return unsupported(key, value);
		if (table[i].dsn && ehlo_discards(s, EHLO_DSN))
			return "501 5.7.1 DSN support is disabled";
		if ((refusal = table[i].fn(s, value)) != NULL)
			return refusal;
	}
	return rc == 0 ? NULL : "501 5.5.4 Bad parameter syntax";
}

/* "FROM:" or "TO:" off the front; old mailers put a space behind it. */
static bool
take_word(struct span *args, const char *word)
{
	size_t n = strlen(word);

	if (!span_starts(*args, word) || args->n == n)
		return false;
	*args = span_sub(*args, n, args->n);
	return true;
}

static unsigned
path_flags(const struct session *s)
{
	/* Whether SMTPUTF8 is given is known only behind the address. */
	return ADDRESS_UTF8 |
	    (session_conf(s)->strict_rfc821_envelopes ? 0 : ADDRESS_LOOSE);
}

/* --- MAIL --- */

static const char *
mail_size(struct session *s, struct span value)
{
	uint64_t n;

	if (!span_u64(value, 0, UINT64_MAX / 2, &n))
		return "501 5.5.4 Bad message size syntax";
	if (n > (uint64_t)session_conf(s)->message_size_limit)
		return "552 5.3.4 Message size exceeds fixed limit";
	s->txn->declared_size = n;
	return NULL;
}

static const char *
mail_body(struct session *s, struct span value)
{
	if (span_is(value, "8BITMIME"))
		s->txn->flags |= ENVELOPE_8BITMIME;
	else if (!span_is(value, "7BIT"))
		return unsupported(SPAN_LIT("BODY"), value);
	return NULL;
}

static const char *
mail_utf8(struct session *s, struct span value)
{
	s->txn->flags |= ENVELOPE_SMTPUTF8;
	return NULL;
}

static const char *
mail_ret(struct session *s, struct span value)
{
	if (span_is(value, "FULL"))
		s->txn->ret = ENVELOPE_RET_FULL;
	else if (span_is(value, "HDRS"))
		s->txn->ret = ENVELOPE_RET_HDRS;
	else
		return "501 5.5.4 Bad RET parameter syntax";
	return NULL;
}

static const char *
mail_envid(struct session *s, struct span value)
{
	struct buf plain;
	int rc;

	buf_init(&plain, MAIL_TEXT_MAX);
	rc = xtext_decode(value, &plain);
	if (rc == 0)
		s->txn->envid = txn_keep(s->txn, buf_span(&plain));
	buf_fini(&plain);
	return rc == 0 ? NULL : "501 5.5.4 Bad ENVID parameter syntax";
}

/* RFC 4954 5: who submitted it elsewhere. We believe nobody; policy services
 * are told what a client that has logged in says, in xtext as Postfix does. */
static const char *
mail_auth(struct session *s, struct span value)
{
	struct buf plain;

	buf_init(&plain, ADDRESS_MAX);
	if (session_authenticated(s) && xtext_decode(value, &plain) == 0)
		s->txn->auth = txn_keep(s->txn, value);
	buf_fini(&plain);
	return NULL;
}

static const struct param mail_params[] = {
	{ "SIZE", true, false, mail_size },
	{ "BODY", true, false, mail_body },
	{ "SMTPUTF8", false, false, mail_utf8 },
	{ "RET", true, true, mail_ret },
	{ "ENVID", true, true, mail_envid },
	{ "AUTH", true, false, mail_auth },
};

static enum step
mail_refuse(struct session *s, const char *reply)
{
	session_log_reject(s, "MAIL", reply, SPAN_NONE);
	session_reply(s, reply);
	session_reset(s);
	return STEP_NEXT;
}

static enum step
mail_judged(struct session *s, enum gate_result r)
{
	if (r != GATE_PERMIT) {
		(void)mail_refuse(s, s->judge->eval.reply);
		judge_end(s);
		return STEP_NEXT;
	}
	judge_end(s);
	s->txn->begun_us = clock_wall_us();
	s->txn->number = s->srv->n_mails++;
	session_reply(s, "250 2.1.0 Ok");
	return STEP_NEXT;
}

/* Reasons of ours not to begin a message now. */
static const char *
not_now(const struct session *s)
{
	if (s->helo == NULL && session_conf(s)->smtpd_helo_required)
		return "503 5.5.1 Error: send HELO/EHLO first";
	if (s->srv->pressure >= 2)
		return "452 4.3.1 Insufficient system storage";
	if (s->n_messages >= QUEUE_ID_PER_SESSION)
		return "452 4.5.3 Error: too many messages in this session";
	return NULL;
}

/* No limit is in the way; args begin behind "FROM:". */
static enum step
mail(struct session *s, struct span args)
{
	struct address a;
	struct err err;
	const char *refusal;

	if (address_path(&args, path_flags(s) | ADDRESS_NULL |
	    ADDRESS_NO_DOMAIN, &a, &err) != 0) {
		session_reply(s, "501 5.1.7 Bad sender address syntax");
		return STEP_NEXT;
	}
	s->txn = txn_new(s);
	s->txn->sender = txn_keep(s->txn, a.text);
	refusal = take_params(s, args, mail_params, ARRAY_LEN(mail_params));
	if (refusal == NULL && a.utf8 &&
	    !(s->txn->flags & ENVELOPE_SMTPUTF8))
		refusal = "553 5.6.7 Must declare SMTPUTF8 to send unicode "
		    "address";
	if (refusal != NULL)
		return mail_refuse(s, refusal);
	return judge_begin(s, GATE_AT_MAIL, SPAN_NONE, SPAN_NONE,
	    mail_judged);
}

enum step
cmd_mail(struct session *s, struct span args)
{
	const char *refusal;

	if ((refusal = not_now(s)) != NULL) {
		session_reply(s, refusal);
		return STEP_NEXT;
	}
	if (!take_word(&args, "FROM:")) {
		session_reply(s, "501 5.5.4 Syntax: MAIL FROM:<address>");
		return STEP_NEXT;
	}
	return limits_check(s, KEEPER_MESSAGE, args, mail);
}

/* --- RCPT --- */

static const struct {
	const char *word;
	unsigned bit;
} notify_words[] = {
	{ "NEVER", ENVELOPE_NOTIFY_NEVER },
	{ "SUCCESS", ENVELOPE_NOTIFY_SUCCESS },
	{ "FAILURE", ENVELOPE_NOTIFY_FAILURE },
	{ "DELAY", ENVELOPE_NOTIFY_DELAY },
};

static const char *
rcpt_notify(struct session *s, struct span value)
{
	struct span word;
	unsigned bits = 0;
	size_t i;

	while (span_split(&value, ',', &word)) {
		for (i = 0; i < ARRAY_LEN(notify_words); i++)
			if (span_is(word, notify_words[i].word))
				break;
		if (i == ARRAY_LEN(notify_words) ||
		    (bits & notify_words[i].bit))
			return "501 5.5.4 Error: Bad NOTIFY parameter syntax";
		bits |= notify_words[i].bit;
	}
	/* RFC 3461 4.1: NEVER stands alone. */
	if (bits == 0 || ((bits & ENVELOPE_NOTIFY_NEVER) &&
	    bits != ENVELOPE_NOTIFY_NEVER))
		return "501 5.5.4 Error: Bad NOTIFY parameter syntax";
	s->txn->rcpt_notify = bits;
	return NULL;
}

/* "rfc822;a@b" in xtext; utf-8 is RFC 6533's. */
static const char *
rcpt_orcpt(struct session *s, struct span value)
{
	struct buf plain;
	int rc;

	buf_init(&plain, MAIL_TEXT_MAX);
	rc = xtext_decode(value, &plain);
	if (rc == 0 && (span_chr(buf_span(&plain), ';') < 1 ||
	    memchr(buf_data(&plain), '\0', buf_len(&plain)) != NULL))
		rc = PS_ESYNTAX;
	if (rc == 0)
		s->txn->rcpt_orcpt = txn_keep(s->txn, buf_span(&plain));
	buf_fini(&plain);
	return rc == 0 ? NULL : "501 5.5.4 Error: Bad ORCPT parameter syntax";
}

static const struct param rcpt_params[] = {
	{ "NOTIFY", true, true, rcpt_notify },
	{ "ORCPT", true, true, rcpt_orcpt },
};

/* RFC 5321 4.5.3.1.10: the client sends the rest in another message. That is
 * no error of its, unless it goes on and on. */
static bool
overshoots(struct session *s)
{
	const struct conf *conf = session_conf(s);
	struct txn *t = s->txn;

	return t->n_accepted >= conf->smtpd_recipient_limit &&
	    t->n_overshoot++ < conf->smtpd_recipient_overshoot_limit;
}

/* As mail(), behind "TO:". */
static enum step
rcpt(struct session *s, struct span args)
{
	struct txn *t = s->txn;
	struct address a;
	struct buf normal;
	const char *refusal = NULL;
	enum step st = STEP_NEXT;

	if (address_path(&args, path_flags(s) | ADDRESS_NO_DOMAIN, &a,
	    NULL) != 0) {
		session_reply(s, "501 5.1.3 Bad recipient address syntax");
		return STEP_NEXT;
	}
	buf_init(&normal, ADDRESS_MAX);
	if (t->n_accepted >= session_conf(s)->smtpd_recipient_limit)
		refusal = "452 4.5.3 Error: too many recipients";
	else if (a.utf8 && !(t->flags & ENVELOPE_SMTPUTF8))
		refusal = "553 5.6.7 Must declare SMTPUTF8 to send unicode "
		    "address";
	else if (rcpt_normal(s, &a, &normal) == PS_ESYNTAX)
		refusal = "501 5.1.3 Bad recipient address syntax";
	else if (span_chr(buf_span(&normal), '@') == -1)
		refusal = rcpt_bare(a.text);
	t->rcpt_notify = 0;
	t->rcpt_orcpt = (struct piece){ 0, 0 };
	if (refusal == NULL)
		refusal = take_params(s, args, rcpt_params,
		    ARRAY_LEN(rcpt_params));
	if (refusal != NULL) {
		session_log_reject(s, "RCPT", refusal, a.text);
		session_reply(s, refusal);
		if (overshoots(s))
			session_forgive(s);
	} else
		st = rcpt_begin(s, a.text, buf_span(&normal));
	buf_fini(&normal);
	return st;
}

enum step
cmd_rcpt(struct session *s, struct span args)
{
	if (!take_word(&args, "TO:")) {
		session_reply(s, "501 5.5.4 Syntax: RCPT TO:<address>");
		return STEP_NEXT;
	}
	return limits_check(s, KEEPER_RECIPIENT, args, rcpt);
}
