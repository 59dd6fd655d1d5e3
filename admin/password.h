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

#endif
