#include "smtpd/profile.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"

struct profile *
profile_new(struct conf *conf, struct buf *complaints)
{
	struct profile *p = xcalloc(1, sizeof(*p));
	size_t before = buf_len(complaints);

	p->refs = 1;
	p->conf = conf_ref(conf);
	p->gate = gate_new(conf, complaints);
	p->manners = manners_new(conf, complaints);
	p->ccert = ccert_policy_new(conf, complaints);
	if (!span_starts(span_str(conf->smtpd_banner), conf->myhostname))
		log_warning("smtpd_banner does not begin with $myhostname "
		    "(RFC 5321 4.2)");
	if (buf_len(complaints) != before)
		profile_unref(&p);
	return p;
}

struct profile *
profile_ref(struct profile *p)
{
	p->refs++;
	return p;
}

void
profile_unref(struct profile **pp)
{
	struct profile *p = *pp;

	*pp = NULL;
	if (p == NULL || --p->refs > 0)
		return;
	gate_unref(&p->gate);
	manners_free(&p->manners);
	ccert_policy_unref(&p->ccert);
	conf_unref(&p->conf);
	free(p);
}
