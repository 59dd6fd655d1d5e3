/*
 * Making struct resolution from the rows of resolve_recipient (sql/0002) and
 * resolve_domain. Rows are only half trusted: a site may have written the
 * function itself.
 */
#ifndef DB_RESOLUTION_H
#define DB_RESOLUTION_H

#include "db/db.h"
#include "db/directory.h"

/* Columns, in the order the directory asks for them. */
#define RESOLVE_COLUMNS	"item, value, id, host_id, state, quota_bytes, " \
	"quota_messages, extension"

/* asked: an address, or "@domain" for a domain. Nonsense rows make a
 * RESOLVE_TEMP whose `why` names the first. One reference, yours. */
struct resolution *resolution_of_rows(struct span asked,
    const struct db_result *r, uint64_t host_id);
struct resolution *resolution_plain(struct span asked,
    enum resolve_class class, const char *why);

#endif
