"""access(5): results and look-up order."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


# The sender's local part names the result.
RESULTS = {
    "ok": "OK", "number": "42", "zero": "0", "reject": "REJECT",
    "reject-text": "REJECT no thanks", "reject-dsn": "REJECT 5.7.9 really no",
    "reject-bad-dsn": "REJECT 4.7.9 soft digits", "defer": "DEFER",
    "defer-text": "DEFER come back", "defer-dsn": "DEFER 4.4.9 come back",
    "450": "450", "450-text": "450 wait", "450-dsn": "450 4.2.2 wait",
    "550": "550", "550-text": "550 go away", "550-dsn": "550 5.2.2 go away",
    "550-wrong-dsn": "550 4.2.2 mixed", "450-wrong-dsn": "450 5.2.2 mixed",
    "421": "421 bye", "421-dsn": "421 4.7.7 bye", "521": "521 bye",
    "521-dsn": "521 5.7.7 bye", "300": "300 what", "600": "600 what",
    "55": "55 what", "5501": "5501 what",
    "dip": "DEFER_IF_PERMIT", "dip-text": "DEFER_IF_PERMIT later",
    "dip-dsn": "DEFER_IF_PERMIT 4.3.9 later",
    "dir": "DEFER_IF_REJECT", "dir-text": "DEFER_IF_REJECT later",
    "dunno": "DUNNO", "dunno-text": "DUNNO so what", "ok-text": "OK fine",
    "lower": "reject", "lower-ok": "ok", "warn": "WARN look", "info": "INFO look",
    "hold": "HOLD", "hold-text": "HOLD for review",
    "discard": "DISCARD", "discard-text": "DISCARD silently",
    "prepend": "PREPEND X-Seen: yes", "prepend-bad": "PREPEND nocolon",
    "prepend-empty": "PREPEND",
    "redirect": "REDIRECT lee@a.example", "redirect-bad": "REDIRECT",
    "redirect-odd": "REDIRECT nowhere",
    "bcc": "BCC lee@a.example", "bcc-bad": "BCC", "filter": "FILTER discard:x",
    "filter-bad": "FILTER", "filter-odd": "FILTER nocolon",
    "list": "reject_non_fqdn_helo_hostname, permit",
    "list-reject": "permit_mynetworks, reject",
    "list-unknown": "reject_nonsense", "list-nested":
    "check_helo_access texthash:{dir}/names",
    "list-warn": "warn_if_reject reject, permit",
    "list-dip": "defer_if_permit",
    "list-dir": "defer_if_reject, reject",
}
TABLES = {
    "results": "".join(f"{k}@r.example {v}\n" for k, v in RESULTS.items()),
    "names": """
mx.good.example OK
good.example REJECT parent
bad.example REJECT by name
nosuch.example DEFER
.dotted.example REJECT dotted
192.0.2.11 REJECT by address
192.0.2.12 OK
192.0.2 REJECT by network
198.51 REJECT by wide network
2001:db8::20 REJECT six
unknown REJECT unknown
[192.0.2.66] REJECT literal
UPPER.example REJECT upper
""",
    "mail": """
x@exact.example REJECT exact
x+ext@exact.example REJECT extension
y@exact.example REJECT base
domain.example REJECT domain
sub.domain.example OK
user@ REJECT user
user+ext@ REJECT user with extension
<> REJECT null
.dotted.example REJECT dotted
quoted@domain2.example REJECT quoted
ok@domain.example OK
postmaster REJECT bare
kim@a.example REJECT kim
lee@ OK
a.example DEFER
[192.0.2.66] REJECT literal
""",
    "rules": r"""
