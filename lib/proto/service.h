/*
 * The child's side of posternd: every program's main() is
 *
 *	int main(int argc, char **argv)
 *	{ return service_main(&smtpd_service, argc, argv); }
 *
 * posternd starts a child with a control connection on descriptor 3. Over it
 * come, in this order: the configuration, the role and index, directories,
 * listen sockets, connections to peers; then START. service_main drops
 * privilege before the first callback. Later: PEER again when a peer was
 * restarted (the old connection has closed by then or will), RELOAD with a
 * new configuration, STOP (drain, then return). End of file on the control
 * connection ends the process at once: posternd is gone.
 */
#ifndef PROTO_SERVICE_H
#define PROTO_SERVICE_H

#include "base/conf.h"
#include "base/ipc.h"
#include "base/loop.h"

enum service_role {
	ROLE_NONE = 0,
	ROLE_SMTPD,
	ROLE_QMGR,
	ROLE_DELIVER,
	ROLE_AUTHD,
	ROLE_IMAPD,
	ROLE_GATEKEEPER,
	ROLE_CONTROL,		/* a CLI connection handed over by posternd */
	ROLE_COUNT
};

const char *service_role_name(enum service_role r);

struct service_env {
	struct loop *loop;
	struct conf *conf;		/* current snapshot; ref it to keep */
	enum service_role role;
	unsigned index;			/* 0.. within the role */
	unsigned count[ROLE_COUNT];	/* processes of each role */
	uint32_t incarnation;		/* of this start; see spool J8 */
	uint8_t key[32];		/* shared secret of this instance for
					 * tickets between our processes */
	int spool_dir;			/* qmgr only, else -1 */
	int store_dir;			/* deliver only, else -1 */
};

struct service {
	const char *name;		/* "smtpd" */
	/* All have the same arg: what init returned. */
	/* START: configuration, directories are there; peers and listeners
	 * follow in their own calls (some may have come before others).
	 * Returns the program's state, or NULL with err set (fatal). */
	void *(*init)(const struct service_env *env, struct err *err);
	/* A connection to process `index` of `role`: yours, as ipc_new's fd.
	 * A second call for the same index replaces a dead connection. */
	void (*peer)(void *arg, enum service_role role, unsigned index,
	    int fd);
	/* A listening socket of section [service NAME]: yours. */
	void (*listener)(void *arg, const char *section, int fd);
	/* A new snapshot is in env->conf. */
	void (*reload)(void *arg);
	/* Finish what runs, then call service_stopped(). posternd kills after
	 * a grace period. */
	void (*stop)(void *arg);
	/* A secret posternd hands over by name, at start and again whenever
	 * the file behind it changes; contents are wiped after the call:
	 *   "tls/default"	PEM: certificate chain, then the private key
	 *   "tls/DOMAIN"	the same, for clients that name DOMAIN by SNI
	 *			(lower case; empty contents: no longer there)
	 *   "database_password" of this program's database role
	 * A program gets only what its role may know. May be NULL. */
	void (*file)(void *arg, const char *name, struct span contents);
	/* Adds `"name": value` JSON members (no braces) for `postern status`
	 * and zeroes take-counters. May be NULL. */
	void (*status)(void *arg, struct buf *json);
};

int service_main(const struct service *s, int argc, char **argv);
/* Ends the event loop; service_main then returns 0. */
void service_stopped(void);

#endif
