#include "authd/exchange.h"

#include <stdlib.h>

#include "authd/account.h"
#include "authd/mech.h"
#include "authd/message.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "mail/address.h"
#include "scheme/scheme.h"

#define EXCHANGE_MAGIC	0x65786368u
#define BINDING_MAX	256

enum exchange_kind { KIND_PLAIN, KIND_LOGIN, KIND_SCRAM };

struct mechanism {
	const char *name;
	const char *cyrus;	/* what Cyrus runs for it */
	enum exchange_kind kind;
	bool plus;
};

/* LOGIN is PLAIN in two questions: Cyrus' own plugin asks the first one
 * itself, but we must know the name before Cyrus runs. */
static const struct mechanism mechanisms[] = {
	{ "PLAIN", "PLAIN", KIND_PLAIN, false },
	{ "LOGIN", "PLAIN", KIND_LOGIN, false },
	{ "SCRAM-SHA-256", "SCRAM-SHA-256", KIND_SCRAM, false },
	{ "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256-PLUS", KIND_SCRAM, true },
};

enum exchange_state {
	EX_WANT_FIRST,		/* the client's first message */
	EX_WANT_PASSWORD,	/* LOGIN's second */
	EX_WANT_FINAL,		/* SCRAM's second */
	/* from here on an answer of the client is out of place */
	EX_FETCHING,
	EX_DELAYED,		/* by the login defence */
	EX_QUEUED,		/* at the turnstile */
	EX_RUNNING,		/* in a thread: do not touch job's fields */
	EX_ENDING		/* the result is on its way */
};

struct exchange {
	uint32_t magic;
	enum exchange_state state;
	TAILQ_ENTRY(exchange) link;
	struct exchange_env *env;
	const struct exchange_cbs *cbs;
	void *arg;
	const struct mechanism *mech;
	char *service, *ip;
	struct buf binding_type, binding;
	struct defer tell;		/* challenge or result */
	void *ask;			/* at the source */
	struct timer delay;
	struct turn turn;
	struct work work;
	struct buf name;		/* as the client wrote it */
	struct buf user;		/* normal form, or empty */
	struct buf password;
	struct buf challenge;
	enum auth_verdict verdict;
	bool cancelled, revoked, no_cache;
	bool remembered;		/* the cache has it */
	bool delayed;			/* once is enough */
	bool plus_offered;		/* could the client have bound? */
	/* the job: the thread's while EX_RUNNING */
	struct account account;
	struct mech *sasl;
	struct buf message;		/* what Cyrus gets */
	struct buf fake;		/* stored form nobody matches */
	enum mech_result step;
	struct buf out;			/* what Cyrus gave */
	unsigned iterations;
};

static void exchange_tell_cb(void *arg);
static void exchange_go_cb(void *arg);
static void exchange_refused_cb(void *arg);
static void exchange_delayed_cb(void *arg);
static void exchange_run(void *arg);
static void exchange_done_cb(void *arg);

/* --- life --- */

void
exchange_env_init(struct exchange_env *env)
{
	TAILQ_INIT(&env->all);
	env->count = 0;
}

/* Whole at once, so that growing leaves no copies behind. */
static void
secret_set(struct buf *b, struct span s)
{
	buf_fini_secret(b);
	(void)buf_reserve(b, s.n);
	buf_span_add(b, s);
}

