#include "imapd/status_items.h"

static const char *const names[STATUS_ITEMS] = {
	[STATUS_MESSAGES] = "MESSAGES", [STATUS_RECENT] = "RECENT",
	[STATUS_UIDNEXT] = "UIDNEXT", [STATUS_UIDVALIDITY] = "UIDVALIDITY",
	[STATUS_UNSEEN] = "UNSEEN", [STATUS_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	[STATUS_SIZE] = "SIZE", [STATUS_APPENDLIMIT] = "APPENDLIMIT",
	[STATUS_DELETED] = "DELETED",
	[STATUS_DELETED_STORAGE] = "DELETED-STORAGE"
};

const char *
status_item_name(enum status_item item)
{
	return names[item];
}

static bool
item_find(struct span word, size_t *i)
{
	for (*i = 0; *i < STATUS_ITEMS; ++*i)
		if (span_is(word, names[*i]))
			return true;
	return false;
}

bool
status_items_take(struct arg_iter *it, unsigned *items)
{
	struct arg_iter members;
	struct span word;
	size_t i;

	*items = 0;
	if (!arg_take_list(it, &members))
		return false;
	while (arg_take_atom(&members, &word)) {
		if (!item_find(word, &i))
			return false;
		*items |= STATUS_BIT(i);
	}
	return *items != 0 && arg_at_end(&members);
}
