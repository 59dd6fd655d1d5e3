"""reject_unverified_*: addresses that were asked about before. Postern's
verdicts are in its database; Postfix learns them from transports, and both
know our own users."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


# What the other server said; servers.py gives them to both.
VERDICTS = {"deliverable@good.example": "ok",
            "undeliverable@good.example": "bounce",
            "busy@good.example": "defer"}
SENDERS = [*VERDICTS, "kim@a.example", "gone@a.example", ""]
EXTRA = {"postfix": {
    "transport_maps": "inline:{ deliverable@good.example=discard:, "
                      "undeliverable@good.example=error:5.1.1, "
                      "busy@good.example=retry:4.2.0, "
                      "gone@a.example=error:5.1.1 }",
    "address_verify_poll_delay": "1s",
}}

group("verify_sender", smtpd_sender_restrictions="reject_unverified_sender") \
    .over("sender", SENDERS)
group("verify_sender_550", unverified_sender_reject_code="550",
      smtpd_sender_restrictions="reject_unverified_sender") \
    .over("sender", SENDERS)
group("verify_sender_defer", unverified_sender_reject_code="550",
      unverified_sender_defer_code="451",
      unverified_sender_tempfail_action="defer",
      smtpd_sender_restrictions="reject_unverified_sender, reject") \
    .over("sender", SENDERS)
group("verify_sender_reason", unverified_sender_reject_code="550",
      unverified_sender_reject_reason="we asked",
      smtpd_sender_restrictions="reject_unverified_sender") \
    .over("sender", SENDERS)
group("verify_recipient", mynetworks="192.0.2.0/24",
      unverified_recipient_reject_code="550",
      smtpd_recipient_restrictions="reject_unverified_recipient") \
    .over("to", [*VERDICTS, "kim@a.example", "gone@a.example",
                 "alias@a.example"])
group("verify_recipient_plain", mynetworks="192.0.2.0/24",
      smtpd_recipient_restrictions="reject_unverified_recipient") \
    .over("to", [*VERDICTS, "kim@a.example", "gone@a.example"])
group("verify_sender_pass", unverified_sender_reject_code="250",
      unverified_sender_defer_code="250",
      smtpd_sender_restrictions="reject_unverified_sender") \
    .over("sender", SENDERS)
group("verify_sender_doubt", smtpd_sender_restrictions=
      "reject_unverified_sender", smtpd_recipient_restrictions="reject") \
    .over("sender", SENDERS)
g = group("verify_sender_data",
          smtpd_data_restrictions="reject_unverified_sender")
for sender in SENDERS:
    g.ask(f"sender={sender}", sender=sender,
          after=["DATA", ".Subject: x\n\nx"])