static struct exchange *
exchange_new(struct exchange_env *env, const struct msg_auth_start *start,
    const struct exchange_cbs *cbs, void *arg)
{
	struct exchange *ex = xcalloc(1, sizeof(*ex));

	ex->magic = EXCHANGE_MAGIC;
	ex->env = env;
	ex->cbs = cbs;
	ex->arg = arg;
	ex->service = xmemdup0(start->service.p, MIN(start->service.n, 16));
	ex->ip = xmemdup0(start->client_ip.p, MIN(start->client_ip.n, 64));
	ex->account.matched = -1;
	ex->turn = (struct turn){ .go = exchange_go_cb,
	    .refused = exchange_refused_cb, .arg = ex };
	ex->work = (struct work){ .run = exchange_run,
	    .done = exchange_done_cb, .arg = ex };
	defer_init(&ex->tell, env->loop, exchange_tell_cb, ex);
	timer_init(&ex->delay, env->loop, exchange_delayed_cb, ex);
	buf_init(&ex->binding_type, BINDING_MAX);
	buf_init(&ex->binding, BINDING_MAX);
	buf_span_add(&ex->binding_type, start->binding_type);
	buf_span_add(&ex->binding, start->binding);
	buf_init(&ex->name, MESSAGE_MAX);
	buf_init(&ex->user, ADDRESS_MAX);
	buf_init(&ex->password, MESSAGE_MAX);
	buf_init(&ex->challenge, BUF_NO_CAP);
	buf_init(&ex->message, 3 * MESSAGE_MAX);
	buf_init(&ex->fake, SCHEME_STORED_MAX);
	buf_init(&ex->out, BUF_NO_CAP);
	TAILQ_INSERT_TAIL(&env->all, ex, link);
	env->count++;
	return ex;
}

static void
exchange_free(struct exchange *ex)
{
	TAILQ_REMOVE(&ex->env->all, ex, link);
	ex->env->count--;
	defer_cancel(&ex->tell);
	timer_clear(&ex->delay);
	mech_free(&ex->sasl);
	account_fini(&ex->account);
	free(ex->service);
	free(ex->ip);
	buf_fini(&ex->binding_type);
	buf_fini_secret(&ex->binding);
	buf_fini(&ex->name);
	buf_fini(&ex->user);
	buf_fini_secret(&ex->password);
	buf_fini(&ex->challenge);
	buf_fini_secret(&ex->message);
	buf_fini_secret(&ex->fake);
	buf_fini_secret(&ex->out);
	ex->magic = 0;
	free(ex);
}

void
exchange_cancel(struct exchange **exp)
{
	struct exchange *ex = *exp;

	*exp = NULL;
	if (ex == NULL)
		return;
	if (ex->state == EX_FETCHING && ex->ask != NULL)
		ex->env->source.cancel(ex->env->source.src, ex->ask);
	if (ex->state == EX_QUEUED)
		turnstile_leave(ex->env->turnstile, &ex->turn);
	if (ex->state == EX_RUNNING) {
		ex->cancelled = true;	/* freed when the thread is through */
		defer_cancel(&ex->tell);
	} else
		exchange_free(ex);
}

/* --- telling --- */

static void
exchange_end(struct exchange *ex, enum auth_verdict verdict)
{
	ex->state = EX_ENDING;
	ex->verdict = verdict;
	defer_call(&ex->tell);
}

static void
exchange_challenge(struct exchange *ex, enum exchange_state next,
    struct span text)
{
	ex->state = next;
	buf_clear(&ex->challenge);
	buf_span_add(&ex->challenge, text);
	defer_call(&ex->tell);
}

static void
exchange_count(struct exchange *ex)
{
	struct exchange_stats *s = &ex->env->stats;
	uint64_t *const counters[] = {
		[AUTH_OK] = &s->ok, [AUTH_BAD] = &s->bad,
		[AUTH_TEMP] = &s->temp, [AUTH_PROTOCOL] = &s->malformed,
		[AUTH_NO_MECH] = &s->malformed, [AUTH_LATER] = &s->later
	};

	++*counters[ex->verdict];
}

