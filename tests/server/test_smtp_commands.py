"""What an admin may change about commands and replies: forbidden and no-op
commands, the command filter, EHLO keywords, footers, soft_bounce, VRFY, ETRN."""
import re

import pytest

from tests.harness import paths
from tests.harness.wait import until


@pytest.fixture
def server(fresh_postern):
    """Made, not started: server.go(settings) does both."""
    made = fresh_postern(start=False)
    made.set("smtpd_error_sleep_time", "0")

    def go(**settings):
        for name, value in settings.items():
            made.set(name, value)
        made.start()
        made.add_domain("a.example")
        made.add_mailbox("kim@a.example", "secret")
        return made
    made.go = go
    return made


@pytest.mark.parametrize("line", [
    b"GET / HTTP/1.1", b"POST /x HTTP/1.0", b"CONNECT a:25 HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"Host: mx.test.example", b"Subject: x",
    b"\x16\x03\x01\x02", b"{\"a\": 1}", b"-", b"<xml>"])
def test_other_protocols_end_the_session(postern, line):
    mark = postern.log_mark()
    with postern.smtp() as wire:
        assert wire.cmd(line).code == 221
        assert wire.at_end()
    postern.wait_for_log("non-SMTP command from ", mark)


def test_forbidden_words_are_the_admins(server):
    server.go(smtpd_forbidden_commands="FROB", smtpd_noop_commands="ETRN, X1")
    with server.smtp() as wire:
        wire.expect("GET /", 500)
        wire.expect("X1 what ever", 250)
        wire.expect("ETRN a.example", 250)
        wire.expect("FROB", 221)
        assert wire.at_end()


def test_a_command_filter_from_a_file_is_followed(server):
    rules = server.dir / "filter"
    rules.write_text("/^RCPT TO:<old@a\\.example>(.*)/ "
                     "RCPT TO:<kim@a.example>$1\n"
                     "/^HELP/ NOOP\n")
    paths.give(rules)
    server.go(smtpd_command_filter=f"pcre:{rules}",
              table_refresh_interval="200ms")
    mark = server.log_mark()
    with server.smtp() as wire:
        wire.expect("HELP", 250)
        wire.envelope("anna@sender.example", "old@a.example")
        # the text is not made of commands
        assert wire.data(b"Subject: x\r\n\r\nHELP\r\n").code == 250
    text = server.wait_for_messages("kim@a.example", 1)[0].read_text()
    assert "\nHELP\n" in text.replace("\r\n", "\n")
    server.wait_for_log(r'replacing command "HELP" with "NOOP"', mark)
    rules.write_text("/^HELP/ FROB\n")

    def read_anew():
        with server.smtp() as wire:
            return wire.cmd("HELP").code == 500
    until(read_anew, "the changed filter")


def test_keywords_are_kept_from_one_client_only(server):
    server.set("smtpd_discard_ehlo_keyword_address_maps",
               "cidr:{{127.0.0.1/32 chunking, starttls}}", "service mx")
    server.go()
    mark = server.log_mark()
    with server.smtp() as wire:
        text = str(wire.cmd("EHLO client.example"))
        assert "CHUNKING" not in text and "STARTTLS" not in text
        wire.expect("STARTTLS", 502)
        wire.envelope("anna@sender.example", "kim@a.example")
        wire.send(b"BDAT 5 LAST\r\nx: y\n")
        assert wire.reply().code == 521
        assert wire.at_end()
    server.wait_for_log("discarding EHLO keywords: STARTTLS CHUNKING", mark)
    with server.smtp("submission") as wire:
        assert "STARTTLS" in str(wire.cmd("EHLO client.example"))


def test_a_footer_tells_where_to_ask(server):
    server.go(smtpd_reject_footer="\\c. See http://mx.test.example/"
              "${client_address}\\nTime $localtime, for <$recipient>")
    mark = server.log_mark()
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        reply = wire.cmd("RCPT TO:<x@a.example>")
        assert reply.lines[0].endswith(". See http://mx.test.example/"
                                       "127.0.0.1")
        assert re.fullmatch(r"550 5\.1\.1 Time \w{3} \d\d \d\d:\d\d:\d\d, for "
                            r"<x@a\.example>", reply.lines[1])
        # what is accepted has none
        assert len(wire.cmd("RCPT TO:<kim@a.example>").lines) == 1
    line = server.wait_for_log("NOQUEUE: reject: RCPT", mark)
    assert "http:" not in line


