/*
 * SPF (RFC 7208): may this client send for that domain?
 *
 * The evaluator (spf_eval.c) is a plain function that asks for DNS facts as it
 * goes. What is not known yet ends the run; when the answer has come it is run
 * again from the beginning with what is known by then. So no state is kept
 * between runs but the facts, and a run's cost is bounded by the RFC's limits:
 * 10 terms that look up, 2 void look-ups, 10 names of an MX or PTR.
 */
#ifndef MAIL_SPF_H
#define MAIL_SPF_H

#include "net/dns.h"

enum spf_result {
	SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL,
	SPF_TEMPERROR, SPF_PERMERROR
};
/* "pass", as in Received-SPF (RFC 7208 9.1). */
const char *spf_result_name(enum spf_result r);

#define SPF_EXPLANATION_MAX	512
#define SPF_WHY_MAX		160

/* Who asks about whom. An empty sender means postmaster@helo (2.4). */
struct spf_identity {
	const char *ip;			/* of the client */
	const char *helo;
	const char *sender;		/* local@domain, or "" */
	const char *receiver;		/* our name: %{r} */
};

struct spf_verdict {
	enum spf_result result;
	char domain[DNS_NAME_MAX];	/* whose policy decided */
	char mechanism[96];		/* "ip4:192.0.2.0/24", "default" */
	/* Its whole policy is "v=spf1 -all": nobody sends for it. */
	bool sends_no_mail;
	char explanation[SPF_EXPLANATION_MAX];	/* exp=, on SPF_FAIL; or "" */
	char why[SPF_WHY_MAX];		/* for the log on the two errors */
};

struct spf_check;

/* Lent for the call; from the loop, once. */
typedef void spf_cb(const struct spf_verdict *v, void *arg);

/* Strings of id are copied. timeout_ms bounds the whole (4.6.4: at least 20
 * seconds); past it the result is SPF_TEMPERROR. */
struct spf_check *spf_check(struct loop *l, struct dns *dns,
    const struct spf_identity *id, uint64_t timeout_ms, spf_cb *cb,
    void *arg);
/* The callback will not run. NULL is fine. */
void spf_cancel(struct spf_check **c);

/* --- the evaluator, for spf.c and tests ------------------------------------ */

/* One DNS answer as SPF needs it. */
struct spf_fact {
	enum dns_result result;
	size_t n;
	const struct dns_record *record;
};

struct spf_source {
	/* The fact, or NULL when it had to be asked for: the run ends and is
	 * repeated later. */
	const struct spf_fact *(*fact)(const char *name, enum dns_type type,
	    void *arg);
	void *arg;
};

/* True when *v is the verdict, false when a fact is missing. */
bool spf_run(const struct spf_identity *id, const struct spf_source *src,
    struct spf_verdict *v) MUST_CHECK;

#endif