static void
exchange_tell_result(struct exchange *ex)
{
	struct exchange_outcome o = { .verdict = ex->verdict };
	uint8_t ticket[TICKET_LEN];

	exchange_count(ex);
	o.user = buf_span(&ex->user);
	if (ex->verdict == AUTH_OK) {
		o.mailbox_id = ex->account.mailbox_id;
		o.user = span_str(ex->account.address);
		o.quota_bytes = ex->account.quota_bytes;
		o.quota_messages = ex->account.quota_messages;
		o.final = buf_span(&ex->out);
		if (strcmp(ex->service, "imap") == 0) {
			ticket_make(ex->env->key, o.mailbox_id,
			    clock_wall_us() + TICKET_LIFE_US, ticket);
			o.ticket = span_of(ticket, sizeof(ticket));
		}
	}
	ex->cbs->result(ex->arg, &o);
	secure_wipe(ticket, sizeof(ticket));
	exchange_free(ex);
}

static void
exchange_tell_cb(void *arg)
{
	struct exchange *ex = OBJ_CAST(arg, exchange, EXCHANGE_MAGIC);

	if (ex->state == EX_ENDING)
		exchange_tell_result(ex);
	else
		ex->cbs->challenge(ex->arg, buf_span(&ex->challenge));
}

/* --- once it is known who wants in --- */

static void
exchange_queue(struct exchange *ex)
{
	ex->state = EX_QUEUED;
	turnstile_enter(ex->env->turnstile, &ex->turn, span_str(ex->ip));
}

/* --- the login defence --- */

static int64_t
exchange_now(const struct exchange *ex)
{
	return ex->env->now_ms(ex->env->now_arg);
}

/* An account counts under its own address, whatever alias domain was used. */
static struct defence_who
exchange_who(const struct exchange *ex)
{
	return (struct defence_who){
		.account = ex->account.known ? span_str(ex->account.address) :
		    buf_span(&ex->user),
		.name = buf_span(&ex->name),
		.ip = span_str(ex->ip)
	};
}

static struct defence_verdict
exchange_defence(struct exchange *ex)
{
	struct defence_who who = exchange_who(ex);
	int64_t now = exchange_now(ex);
	struct defence_verdict v = defence_ask(ex->env->defence, now, &who);

	if (v.answer == DEFENCE_REFUSED) {
		defence_refused(ex->env->defence, now, &who, &v);
		exchange_end(ex, AUTH_LATER);
	}
	return v;
}

/* All that can be known before the check is: a right password that is
 * remembered ends it, else it waits its turn. */
static void
exchange_proceed(struct exchange *ex)
{
	if (!ex->remembered)
		exchange_queue(ex);
	else {
		struct defence_who who = exchange_who(ex);

		defence_right(ex->env->defence, exchange_now(ex), &who);
		exchange_end(ex, AUTH_OK);
	}
}

/* Whether the password is right makes no difference here: it is not known
 * yet, or not looked at. */
static void
exchange_guard(struct exchange *ex)
{
	struct defence_verdict v = exchange_defence(ex);

	if (v.answer == DEFENCE_SLOW && !ex->delayed) {
		ex->delayed = true;
		ex->env->stats.slowed++;
		ex->state = EX_DELAYED;
		timer_set_ms(&ex->delay, v.delay_ms);
	} else if (v.answer != DEFENCE_REFUSED)
		exchange_proceed(ex);
}

/* Once a second: everybody's mail program comes back every few. */
static void
exchange_warn_temp(const struct exchange *ex, const char *why)
{
	static uint64_t next_ms;
	uint64_t now = loop_now_ms(ex->env->loop);

	if (now < next_ms)
		return;
	next_ms = now + 1000;
	log_warning("cannot look up a login: %s", why);
}

static void
exchange_fetched_cb(const struct login *login, void *arg)
{
	struct exchange *ex = OBJ_CAST(arg, exchange, EXCHANGE_MAGIC);

	ex->ask = NULL;
	if (login->result == LOGIN_TEMP) {
		exchange_warn_temp(ex, login->why);
		exchange_end(ex, AUTH_TEMP);
		return;
	}
	account_init(&ex->account, login, span_str(ex->service));
	exchange_guard(ex);
}

static struct login_key
exchange_cache_key(const struct exchange *ex)
{
	return (struct login_key){
		.service = span_str(ex->service),
		.name = buf_span(&ex->user),
		.password = buf_span(&ex->password)
	};
}

