/*
 * Talk between Postern's processes: framed messages over a stream
 * socketpair, with descriptors. The receiver lists what may be asked in a
 * table with phases; a type that is not in the table or not allowed in the
 * present phase, an oversized or malformed frame, ends the connection.
 *
 * Frame: u32 body length, u16 type, u8 number of descriptors, u8 zero,
 * u64 request id, body. Sends are queued and written together at the end of
 * the loop's turn. An answer carries the request's id; an answer whose id
 * nobody waits for is normal and must be dropped quietly by the receiver.
 *
 * The handler owns descriptors in m->fd[] once called: it must set each one
 * it keeps to -1; the rest are closed when it returns.
 */
#ifndef BASE_IPC_H
#define BASE_IPC_H

#include "base/err.h"
#include "base/loop.h"
#include "base/span.h"

#define IPC_BODY_MAX	(1024 * 1024)
#define IPC_FDS_MAX	8

struct ipc;

struct ipc_msg {
	uint16_t type;
	uint64_t id;
	struct span body;		/* lent until the handler returns */
	int fd[IPC_FDS_MAX];		/* -1 beyond nfds */
	unsigned nfds;
};

/* Returns 0, or a negative PS_E* that ends the connection (logged here as
 * "peer NAME: bad message TYPE"). */
typedef int ipc_handler_fn(struct ipc *c, struct ipc_msg *m, void *arg);
/* The peer is gone or misbehaved. Runs once, from the loop, not from within
 * ipc_send() or a handler; c must be freed in it or later. */
typedef void ipc_closed_fn(struct ipc *c, void *arg);

struct ipc_handler {
	uint16_t type;
	ipc_handler_fn *fn;
	uint32_t phases;		/* bits in which it is allowed */
};

#define IPC_ANY_PHASE	UINT32_MAX

/* Takes over fd (made non-blocking). `name` is for the log (copied);
 * `handlers` must outlive c. Phase starts as 1. */
struct ipc *ipc_new(struct loop *l, int fd, const char *name,
    const struct ipc_handler *handlers, size_t n_handlers,
    ipc_closed_fn *closed, void *arg);
/* Writes what it can without waiting, closes. Callable from a handler. */
void ipc_free(struct ipc **c);

/* Queues a message. fds are duplicated: the caller keeps its own. Sending on
 * a connection that already failed is silently dropped (closed_cb comes). */
void ipc_send(struct ipc *c, uint16_t type, uint64_t id, struct span body);
void ipc_send_fds(struct ipc *c, uint16_t type, uint64_t id, struct span body,
    const int *fds, unsigned nfds);
void ipc_phase_set(struct ipc *c, uint32_t phase);
size_t ipc_backlog(const struct ipc *c);	/* bytes not yet written */
const char *ipc_name(const struct ipc *c);
void *ipc_arg(const struct ipc *c);
/* A request id, unique within this process. */
uint64_t ipc_next_id(void);

/* A connected pair of close-on-exec stream sockets. */
int ipc_pair(int fd[2], struct err *err) MUST_CHECK;

/* The frame parser alone, for its tests and fuzz target: looks at the front
 * of `in`. Returns the frame's whole length, 0 if more is needed, or
 * PS_ETOOBIG / PS_ESYNTAX. Fills *m (body points into in; nfds as stated). */
ptrdiff_t ipc_parse(struct span in, struct ipc_msg *m);

#endif
