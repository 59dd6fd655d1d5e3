/*
 * What a policy service is told of a session: the facts of an evaluation as
 * a request of the policy protocol.
 */
#ifndef GATE_POLICY_FACTS_H
#define GATE_POLICY_FACTS_H

#include "gate/gate.h"
#include "policy/request.h"
#include "policy/spec.h"

/* Appends the request; buf_failed(out) when it is too large. */
void policy_facts_write(const struct gate_facts *f,
    const struct policy_spec *spec, struct buf *out);

#endif