static bool
exchange_from_cache(struct exchange *ex)
{
	struct login_key key = exchange_cache_key(ex);
	const struct cached_login *c;

	if (ex->mech->kind == KIND_SCRAM ||
	    (c = login_cache_get(ex->env->cache, &key)) == NULL)
		return false;
	ex->account.known = true;
	ex->account.mailbox_id = c->mailbox_id;
	ex->account.address = xstrdup(c->address);
	ex->account.quota_bytes = c->quota_bytes;
	ex->account.quota_messages = c->quota_messages;
	ex->remembered = true;
	ex->env->stats.cached++;
	return true;
}

static void
exchange_fetch(struct exchange *ex)
{
	ex->state = EX_FETCHING;
	ex->ask = ex->env->source.fetch(ex->env->source.src,
	    buf_span(&ex->user), exchange_fetched_cb, ex);
}

/* What was remembered may be forgotten by now. */
static void
exchange_delayed_cb(void *arg)
{
	struct exchange *ex = OBJ_CAST(arg, exchange, EXCHANGE_MAGIC);

	if (ex->remembered && (ex->revoked || ex->no_cache)) {
		account_fini(&ex->account);
		ex->remembered = ex->revoked = false;
		exchange_fetch(ex);
	} else
		exchange_guard(ex);
}

/* Same mailbox by both names? Empty authzid: no wish. */
static bool
exchange_authzid_ok(const struct exchange *ex, struct span authzid)
{
	struct buf normal;
	bool ok;

	if (authzid.n == 0)
		return true;
	buf_init(&normal, ADDRESS_MAX);
	ok = address_normal_text(authzid, &normal, NULL) == 0 &&
	    span_eq(buf_span(&normal), buf_span(&ex->user));
	buf_fini(&normal);
	return ok;
}

static void
exchange_known(struct exchange *ex, struct span name, struct span authzid)
{
	buf_clear(&ex->name);
	buf_span_add(&ex->name, name);
	if (address_normal_text(name, &ex->user, NULL) != 0)
		buf_clear(&ex->user);
	if (!exchange_authzid_ok(ex, authzid))
		exchange_end(ex, AUTH_BAD);
	else if (buf_len(&ex->user) == 0)
		exchange_guard(ex);	/* nobody, but at the usual price */
	else if (exchange_from_cache(ex))
		exchange_guard(ex);
	else
		exchange_fetch(ex);
}

/* --- the client's messages --- */

static void
exchange_plain(struct exchange *ex, struct span in)
{
	struct plain_message m;

	if (!message_plain(in, &m)) {
		exchange_end(ex, AUTH_PROTOCOL);
		return;
	}
	if (m.password.n == 0) {
		exchange_end(ex, AUTH_BAD);
		return;
	}
	secret_set(&ex->password, m.password);
	secret_set(&ex->message, in);
	exchange_known(ex, m.authcid, m.authzid);
}

static void
exchange_login_name(struct exchange *ex, struct span in)
{
	if (in.n == 0 || span_chr(in, '\0') != -1) {
		exchange_end(ex, AUTH_PROTOCOL);
		return;
	}
	buf_span_add(&ex->name, in);
	exchange_challenge(ex, EX_WANT_PASSWORD, SPAN_LIT("Password:"));
}

static void
exchange_login_password(struct exchange *ex, struct span in)
{
	char *name;
	size_t n = buf_len(&ex->name);

	if (in.n == 0 || span_chr(in, '\0') != -1) {
		exchange_end(ex, in.n == 0 ? AUTH_BAD : AUTH_PROTOCOL);
		return;
	}
	secret_set(&ex->password, in);
	buf_fini_secret(&ex->message);
	(void)buf_reserve(&ex->message, n + in.n + 2);
	buf_char(&ex->message, '\0');
	buf_span_add(&ex->message, buf_span(&ex->name));
	buf_char(&ex->message, '\0');
	buf_span_add(&ex->message, in);
	name = xmemdup0(buf_data(&ex->name), n);
	exchange_known(ex, span_of(name, n), SPAN_NONE);
	free(name);
}

