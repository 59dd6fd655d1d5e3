"""Commands and their order, VRFY, ETRN, errors."""
from .talk import Group

GROUPS = []


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


ENV = ("MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>")
EHLO = "EHLO mx.good.example"

group("order") \
    .talk("RCPT first", EHLO, "RCPT TO:<kim@a.example>") \
    .talk("DATA first", EHLO, "DATA") \
    .talk("MAIL DATA", EHLO, ENV[0], "DATA") \
    .talk("MAIL twice", EHLO, ENV[0], ENV[0]) \
    .talk("MAIL without HELO", ENV[0], ENV[1]) \
    .talk("RSET between", EHLO, *ENV, "RSET", "DATA", ENV[1]) \
    .talk("EHLO between", EHLO, *ENV, EHLO, "DATA") \
    .talk("HELO between", EHLO, *ENV, "HELO x.example", "DATA") \
    .talk("two messages", EHLO, *ENV, "DATA", ".Subject: x\n\nx", *ENV,
          "DATA", ".Subject: x\n\ny") \
    .talk("all refused", EHLO, ENV[0], "RCPT TO:<nobody@a.example>", "DATA") \
    .talk("one refused", EHLO, ENV[0], "RCPT TO:<nobody@a.example>", ENV[1],
          "DATA", ".Subject: x\n\nx") \
    .talk("AUTH in MAIL", EHLO, ENV[0], "=auth kim@a.example") \
    .talk("AUTH twice", EHLO, "=auth kim@a.example", "=auth kim@a.example") \
    .talk("AUTH after HELO", "HELO mx.good.example", "=auth kim@a.example") \
    .talk("AUTH first", "=auth kim@a.example") \
    .talk("AUTH nonsense", EHLO, "AUTH NONSENSE", "AUTH", "AUTH PLAIN !!!!") \
    .talk("AUTH wrong", EHLO, "AUTH PLAIN AGtpbUBhLmV4YW1wbGUAd3Jvbmc=") \
    .talk("AUTH aborted", EHLO, "AUTH PLAIN", "*", *ENV) \
    .talk("TLS twice", EHLO, "=tls", EHLO, "STARTTLS") \
    .talk("TLS in MAIL", EHLO, ENV[0], "STARTTLS") \
    .talk("TLS forgets", EHLO, "=tls", "RCPT TO:<kim@a.example>", *ENV)

group("syntax") \
    .talk("words", EHLO, "NONSENSE", "", " ", "MAIL", "RCPT", "DATA now",
          "RSET now", "NOOP now", "QUIT now") \
    .talk("RCPT words", EHLO, ENV[0], "RCPT", "RCPT TO", "RCPT TO:",
          "RCPT kim@a.example", "RCPT FROM:<kim@a.example>") \
    .talk("MAIL words", EHLO, "MAIL FROM", "MAIL FROM:", "MAIL x@good.example",
          "MAIL TO:<x@good.example>", "MAIL FROM <x@good.example>") \
    .talk("HELO words", "HELO", "EHLO", "HELO ", "HELO a b c") \
    .talk("case", "eHlO mx.good.example", "mAiL fRoM:<x@good.example>",
          "rCpT tO:<kim@a.example>", "dAtA", ".Subject: x\n\nx", "rSeT") \
    .talk("HELP", EHLO, "HELP", "HELP MAIL") \
    .talk("STARTTLS words", EHLO, "STARTTLS now") \
    .talk("GET", "GET / HTTP/1.0") \
    .talk("POST", EHLO, "POST /x HTTP/1.1") \
    .talk("CONNECT", "CONNECT x:25 HTTP/1.1") \
    .talk("header", EHLO, "Subject: x") \
    .talk("body", EHLO, "<html>") \
    .talk("8 bit", EHLO, "NOOP b\u00fccher") \
    .talk("spaces", "  EHLO mx.good.example", " MAIL FROM:<x@good.example>",
          "RCPT  TO:<kim@a.example>") \
    .talk("many errors", EHLO, *["NONSENSE"] * 20, "=end") \
    .talk("BDAT", EHLO, *ENV, "BDAT x") \
    .talk("BDAT first", EHLO, "BDAT 0 LAST")

group("helo_required_order", smtpd_helo_required="yes") \
    .talk("VRFY", "VRFY kim@a.example") \
    .talk("RSET", "RSET", "NOOP") \
    .talk("ETRN", "ETRN a.example") \
    .talk("MAIL", *ENV)

VRFY = ["kim@a.example", "<kim@a.example>", "nobody@a.example", "kim",
        "x@elsewhere.example", "", "a b", "x@nodots", "alias@a.example"]
for name, settings in (
        ("plain", {}), ("off", {"disable_vrfy_command": "yes"}),
        ("checked", {"smtpd_recipient_restrictions":
                     "reject_non_fqdn_recipient, reject"}),
        ("client", {"smtpd_client_restrictions": "reject"})):
    g = group(f"vrfy_{name}", **settings)
    for what in VRFY[:9 if name == "plain" else 3]:
        g.talk(f"VRFY {what}", EHLO, f"VRFY {what}")

for name, chain in (("any", ""), ("reject", "reject"),
                    ("access", "check_etrn_access texthash:{dir}/etrn, "
                     "reject"), ("nets", "permit_mynetworks, reject")):
    g = group(f"etrn_{name}", smtpd_etrn_restrictions=chain)
    for what in ("a.example", "elsewhere.example", "", "a b", "bad!domain",
                 "sub.a.example", "@a.example", "#a.example"):
        g.talk(f"ETRN {what}", EHLO, f"ETRN {what}")
    g.talk("in MAIL", EHLO, ENV[0], "ETRN a.example")
    g.talk("no HELO", "ETRN a.example")
    g.talk("inside", EHLO, "ETRN a.example", client="203.0.113.5")
TABLES = {"etrn": "a.example OK\nb.example REJECT not b\n"}
