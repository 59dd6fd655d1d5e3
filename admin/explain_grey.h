/*
 * What greylisting would say, for `postern explain`: asked of the database,
 * where gatekeeper keeps what it knows. Writes nothing: who asks has not been
 * here.
 */
#ifndef ADMIN_EXPLAIN_GREY_H
#define ADMIN_EXPLAIN_GREY_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/loop.h"
#include "gate/grey.h"

/* password may be NULL. Keeps a reference to conf. Connects when asked. */
struct grey_source *explain_grey_new(struct loop *l, struct conf *conf,
    const char *password);
void explain_grey_free(struct grey_source **s);
/* What was found for the last answer, a line each; lent. */
struct span explain_grey_found(struct grey_source *s);

#endif
