#include "imapd/quota.h"

#include "base/log.h"

static bool
fits(uint64_t used, uint64_t more, uint64_t limit)
{
	return limit == 0 || (used <= limit && more <= limit - used);
}

bool
quota_has_room(struct session *s, uint64_t messages, uint64_t bytes)
{
	struct err err = { 0 };
	struct usage u;

	if (s->quota_bytes == 0 && s->quota_messages == 0)
		return true;
	if (account_usage(s->account, &u, &err) < 0) {
		log_warning("%s: usage of user=<%s>: %s", s->id, s->user,
		    err.why);
		return true;
	}
	return fits(u.bytes, bytes, s->quota_bytes) &&
	    fits(u.messages, messages, s->quota_messages);
}
