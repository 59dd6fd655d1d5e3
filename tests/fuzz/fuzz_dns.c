/*
 * Replies from the network. Oracle: what parses as an answer has records of
 * sane names.
 */
#include <stdlib.h>
#include <string.h>

#include "net/dns.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_MX, DNS_TXT,
	    DNS_PTR, DNS_SRV, DNS_TLSA, DNS_CNAME };
	struct dns_record *records;
	struct dns_answer a;
	char *scratch;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		if (dns_parse(span_of(data, size), types[i], &a, &records,
		    &scratch))
			for (k = 0; k < a.n_records; k++)
				ps_assert(strlen(a.record[k].name) <
				    DNS_NAME_MAX && a.record[k].data.n <=
				    size);
		free(records);
		free(scratch);
	}
	return 0;
}
