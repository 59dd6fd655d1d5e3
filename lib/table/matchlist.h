/*
 * A setting that lists words and tables, as smtpd_forbidden_commands does: a
 * word matches itself, ignoring case, a table (type:name) what it finds. Only
 * tables that answer at once: what asks others is refused when the list is
 * made.
 */
#ifndef TABLE_MATCHLIST_H
#define TABLE_MATCHLIST_H

#include "base/conf.h"
#include "table/table.h"

struct matchlist;

enum matchlist_kind { MATCHLIST_WORDS_TOO, MATCHLIST_TABLES_ONLY };

/* From the value `text` of `param`; what is wrong with it is a line in
 * complaints. Never NULL. */
struct matchlist *matchlist_new(const struct conf *conf, const char *param,
    const char *text, enum matchlist_kind kind, struct buf *complaints);
void matchlist_free(struct matchlist **l);
bool matchlist_empty(const struct matchlist *l);
/* The first match; its value (a word's is itself) is appended to *value. The
 * first failure ends the search: TABLE_TEMPFAIL, logged. */
enum table_result matchlist_find(const struct matchlist *l, struct span key,
    struct buf *value);

/* Does it match? A failure is no match. */
bool matchlist_has(const struct matchlist *l, struct span key);

#endif
