/*
 * Messages that came as literal8 (RFC 3516 4.4). What we store must be
 * sendable as a plain literal later, so NUL cannot stay. In threads.
 */
#ifndef IMAPD_APPEND_BINARY_H
#define IMAPD_APPEND_BINARY_H

#include "store/account.h"

/* The message is in the file, or with tmp->fd == -1 in `piece`. When it holds
 * NUL its binary parts become base64. PS_ENOSYS: some NUL is left. */
int append_binary(struct store_tmp *tmp, struct buf *piece,
    struct err *err) MUST_CHECK;

#endif
