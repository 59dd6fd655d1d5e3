"""Checks of form: HELO names and addresses, and what the parser takes."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


HELOS = ["bogus", "mx.good.example", "nosuch.example", "a.broken.example",
         "192.0.2.10", "[192.0.2.10]", "[192.0.2.300]", "[IPv6:2001:db8::10]",
         "[::1]", "::1", "under_score.good.example", "-dash.example",
         "a..example", "good.example.", "a.example..", ".",
         "xn--bcher-kva.example", "b\u00fccher.example", "a b", "localhost",
         "[192.0.2.10", "[]", "1.2.3", "255.255.255.256", "1.2.3.4.5",
         "x" * 63 + ".example", "x" * 64 + ".example", "bad!name.example",
         "(comment).example", "a@b.example", "dash-.example"]

# --- the name in HELO

group("helo_invalid",
      smtpd_helo_restrictions="reject_invalid_helo_hostname") \
    .over("helo", HELOS)
group("helo_fqdn",
      smtpd_helo_restrictions="reject_non_fqdn_helo_hostname") \
    .over("helo", HELOS)
group("helo_codes", smtpd_helo_restrictions="reject_non_fqdn_helo_hostname, "
      "reject_invalid_helo_hostname", non_fqdn_reject_code="450",
      invalid_hostname_reject_code="550") \
    .over("helo", ["bogus", "mx.good.example", "[1.2.3", "a!b.example"])
group("helo_at_once",
      smtpd_helo_restrictions="reject_non_fqdn_helo_hostname",
      smtpd_delay_reject="no") \
    .over("helo", ["bogus", "mx.good.example", None])
group("helo_required", smtpd_helo_required="yes",
      smtpd_helo_restrictions="reject_non_fqdn_helo_hostname") \
    .over("helo", ["bogus", "mx.good.example", None])
group("helo_absent", smtpd_recipient_restrictions="reject_invalid_helo_"
      "hostname, reject_non_fqdn_helo_hostname") \
    .over("helo", ["bogus", "mx.good.example", None])

# --- addresses

ADDRESSES = ["x@good.example", "", "x", "x@nodots", "x@[192.0.2.10]",
             "x@[IPv6:2001:db8::10]", "x@192.0.2.10", "x@good.example.",
             "x@-bad.example", "x@a..example", "x@under_score.example",
             "\"a b\"@good.example", "\"a@b\"@good.example",
             "postmaster", "x@1.2.3", "x@[1.2.3]", "x%y@nodots",
             "@hub.example:x@nodots", "x@b!ad.example", "x@"]

group("sender_fqdn", smtpd_sender_restrictions="reject_non_fqdn_sender") \
    .over("sender", ADDRESSES)
group("sender_any").over("sender", ADDRESSES)
group("recipient_fqdn", mynetworks="192.0.2.0/24",
      smtpd_recipient_restrictions="reject_non_fqdn_recipient") \
    .over("to", ADDRESSES)
group("recipient_any").over("to", ADDRESSES)
group("recipient_ours").over("to", [
    "kim@a.example", "KIM@A.EXAMPLE", "Kim@a.example", "kim+x@a.example",
    "no+kim@a.example", "+kim@a.example", "kim@a.example.",
    "\"kim\"@a.example", "alias@a.example", "both@a.example",
    "nobody@a.example", "max@b.example", "kim@b.example",
    "postmaster@a.example", "postmaster@b.example", "kim@sub.a.example",
    "kim@[192.0.2.99]", "kim%a.example@b.example",
    "@b.example:kim@a.example", "@elsewhere.example:kim@a.example",
    "kim@a.example@elsewhere.example", "elsewhere.example!kim@a.example",
    "\"kim@elsewhere.example\"@a.example", "kim @a.example",
    "kim@ a.example", "\\kim@a.example"])

PATHS = ["<x@good.example>", "x@good.example", " <x@good.example>",
         "<x@good.example", "x@good.example>", "<<x@good.example>>", "",
         "<>", "< >", "< x@good.example >", "<x@good.example> ",
         "<x@good.example>junk", "<x@good.example> junk",
         "Name <x@good.example>", "<x@good.example>,<y@good.example>",
         "<x@good.example> SIZE=100", "<x@good.example> SIZE=abc",
         "<x@good.example> SIZE=99999999999", "<x@good.example> SIZE",
         "<x@good.example> BODY=8BITMIME", "<x@good.example> BODY=9BIT",
         "<x@good.example> RET=HDRS", "<x@good.example> RET=ALL",
         "<x@good.example> ENVID=a+2Bb", "<x@good.example> ENVID=a+b",
         "<x@good.example> NOSUCH=1", "<x@good.example> AUTH=<>",
         "<x@good.example> SMTPUTF8"]
for strict in ("no", "yes"):
    g = group(f"mail_paths_{strict}", strict_rfc821_envelopes=strict)
    for path in PATHS:
        g.talk(f"MAIL FROM:{path}", "EHLO mx.good.example",
               f"MAIL FROM:{path}", "RCPT TO:<kim@a.example>")

RCPTS = ["<kim@a.example>", "kim@a.example", " <kim@a.example>", "<>", "",
         "<kim@a.example> NOTIFY=NEVER", "<kim@a.example> NOTIFY=FAILURE,DELAY",
         "<kim@a.example> NOTIFY=NEVER,DELAY", "<kim@a.example> NOTIFY=",
         "<kim@a.example> NOTIFY=SOON", "<kim@a.example> ORCPT=rfc822;a@b.example",
         "<kim@a.example> ORCPT=a@b.example", "<kim@a.example> NOSUCH",
         "<kim@a.example> SIZE=1", "<kim@a.example> junk"]
for strict in ("no", "yes"):
    g = group(f"rcpt_paths_{strict}", strict_rfc821_envelopes=strict)
    for path in RCPTS:
        g.talk(f"RCPT TO:{path}", "EHLO mx.good.example",
               "MAIL FROM:<x@good.example>", f"RCPT TO:{path}")
