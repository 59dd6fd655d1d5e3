/*
 * A whole imapd in the test's process: real sessions over socket pairs, a
 * real store in a temporary directory, and fakes for authd and deliver that
 * accept "kim@a.example" with "secret" by PLAIN.
 */
#ifndef IMAPD_T_IMAPD_H
#define IMAPD_T_IMAPD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "imapd/session.h"

#define T_MAILBOX	77

struct client;

int t_setup(void **state);
int t_teardown(void **state);

struct client *client_new(void);		/* connected, greeting read */
struct client *client_login(void);		/* and logged in */
void client_free(struct client **c);

void client_send(struct client *c, const char *text);
void client_send_span(struct client *c, struct span text);
/* Waits until what was received ends in a whole line that begins with
 * `prefix`, and returns everything since the last call; lent until the next. */
const char *client_wait(struct client *c, const char *prefix);
/* The same for text that may hold NUL. */
struct span client_wait_span(struct client *c, const char *prefix);
/* Waits until the server closed the connection. */
const char *client_wait_end(struct client *c);

/* Sends "tN command" and waits for "tN result"; the untagged text before it
 * must be `want` (NULL: anything). Returns the tagged line from the result
 * on, lent until the next call. */
const char *client_do(struct client *c, const char *command,
    const char *result, const char *want);
/* APPENDs a message (CRLF made of LF) to INBOX. */
void client_append(struct client *c, const char *args, const char *message);

/* The same, with clients that send one byte at a time and let the loop turn in
 * between. */
int t_setup_bytewise(void **state);
/* Limits that later logins have; 0: none. */
void t_quota(uint64_t bytes, uint64_t messages);
/* deliver knows of a pool of the organisation "A & B"; 0: none. */
void t_pool(uint64_t messages);
/* deliver answers no question about quota. */
void t_deliver_silent(bool on);
void t_deliver_dies(void);
/* Asks for room that were not given back. */
unsigned t_reservations(void);
struct server *t_server(void);
/* Runs the loop for a while. */
void t_run_ms(unsigned ms);

/* Rows of a test table: as it is, byte by byte, both. */
#define WHOLE(f) cmocka_unit_test_setup_teardown(f, t_setup, t_teardown)
#define BYTEWISE(f) { #f " byte by byte", f, t_setup_bytewise, t_teardown, NULL }
#define T(f) WHOLE(f), BYTEWISE(f)

#endif
