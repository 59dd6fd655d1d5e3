/*
 * Asking for a new password, and its stored form.
 */
#ifndef ADMIN_PASSWORD_H
#define ADMIN_PASSWORD_H

#include "base/conf.h"

/* Reads a new password, from the first line of standard input or twice from
 * the terminal without echo, and appends what is stored of it. The password
 * itself is wiped. False was explained. */
bool password_make(const struct conf *conf, bool from_stdin,
    struct buf *stored) MUST_CHECK;

/* A password that is there already: asked for once on the terminal, or the
 * first line of standard input when that is none. The caller wipes `clear`. */
bool password_read(const char *prompt, struct buf *clear) MUST_CHECK;
/* Makes up an app password, one that nobody has to remember: appends it, and
 * what is stored of it. False was explained. */
bool password_generate(const struct conf *conf, struct buf *clear,
    struct buf *stored) MUST_CHECK;

#endif
