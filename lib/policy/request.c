#include "policy/request.h"

#include "config.h"
#include "mail/address.h"

/* Our defaults are those that Postfix has at this compatibility level. */
#define COMPATIBILITY_LEVEL	"3.6"

#define USUAL_SIZE	1024

enum kind { TEXT, XTEXT, NUMBER, CONSTANT };

/* Postfix's order. `name` has its "=". */
static const struct attribute {
	struct span name;
	enum kind kind;
	size_t offset;
	struct span constant;
} attributes[] = {
#define NAME(n)		{ #n "=", sizeof(#n) }
#define ROW(n, kind)	{ NAME(n), kind, offsetof(struct policy_request, n), \
	{ NULL, 0 } }
#define FIXED(n, text)	{ NAME(n), CONSTANT, 0, { text, sizeof(text) - 1 } }
	FIXED(request, "smtpd_access_policy"),
	ROW(protocol_state, TEXT),
	ROW(protocol_name, TEXT),
	ROW(client_address, TEXT),
	ROW(client_name, TEXT),
	ROW(client_port, TEXT),
	ROW(reverse_client_name, TEXT),
	ROW(server_address, TEXT),
	ROW(server_port, TEXT),
	ROW(helo_name, TEXT),
	ROW(sender, TEXT),
	ROW(recipient, TEXT),
	ROW(recipient_count, NUMBER),
	ROW(queue_id, TEXT),
	ROW(instance, TEXT),
	ROW(size, NUMBER),
	ROW(etrn_domain, TEXT),
	ROW(stress, TEXT),
	ROW(sasl_method, TEXT),
	ROW(sasl_username, TEXT),
	ROW(sasl_sender, TEXT),
	ROW(ccert_subject, XTEXT),
	ROW(ccert_issuer, XTEXT),
	ROW(ccert_fingerprint, TEXT),
	ROW(ccert_pubkey_fingerprint, TEXT),
	ROW(encryption_protocol, TEXT),
	ROW(encryption_cipher, TEXT),
	ROW(encryption_keysize, NUMBER),
	ROW(tls_sni, TEXT),
	ROW(policy_context, TEXT),
	FIXED(compatibility_level, COMPATIBILITY_LEVEL),
	FIXED(mail_version, PACKAGE_VERSION),
#undef NAME
#undef ROW
#undef FIXED
};

static bool
is_control(unsigned char c)
{
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Runs without control bytes are most often the whole. */
static void
text_add(struct buf *out, struct span s)
{
	size_t i, from = 0;

	for (i = 0; i < s.n; i++) {
		if (!is_control((unsigned char)s.p[i]))
			continue;
		buf_append(out, s.p + from, i - from);
		buf_char(out, '?');
		from = i + 1;
	}
	if (s.n > from)
		buf_append(out, s.p + from, s.n - from);
}

void
policy_request_write(const struct policy_request *r, struct buf *out)
{
	const struct attribute *a;
	const void *field;
	size_t i;

	(void)buf_reserve(out, USUAL_SIZE);	/* instead of growing to it */
	for (i = 0; i < ARRAY_LEN(attributes); i++) {
		a = &attributes[i];
		field = (const char *)r + a->offset;
		buf_span_add(out, a->name);
		switch (a->kind) {
		case TEXT:
			text_add(out, *(const struct span *)field);
			break;
		case XTEXT:
			xtext_encode(*(const struct span *)field, out);
			break;
		case NUMBER:
			buf_dec(out, *(const uint64_t *)field);
			break;
		case CONSTANT:
			buf_span_add(out, a->constant);
			break;
		}
		buf_char(out, '\n');
	}
	buf_char(out, '\n');
}
