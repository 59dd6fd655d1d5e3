/*
 * The settings of a listener as its sessions use them: parsed once,
 * immutable, reference-counted. A session keeps the profile it began with.
 */
#ifndef SMTPD_PROFILE_H
#define SMTPD_PROFILE_H

#include "base/conf.h"
#include "gate/gate.h"
#include "gate/manners.h"
#include "net/ccert.h"

struct profile {
	unsigned refs;
	struct conf *conf;	/* of its [service] section */
	struct gate *gate;
	struct manners *manners;
	struct ccert_policy *ccert;	/* NULL: no certificate is asked for */
};

/* NULL when something is wrong; the reasons are lines in complaints. */
struct profile *profile_new(struct conf *conf, struct buf *complaints);
struct profile *profile_ref(struct profile *p);
void profile_unref(struct profile **p);

#endif
