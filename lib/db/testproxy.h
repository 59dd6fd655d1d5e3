/*
 * For tests: stands between a client and a server on the same loop, and hands
 * over what the server says one byte per turn. What works whole and in single
 * bytes does not depend on where reads happen to end.
 */
#ifndef DB_TESTPROXY_H
#define DB_TESTPROXY_H

#include "base/loop.h"

struct testproxy;

/* Listens in a directory of its own, as PostgreSQL does in a socket
 * directory; connects to the server whose socket directory is `server`. */
struct testproxy *testproxy_new(struct loop *l, const char *server);
void testproxy_free(struct testproxy **p);
const char *testproxy_dir(const struct testproxy *p);

#endif
