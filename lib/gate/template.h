/*
 * Reply templates: text with $name, ${name}, ${name?text when not empty} and
 * ${name:text when empty}, as default_rbl_reply and smtpd_reject_footer have
 * them. $$ is a dollar. Asks the caller for each name.
 */
#ifndef GATE_TEMPLATE_H
#define GATE_TEMPLATE_H

#include "base/buf.h"
#include "base/span.h"

/* Appends the value of `name`; false when there is no such name. */
typedef bool template_macro(struct span name, struct buf *out, void *arg);

/* False when the template is malformed or names something unknown; *out is
 * then of no use. Bytes of values that are not printable become '_'. */
bool template_expand(struct span text, struct buf *out, template_macro *macro,
    void *arg) MUST_CHECK;

struct gate_eval;
/* The names that every template knows: client, client_address, client_name,
 * reverse_client_name, helo_name, sender, sender_name, sender_domain,
 * recipient, recipient_name, recipient_domain. */
bool gate_macro(const struct gate_eval *e, struct span name, struct buf *out);

#endif
