"""check_policy_service: what a service answers, or that it does not."""
from . import policy
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


QUICK = {"smtpd_policy_service_timeout": "1s",
         "smtpd_policy_service_retry_delay": "1s",
         "smtpd_policy_service_try_limit": "1"}
SERVICE = f"check_policy_service inet:127.0.0.1:{policy.PORT}"
senders = [f"{name}@good.example" for name in policy.ANSWERS]

group("policy", smtpd_recipient_restrictions=SERVICE, **QUICK) \
    .over("sender", senders)
group("policy_then_reject", smtpd_recipient_restrictions=SERVICE + ", reject",
      **QUICK) \
    .over("sender", [s for s in senders if s.partition("@")[0] not in
                     ("no-action", "empty-action", "nothing", "garbage",
                      "no-equals", "half", "close")])
group("policy_at_once", smtpd_delay_reject="no",
      smtpd_sender_restrictions=SERVICE, **QUICK) \
    .over("sender", [f"{name}@good.example" for name in
                     ("ok", "reject", "dip", "521", "no-action")])
g = group("policy_data", smtpd_data_restrictions=SERVICE, **QUICK)
for name in ("ok", "reject", "dip", "450", "521", "no-action"):
    g.ask(name, sender=f"{name}@good.example",
          after=["DATA", ".Subject: x\n\nx"])
g = group("policy_message", smtpd_end_of_data_restrictions=SERVICE, **QUICK)
for name in ("ok", "defer", "dip", "450", "521", "no-action"):
    g.ask(name, sender=f"{name}@good.example",
          after=["DATA", ".Subject: x\n\nx"])
for name, port in (("nobody", policy.NOBODY_PORT),
                   ("mute", policy.MUTE_PORT)):
    at = f"inet:127.0.0.1:{port}"
    group(f"policy_{name}", smtpd_recipient_restrictions=
          f"check_policy_service {at}", **QUICK).ask("x")
    group(f"policy_{name}_action",
          smtpd_policy_service_default_action="DEFER 4.7.7 no policy",
          smtpd_recipient_restrictions=f"check_policy_service {at}",
          **QUICK).ask("x")
    group(f"policy_{name}_options", smtpd_recipient_restrictions=
          f"check_policy_service {{ {at}, timeout=1s, default_action=DUNNO }}, "
          "reject", **QUICK).ask("x")
    group(f"policy_{name}_permit", smtpd_recipient_restrictions=
          f"check_policy_service {{ {at}, timeout=1s, default_action=OK, "
          "policy_context=x }", **QUICK).ask("x")
