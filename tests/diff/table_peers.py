"""Who speaks for others (XCLIENT, XFORWARD), who shows a certificate, and what
an admin may change about commands and replies."""
import atexit
import pathlib
import shutil
import tempfile

from tests.harness import pki

from .talk import Group

GROUPS = []
EHLO = "EHLO mx.good.example"
ENV = ("MAIL FROM:<x@good.example>", "RCPT TO:<kim@a.example>")
OUT = "RCPT TO:<x@elsewhere.example>"


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


# --- XCLIENT, XFORWARD

XCLIENT = [
    "", "ADDR", "ADDR=", "=x", "FOO=1", "ADDR=198.51.100.7",
    "ADDR=198.51.100.7 NAME=in.example", "ADDR=1.2.3", "ADDR=host.example",
    "ADDR=[UNAVAILABLE]", "ADDR=IPV6:2001:db8::1", "ADDR=IPV6:1.2.3.4",
    "NAME=a..b", "NAME=192.0.2.1", "NAME=[UNAVAILABLE]",
    "NAME=[TEMPUNAVAIL]", "REVERSE_NAME=x.example", "REVERSE_NAME=-",
    "NAME=a_b.example", "PORT=25", "PORT=x", "PORT=123456",
    "PORT=[UNAVAILABLE]", "PROTO=SMTP", "PROTO=esmtp", "PROTO=HTTP",
    "HELO=x.example", "HELO=[UNAVAILABLE]", "HELO=a+20b",
    "LOGIN=kim@a.example", "LOGIN=kim+40a.example", "LOGIN=[UNAVAILABLE]",
    "DESTADDR=192.0.2.1 DESTPORT=25", "DESTADDR=x", "DESTPORT=x",
    "ADDR=198.51.100.7 ADDR=198.51.100.8", "name=in.example",
    "LOGIN=" + "x" * 255, "LOGIN=" + "x" * 256, "IDENT=x"]

g = group("xclient", smtpd_authorized_xclient_hosts="192.0.2.10",
          mynetworks="198.51.100.0/24", smtpd_helo_required="yes")
for words in XCLIENT:
    g.talk(f"XCLIENT {words}", EHLO, f"XCLIENT {words}".rstrip(), EHLO,
           ENV[0], ENV[1], OUT)
    g.talk(f"unlisted XCLIENT {words}", EHLO, f"XCLIENT {words}".rstrip(),
           ENV[0], OUT, client="192.0.2.20")
g.talk("in MAIL", EHLO, *ENV, "XCLIENT ADDR=198.51.100.7", OUT) \
    .talk("first", "XCLIENT ADDR=198.51.100.7 HELO=x.example", ENV[0], OUT) \
    .talk("HELO is forgotten", EHLO, "XCLIENT ADDR=198.51.100.7", ENV[0]) \
    .talk("twice", EHLO, "XCLIENT ADDR=198.51.100.7",
          "XCLIENT ADDR=192.0.2.10") \
    .talk("and back", EHLO, "XCLIENT NAME=x.example",
          "XCLIENT ADDR=198.51.100.7", EHLO, ENV[0], OUT) \
    .talk("AUTH is forgotten", EHLO, "=auth kim@a.example",
          "XCLIENT NAME=x.example", EHLO, ENV[0], OUT) \
    .talk("LOGIN, then AUTH", EHLO, "XCLIENT LOGIN=kim@a.example", EHLO,
          "=auth kim@a.example")

group("xclient_at_once", smtpd_authorized_xclient_hosts="192.0.2.10",
      smtpd_delay_reject="no", smtpd_client_restrictions="check_client_access "
      "inline:{ {198.51.100.7 = 521 5.7.9 no} {198.51.100.8 = REJECT} }") \
    .talk("521", EHLO, "XCLIENT ADDR=198.51.100.7", EHLO) \
    .talk("554", EHLO, "XCLIENT ADDR=198.51.100.8", EHLO, ENV[0]) \
    .talk("fine", EHLO, "XCLIENT ADDR=198.51.100.9", EHLO, *ENV)

XFORWARD = [
    "", "ADDR", "ADDR=", "FOO=1", "ADDR=198.51.100.7 NAME=in.example",
    "ADDR=1.2.3", "NAME=[UNAVAILABLE]", "NAME=a..b", "PORT=x", "PROTO=LMTP",
    "PROTO=" + "x" * 65, "HELO=x", "IDENT=4Xabc", "SOURCE=LOCAL",
    "SOURCE=REMOTE", "SOURCE=x", "SOURCE=[UNAVAILABLE]", "LOGIN=x",
    "IDENT=" + "x" * 256]
g = group("xforward", smtpd_authorized_xforward_hosts="192.0.2.10",
          mynetworks="198.51.100.0/24")
for words in XFORWARD:
    g.talk(f"XFORWARD {words}", EHLO, f"XFORWARD {words}".rstrip(), ENV[0],
           OUT, ENV[1])
g.talk("in MAIL", EHLO, *ENV, "XFORWARD NAME=x.example") \
    .talk("unlisted", EHLO, "XFORWARD NAME=x.example", client="192.0.2.20")

