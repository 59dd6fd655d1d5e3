/*
 * check_policy_service: another program judges, by an access(5) value. One
 * that gives no answer has been asked again in vain by then; what it would
 * have said is its default action.
 */
#include "gate/checks.h"
#include "policy/spec.h"

enum gate_result
check_policy_service(struct gate_eval *e, const struct gate_rule *rule)
{
	const char *action;

	action = e->ops->policy == NULL ? rule->policy->default_action :
	    e->ops->policy(rule->policy, e->arg);
	if (action == NULL)
		return GATE_PARKED;
	return gate_access_act(e, span_str(action), GATE_IS_STAGE,
	    rule->policy->name, SPAN_LIT("policy query"));
}
