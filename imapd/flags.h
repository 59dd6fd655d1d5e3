/*
 * Flags as IMAP writes them.
 */
#ifndef IMAPD_FLAGS_H
#define IMAPD_FLAGS_H

#include "imapd/args.h"
#include "imapd/session.h"

/* "(\Seen $Work)" of a message in folder f. */
void flags_put(struct buf *out, const struct folder *f, uint32_t flags,
    bool recent);
/* "* FLAGS (...)" and PERMANENTFLAGS, as at SELECT. */
void flags_tell(struct session *s);
/* The same again, when keywords came up that the client was not told. */
void flags_tell_new(struct session *s);

/*
 * A list of flags from a command. System flags become bits at once; keyword
 * names are kept, as making them needs a thread (flags_resolve).
 */
#define FLAG_NAMES_MAX	26
struct flag_list {
	uint32_t bits;
	char *name[FLAG_NAMES_MAX];
	size_t n;
};
/* Takes "(\Seen x)" or, when `bare` is allowed, "\Seen x". NULL when fine,
 * else what is wrong. flag_list_fini() in any case. */
const char *flag_list_take(struct flag_list *l, struct arg_iter *it,
    bool bare) MUST_CHECK;
void flag_list_fini(struct flag_list *l);
/* Bits of the list in folder f. In a thread. With `create` unknown keywords
 * are made while there is room; without, they count as no flag. */
int flag_list_resolve(const struct flag_list *l, struct folder *f,
    bool create, uint32_t *bits, struct err *err) MUST_CHECK;

#endif
