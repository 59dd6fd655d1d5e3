#include "authd/account.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/xmalloc.h"
#include "scheme/scheme.h"

/* "" is everything; else the service must be one of the words. */
static bool
scope_has(const char *scope, struct span service)
{
	struct span rest = span_str(scope), word;

	if (rest.n == 0)
		return true;
	while (span_word(&rest, &word))
		if (span_eq(word, service))
			return true;
	return false;
}

void
account_init(struct account *a, const struct login *login,
    struct span service)
{
	*a = (struct account){ .matched = -1 };
	if (login->result != LOGIN_FOUND)
		return;
	a->known = true;
	a->local = login->local;
	a->usable = login->state == MAILBOX_ACTIVE;
	a->mailbox_id = login->mailbox_id;
	a->address = xstrdup(login->address);
	a->quota_bytes = (uint64_t)MAX(login->quota_bytes, 0);
	a->quota_messages = (uint64_t)MAX(login->quota_messages, 0);
	for (size_t i = 0; i < login->n_credentials &&
	    a->n_secrets < ACCOUNT_SECRETS_MAX; i++) {
		const struct credential *c = &login->credentials[i];

		if (!scope_has(c->scope, service))
			continue;
		a->secrets[a->n_secrets].id = c->id;
		a->secrets[a->n_secrets++].secret = xstrdup(c->secret);
	}
}

void
account_fini(struct account *a)
{
	for (size_t i = 0; i < a->n_secrets; i++)
		secret_free(&a->secrets[i].secret);
	secret_free(&a->rehash);
	free(a->address);
	*a = (struct account){ .matched = -1 };
}

/* The same password in a better form, if its present one is weak. */
static void
account_rehash(struct account *a, struct span password, unsigned iterations)
{
	struct buf out;

	if (scheme_is_current(span_str(a->secrets[a->matched].secret),
	    iterations))
		return;
	buf_init(&out, SCHEME_STORED_MAX);
	if (scheme_make(NULL, password, iterations, &out, NULL) == 0)
		a->rehash = xstrdup(buf_cstr(&out));
	buf_fini_secret(&out);
}

bool
account_check(struct account *a, struct span password, const char *fake,
    unsigned iterations)
{
	if (a->n_secrets == 0) {
		(void)scheme_verify(span_str(fake), password);
		return false;
	}
	for (size_t i = 0; i < a->n_secrets; i++) {
		struct account_secret *s = &a->secrets[i];

		switch (scheme_verify(span_str(s->secret), password)) {
		case SCHEME_MATCH:
			a->matched = (int)i;
			account_rehash(a, password, iterations);
			return true;
		case SCHEME_UNUSABLE:
			s->unusable = true;
			break;
		case SCHEME_MISMATCH:
			break;
		}
	}
	return false;
}

bool
account_scram(struct account *a, struct buf *out)
{
	struct scram_verifier v;

	for (size_t i = 0; i < a->n_secrets; i++) {
		if (!scram_verifier_read(span_str(a->secrets[i].secret), &v))
			continue;
		scram_verifier_cyrus(&v, out);
		secure_wipe(&v, sizeof(v));
		a->matched = (int)i;
		return true;
	}
	return false;
}
