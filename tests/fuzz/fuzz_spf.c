/*
 * SPF records. The input is the policy of a domain; every other name answers
 * with the same record or with an address, so that includes nest as deep as
 * the limits let them. Oracle: a run ends with a verdict.
 */
#include <string.h>

#include "mail/spf.h"
#include "tests/fuzz/fuzz.h"

static struct dns_record txt, other;

static const struct spf_fact *
fact_cb(const char *name, enum dns_type type, void *arg)
{
	static struct spf_fact text, host;

	(void)name;
	(void)arg;
	text = (struct spf_fact){ DNS_OK, 1, &txt };
	host = (struct spf_fact){ DNS_OK, 1, &other };
	return type == DNS_TXT ? &text : &host;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ips[] = { "192.0.2.7", "2001:db8::7" };
	struct spf_source src = { .fact = fact_cb };
	struct spf_identity id = { .helo = "mx.a.example",
	    .sender = "kim+x@a.example", .receiver = "r.example" };
	struct spf_verdict v;
	size_t i;

	txt.data = span_of(data, size);
	memcpy(other.name, "mx.a.example", sizeof("mx.a.example"));
	for (i = 0; i < ARRAY_LEN(ips); i++) {
		id.ip = ips[i];
		ps_assert(spf_run(&id, &src, &v));
		ps_assert(v.result <= SPF_PERMERROR);
	}
	return 0;
}
