/*
 * The client of policy services (Postfix's SMTPD_POLICY_README): one per
 * process, for all services that its configuration names.
 *
 * Always true:
 *  1. A callback runs once, from the loop, never inside policy_ask. An ask can
 *     be cancelled at any time before.
 *  2. There is always an answer, in bounded time: each try has
 *     smtpd_policy_service_timeout, then come the rest and the next try, and
 *     in the end the default action. Nothing that a service sends makes it
 *     longer or takes more memory than POLICY_REPLY_MAX per connection.
 *  3. Connections are reused, one request at a time; their number and the
 *     queue for them are bounded per service. A connection whose answer was
 *     not waited for, or that says what was not asked for, is closed.
 *  4. A service that ended a used connection without a word has most likely
 *     been restarted: that is asked once more at once and is no try.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/loop.h"
#include "base/work.h"
#include "policy/spec.h"

struct policy;
struct policy_ask;

struct policy_answer {
	const char *action;	/* an access(5) value */
	bool failed;		/* no answer: it is spec->default_action */
};

/* Lent for the call. */
typedef void policy_cb(const struct policy_answer *a, void *arg);

/* `names` is where host names are looked up; it must outlive the client. */
struct policy *policy_new(struct loop *l, struct work_pool *names);
/* Waiting callbacks are not run; their handles are void. */
void policy_free(struct policy **p);

/* Sends request (request.h makes it; copied). The handle is valid until the
 * callback runs. A failure is logged here. */
struct policy_ask *policy_ask(struct policy *p, struct policy_spec *spec,
    struct span request, policy_cb *cb, void *arg);
/* The callback will not run; *a becomes NULL. NULL is fine. */
void policy_cancel(struct policy_ask **a);

/* Members of a JSON object about the client, for `postern status`. */
void policy_status(const struct policy *p, struct buf *json);

/*
 * Does the service take connections? For `postern config check`: connects,
 * sends nothing. Once, from the loop; why is NULL when it does.
 */
struct policy_probe;
typedef void policy_probe_cb(const char *why, void *arg);
struct policy_probe *policy_probe_start(struct loop *l,
    struct work_pool *names, const struct policy_spec *spec,
    uint32_t limit_ms, policy_probe_cb *cb, void *arg);
void policy_probe_cancel(struct policy_probe **p);

#endif
