"""How rules make a verdict: every list, delayed or not, what turns what."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


LISTS = ["client", "helo", "sender", "relay", "recipient", "data",
         "end_of_data"]
MESSAGE = ["DATA", ".Subject: x\n\nx"]
BARE = {"permit": "permit", "reject": "reject", "defer": "defer",
        "defer_if_permit": "defer_if_permit",
        "defer_if_reject": "defer_if_reject",
        "warn": "warn_if_reject reject", "warn_defer": "warn_if_reject defer",
        "dir_reject": "defer_if_reject, reject",
        "dip_reject": "defer_if_permit, reject",
        "dip_permit": "defer_if_permit, permit",
        "reject_dir": "warn_if_reject defer_if_permit",
        "nets": "permit_mynetworks, reject"}

for where in LISTS:
    for name, chain in BARE.items():
        if where == "relay" and name == "permit":
            continue            # an open relay: Postern does not start
        if where == "relay" and name in ("defer_if_reject", "warn",
                                         "warn_defer", "reject_dir"):
            chain += ", reject_unauth_destination"
        g = group(f"{where}_{name}",
                  **{f"smtpd_{where}_restrictions": chain})
        g.ask("one", after=MESSAGE)
        if name == "reject":
            g.ask("postmaster", to="postmaster", after=MESSAGE)
        if name in ("reject", "nets"):
            g.ask("two", to=["kim@a.example", "lee@a.example"],
                  client="203.0.113.5", after=MESSAGE)
for where in LISTS[:3]:
    for name in ("reject", "defer", "defer_if_permit", "defer_if_reject",
                 "dir_reject", "dip_permit"):
        g = group(f"{where}_{name}_at_once", smtpd_delay_reject="no",
                  **{f"smtpd_{where}_restrictions": BARE[name]})
        g.ask("one", after=MESSAGE)
        g.ask("HELO twice", before=["HELO again.example"])

# One list turns what another says.
PAIRS = [("client", "defer_if_permit", "recipient", "reject"),
         ("client", "defer_if_reject", "recipient", "reject"),
         ("helo", "defer_if_reject", "sender", "defer"),
         ("sender", "defer_if_permit", "recipient", "permit"),
         ("recipient", "defer_if_permit", "data", "reject"),
         ("recipient", "defer_if_reject", "data", "reject"),
         ("client", "permit", "recipient", "reject"),
         ("sender", "reject", "recipient", "permit"),
         ("client", "defer_if_reject, defer_if_permit", "recipient",
          "defer"),
         ("data", "defer_if_permit", "end_of_data", "permit"),
         ("data", "defer_if_reject", "end_of_data", "reject"),
         ("relay", "defer_if_reject, reject_unauth_destination", "recipient",
          "reject"),
         ("relay", "defer_if_permit", "recipient", "reject")]
for first, a, second, b in PAIRS:
    words = a.replace(", reject_unauth_destination", "").replace(", ", "_")
    g = group(f"{first}_{words}_then_{second}_{b}", **{f"smtpd_{first}_restrictions": a,
                       f"smtpd_{second}_restrictions": b})
    g.ask("kim", after=MESSAGE)
    g.ask("nobody", to="nobody@a.example")
    g.ask("outside", to="x@elsewhere.example")

group("soft_bounce", soft_bounce="yes",
      smtpd_sender_restrictions="reject_non_fqdn_sender",
      smtpd_client_restrictions="check_sender_access texthash:{dir}/results") \
    .over("sender", ["x@good.example", "x@nodots", "reject@r.example",
                     "550-dsn@r.example", "521@r.example"]) \
    .ask("nobody", to="nobody@a.example") \
    .talk("syntax", "EHLO mx.good.example", "RCPT TO:<kim@a.example>",
          "NONSENSE", "MAIL FROM:<x y z>")

# --- recipients that do not exist

UNLISTED = ["kim@a.example", "nobody@a.example", "nobody@b.example",
            "x@elsewhere.example"]
group("unlisted_late", smtpd_recipient_restrictions="permit") \
    .over("to", UNLISTED)
group("unlisted_not", smtpd_reject_unlisted_recipient="no",
      smtpd_recipient_restrictions="permit") \
    .over("to", ["kim@a.example", "x@elsewhere.example"])
group("unlisted_named", smtpd_reject_unlisted_recipient="no",
      smtpd_recipient_restrictions="reject_unlisted_recipient") \
    .over("to", UNLISTED)
group("unlisted_old", smtpd_reject_unlisted_recipient="no",
      smtpd_recipient_restrictions="check_recipient_maps") \
    .over("to", UNLISTED)
group("unlisted_code", unknown_virtual_mailbox_reject_code="450").over("to", UNLISTED)
group("unlisted_after_reject", smtpd_recipient_restrictions="reject") \
    .over("to", UNLISTED)
group("unlisted_after_dip", smtpd_recipient_restrictions="defer_if_permit") \
    .over("to", UNLISTED)
group("unlisted_after_dir", smtpd_recipient_restrictions="defer_if_reject") \
    .over("to", UNLISTED)
SENDERS = ["kim@a.example", "nobody@a.example", "alias@a.example",
           "x@good.example", "", "kim+x@a.example"]
group("unlisted_sender",
      smtpd_sender_restrictions="reject_unlisted_sender") \
    .over("sender", SENDERS)
group("unlisted_sender_always", smtpd_reject_unlisted_sender="yes") \
    .over("sender", SENDERS)

# --- about the session

BOUNCES = [["kim@a.example"], ["kim@a.example", "lee@a.example"],
           ["kim@a.example", "lee@a.example", "max@b.example"],
           ["nobody@a.example", "lee@a.example"]]
for where in ("recipient", "data", "end_of_data"):
    g = group(f"bounce_{where}", **{f"smtpd_{where}_restrictions":
                                    "reject_multi_recipient_bounce"})
    for to in BOUNCES:
        g.ask(f"{len(to)} {to[0]}", sender="", to=to, after=MESSAGE)
        g.ask(f"{len(to)} {to[0]} sender", to=to, after=MESSAGE)
    g = group(f"bounce_{where}_450", multi_recipient_bounce_reject_code="450",
              **{f"smtpd_{where}_restrictions":
                 "reject_multi_recipient_bounce"})
    g.ask("two", sender="", to=BOUNCES[1], after=MESSAGE)

for where in ("client", "recipient", "data"):
    group(f"pipelining_{where}", **{f"smtpd_{where}_restrictions":
                                    "reject_unauth_pipelining"}) \
        .talk("waits", "EHLO mx.good.example", "MAIL FROM:<x@good.example>",
              "RCPT TO:<kim@a.example>", *MESSAGE) \
        .talk("EHLO", "EHLO mx.good.example",
              ("MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>",
               "RCPT TO:<lee@a.example>"), *MESSAGE) \
        .talk("HELO", "HELO mx.good.example",
              ("MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>",
               "RCPT TO:<lee@a.example>"), *MESSAGE)
group("sleep", smtpd_recipient_restrictions="sleep 1, reject").ask("one")
group("sleep_on", smtpd_recipient_restrictions="sleep 1").ask("one")

# --- classes

group("classes", smtpd_recipient_restrictions="check_recipient_access "
      "texthash:{dir}/classes, class_reject") \
    .over("to", ["kim@a.example", "lee@a.example", "max@b.example",
                 "alias@a.example", "postmaster@a.example"])
EXTRA = {server: {
    "smtpd_restriction_classes": "class_reject class_permit class_nested",
    "class_reject": "reject",
    "class_permit": "permit",
    "class_nested": "reject_non_fqdn_sender, class_permit",
} for server in ("postfix", "postern")}
TABLES = {"classes": """
kim@a.example class_permit
lee@a.example class_reject
max@b.example class_nested
alias@a.example class_missing
"""}

# Parameters about what lists look at.
group("dotted_parents", parent_domain_matches_subdomains="",
      smtpd_sender_restrictions="check_sender_access "
      "inline:{ good.example=REJECT, .sub.good.example=DEFER }") \
    .over("sender", ["x@good.example", "x@www.good.example",
                     "x@sub.good.example", "x@deep.sub.good.example", ""])
group("null_key", smtpd_null_access_lookup_key="nobody",
      smtpd_sender_restrictions="check_sender_access "
      "inline:{ nobody=REJECT, <>=DEFER }") \
    .over("sender", ["", "x@good.example"])
group("unlisted_sender_too", smtpd_reject_unlisted_sender="yes",
      smtpd_sender_restrictions="permit") \
    .over("sender", ["nobody@a.example", "kim@a.example", "x@good.example",
                     "", "alias@a.example"])
