/*
 * Messages whose file cannot be read: each is logged once while its folder is
 * selected, as clients ask for it again and again.
 */
#include "base/log.h"
#include "imapd/session.h"

void
session_unreadable(struct session *s, const char *what, uint32_t uid,
    const struct err *err)
{
	size_t i;

	for (i = 0; i < s->n_unreadable; i++)
		if (s->unreadable[i] == uid)
			return;
	if (s->n_unreadable == ARRAY_LEN(s->unreadable))
		return;
	s->unreadable[s->n_unreadable++] = uid;
	log_warning("%s: %s user=<%s> folder=<%s> uid=%u: %s%s", s->id, what,
	    s->user, folder_name(s->folder), uid, err->why,
	    s->n_unreadable == ARRAY_LEN(s->unreadable) ?
	    " (more are not logged)" : "");
}
