"""XCLIENT and XFORWARD: the word of listed peers, and of nobody else (S34)."""
import base64
import re

import pytest

from tests.harness.wait import until

OUT = "victim@outside.example"


@pytest.fixture
def trusting(fresh_postern):
    """127.0.0.1 may say who the client is, and where mail came from."""
    server = fresh_postern(start=False)
    server.set("smtpd_authorized_xclient_hosts", "127.0.0.1")
    server.set("smtpd_authorized_xforward_hosts", "127.0.0.1")
    server.set("mynetworks", "198.51.100.0/24")
    server.set("smtpd_error_sleep_time", "0")
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    return server


def relays(wire):
    wire.expect("MAIL FROM:<anna@sender.example>", 250)
    said = wire.cmd(f"RCPT TO:<{OUT}>").code == 250
    wire.expect("RSET", 250)
    return said


def xclient(wire, words, helo="EHLO other.example"):
    greeting = wire.cmd("XCLIENT " + words)
    assert greeting.code == 220, greeting
    if helo:
        return wire.expect(helo, 250)


def test_nobody_is_listed_unless_somebody_is(postern, kim):
    with postern.smtp() as wire:
        features = str(wire.cmd("EHLO client.example"))
        assert "XCLIENT" not in features and "XFORWARD" not in features
        for command in ("XCLIENT", "XFORWARD"):
            reply = wire.cmd(f"{command} ADDR=203.0.113.1 NAME=a.example")
            assert str(reply) == \
                "550 5.7.0 Error: insufficient authorization"
        assert not relays(wire)


def test_listed_peers_are_told_about_it(trusting):
    with trusting.smtp() as wire:
        texts = wire.cmd("EHLO client.example").texts
    assert "XCLIENT NAME REVERSE_NAME ADDR PORT PROTO HELO LOGIN DESTADDR " \
        "DESTPORT" in texts
    assert "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE" in texts


def test_the_client_is_who_the_peer_says(trusting):
    mark = trusting.log_mark()
    with trusting.smtp() as wire:
        xclient(wire, "NAME=mx.b.example ADDR=192.0.2.50 PORT=1234")
        wire.envelope("anna@sender.example", "kim@a.example")
        assert wire.data(b"Subject: x\r\n\r\nHello.").code == 250
    text = trusting.wait_for_messages("kim@a.example", 1)[0].read_text()
    assert "from other.example (mx.b.example [192.0.2.50])" in text
    trusting.wait_for_log(r": client=mx.b.example\[192.0.2.50\]$", mark)
    trusting.wait_for_log(r"disconnect from mx.b.example\[192.0.2.50\] .*"
                          "xclient=1", mark)


def test_an_ipv6_client(trusting):
    with trusting.smtp() as wire:
        xclient(wire, "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::50")
        wire.envelope("anna@sender.example", "kim@a.example")
        assert wire.data(b"Subject: x\r\n\r\nHello.").code == 250
    text = trusting.wait_for_messages("kim@a.example", 1)[0].read_text()
    assert "(unknown [IPv6:2001:db8::50])" in text


def test_rights_are_those_of_the_new_client(trusting):
    with trusting.smtp() as wire:
        assert not relays(wire)
        xclient(wire, "ADDR=198.51.100.7")
        assert relays(wire)
        # it is no listed peer any more
        wire.expect("XCLIENT ADDR=127.0.0.1", 550)
        wire.expect("XFORWARD NAME=x.example", 550)


def test_a_login_does_not_outlive_xclient(trusting):
    """Neither a real one nor one that XCLIENT has told."""
    token = base64.b64encode(b"\0kim@a.example\0secret").decode()
    with trusting.smtp("submissions") as wire:
        wire.expect(f"AUTH PLAIN {token}", 235)
        assert relays(wire)
        xclient(wire, "NAME=x.example")
        wire.expect("MAIL FROM:<kim@a.example>", 250)
        assert wire.cmd(f"RCPT TO:<{OUT}>").code == 554
    with trusting.smtp() as wire:
        xclient(wire, "LOGIN=kim@a.example")
        assert relays(wire)
        xclient(wire, "LOGIN=[UNAVAILABLE]")
        assert not relays(wire)


def test_the_told_login_is_in_the_log(trusting):
    mark = trusting.log_mark()
    with trusting.smtp() as wire:
        xclient(wire, "LOGIN=kim@a.example")
        wire.envelope("kim@a.example", "kim@a.example")
    trusting.wait_for_log(r": client=\S+, sasl_method=XCLIENT, "
                          "sasl_username=kim@a.example$", mark)


def test_tls_stays_and_what_was_said_is_forgotten(trusting):
    with trusting.smtp() as wire:
        wire.starttls()
        wire.expect("EHLO client.example", 250)
        assert "STARTTLS" not in str(xclient(wire, "NAME=x.example"))


def test_nothing_may_be_sent_ahead_of_the_new_greeting(trusting):
    """What the proxy sent before must not be taken for the new client's."""
    with trusting.smtp() as wire:
        wire.send(b"XCLIENT ADDR=198.51.100.7\r\nMAIL FROM:<a@b.example>\r\n"
                  b"RCPT TO:<" + OUT.encode() + b">\r\n")
        assert wire.reply().code == 554
        assert wire.at_end()


@pytest.mark.parametrize("words", [
    "ADDR=127.0.0.1\0", "ADDR", "ADDR=", "FOO=bar", "ADDR=1.2.3",
    "NAME=a_+0D+0A.example..", "PORT=99999", "PROTO=HTTP",
    "LOGIN=" + "x" * 256])
def test_bad_words_are_refused_whole(trusting, words):
    with trusting.smtp() as wire:
        reply = wire.cmd(f"XCLIENT ADDR=198.51.100.7 {words}")
        assert reply.code == 501 and reply.enhanced == "5.5.4", reply
        assert not relays(wire)


def test_xforward_is_logged_once_and_decides_nothing(trusting):
    mark = trusting.log_mark()
    with trusting.smtp() as wire:
        wire.expect("XFORWARD NAME=mx.b.example ADDR=198.51.100.7 "
                    "IDENT=4X9abc HELO=h.example PROTO=ESMTP "
                    "SOURCE=REMOTE", 250)
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        wire.expect("XFORWARD NAME=late.example", 503)
        assert wire.cmd(f"RCPT TO:<{OUT}>").code == 454
        wire.expect("RCPT TO:<kim@a.example>", 250)
        assert wire.data(b"Subject: x\r\n\r\nHello.").code == 250
        wire.envelope("anna@sender.example", "kim@a.example")
        assert wire.data(b"Subject: y\r\n\r\nHello.").code == 250
    trusting.wait_for_log(r": client=\S+, orig_queue_id=4X9abc, "
                          r"orig_client=mx.b.example\[198.51.100.7\]$", mark)
    trusting.wait_for_messages("kim@a.example", 2)
    lines = until(lambda: (found := trusting.log_lines(
        r": client=\S+\[127.0.0.1\]", mark)) and found[1:] and found,
        "two lines")
    assert len(lines) == 2 and not re.search("orig_", lines[1])
