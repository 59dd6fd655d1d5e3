"""The client: its address and name, networks, authentication, TLS."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


# good, no PTR, forged, PTR to a name without address, PTR SERVFAIL, forward
# SERVFAIL, name with "_", numeric name, several addresses, silent, IPv6 with
# and without PTR
CLIENTS = ["192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13",
           "192.0.2.14", "192.0.2.15", "192.0.2.17", "192.0.2.18",
           "192.0.2.86", "192.0.2.27"]

group("client_unknown",
      smtpd_client_restrictions="reject_unknown_client_hostname") \
    .over("client", CLIENTS)
group("client_unknown_550", unknown_client_reject_code="550",
      smtpd_client_restrictions="reject_unknown_client_hostname") \
    .over("client", CLIENTS)
group("client_unknown_old", unknown_client_reject_code="550",
      smtpd_client_restrictions="reject_unknown_client") \
    .over("client", CLIENTS[:2])
group("client_reverse", unknown_client_reject_code="550",
      smtpd_client_restrictions="reject_unknown_reverse_client_hostname") \
    .over("client", CLIENTS)
group("client_forward", unknown_client_reject_code="550",
      smtpd_client_restrictions="reject_unknown_forward_client_hostname") \
    .over("client", CLIENTS[:4])
group("client_at_once", smtpd_delay_reject="no",
      unknown_client_reject_code="550",
      smtpd_client_restrictions="reject_unknown_client_hostname") \
    .over("client", CLIENTS[:5])

# --- relaying

TO = ["kim@a.example", "x@elsewhere.example"]
for client in ("192.0.2.10", "203.0.113.5"):
    for name, chain in (
            ("default", None),
            ("none", "reject_unauth_destination"),
            ("defer", "defer_unauth_destination"),
            ("only", "permit_auth_destination, reject"),
            ("nets", "permit_mynetworks, reject"),
            ("sasl", "permit_sasl_authenticated, "
             "reject_unauth_destination")):
        same = [g for g in GROUPS if g.name == f"relaying_{name}"]
        g = same[0] if same else group(
            f"relaying_{name}", **({"smtpd_relay_restrictions": chain}
                                if chain else {}))
        for to in TO:
            g.ask(f"{client} {to}", to=to, client=client)
            g.ask(f"{client} {to} kim", to=to, client=client,
                  before=["=auth kim@a.example"])
group("relay_codes", relay_domains_reject_code="450",
      smtpd_relay_restrictions="reject_unauth_destination") \
    .over("to", TO)
group("relay_codes_defer", relay_domains_reject_code="553",
      smtpd_relay_restrictions="defer_unauth_destination") \
    .over("to", TO)
group("relay_old", smtpd_relay_restrictions="check_relay_domains") \
    .over("to", TO).ask("nobody", to="nobody@a.example")
group("relay_in_recipient", smtpd_relay_restrictions="",
      smtpd_recipient_restrictions="permit_mynetworks, "
      "reject_unauth_destination") \
    .over("to", TO).ask("inside", to=TO[1], client="203.0.113.5")

group("inet_interfaces",
      smtpd_client_restrictions="permit_inet_interfaces, reject") \
    .over("client", ["127.0.0.2", "127.0.0.1", "192.0.2.10"])

# --- TLS

group("plaintext",
      smtpd_client_restrictions="reject_plaintext_session") \
    .ask("clear") \
    .talk("TLS", "EHLO mx.good.example", "=tls", "EHLO mx.good.example",
          "MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>")
group("plaintext_550", plaintext_reject_code="550",
      smtpd_recipient_restrictions="reject_plaintext_session").ask("clear")
group("clientcerts", smtpd_recipient_restrictions="permit_tls_clientcerts, "
      "permit_tls_all_clientcerts, reject", smtpd_tls_ask_ccert="yes",
      only={"postfix": {"smtpd_tls_CAfile": "/etc/ssl/certs/ca-certificates"
                        ".crt"}}) \
    .ask("clear") \
    .talk("TLS", "EHLO mx.good.example", "=tls", "EHLO mx.good.example",
          "MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>")

group("no_ccert", smtpd_tls_ask_ccert="yes", smtpd_client_restrictions=
      "check_ccert_access static:REJECT",
      only={"postfix": {"smtpd_tls_CAfile": "/etc/ssl/certs/ca-certificates"
                        ".crt"}}) \
    .talk("TLS", "EHLO mx.good.example", "=tls", "EHLO mx.good.example",
          "MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>")

# --- who sends as whom

SENDERS = ["kim@a.example", "lee@a.example", "alias@a.example",
           "both@a.example", "nobody@a.example", "x@good.example", ""]
for name in ("", "authenticated_", "unauthenticated_", "known_"):
    g = group(f"login_{name or 'any_'}",
              smtpd_sender_restrictions=f"reject_{name}sender_login_mismatch")
    for sender in SENDERS:
        g.ask(f"<{sender}>", sender=sender)
        g.ask(f"<{sender}> kim", sender=sender,
              before=["=auth kim@a.example"])
group("sasl_access",
      smtpd_client_restrictions="check_sasl_access texthash:{dir}/sasl") \
    .ask("none") \
    .ask("kim", before=["=auth kim@a.example"]) \
    .ask("lee", before=["=auth lee@a.example"]) \
    .ask("max", before=["=auth max@b.example"])

TABLES = {"sasl": "kim@a.example REJECT not you\nlee@a.example OK\n"}
