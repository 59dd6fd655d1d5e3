#include "base/quota.h"

/* As the VDA patch has it: a default, and a ceiling unless overridden. */
uint64_t
quota_limit_bytes(const struct conf *conf, uint64_t said)
{
	uint64_t site = (uint64_t)conf->virtual_mailbox_limit;

	if (site == 0 || (said > 0 && said <= site))
		return said;
	if (said > 0 && conf->virtual_mailbox_limit_override)
		return said;
	return site;
}

void
quota_thresholds(const struct conf *conf, struct buf *out)
{
	const char *p = conf->quota_warning_thresholds;
	size_t n, have = 0;
	uint32_t percent;

	buf_char(out, '{');
	for (; *p != '\0'; p += n) {
		p += strspn(p, ", \t");
		n = strcspn(p, ", \t");
		if (!span_u32(span_of(p, n), 1, 1000, &percent))
			continue;
		if (have++ > 0)
			buf_char(out, ',');
		buf_dec(out, percent);
	}
	buf_char(out, '}');
}
