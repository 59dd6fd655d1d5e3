/*
 * Inside ask.c: SPF verdicts of one evaluation. The evaluator (mail/spf.h) is
 * run again from its beginning with each answer that has come; answers are
 * those of the whole evaluation (ask_dns in ask.c), so what one identity has
 * asked for the other has for nothing, and a warm record costs no waiting.
 */
#ifndef GATE_ASK_SPF_H
#define GATE_ASK_SPF_H

#include "gate/ask.h"
#include "mail/spf.h"

/* gate_ops.spf; arg is the struct gate_ask. */
const struct spf_verdict *gate_ask_spf(const struct conf *conf,
    const char *helo, const char *sender, void *arg);
/* Cancels what is asked and forgets what is known. */
void gate_ask_spf_end(struct gate_ask *a);

/* Of ask.c: an answer, as SPF needs it; NULL: asked for. */
const struct spf_fact *gate_ask_spf_fact(struct gate_ask *a, const char *name,
    enum dns_type type);

#endif
