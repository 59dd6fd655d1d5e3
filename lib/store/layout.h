/*
 * Names: where a home is, what our files are called, how folder names look
 * on disk. Owns nothing, touches no file.
 */
#ifndef STORE_LAYOUT_H
#define STORE_LAYOUT_H

#include "base/buf.h"
#include "base/span.h"

#define FOLDER_NAME_MAX	255		/* bytes on disk, dot included */
#define STORE_HOME_MAX	32

#define STORE_HEAD	"postern.head"
#define STORE_ACCOUNT_FILE "postern.account"
#define STORE_INDEX	"postern.index"
#define STORE_CACHE	"postern.cache"
#define STORE_KEYWORDS	"postern.keywords"
#define STORE_SUBSCRIPTIONS "subscriptions"
#define STORE_SPECIAL	"postern.special"
#define STORE_ADOPTING	"postern.adopting"	/* adopt.h: closed to others */
#define STORE_DELETED	"deleted."		/* in tmp/: a folder that was */

#define STORE_DIR_MODE	02770
#define STORE_FILE_MODE	0660

/* "39/12345"; returns the length of the part before the slash. */
size_t store_home_path(uint64_t mailbox_id, char out[STORE_HOME_MAX]);

/* A name we accept from disk or make: "" or ".level.level", no empty level,
 * no control byte, no slash, at most FOLDER_NAME_MAX bytes. */
bool folder_name_valid(struct span disk);

/*
 * Wire name (modified UTF-7, levels separated by sep, INBOX in any case) to
 * disk name. A dot inside a level becomes &AC4-, a slash &AC8-. Returns false
 * for names that cannot be folders (empty level, too long, bad bytes).
 */
bool folder_name_to_disk(struct span wire, char sep,
    char out[FOLDER_NAME_MAX + 1]) MUST_CHECK;
/* The other way; appends. "" gives INBOX. */
void folder_name_to_wire(const char *disk, char sep, struct buf *out);
/* The parent's name on disk in `out`; false when it has none but INBOX. */
bool folder_name_parent(const char *disk, char out[FOLDER_NAME_MAX + 1]);

#endif
