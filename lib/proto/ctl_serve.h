/*
 * The side of a CLI connection that posternd handed over (ROLE_CONTROL): a
 * table of verbs, one question at a time, and walks that answer with many rows
 * in bounded turns, no faster than the CLI reads.
 */
#ifndef PROTO_CTL_SERVE_H
#define PROTO_CTL_SERVE_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/span.h"

struct ctl_serve;
struct ctl_call;

struct ctl_verb {
	const char *name;		/* "session list" */
	/* Answers with rows and, once, ctl_end() or ctl_walk(), before it
	 * returns. `args`: entry_ctl_arg_next(). */
	void (*run)(struct ctl_call *c, struct span args, void *arg);
};

/* `verbs` must outlive it; arg is theirs. `name` is for the log. */
struct ctl_serve *ctl_serve_new(struct loop *l, const char *name,
    const struct ctl_verb *verbs, size_t n, void *arg);
/* Ends all connections. */
void ctl_serve_free(struct ctl_serve **s);
/* A connection that came as a peer of ROLE_CONTROL; takes fd. */
void ctl_serve_peer(struct ctl_serve *s, int fd);

/* --- for verbs --- */

/* One JSON object. */
void ctl_row(struct ctl_call *c, struct span json);
/* The answer's end: a sysexits code, and for people what was wrong. */
void ctl_end(struct ctl_call *c, unsigned code, const char *error);
/* Calls step(c, state) up to CTL_STEPS times a turn while it returns true,
 * then ctl_end(c, 0, ""), unless it has ended the answer itself. fini(state)
 * runs once, also when the CLI goes away. */
#define CTL_STEPS	200
typedef bool ctl_step_fn(struct ctl_call *c, void *state);
void ctl_walk(struct ctl_call *c, ctl_step_fn *step, loop_cb *fini,
    void *state);

#endif
