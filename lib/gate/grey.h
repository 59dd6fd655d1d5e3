/*
 * What greylisting is asked, and what it answers (check_greylist). The
 * question names the sender's organisation as far as it is proved, so that a
 * sender with many addresses is one; gatekeeper decides (smtpd/greylist.h),
 * `postern explain` asks the database.
 */
#ifndef GATE_GREY_H
#define GATE_GREY_H

#include "base/buf.h"
#include "base/span.h"
#include "gate/netlist.h"

#define GREY_ORIGIN_MAX		260
#define GREY_ADDRESS_MAX	600

/* Strings are lent. */
struct grey_question {
	struct span origin;	/* grey_origin */
	struct span client;	/* its name, confirmed; else empty */
	struct net_addr address;
	struct span sender;	/* grey_sender; empty: null sender */
	struct span sender_as_is; /* its normal form */
	struct span recipient;	/* grey_recipient */
};

enum grey_why {
	/* wait */
	GREY_NEW, GREY_EARLY,
	/* pass */
	GREY_CAME_BACK,		/* just now, after its time */
	GREY_KNOWN,		/* it did before */
	GREY_TRUSTED,		/* its origin did, often enough */
	GREY_BUDGET,		/* its origin has waited long enough */
	GREY_EXEMPT,		/* an administrator said so */
	GREY_WRITTEN,		/* a user of ours wrote to the sender */
	GREY_UNWANTED,		/* the recipient wants no greylisting */
	GREY_AWAY,		/* nobody knows at the moment */
	GREY_WHYS
};

struct grey_answer {
	bool wait;
	enum grey_why why;
	uint32_t wait_s;	/* still to go */
	uint32_t waited_s;	/* GREY_CAME_BACK: so long */
};

struct grey_asked;
typedef void grey_answer_cb(const struct grey_answer *answer, void *arg);

/* Who can be asked. */
struct grey_source {
	/* NULL with *now: the answer is known at once. Else the callback runs
	 * once, from the loop; the handle is valid until then. */
	struct grey_asked *(*ask)(struct grey_source *s,
	    const struct grey_question *q, struct grey_answer *now,
	    grey_answer_cb *cb, void *arg);
	/* The callback will not run; *a becomes NULL. NULL is fine. */
	void (*cancel)(struct grey_asked **a);
};

const char *grey_why_text(enum grey_why why);

/*
 * The organisation that `client` belongs to: the domain, without the parts in
 * front that only name a machine ("mail.example.co.uk": "example.co.uk").
 * Empty for a name that looks made from the address: such names say whose the
 * network is, not who sends from it.
 */
struct span grey_organisation(struct span client, const struct net_addr *a);
/* The /24 or /64. */
void grey_network(const struct net_addr *a, unsigned v4, unsigned v6,
    struct buf *out);
/* As postgrey: numbers become "#", an extension goes. `address` is in normal
 * form, or empty. */
void grey_sender(struct span address, struct buf *out);
/* Without the extension. */
void grey_recipient(struct span address, struct buf *out);

#endif
