"""Blocks of restrictions as sites have them; test_sites.py says what they
must answer, and that is what both servers answer."""
from . import policy
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


# --- a site with a million mails a day

SERVICE = f"check_policy_service inet:127.0.0.1:{policy.PORT}"


def site(seconds):
    return {
        "smtpd_delay_reject": "no",
        "smtpd_client_restrictions":
            "check_client_access texthash:{dir}/site_clients, "
            "check_client_access cidr:{dir}/site_nets, "
            "permit_mynetworks, permit_sasl_authenticated, "
            f"sleep {seconds}, permit",
        "smtpd_helo_restrictions":
            "reject_non_fqdn_helo_hostname, reject_invalid_helo_hostname",
        "smtpd_sender_restrictions":
            "reject_non_fqdn_sender, reject_unknown_sender_domain",
        "smtpd_recipient_restrictions":
            "reject_unauth_pipelining, reject_unauth_destination, "
            "reject_non_fqdn_recipient, reject_unknown_recipient_domain, "
            "reject_rbl_client bl.example, "
            "reject_rbl_client wl.example=127.0.10.[2..9], "
            "check_sender_access texthash:{dir}/site_senders, "
            f"{SERVICE}, {SERVICE}, permit",
    }


TABLES = {
    "site_clients": "192.0.2.12 REJECT not you\nelsewhere.example OK\n",
    "site_nets": "198.51.100.0/24 521 5.7.1 not your network\n",
    "site_senders": "blocked@good.example REJECT\nlisted.example 450 later\n",
}
# What the dialogue is, and the code of its last RCPT (or of what came before).
MILLION = [
    ("good", {}, 250),
    ("access table", {"client": "192.0.2.12"}, 554),
    ("second access table", {"client": "198.51.100.7"}, 521),
    ("my network", {"client": "203.0.113.5"}, 250),
    ("HELO without dots", {"helo": "bogus"}, 504),
    ("HELO that is no name", {"helo": "a!b.example"}, 504),
    ("HELO literal", {"helo": "[192.0.2.10]"}, 250),
    ("sender without domain", {"sender": "x"}, 504),
    ("unknown sender domain", {"sender": "x@nosuch.example"}, 450),
    ("sender domain SERVFAIL", {"sender": "x@x.broken.example"}, 450),
    ("null sender", {"sender": ""}, 250),
    ("relay", {"to": "x@elsewhere.example"}, 454),
    ("unknown user", {"to": "nobody@a.example"}, 550),
    ("block list", {"client": "192.0.2.22"}, 554),
    ("second list", {"client": "192.0.2.20"}, 554),
    ("sender access", {"sender": "blocked@good.example"}, 554),
    ("sender access later", {"sender": "x@listed.example"}, 450),
    ("policy rejects", {"sender": "reject@good.example"}, 554),
    ("policy greylists", {"sender": "dip@good.example"}, 450),
    ("policy permits", {"sender": "ok@good.example"}, 250),
]
g = group("million", **site(1))
for name, how, _ in MILLION:
    g.ask(name, **how)
g.talk("pipelining", "HELO mx.good.example",
       ("MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>"))
g.talk("two recipients", "EHLO mx.good.example", "MAIL FROM:<x@good.example>",
       "RCPT TO:<kim@a.example>", "RCPT TO:<nobody@a.example>",
       "RCPT TO:<lee@a.example>", "DATA", ".Subject: x\n\nx")
group("million_sleeps", **site(20)).ask("twenty seconds")

# --- the HELO table that everybody once copied

CLASSIC = {
    "reject_invalid_hostname": "reject_invalid_hostname",
    "reject_non_fqdn_hostname": "reject_non_fqdn_hostname",
    "reject_unknown_hostname": "reject_unknown_hostname",
    "permit_naked_ip_address": "permit_naked_ip_address, "
    "reject_invalid_hostname, reject_non_fqdn_hostname, "
    "reject_unknown_hostname",
}
# HELO name -> codes under the four, in that order
CLASSIC_HELOS = {
    "bogus":                (250, 504, 450, 504),
    "mx.good.example":      (250, 250, 250, 250),
    "good.example":         (250, 250, 250, 250),
    "nosuch.example":       (250, 250, 450, 450),
    "x.broken.example":     (250, 250, 450, 450),
    "dangling.good.example": (250, 250, 450, 450),
    "txtonly.good.example": (250, 250, 450, 450),
    "192.0.2.10":           (250, 504, 450, 250),
    "[192.0.2.10]":         (250, 250, 250, 250),
    "[192.0.2.10":          (501, 501, 501, 501),
    "192.0.2.300":          (501, 504, 450, 501),
    "[192.0.2.300]":        (501, 501, 501, 501),
    "[IPv6:2001:db8::10]":  (250, 250, 250, 250),
    "[2001:db8::10]":       (501, 501, 501, 501),
    "-bogus.example":       (501, 504, 450, 501),
    "bo!gus.example":       (501, 504, 450, 501),
    "bogus..example":       (501, 504, 450, 501),
    "localhost":            (250, 504, 450, 504),
}
for name, chain in CLASSIC.items():
    group(f"classic_{name}", smtpd_helo_restrictions=chain) \
        .over("helo", CLASSIC_HELOS)
