/*
 * Cyrus SASL's server side, held on a short leash: only its PLAIN and SCRAM
 * plugins are loaded, no configuration file is read, secrets come from the
 * caller (an auxprop plugin inside this process feeds authPassword; PLAIN
 * asks back through a callback). A struct mech is one exchange; steps may run
 * in any thread, one at a time.
 */
#ifndef AUTHD_MECH_H
#define AUTHD_MECH_H

#include "base/err.h"
#include "base/span.h"

struct mech;

enum mech_result {
	MECH_MORE,		/* the client must answer `out` */
	MECH_DONE,		/* proved; `out` is final server data */
	MECH_DENIED,
	MECH_MALFORMED,
	MECH_FAULT		/* our side's trouble; logged */
};

/* Runs in the thread of mech_step: is this the password? */
typedef bool mech_check_fn(struct span password, void *arg);

struct mech_secrets {
	/* The name as the client sends it; no other is looked up. */
	struct span name;
	/* SCRAM: as scram_verifier_cyrus() writes it; else NULL. */
	const char *verifier;
	/* PLAIN: may be NULL otherwise. */
	mech_check_fn *check;
	void *arg;
};

struct mech_binding {
	struct span type;	/* "tls-exporter"; empty: none */
	struct span data;
};

/* Once, before threads are made. plugins: directory of Cyrus' plugins, NULL
 * for the built-in one. Fails when a plugin that we need is not there. */
int mech_init(const char *plugins, struct err *err) MUST_CHECK;
void mech_fini(void);

/* name: "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-256-PLUS". Copies what it is
 * given but `check`'s arg. NULL when Cyrus refuses (logged). */
struct mech *mech_new(const char *name, const char *service,
    const struct mech_secrets *secrets, const struct mech_binding *binding);
/* Wipes its copies. */
void mech_free(struct mech **m);
/* One message of the client. *out is lent until the next call on m. */
enum mech_result mech_step(struct mech *m, struct span in, struct span *out);

#endif
