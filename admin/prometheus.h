/*
 * Status rows in Prometheus' text format (version 0.0.4): each number of a
 * process's row is a sample "postern_PROGRAM_NAME{process="smtpd/0"} 1".
 * Members of objects get the object's name in front, true and false are 1 and
 * 0, texts are left out.
 */
#ifndef ADMIN_PROMETHEUS_H
#define ADMIN_PROMETHEUS_H

#include "base/buf.h"

/* rows: n JSON objects as `status` answers them. */
void prometheus_put(struct buf *out, char *const *rows, size_t n);

#endif
