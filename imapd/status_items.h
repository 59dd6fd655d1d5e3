/*
 * The names of STATUS items (RFC 3501 6.3.10 and extensions).
 */
#ifndef IMAPD_STATUS_ITEMS_H
#define IMAPD_STATUS_ITEMS_H

#include "imapd/args.h"

enum status_item {
	STATUS_MESSAGES, STATUS_RECENT, STATUS_UIDNEXT, STATUS_UIDVALIDITY,
	STATUS_UNSEEN,
	STATUS_HIGHESTMODSEQ,		/* RFC 7162 */
	STATUS_SIZE,			/* RFC 8438 */
	STATUS_APPENDLIMIT,		/* RFC 7889 */
	STATUS_DELETED, STATUS_DELETED_STORAGE,		/* RFC 9208 */
	STATUS_ITEMS
};
#define STATUS_BIT(item)	(1u << (item))

const char *status_item_name(enum status_item item);
/* Takes "(MESSAGES UNSEEN)" into a set of bits. False: it is not one. */
bool status_items_take(struct arg_iter *it, unsigned *items);

#endif