/*
 * -PLUS must bind, to what we have; without -PLUS it must not. A client that
 * says it would bind if we could (y) while we offered -PLUS was lied to by
 * someone in the middle (RFC 5802 6). Cyrus checks none of these by itself.
 */
static bool
exchange_binding_ok(const struct exchange *ex, const struct scram_first *m)
{
	switch (m->binding) {
	case SCRAM_BOUND:
		return ex->mech->plus && span_eq(m->binding_type,
		    buf_span(&ex->binding_type));
	case SCRAM_COULD:
		return !ex->mech->plus && !ex->plus_offered;
	case SCRAM_UNBOUND:
		break;
	}
	return !ex->mech->plus;
}

static void
exchange_scram_first(struct exchange *ex, struct span in)
{
	struct scram_first m;
	struct buf names;

	buf_init(&names, MESSAGE_MAX);
	if (!message_scram_first(in, &names, &m))
		exchange_end(ex, AUTH_PROTOCOL);
	else if (!exchange_binding_ok(ex, &m))
		exchange_end(ex, AUTH_BAD);
	else {
		secret_set(&ex->message, in);
		exchange_known(ex, m.authcid, m.authzid);
	}
	buf_fini(&names);
}

static void
exchange_first(struct exchange *ex, struct span in)
{
	switch (ex->mech->kind) {
	case KIND_PLAIN:
		exchange_plain(ex, in);
		break;
	case KIND_LOGIN:
		exchange_login_name(ex, in);
		break;
	case KIND_SCRAM:
		exchange_scram_first(ex, in);
		break;
	}
}

static void
exchange_final(struct exchange *ex, struct span in)
{
	if (!message_scram_final(in))
		exchange_end(ex, AUTH_PROTOCOL);
	else {
		secret_set(&ex->message, in);
		exchange_guard(ex);
	}
}

void
exchange_step(struct exchange *ex, struct span response)
{
	if (ex->state > EX_WANT_FINAL) {
		log_debug("a worker sent an answer that was not asked for");
		return;
	}
	if (ex->tell.pending || response.n > MESSAGE_MAX)
		exchange_end(ex, AUTH_PROTOCOL);
	else if (ex->state == EX_WANT_FIRST)
		exchange_first(ex, response);
	else if (ex->state == EX_WANT_PASSWORD)
		exchange_login_password(ex, response);
	else
		exchange_final(ex, response);
}

/* --- beginning --- */

