"""Everything that asks DNS for more than the client's name."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


DOMAINS = ["good.example", "www.good.example", "six.good.example",
           "mxlo.good.example", "mxzero.good.example", "mxnone.good.example",
           "mxip.good.example", "mxsome.good.example", "nullmx.good.example",
           "nullmxa.good.example", "alias.good.example",
           "chain.good.example", "dangling.good.example",
           "loop1.good.example", "txtonly.good.example",
           "x.wild.good.example", "nosuch.good.example", "nosuch.example",
           "x.broken.example", "mxbroken.good.example", "a.example",
           "[192.0.2.10]", "bogus", "under_score.good.example",
           "lo.good.example", "GOOD.example", "good.example."]
SLOW = ["x.silent.example", "mxsilent.good.example"]
SOME = ["good.example", "nosuch.example", "x.broken.example",
        "nullmx.good.example"]

# --- does the domain exist?

group("helo_unknown", unknown_hostname_reject_code="550",
      smtpd_helo_restrictions="reject_unknown_helo_hostname") \
    .over("helo", DOMAINS + SLOW + ["192.0.2.10", "[1.2.3]", "[::1]", "::1",
                                    "1.2.3", "bad!name.example", None])
group("helo_unknown_plain",
      smtpd_helo_restrictions="reject_unknown_helo_hostname") \
    .over("helo", SOME)
group("helo_unknown_defer", unknown_hostname_reject_code="550",
      unknown_helo_hostname_tempfail_action="defer",
      smtpd_helo_restrictions="reject_unknown_helo_hostname, reject") \
    .over("helo", SOME)
group("helo_unknown_then_reject", unknown_hostname_reject_code="550",
      smtpd_helo_restrictions="reject_unknown_helo_hostname, reject") \
    .over("helo", SOME)
group("helo_unknown_at_once", unknown_hostname_reject_code="550",
      smtpd_delay_reject="no",
      smtpd_helo_restrictions="reject_unknown_helo_hostname") \
    .over("helo", SOME)
group("helo_unknown_old", unknown_hostname_reject_code="550",
      smtpd_helo_restrictions="reject_unknown_hostname") \
    .over("helo", SOME)
group("helo_naked", smtpd_helo_restrictions=
      "permit_naked_ip_address, reject_invalid_hostname, reject") \
    .over("helo", ["192.0.2.10", "::1", "2001:db8::1", "192.0.2.300",
                   "[192.0.2.10]", "mx.good.example", "1.2.3", "1.2.3.4.5",
                   "a!b", None])

group("sender_unknown", unknown_address_reject_code="550",
      smtpd_sender_restrictions="reject_unknown_sender_domain") \
    .over("sender", [f"x@{d}" for d in DOMAINS + SLOW] + ["", "x"])
group("sender_unknown_plain",
      smtpd_sender_restrictions="reject_unknown_sender_domain") \
    .over("sender", [f"x@{d}" for d in SOME])
group("sender_unknown_old", unknown_address_reject_code="550",
      smtpd_sender_restrictions="reject_unknown_address") \
    .over("sender", [f"x@{d}" for d in SOME])
group("sender_unknown_defer", unknown_address_reject_code="550",
      unknown_address_tempfail_action="defer",
      smtpd_sender_restrictions="reject_unknown_sender_domain, reject") \
    .over("sender", [f"x@{d}" for d in SOME])
group("sender_unknown_then_reject", unknown_address_reject_code="550",
      smtpd_sender_restrictions="reject_unknown_sender_domain, reject") \
    .over("sender", [f"x@{d}" for d in SOME])
group("sender_unknown_permit", unknown_address_reject_code="550",
      reject_tempfail_action="defer",
      smtpd_sender_restrictions="reject_unknown_sender_domain, permit") \
    .over("sender", [f"x@{d}" for d in SOME])
group("sender_unknown_warn", unknown_address_reject_code="550",
      smtpd_sender_restrictions="warn_if_reject "
      "reject_unknown_sender_domain") \
    .over("sender", [f"x@{d}" for d in SOME])
group("recipient_unknown", unknown_address_reject_code="550",
      mynetworks="192.0.2.0/24", smtpd_recipient_restrictions=
      "reject_unknown_recipient_domain") \
    .over("to", [f"x@{d}" for d in DOMAINS] + ["kim@a.example"])
group("recipient_unknown_plain", mynetworks="192.0.2.0/24",
      smtpd_recipient_restrictions="reject_unknown_recipient_domain") \
    .over("to", [f"x@{d}" for d in SOME])

# --- block lists

# listed with text, with two texts, twice, outside 127/8, by CNAME, text
# only, without text, not at all, not asked (silent list below)
LISTED = ["192.0.2.20", "192.0.2.21", "192.0.2.22", "192.0.2.23",
          "192.0.2.24", "192.0.2.25", "192.0.2.26", "192.0.2.10"]
FILTERS = {"plain": "bl.example", "two": "bl.example=127.0.0.2",
           "four": "bl.example=127.0.0.4",
           "range": "bl.example=127.0.0.[3..11]",
           "choice": "bl.example=127.0.0.[2;4;10]",
           "wide": "bl.example=127.[0..255].[0;1].[9..12]",
           "odd": "bl.example=192.0.2.1",
           "absent": "nosuch.example", "lame": "lame.example",
           "missing": "no.good.example"}
for name, which in FILTERS.items():
    group(f"rbl_{name}",
          smtpd_client_restrictions=f"reject_rbl_client {which}") \
        .over("client", LISTED)
group("rbl_silent",
      smtpd_client_restrictions="reject_rbl_client x.silent.example") \
    .over("client", LISTED[:1])
group("rbl_old", smtpd_client_restrictions="reject_rbl bl.example") \
    .over("client", LISTED[:2] + LISTED[-1:])
group("rbl_maps", maps_rbl_domains="nosuch.example, bl.example",
      smtpd_client_restrictions="reject_maps_rbl") \
    .over("client", LISTED[:2] + LISTED[-1:])
group("rbl_late", smtpd_recipient_restrictions="reject_rbl_client "
      "lame.example, reject_rbl_client bl.example=127.0.0.4, "
      "reject_rbl_client bl.example") \
    .over("client", LISTED)
group("rbl_at_once", smtpd_delay_reject="no",
      smtpd_client_restrictions="reject_rbl_client bl.example") \
    .over("client", LISTED[:2] + LISTED[-1:])
group("rbl_code", maps_rbl_reject_code="571",
      smtpd_client_restrictions="reject_rbl_client bl.example") \
    .over("client", LISTED[:2])
group("rbl_code_soft", maps_rbl_reject_code="450",
      smtpd_client_restrictions="reject_rbl_client bl.example") \
    .over("client", LISTED[:2])
group("rbl_warn", smtpd_client_restrictions="warn_if_reject "
      "reject_rbl_client bl.example") \
    .over("client", LISTED[:2])
group("rbl_reply", default_rbl_reply="550 5.7.7 $rbl_class [$rbl_what] is in "
      "$rbl_domain${rbl_reason?: $rbl_reason}; $client $client_address "
      "$client_name $reverse_client_name $helo_name $sender $sender_name "
      "$sender_domain $recipient $recipient_name $recipient_domain $rbl_txt",
      smtpd_recipient_restrictions="reject_rbl_client bl.example, "
      "reject_rhsbl_sender rhs.example, reject_rhsbl_helo rhs.example") \
    .over("client", LISTED) \
    .over("sender", ["x@bad.example", "x@listed.example"])
group("rbl_reply_maps", rbl_reply_maps="texthash:{dir}/replies",
      smtpd_recipient_restrictions="reject_rbl_client bl.example=127.0.0.2, "
      "reject_rbl_client bl.example, reject_rhsbl_sender rhs.example") \
    .over("client", LISTED) \
    .over("sender", ["x@bad.example"])

group("rhsbl_client",
      smtpd_client_restrictions="reject_rhsbl_client rhs.example") \
    .over("client", ["192.0.2.20", "192.0.2.10", "192.0.2.11", "192.0.2.12",
                     "192.0.2.21"])
group("rhsbl_reverse",
      smtpd_client_restrictions="reject_rhsbl_reverse_client rhs.example") \
    .over("client", ["192.0.2.20", "192.0.2.10", "192.0.2.11", "192.0.2.12",
                     "192.0.2.21"])
group("rhsbl_helo", smtpd_helo_restrictions="reject_rhsbl_helo rhs.example") \
    .over("helo", ["bad.example", "mx.bad.example", "x.bad.example",
                   "listed.example", "good.example", "[192.0.2.10]",
                   "192.0.2.10", "bogus", "BAD.example", "bad.example.",
                   "a!b", None])
group("rhsbl_sender",
      smtpd_sender_restrictions="reject_rhsbl_sender rhs.example") \
    .over("sender", ["x@bad.example", "x@mx.bad.example", "x@y.bad.example",
                     "x@listed.example", "x@good.example", "", "x",
                     "x@[192.0.2.10]", "x@BAD.EXAMPLE", "x@bad.example."])
group("rhsbl_sender_filter", smtpd_sender_restrictions=
      "reject_rhsbl_sender rhs.example=127.0.0.2") \
    .over("sender", ["x@bad.example", "x@listed.example"])
group("rhsbl_sender_lame", smtpd_sender_restrictions=
      "reject_rhsbl_sender lame.example") \
    .over("sender", ["x@bad.example"])
group("rhsbl_recipient", mynetworks="192.0.2.0/24",
      smtpd_recipient_restrictions="reject_rhsbl_recipient rhs.example") \
    .over("to", ["x@bad.example", "x@listed.example", "x@good.example",
                 "kim@a.example"])
group("dnswl", smtpd_client_restrictions="permit_dnswl_client wl.example, "
      "reject") \
    .over("client", LISTED)
group("dnswl_filter", smtpd_client_restrictions=
      "permit_dnswl_client wl.example=127.0.[0..255].[1..3], reject") \
    .over("client", LISTED)
group("dnswl_lame", smtpd_client_restrictions=
      "permit_dnswl_client lame.example, reject") \
    .over("client", LISTED[:1])
group("dnswl_relay", smtpd_relay_restrictions="permit_dnswl_client "
      "wl.example, reject_unauth_destination") \
    .over("to", ["x@elsewhere.example", "kim@a.example"])
group("rhswl", smtpd_client_restrictions="permit_rhswl_client "
      "rhswl.example, reject") \
    .over("client", ["192.0.2.20", "192.0.2.10", "192.0.2.11",
                     "192.0.2.12"])
group("rhswl_lame", smtpd_client_restrictions="permit_rhswl_client "
      "lame.example, reject") \
    .over("client", ["192.0.2.20", "192.0.2.11"])

# --- who serves it: address, mail and name servers

TABLES = {
    "replies": """