/^x@re\.example$/ REJECT whole thing
/^(.+)@group\.example$/ REJECT hello $1
!/@/ REJECT no at
/^<>$/ REJECT null by pattern
/^\[?192\.0\.2\.66/ REJECT address by pattern
if /cond/
/@cond\.example/ DEFER conditional
endif
""",
    "nets": """
192.0.2.10 OK
192.0.2.16/28 REJECT cidr
!192.0.0.0/16 REJECT not near
2001:db8::/64 DEFER six
""",
}

senders = [f"{k}@r.example" for k in RESULTS]
group("results",
      smtpd_sender_restrictions="check_sender_access texthash:{dir}/results") \
    .over("sender", senders)
group("results_rejected",
      smtpd_sender_restrictions="check_sender_access texthash:{dir}/results",
      smtpd_recipient_restrictions="reject") \
    .over("sender", senders)
group("results_at_once", smtpd_delay_reject="no",
      smtpd_sender_restrictions="check_sender_access texthash:{dir}/results") \
    .over("sender", senders)
g = group("results_data",
          smtpd_data_restrictions="check_sender_access texthash:{dir}/results")
for sender in senders:
    g.ask(sender, sender=sender, after=["DATA", ".Subject: x\n\nx"])
g = group("results_message", smtpd_end_of_data_restrictions=
          "check_sender_access texthash:{dir}/results")
for sender in ("ok", "reject", "421", "521", "dip", "dir", "hold", "discard",
               "prepend", "redirect", "bcc", "filter", "450", "list-reject",
               "list-unknown"):
    g.ask(sender, sender=f"{sender}@r.example",
          after=["DATA", ".Subject: x\n\nx", "MAIL FROM:<y@good.example>",
                 "RCPT TO:<kim@a.example>"])
group("result_codes", access_map_reject_code="571",
      access_map_defer_code="451",
      smtpd_sender_restrictions="check_sender_access texthash:{dir}/results") \
    .over("sender", [f"{k}@r.example" for k in
                     ("reject", "reject-dsn", "defer", "dip", "550", "450")])
group("result_codes_soft", access_map_reject_code="450",
      smtpd_sender_restrictions="check_sender_access texthash:{dir}/results") \
    .over("sender", [f"{k}@r.example" for k in ("reject", "reject-dsn")])

# --- look-up order

CLIENTS = ["192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.20",
           "192.0.2.28", "198.51.100.7", "192.0.2.14"]
group("client_access",
      smtpd_client_restrictions="check_client_access texthash:{dir}/names") \
    .over("client", CLIENTS)
group("client_access_at_once", smtpd_delay_reject="no",
      smtpd_client_restrictions="check_client_access texthash:{dir}/names") \
    .over("client", CLIENTS)
group("client_access_cidr",
      smtpd_client_restrictions="check_client_access cidr:{dir}/nets") \
    .over("client", CLIENTS)
group("client_access_pcre",
      smtpd_client_restrictions="check_client_access pcre:{dir}/rules") \
    .over("client", CLIENTS)
group("reverse_access", smtpd_client_restrictions=
      "check_reverse_client_hostname_access texthash:{dir}/names") \
    .over("client", CLIENTS + ["203.0.113.5"])
group("helo_access",
      smtpd_helo_restrictions="check_helo_access texthash:{dir}/names") \
    .over("helo", ["mx.good.example", "www.good.example", "good.example",
                   "bad.example", "x.y.bad.example", "x.dotted.example",
                   "dotted.example", "192.0.2.11", "[192.0.2.66]", "nothing",
                   "BAD.EXAMPLE", "upper.example", "bad.example.", None])
MAILS = ["x@exact.example", "X@EXACT.example", "x+ext@exact.example",
         "y+more@exact.example", "z@exact.example", "a@domain.example",
         "a@sub.domain.example", "a@x.sub.domain.example",
         "a@deep.domain.example", "user@any.example", "user+ext@any.example",
         "user+other@any.example", "user", "", "a@x.dotted.example",
         "a@dotted.example", "\"quoted\"@domain2.example",
         "ok@domain.example", "ok+x@domain.example", "a@[192.0.2.66]",
         "postmaster", "a@domain.example."]
group("sender_access",
      smtpd_sender_restrictions="check_sender_access texthash:{dir}/mail") \
    .over("sender", MAILS)
group("sender_access_rules",
      smtpd_sender_restrictions="check_sender_access regexp:{dir}/rules") \
    .over("sender", ["x@re.example", "X@RE.EXAMPLE", "a.b@group.example",
                     "nodomain", "", "a@cond.example", "a@[192.0.2.66]"])
group("sender_access_pcre",
      smtpd_sender_restrictions="check_sender_access pcre:{dir}/rules") \
    .over("sender", ["x@re.example", "a.b@group.example", "nodomain", "",
                     "a@cond.example"])
group("recipient_access", smtpd_relay_restrictions="permit",
      smtpd_recipient_restrictions="check_recipient_access "
      "texthash:{dir}/mail, reject_unauth_destination") \
    .over("to", ["kim@a.example", "lee@a.example", "kim+x@a.example",
                 "nobody@a.example", "alias@a.example", "max@b.example",
                 "x@exact.example", "a@domain.example", "user@any.example",
                 "postmaster", "KIM@A.EXAMPLE", "\"kim\"@a.example"])
group("access_inline", smtpd_sender_restrictions="check_sender_access "
      "inline:{ { x@good.example = REJECT inline }, y@good.example=OK }, "
      "check_sender_access static:DUNNO, check_sender_access "
      "static:{DEFER all others}") \
    .over("sender", ["x@good.example", "y@good.example", "z@good.example"])
group("access_failing",
      smtpd_sender_restrictions="check_sender_access fail:now") \
    .over("sender", ["x@good.example", ""])
group("access_missing", smtpd_sender_restrictions="check_sender_access "
      "unionmap:{static:DUNNO}, check_sender_access texthash:{dir}/mail") \
    .over("sender", ["x@exact.example", "a@good.example"])
