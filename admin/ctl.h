/*
 * The CLI's side of the control socket (control.h): asks posternd or, handed
 * on by it, qmgr, and waits for the rows.
 */
#ifndef ADMIN_CTL_H
#define ADMIN_CTL_H

#include "base/conf.h"
#include "base/err.h"
#include "base/span.h"

/* One JSON object; only valid JSON gets here. */
typedef void ctl_row_fn(struct span json, void *arg);

struct ctl_answer {
	unsigned exit;		/* sysexits code */
	char error[4096];	/* "" none; for people */
};

/*
 * Asks posternd (via == NULL) or the process `via` names: "qmgr", "smtpd 2".
 * Blocks until the
 * answer's end or `timeout_ms` of silence. Negative PS_E* when nobody runs
 * there or it does not answer.
 */
int ctl_ask(const struct conf *conf, const char *via, const char *verb,
    const struct span *args, size_t n, uint64_t timeout_ms, ctl_row_fn *row,
    void *arg, struct ctl_answer *answer, struct err *err) MUST_CHECK;

#endif
