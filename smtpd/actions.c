#include "smtpd/actions.h"

#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "mail/address.h"
#include "smtpd/commit.h"
#include "smtpd/quota.h"
#include "smtpd/rcpt.h"
#include "smtpd/session.h"

/* A rule speaks once for each recipient, so these are generous. */
#define BCC_MAX		1000
#define PREPEND_MAX	(32 * 1024)

void
actions_init(struct actions *a)
{
	memset(a, 0, sizeof(*a));
	buf_init(&a->prepend, PREPEND_MAX);
}

void
actions_fini(struct actions *a)
{
	size_t i;

	directory_cancel(&a->ask);
	buf_fini(&a->prepend);
	while (a->n_bcc > 0)
		free(a->bcc[--a->n_bcc]);
	free(a->bcc);
	free(a->hold);
	free(a->filter);
	free(a->redirect);
	for (i = 0; i < ACTIONS_RESULTS_MAX; i++)
		free(a->result[i]);
	memset(a, 0, sizeof(*a));
}

/* --- collecting --- */

static void
set(char **slot, struct span text)
{
	free(*slot);
	*slot = xmemdup0(text.p, text.n);
}

static void
hold(struct txn *t, struct span text, struct span line)
{
	if (t->act.hold == NULL)
		set(&t->act.hold, line);
}

static void
discard(struct txn *t, struct span text, struct span line)
{
	t->act.discard = true;
}

/* Whole lines only. */
static void
prepend(struct txn *t, struct span text, struct span line)
{
	struct actions *a = &t->act;

	if (buf_len(&a->prepend) + text.n + 2 <= PREPEND_MAX) {
		buf_span_add(&a->prepend, text);
		buf_append(&a->prepend, "\r\n", 2);
	} else if (!a->prepend_full) {
		a->prepend_full = true;
		log_warning("%s: more than %d bytes of PREPEND: those beyond "
		    "are left out", session_queue_id(t->session),
		    PREPEND_MAX);
	}
}

static void
redirect(struct txn *t, struct span text, struct span line)
{
	set(&t->act.redirect, text);
}

static void
bcc(struct txn *t, struct span text, struct span line)
{
	struct actions *a = &t->act;
	uint32_t i;

	for (i = 0; i < a->n_bcc; i++)
		if (span_eq(span_str(a->bcc[i]), text))
			return;
	if (a->n_bcc == BCC_MAX) {
		a->too_many = true;
		return;
	}
	if (a->n_bcc == a->bcc_size) {
		a->bcc_size = MAX(a->bcc_size * 2, 4u);
		a->bcc = xreallocarray(a->bcc, a->bcc_size, sizeof(*a->bcc));
	}
	a->bcc[a->n_bcc++] = xmemdup0(text.p, text.n);
}

static void
filter(struct txn *t, struct span text, struct span line)
{
	set(&t->act.filter, text);
}

/* The newest of a name: a second recipient brings the same, or knows more. */
static void
result(struct txn *t, struct span text, struct span line)
{
	size_t name = (size_t)span_chr(text, ':') + 1, i;
	char **slot = t->act.result;

	for (i = 0; i < ACTIONS_RESULTS_MAX - 1 && slot[i] != NULL; i++)
		if (strncasecmp(slot[i], text.p, name) == 0)
			break;
	set(&slot[i], text);
}

void
actions_header(const struct actions *a, struct buf *out)
{
	size_t i;

	for (i = 0; i < ACTIONS_RESULTS_MAX && a->result[i] != NULL; i++)
		buf_fmt(out, "%s\r\n", a->result[i]);
	buf_span_add(out, buf_span(&a->prepend));
}

/* Postfix logs the first HOLD only, and no PREPEND. */
static const struct {
	const char *name;	/* for the log; NULL: none */
	void (*fn)(struct txn *t, struct span text, struct span line);
} collect[] = {
	[GATE_DO_HOLD] = { "hold", hold },
	[GATE_DO_DISCARD] = { "discard", discard },
	[GATE_DO_PREPEND] = { NULL, prepend },
	[GATE_DO_REDIRECT] = { "redirect", redirect },
	[GATE_DO_BCC] = { "bcc", bcc },
	[GATE_DO_FILTER] = { "filter", filter },
	[GATE_DO_RESULT] = { NULL, result },
};

