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
