/*
 * Look-up tables as in Postfix's `type:name` (DATABASE_README): one key, one
 * text. Text files are read from their source, no postmap step: the file is
 * watched and read anew when it changes, a bad line is logged with file:line
 * and the rest serves.
 *
 *	hash btree lmdb cdb texthash   the text file `name`, exact keys
 *	cidr                           ADDRESS/BITS patterns (cidr_table(5))
 *	regexp pcre                    /pattern/flags (pcre_table(5))
 *	                               these three also with the rules in the
 *	                               name: regexp:{{/p/ x} {/q/ y}}
 *	inline:{ k = v, ... }          pairs in the configuration itself
 *	static:TEXT  fail:TEXT         always TEXT; always an error
 *	unionmap:{t1, t2}              all results, joined with commas
 *	pipemap:{t1, t2}               a result is the next one's key
 *	randmap:{a, b}                 one of these, at random
 *	pgsql                          SQL query in the file (pgsql_table(5))
 *	pg:LIST                        our own database, `postern access`
 *	tcp:HOST:PORT                  a server (tcp_table(5))
 *	socketmap:inet:HOST:PORT:MAP   a server (socketmap_table(5));
 *	socketmap:unix:/PATH:MAP       its unix socket
 *
 * `proxy:` before any of them changes nothing. doc/tables.md has examples.
 *
 * A table never answers wrongly: what cannot be decided is TABLE_TEMPFAIL.
 * The last four ask others, which is done by lib/tableask (table_ask()).
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct table;

#define TABLE_KEY_MAX	4096
#define TABLE_VALUE_MAX	65536

enum table_result {
	TABLE_FOUND,		/* `out` has the value */
	TABLE_NOTFOUND,
	TABLE_TEMPFAIL,		/* err says why */
	TABLE_PARKED		/* the callback comes, from the loop */
};

/*
 * Opens `type:name` (a bare name is taken as hash:name; a path in braces or
 * with $ was expanded by conf). NULL with err naming what is wrong and the
 * nearest type; a file that can't be read is an error here, at start.
 * Reads files: at start. One that is open already is given again, as it is;
 * so tables are opened and let go of in one thread only.
 */
struct table *table_open(struct span spec, struct err *err) MUST_CHECK;
struct table *table_ref(struct table *t);
void table_unref(struct table **t);
const char *table_name(const struct table *t);	/* "hash:/etc/..." */
/* Is it for keys that should be offered whole only (no domain, no parent
 * look-ups; Postfix: DICT_FLAG_PATTERN)? regexp, pcre, cidr, randmap, tcp,
 * socketmap; a combined one if its first member is. */
bool table_is_pattern(const struct table *t);
/* Must others be asked for it, or for a member of it? Then table_ask() is the
 * way, and table_look_up() may give TABLE_TEMPFAIL. */
bool table_is_async(const struct table *t);

/*
 * Looks `key` up; a value is appended to *out. Keys of exact tables are
 * compared without regard to case, as Postfix folds them. Never parks.
 */
enum table_result table_look_up(struct table *t, struct span key,
    struct buf *out, struct err *err);

/* Has its file changed, and if so, is the new one good? Reads files: call it
 * from a thread, one at a time (watch.h does). Takes over the new contents and
 * returns true; a file that can't be read any more keeps the old, is warned
 * about once, and sets err (cleared else). */
bool table_refresh(struct table *t, struct err *err);

/* The types, for messages and `postern map`. */
const char *const *table_types(void);

#endif