static const struct mechanism *
mechanism_find(struct span name, const struct conf *conf)
{
	struct span rest = span_str(conf->sasl_mechanisms), word;

	while (conf_list_next(&rest, &word))
		if (span_ieq(word, name))
			break;
	if (word.n == 0 || !span_ieq(word, name))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (span_is(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

struct exchange *
exchange_start(struct exchange_env *env, const struct msg_auth_start *start,
    const struct exchange_cbs *cbs, void *arg)
{
	struct exchange *ex = exchange_new(env, start, cbs, arg);

	ex->mech = mechanism_find(start->mechanism, env->conf);
	ex->plus_offered = buf_len(&ex->binding) > 0 &&
	    mechanism_find(SPAN_LIT("SCRAM-SHA-256-PLUS"), env->conf) != NULL;
	if (ex->mech == NULL ||
	    (ex->mech->plus && buf_len(&ex->binding) == 0))
		exchange_end(ex, AUTH_NO_MECH);
	else if (start->initial.n > MESSAGE_MAX ||
	    buf_failed(&ex->binding) || buf_failed(&ex->binding_type))
		exchange_end(ex, AUTH_PROTOCOL);
	else if (start->has_initial)
		exchange_first(ex, start->initial);
	else
		exchange_challenge(ex, EX_WANT_FIRST,
		    ex->mech->kind == KIND_LOGIN ? SPAN_LIT("Username:") :
		    SPAN_LIT(""));
	return ex;
}

/* --- the thread's part --- */

static bool
exchange_check(struct span password, void *arg)
{
	struct exchange *ex = arg;

	return account_check(&ex->account, password, buf_cstr(&ex->fake),
	    ex->iterations);
}

/* The made-up verifier of this name, for who has no real one. */
static void
exchange_fake(struct exchange *ex, struct scram_verifier *v)
{
	scram_verifier_fake(ex->env->key, buf_len(&ex->user) > 0 ?
	    buf_span(&ex->user) : buf_span(&ex->name), ex->iterations, v);
}

static void
exchange_sasl_new(struct exchange *ex)
{
	struct mech_secrets secrets = { .name = buf_span(&ex->name) };
	struct mech_binding binding = { buf_span(&ex->binding_type),
	    buf_span(&ex->binding) };
	struct scram_verifier fake;
	struct buf verifier;

	buf_init(&verifier, SCHEME_STORED_MAX);
	exchange_fake(ex, &fake);
	if (ex->mech->kind == KIND_SCRAM) {
		if (!account_scram(&ex->account, &verifier))
			scram_verifier_cyrus(&fake, &verifier);
		secrets.verifier = buf_cstr(&verifier);
	} else {
		scram_verifier_write(&fake, &ex->fake);
		secrets.check = exchange_check;
		secrets.arg = ex;
	}
	ex->sasl = mech_new(ex->mech->cyrus, ex->service, &secrets,
	    ex->mech->plus ? &binding : NULL);
	buf_fini_secret(&verifier);
}

static void
exchange_run(void *arg)
{
	struct exchange *ex = arg;
	struct span out;

	if (ex->sasl == NULL)
		exchange_sasl_new(ex);
	if (ex->sasl == NULL) {
		ex->step = MECH_FAULT;
		return;
	}
	ex->step = mech_step(ex->sasl, buf_span(&ex->message), &out);
	buf_clear(&ex->out);
	buf_span_add(&ex->out, out);
}

/* --- and back on the loop --- */

static void
exchange_go_cb(void *arg)
{
	struct exchange *ex = OBJ_CAST(arg, exchange, EXCHANGE_MAGIC);

	/* What came before it in the queue counts by now, so that a thousand
	 * guesses at once are no more than one after the other. */
	if (exchange_defence(ex).answer == DEFENCE_REFUSED) {
		turnstile_done(ex->env->turnstile);
		return;
	}
	ex->state = EX_RUNNING;
	ex->iterations = (unsigned)ex->env->conf->scram_iterations;
	work_give(ex->env->pool, &ex->work);
}

static void
exchange_refused_cb(void *arg)
{
	exchange_end(OBJ_CAST(arg, exchange, EXCHANGE_MAGIC), AUTH_TEMP);
}

/* What a right password brings with it. */
static void
exchange_note(struct exchange *ex)
{
	struct login_source *src = &ex->env->source;
	struct account *a = &ex->account;
	struct login_key key = exchange_cache_key(ex);
	struct cached_login login = {
		.mailbox_id = a->mailbox_id, .address = a->address,
		.quota_bytes = a->quota_bytes,
		.quota_messages = a->quota_messages
	};

	struct defence_who who = exchange_who(ex);

	if (a->matched < 0)
		return;
	defence_right(ex->env->defence, exchange_now(ex), &who);
	src->used(src->src, a->secrets[a->matched].id);
	if (a->rehash != NULL) {
		src->rehash(src->src, a->secrets[a->matched].id,
		    span_str(a->secrets[a->matched].secret),
		    span_str(a->rehash));
		ex->env->stats.rehashed++;
	}
	if (ex->mech->kind != KIND_SCRAM && !ex->no_cache)
		login_cache_put(ex->env->cache, &key, &login,
		    (uint64_t)ex->env->conf->auth_cache_time);
}

/* The password was right; may this mailbox be entered here and now? */
static enum auth_verdict
exchange_admit(struct exchange *ex)
{
	const struct account *a = &ex->account;

	if (!a->known || a->matched < 0 || !a->usable)
		return AUTH_BAD;
	if (!a->local) {
		log_info("mailbox %s lives on another host", a->address);
		return AUTH_TEMP;
	}
	if (ex->revoked)
		return AUTH_TEMP;
	exchange_note(ex);
	return AUTH_OK;
}

static void
exchange_warn_unusable(const struct exchange *ex)
{
	const struct account *a = &ex->account;

	for (size_t i = 0; i < a->n_secrets; i++)
		if (a->secrets[i].unusable)
			log_warning("mailbox %s: credential %llu is stored "
			    "in a way we cannot read; set the password anew",
			    a->address,
			    (unsigned long long)a->secrets[i].id);
}

static void
exchange_wrong(struct exchange *ex)
{
	struct defence_who who = exchange_who(ex);

	defence_wrong(ex->env->defence, exchange_now(ex), &who,
	    ex->mech->kind == KIND_SCRAM ? SPAN_NONE :
	    buf_span(&ex->password));
}

/* A check that ended with this is a wrong password, for whatever reason. */
static void
exchange_checked(struct exchange *ex, enum auth_verdict verdict)
{
	if (verdict == AUTH_BAD)
		exchange_wrong(ex);
	exchange_end(ex, verdict);
}

static void
exchange_done_cb(void *arg)
{
	struct exchange *ex = OBJ_CAST(arg, exchange, EXCHANGE_MAGIC);

	turnstile_done(ex->env->turnstile);
	if (ex->cancelled) {
		/* who hangs up has guessed, and cost a check, all the same */
		if (ex->step == MECH_DENIED)
			exchange_wrong(ex);
		exchange_free(ex);
		return;
	}
	exchange_warn_unusable(ex);
	switch (ex->step) {
	case MECH_MORE:
		if (ex->mech->kind == KIND_SCRAM)
			exchange_challenge(ex, EX_WANT_FINAL,
			    buf_span(&ex->out));
		else
			exchange_end(ex, AUTH_PROTOCOL);
		break;
	case MECH_DONE:
		exchange_checked(ex, exchange_admit(ex));
		break;
	case MECH_DENIED:
		exchange_checked(ex, AUTH_BAD);
		break;
	case MECH_MALFORMED:
		exchange_end(ex, AUTH_PROTOCOL);
		break;
	case MECH_FAULT:
		exchange_end(ex, AUTH_TEMP);
		break;
	}
}

/* --- changes from outside --- */

void
exchange_revoke(struct exchange_env *env, uint64_t mailbox_id)
{
	struct exchange *ex;

	login_cache_drop(env->cache, mailbox_id);
	TAILQ_FOREACH(ex, &env->all, link) {
		if (ex->account.mailbox_id != mailbox_id)
			continue;
		ex->revoked = true;
		if (ex->state == EX_ENDING && ex->verdict == AUTH_OK)
			ex->verdict = AUTH_TEMP;
	}
}

void
exchange_forget(struct exchange_env *env)
{
	struct exchange *ex;

	login_cache_clear(env->cache);
	TAILQ_FOREACH(ex, &env->all, link)
		ex->no_cache = true;
}

void
exchange_unfetch(struct exchange_env *env)
{
	struct exchange *ex;

	TAILQ_FOREACH(ex, &env->all, link)
		if (ex->state == EX_FETCHING && ex->ask != NULL) {
			env->source.cancel(env->source.src, ex->ask);
			ex->ask = NULL;
		}
}

void
exchange_refetch(struct exchange_env *env)
{
	struct exchange *ex;

	TAILQ_FOREACH(ex, &env->all, link)
		if (ex->state == EX_FETCHING)
			exchange_fetch(ex);
}
