/*
 * Any bytes as a date: what is taken must be written and read back as the
 * same moment.
 */
#include "mail/date.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	char text[DATE_RFC5322_MAX];
	struct date d, again;
	int32_t day;
	size_t n;

	if (size > 4096)
		return 0;
	if (date_parse(in, &d)) {
		n = date_format_rfc5322(text, d.utc, d.zone);
		if (!date_parse(span_of(text, n), &again))
			__builtin_trap();
	}
	if (date_parse_imap(in, &d) && d.utc > -62000000000 &&
	    d.utc < 253000000000) {
		date_format_imap(text, d.utc, d.zone);
		if (!date_parse_imap(span_of(text, DATE_IMAP_LEN), &again) ||
		    again.utc != d.utc)
			__builtin_trap();
	}
	if (date_parse_imap_day(in, &day) && (day < -720000 || day > 2933000))
		__builtin_trap();
	return 0;
}
