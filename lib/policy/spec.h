/*
 * How the configuration names a policy service, in Postfix's words:
 *
 *	inet:HOST:PORT    inet:PORT (this host)    HOST:PORT    unix:/PATH
 *	{ inet:HOST:PORT, timeout=10s, { default_action = 450 4.3.2 Later } }
 *
 * In braces, settings of this service alone follow: timeout, try_limit,
 * retry_delay, max_idle, max_ttl, request_limit, default_action,
 * policy_context. What is not given comes from smtpd_policy_service_NAME.
 *
 * A spec is immutable. Asks nobody: policy.h does.
 */
#ifndef POLICY_SPEC_H
#define POLICY_SPEC_H

#include "base/conf.h"
#include "base/err.h"
#include "base/span.h"
#include "net/dial.h"

struct policy_spec {
	unsigned refs;		/* private */
	char *word;		/* as the configuration has it */
	char *name;		/* "127.0.0.1:10023", for the log */
	struct dial_place place;
	int64_t timeout, retry_delay, max_idle, max_ttl;	/* ms */
	int64_t try_limit, request_limit;
	int64_t connection_limit, queue_limit;
	char *default_action, *policy_context;
	/* Services with the same key may share connections. */
	char *key;
};

/* One reference, yours. NULL with err (PERM) when `word` is malformed. */
struct policy_spec *policy_spec_new(struct span word, const struct conf *conf,
    struct err *err) MUST_CHECK;
struct policy_spec *policy_spec_ref(struct policy_spec *s);
void policy_spec_unref(struct policy_spec **s);

#endif