bl.example=127.0.0.2 $rbl_code 5.7.4 two: $rbl_what
bl.example 550 other: $rbl_what at $rbl_domain
rhs.example 450 4.7.8 $rbl_class $rbl_what
""",
    "servers": """
192.0.2.80 REJECT address of good
192.0.2.66 REJECT address of bad
192.0.2.83 OK
198.51.100 REJECT network
127.0.0.1 REJECT loopback
0.0.0.0 REJECT zero
mx.bad.example REJECT mail server of bad
mail.bad.example DEFER mail of bad
mx.elsewhere.example REJECT elsewhere
ns.test.example OK
ns.bad.example REJECT name server
mx.good.example DUNNO
. REJECT null mx
""",
    "ns": """
ns.test.example REJECT our name server
""",
}
WHO = ["good.example", "bad.example", "listed.example", "elsewhere.example",
       "mxlo.good.example", "mxzero.good.example", "mxnone.good.example",
       "nullmx.good.example", "nullmxa.good.example",
       "mxsome.good.example", "many.good.example", "www.good.example",
       "alias.good.example", "nosuch.example", "x.broken.example",
       "mxbroken.good.example", "six.good.example", "txtonly.good.example",
       "[192.0.2.66]", "sub.good.example", "deep.sub.good.example", "bogus"]
for what in ("a", "mx", "ns"):
    table = "ns" if what == "ns" else "servers"
    group(f"sender_{what}", smtpd_sender_restrictions=
          f"check_sender_{what}_access texthash:{{dir}}/{table}") \
        .over("sender", [f"x@{d}" for d in WHO] + ["", "x"])
    group(f"helo_{what}", smtpd_helo_restrictions=
          f"check_helo_{what}_access texthash:{{dir}}/{table}") \
        .over("helo", WHO[:12] + WHO[13:15] + ["[192.0.2.66]", "192.0.2.66",
                                               None])
    group(f"recipient_{what}", mynetworks="192.0.2.0/24",
          smtpd_recipient_restrictions=
          f"check_recipient_{what}_access texthash:{{dir}}/{table}") \
        .over("to", [f"x@{d}" for d in WHO[:8] + WHO[13:15]])
    for side in ("client", "reverse_client_hostname"):
        group(f"{side}_{what}", smtpd_client_restrictions=
              f"check_{side}_{what}_access texthash:{{dir}}/{table}") \
            .over("client", ["192.0.2.10", "192.0.2.11", "192.0.2.12",
                             "192.0.2.20", "192.0.2.21", "192.0.2.14",
                             "192.0.2.15", "192.0.2.90", "192.0.2.80"])

group("mx_backup", smtpd_relay_restrictions="permit_mx_backup, "
      "reject_unauth_destination") \
    .over("to", ["x@backup.example", "x@good.example", "kim@a.example",
                 "x@nosuch.example", "x@x.broken.example",
                 "x@nullmx.good.example", "x@mxlo.good.example",
                 "x%y@backup.example"])
group("mx_backup_nets", smtpd_relay_restrictions="permit_mx_backup, "
      "reject_unauth_destination", permit_mx_backup_networks="192.0.2.0/24") \
    .over("to", ["x@backup.example", "x@good.example"])
group("mx_backup_other", smtpd_relay_restrictions="permit_mx_backup, "
      "reject_unauth_destination",
      permit_mx_backup_networks="198.51.100.0/24") \
    .over("to", ["x@backup.example", "x@good.example"])