# --- certificates

_dir = pathlib.Path(tempfile.mkdtemp(prefix="postern-diff-pki."))
_dir.chmod(0o755)
atexit.register(shutil.rmtree, _dir, True)
for part in ("ours", "theirs"):
    (_dir / part).mkdir()
OURS = pki.Authority(_dir / "ours", "Our CA")
FRIEND = OURS.issue("friend.example")
LATE = OURS.issue("late.example", days=-1)
LISTED = pki.Authority(_dir / "theirs", "Their CA").issue("listed.example")
SHOWN = {"none": "=tls", "friend": f"=tls {FRIEND}", "late": f"=tls {LATE}",
         "listed": f"=tls {LISTED}"}
ASK = {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": str(OURS.ca)}


def with_each(g):
    for name, tls in SHOWN.items():
        g.talk(name, EHLO, tls, EHLO, *ENV, OUT)
    return g.talk("in the clear", EHLO, *ENV, OUT)


TABLES = {"by_cert": f"{pki.fingerprint(LISTED)} x\n",
          "by_key": f"{pki.pubkey_fingerprint(LISTED)} x\n",
          "by_sha1": f"{pki.fingerprint(LISTED, 'sha1')} x\n"}
for name, digest in (("by_cert", "sha256"), ("by_key", "sha256"),
                     ("by_sha1", "sha1")):
    with_each(group(f"ccert_{name}", smtpd_relay_restrictions=(
        "permit_tls_clientcerts, reject_unauth_destination"),
        smtpd_tls_fingerprint_digest=digest,
        relay_clientcerts="texthash:{dir}/" + name, **ASK))
with_each(group("ccert_all", smtpd_relay_restrictions=(
    "permit_tls_all_clientcerts, reject_unauth_destination"), **ASK))
with_each(group("ccert_not_asked", smtpd_relay_restrictions=(
    "permit_tls_all_clientcerts, reject_unauth_destination"),
    smtpd_tls_CAfile=str(OURS.ca)))
with_each(group("ccert_access", smtpd_client_restrictions=(
    "check_ccert_access inline:{ {%s = REJECT not you} }"
    % pki.fingerprint(FRIEND)), **ASK))
with_each(group("ccert_order", smtpd_client_restrictions=(
    "check_ccert_access { inline:{ {%s = 450 wait} }, "
    "{ search_order = pubkey_fingerprint } }"
    % pki.pubkey_fingerprint(FRIEND)), **ASK))
with_each(group("ccert_required", smtpd_tls_req_ccert="yes",
                smtpd_tls_security_level="encrypt", **ASK))

# --- commands and replies

group("forbidden", smtpd_forbidden_commands="FROB regexp:{{/^B/ x}}",
      smtpd_noop_commands="X1, ETRN VRFY") \
    .talk("FROB", EHLO, "frob it") \
    .talk("BLAH", EHLO, "BLAH") \
    .talk("GET", EHLO, "GET / HTTP/1.0") \
    .talk("noops", EHLO, "x1 a b", "ETRN", "VRFY nobody@a.example", "X2") \
    .talk("noop in MAIL", EHLO, *ENV, "X1", "DATA", ".x: y\n\nz")
group("filter", smtpd_command_filter="pcre:{dir}/commands") \
    .talk("replaced", EHLO, "HELP", "MAIL FROM:<x@good.example> FOO=1",
          "RCPT TO:<kim@old.example>", "DATA", ".HELP\n\nHELP") \
    .talk("case and space", EHLO, "  help", "NOOP")
group("discard", smtpd_discard_ehlo_keywords="dsn, chunking, starttls auth "
      "silent-discard") \
    .talk("what is not told", EHLO, "STARTTLS", "=auth kim@a.example",
          "MAIL FROM:<x@good.example> RET=HDRS", ENV[0],
          "RCPT TO:<kim@a.example> NOTIFY=NEVER", ENV[1], "BDAT 0 LAST")
group("discard_map", smtpd_discard_ehlo_keyword_address_maps=(
      "cidr:{{192.0.2.10/32 starttls} {192.0.2.0/24 auth}}"),
      smtpd_discard_ehlo_keywords="dsn") \
    .talk("first", EHLO, "STARTTLS now", "MAIL FROM:<x@good.example> "
          "RET=HDRS") \
    .talk("second", EHLO, "=auth kim@a.example", "STARTTLS now",
          client="192.0.2.20")
for name, text in (("line", "See $server_name"),
                   ("on", "\\c. See ${client_address}"),
                   ("lines", "One\\nTwo $recipient\\nThree $sender")):
    group(f"footer_{name}", smtpd_reject_footer=text) \
        .ask("nobody", to="nobody@a.example") \
        .talk("syntax", EHLO, "NONSENSE", "HELO", "DATA") \
        .talk("fine", EHLO, *ENV)

TABLES["commands"] = ("/^HELP/ NOOP\n/^(MAIL .*) FOO=1/ $1\n"
                      "/^RCPT TO:<kim@old/ RCPT TO:<kim@a.example>\n")