def test_no_value_in_a_footer_begins_a_line(server):
    server.go(smtpd_reject_footer="<$recipient>")
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        reply = wire.cmd(r'RCPT TO:<"a\\n250 ok"@a.example>')
        assert reply.code == 550 and len(reply.lines) == 2


def test_soft_bounce_refuses_for_now_only(server):
    server.go(soft_bounce="yes")
    mark = server.log_mark()
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        reply = wire.cmd("RCPT TO:<x@a.example>")
        assert (reply.code, reply.enhanced) == (450, "4.1.1")
        wire.expect("NONSENSE", 400)
    assert ": 450 4.1.1 <x@a.example>: " in \
        server.wait_for_log("reject: RCPT", mark)


def test_vrfy_says_what_rcpt_would_say(postern, kim, domain):
    with postern.smtp() as wire:
        assert str(wire.cmd(f"VRFY <{kim}>")) == f"252 2.0.0 {kim}"
        assert str(wire.cmd(f"VRFY {kim}")) == f"252 2.0.0 {kim}"
        for address in (f"nobody@{domain}", "x@outside.example"):
            wire.expect("MAIL FROM:<anna@sender.example>", 250)
            rcpt = wire.cmd(f"RCPT TO:<{address}>")
            wire.expect("RSET", 250)
            assert str(wire.cmd(f"VRFY {address}")) == str(rcpt)


def test_etrn_is_judged_and_then_honestly_refused(server):
    server.go(smtpd_etrn_restrictions="check_etrn_access "
              "inline:{ {b.example = REJECT not yours} }")
    with server.smtp() as wire:
        assert "ETRN" in wire.cmd("EHLO client.example").texts
        assert str(wire.cmd("ETRN sub.b.example")) == \
            "554 5.7.1 <sub.b.example>: Etrn command rejected: not yours"
        assert str(wire.cmd("ETRN c.example")) == \
            "459 <c.example>: service unavailable"


def test_permits_are_logged_when_asked_for(server):
    server.set("smtpd_client_restrictions", "permit_inet_interfaces, reject",
               "service mx")
    server.go(smtpd_log_access_permit_actions="permit_inet_interfaces")
    mark = server.log_mark()
    with server.smtp() as wire:
        wire.envelope("anna@sender.example", "kim@a.example")
    server.wait_for_log(
        r"smtpd\[\d+\]: NOQUEUE: permit: RCPT from (\S+): "
        r"action=permit_inet_interfaces for Client host=\1; "
        r"from=<anna@sender.example> to=<kim@a.example> proto=ESMTP "
        r"helo=<client.example>$", mark)


MISTAKES = {
    "smtpd_reject_footer": ("$nosuchname", "$name that is unknown"),
    "smtpd_discard_ehlo_keywords": ("chunky", "\"chunky\" is no EHLO"),
    "smtpd_authorized_xclient_hosts": ("everybody", "is no network"),
    "smtpd_command_filter": ("pcre:/nonexistent/file", "/nonexistent/file"),
    "smtpd_upstream_proxy_protocol": ("haproxy", "nobody could connect"),
    "smtpd_noop_commands": ("tcp:127.0.0.1:1", "can't be waited for here"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_setting_is_named_and_nothing_starts(server, name):
    value, complaint = MISTAKES[name]
    server.set(name, value)
    if paths.program("postern") is not None:
        checked = server.postern("config", "check", check=False)
        said = str(checked.stdout) + str(checked.stderr)
        assert checked.returncode != 0
        assert re.search(rf"postern.conf:\d+: {name}: .*"
                         + re.escape(complaint), said), said
    server.start(wait=False)
    assert until(lambda: server.process.poll() is not None,
                 "posternd to refuse")
    assert server.process.poll() != 0
    assert complaint in server.log_text()