void
actions_add(struct session *s, enum gate_do what, struct span text,
    const char *line)
{
	bool said = what == GATE_DO_HOLD && s->txn->act.hold != NULL;

	if (collect[what].name != NULL && !said)
		session_log_note(s, collect[what].name, s->where, line,
		    s->judge == NULL ? SPAN_NONE : s->judge->facts.recipient);
	collect[what].fn(s->txn, text, span_str(line));
}

/* --- carrying out --- */

/* The addresses: of several REDIRECT the last, which stands for all. */
static uint32_t
n_targets(const struct actions *a)
{
	return a->redirect != NULL ? 1 : a->n_bcc;
}

static struct span
target(const struct actions *a)
{
	return span_str(a->redirect != NULL ? a->redirect :
	    a->bcc[a->next]);
}

/* Its normal form; it was well-formed when the rule named it. */
static void
normal_of(const struct actions *a, struct buf *normal)
{
	buf_init(normal, ADDRESS_MAX);
	if (address_normal_text(target(a), normal, NULL) != 0)
		buf_clear(normal);
}

/* Who sends the message can't help it, and is not told whom it would have
 * gone to: it stays with him until table or directory are put right. */
static const char *
unusable(struct session *s, const struct resolution *res)
{
	struct actions *a = &s->txn->act;
	bool temp = res->class == RESOLVE_TEMP;

	log_warning("%s: %s %.*s of an access rule: %s", session_queue_id(s),
	    a->redirect != NULL ? "REDIRECT" : "BCC",
	    SPAN_ARG(target(a)), temp ? res->why :
	    res->class == RESOLVE_DISABLED ? "that mailbox is disabled" :
	    "there is no such address");
	return temp ? "451 4.3.0 Temporary lookup failure" :
	    "451 4.3.5 Server configuration error";
}

/* The next address gets its place in the envelope, or the reply is returned.
 * A BCC is nobody's business but the administrator's: no notices. Quota is
 * not asked for either. */
static const char *
take(struct session *s, const struct resolution *res)
{
	struct txn *t = s->txn;
	struct actions *a = &t->act;
	struct buf normal;
	bool fits;

	if (res->class == RESOLVE_TEMP || res->class == RESOLVE_UNKNOWN ||
	    res->class == RESOLVE_DISABLED)
		return unusable(s, res);
	if (a->redirect != NULL) {
		quota_release(t, 0, 0);
		txn_rcpt_cut(t, 0);
	}
	t->rcpt_orig = txn_keep(t, target(a));
	t->rcpt_orcpt = (struct piece){ 0, 0 };
	t->rcpt_notify = a->redirect != NULL ? 0 :
	    ENVELOPE_NOTIFY_NEVER;
	normal_of(a, &normal);
	fits = rcpt_expand(t, res, buf_span(&normal));
	buf_fini(&normal);
	a->next++;
	return fits ? NULL : "452 4.5.3 Error: too many recipients";
}

static enum step
refuse(struct session *s, const char *reply)
{
	session_log_reject(s, s->where, reply, SPAN_NONE);
	session_reply(s, reply);
	session_reset(s);
	return STEP_NEXT;
}

static enum step resolve(struct session *s);

static void
resolved_cb(const struct resolution *res, void *arg)
{
	struct session *s = OBJ_CAST(arg, session, SESSION_MAGIC);
	const char *refusal;

	s->txn->act.ask = NULL;
	refusal = take(s, res);
	session_continue(s, refusal != NULL ? refuse(s, refusal) :
	    resolve(s));
}

static enum step
resolve(struct session *s)
{
	struct actions *a = &s->txn->act;
	struct directory *dir = s->srv->world.dir;
	struct resolution *res;
	const char *refusal = NULL;
	struct buf normal;

	while (refusal == NULL && a->next < n_targets(a)) {
		normal_of(a, &normal);
		res = directory_peek(dir, buf_span(&normal));
		if (res == NULL)
			a->ask = directory_resolve(dir, buf_span(&normal),
			    resolved_cb, s);
		buf_fini(&normal);
		if (res == NULL)
			return STEP_PARKED;
		refusal = take(s, res);
		resolution_unref(&res);
	}
	return refusal != NULL ? refuse(s, refusal) : a->done(s);
}

enum step
actions_apply(struct session *s, enum step (*done)(struct session *))
{
	struct actions *a = &s->txn->act;

	if (a->discard)
		return commit_discard(s);
	if (a->too_many) {
		log_warning("%s: more than %d different BCC addresses",
		    session_queue_id(s), BCC_MAX);
		return refuse(s, "451 4.3.5 Server configuration error");
	}
	a->done = done;
	return resolve(s);
}
