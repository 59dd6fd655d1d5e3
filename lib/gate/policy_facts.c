#include "gate/policy_facts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INSTANCE_MAX	64

/* From DATA on all recipients are known, and that is what is told. */
static bool
is_at_data(const struct gate_facts *f)
{
	return strcmp(f->where, "DATA") == 0 ||
	    strcmp(f->where, "BDAT") == 0 ||
	    strcmp(f->where, "END-OF-MESSAGE") == 0;
}

/* The same in all requests about one message, in none about another. Postfix
 * has it empty before MAIL was accepted. */
static struct span
instance(const struct gate_facts *f, char out[INSTANCE_MAX])
{
	int n;

	if (f->message_us == 0)
		return SPAN_NONE;
	n = snprintf(out, INSTANCE_MAX, "%x.%llx.%llx.%x",
	    (unsigned)getpid(), (unsigned long long)f->message_us / 1000000,
	    (unsigned long long)f->message_us % 1000000, f->message_no);
	return span_of(out, (size_t)n);
}

static void
tls_facts(const struct gate_facts *f, struct policy_request *r)
{
	r->encryption_protocol = span_str(f->tls_protocol);
	r->encryption_cipher = span_str(f->tls_cipher);
	r->encryption_keysize = (uint64_t)f->tls_bits;
	r->tls_sni = span_str(f->tls_sni);
	r->ccert_fingerprint = span_str(f->ccert_fingerprint);
	r->ccert_pubkey_fingerprint = span_str(f->ccert_pubkey_fingerprint);
	if (!f->ccert_trusted)
		return;		/* anyone can write names */
	r->ccert_subject = span_str(f->ccert_subject);
	r->ccert_issuer = span_str(f->ccert_issuer);
}

void
policy_facts_write(const struct gate_facts *f,
    const struct policy_spec *spec, struct buf *out)
{
	char text[INSTANCE_MAX];
	bool at_data = is_at_data(f);
	struct policy_request r = {
		.protocol_state = strcmp(f->where, "BDAT") == 0 ?
		    SPAN_LIT("DATA") : span_str(f->where),
		.protocol_name = f->esmtp ? SPAN_LIT("ESMTP") :
		    SPAN_LIT("SMTP"),
		.client_address = span_str(f->client_ip),
		.client_name = span_str(f->client_name),
		.client_port = span_str(f->client_port),
		.reverse_client_name = span_str(gate_reverse_name(f)),
		.server_address = span_str(f->server_ip),
		.server_port = span_str(f->server_port),
		.helo_name = span_str(f->helo),
		.sender = f->sender,
		.recipient = at_data ? f->sole_recipient : f->recipient,
		.recipient_count = at_data ? f->n_recipients : 0,
		.queue_id = span_str(f->queue_id),
		.instance = instance(f, text),
		.size = f->size, .etrn_domain = f->etrn,
		.stress = f->stress ? SPAN_LIT("yes") : SPAN_NONE,
		.sasl_method = span_str(f->sasl_method),
		.sasl_username = span_str(f->user),
		.sasl_sender = f->sasl_sender,
		.policy_context = span_str(spec->policy_context),
	};

	tls_facts(f, &r);
	policy_request_write(&r, out);
}
