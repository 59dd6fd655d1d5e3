"""S34: many ways to ask for relaying, none of which works for a stranger: said
plainly, in TLS, by a client of a listed proxy, or by VRFY."""
import pytest

from tests.harness.wire import Closed, SmtpWire

OUT = "victim@outside.example"
TRICKS = [
    "<victim@outside.example>",
    "<victim%outside.example@{d}>",
    "<victim%outside.example%{d}@{d}>",
    "<victim%outside.example@localhost>",
    "<victim%outside.example@[127.0.0.1]>",
    "<victim%outside.example@mx.test.example>",
    "<\"victim%outside.example\"@{d}>",
    "<\"victim@outside.example\"@{d}>",
    "<\"victim@outside.example\">",
    "<victim@outside.example@{d}>",
    "<victim@{d}@outside.example>",
    "<@{d}:victim@outside.example>",
    "<@mx.test.example:victim@outside.example>",
    "<@{d},@mx.test.example:victim@outside.example>",
    "<@outside.example,@{d}:victim@outside.example>",
    "<@localhost:victim@outside.example>",
    "<@[127.0.0.1]:victim@outside.example>",
    "<outside.example!victim@{d}>",
    "<{d}!outside.example!victim>",
    "<outside.example!victim>",
    "<mx.test.example!outside.example!victim@{d}>",
    "<victim@outside.example.>",
    "<victim@OUTSIDE.EXAMPLE>",
    "<victim@[192.0.2.99]>",
    "<victim@[IPv6:2001:db8::1]>",
    "<victim@192.0.2.99>",
    "<victim@#3221226083>",
    "<victim@outside.example%00@{d}>",
    "<victim@outside.example\\@{d}>",
    "<victim\\@outside.example@{d}>",
    "<victim@sub.{d}>",
    "<victim@{d}.outside.example>",
    "<victim@outside.example >",
    "< victim@outside.example>",
    "victim@outside.example",
    "<<victim@outside.example>>",
    "<victim@outside.example> <kim@{d}>",
    "<kim@{d}> <victim@outside.example>",
    "<victim@outside.example,kim@{d}>",
    "<kim@{d},victim@outside.example>",
    "<victim%outside.example@{d}.>",
    "<victim@localhost>",
    "<victim@mx.test.example>",
    "<victim+outside.example@{d}>",
    "<victim#outside.example@{d}>",
    "<\"victim\"@outside.example>",
    "<\"\"@outside.example>",
    "<victim@xn--outside-.example>",
    "<victim@\uff4futside.example>",
    "<victim@outside\u3002example>",
    "<victim@outside.example\0@{d}>",
    "<kim@{d}\0@outside.example>",
    "<kim\0victim@outside.example>",
    "<victim@outside.example\t>",
    "<victim@\u043eutside.example>",
    "<vict\u00edm@outside.example>",
    "<fwd%outside.example@{d}>",
    "<fwd@outside.example@{d}>",
    "<@{d}:fwd@outside.example>",
    "<\"fwd@{d}\"@outside.example>",
    "<\"kim@{d}>\"@outside.example>",
    "<kim@{d}(comment)@outside.example>",
    "<victim(kim@{d})@outside.example>",
    "<victim@outside.example> NOTIFY=NEVER ORCPT=rfc822;kim@{d}",
    "<victim@outside.example> kim@{d}",
    "<kim@{d}@[127.0.0.1]>",
    "<victim@[127.0.0.1]>",
    "<victim@[::1]>",
    "<victim@2130706433>",
    "<victim@0x7f000001>",
    "<victim@outside.example..>",
    "<victim@.outside.example>",
    "<{d}@outside.example>",
    "<kim@{d}-outside.example>",
    "<outside.example!victim%{d}@{d}>",
    "<smtp:[outside.example]:victim@{d}>",
    "<victim@outside.example,>",
    ":include:/etc/passwd",
    "</etc/passwd>",
    "<|/bin/sh@{d}>",
    "|/bin/sh",
]
SENDERS = ["anna@sender.example", "", "kim@{d}", "postmaster@mx.test.example",
           "root@localhost", "kim@outside.example"]


@pytest.fixture(scope="module")
def shop(_session_instance):
    """A domain with a user, and an alias to an address elsewhere."""
    _session_instance.add_domain("shop.example")
    _session_instance.add_mailbox("kim@shop.example", "secret")
    _session_instance.add_alias("fwd@shop.example", "far@outside.example")
    return "shop.example"


def refused(wire, trick, domain):
    wire.expect("MAIL FROM:<anna@sender.example>", 250)
    reply = wire.cmd(f"RCPT TO:{trick.format(d=domain)}".encode())
    assert reply.code // 100 in (4, 5), reply
    # and nothing was taken that a text could now be sent to
    assert wire.cmd("DATA").code // 100 == 5


@pytest.mark.parametrize("trick", TRICKS, ids=ascii)
def test_a_stranger_cannot_relay(postern, shop, trick):
    with postern.smtp() as wire:
        refused(wire, trick, shop)


def test_nor_in_tls(postern, shop):
    for trick in TRICKS:
        with postern.smtp() as wire:
            wire.starttls()
            wire.expect("EHLO client.example", 250)
            refused(wire, trick, shop)


def test_nor_by_asking_with_vrfy(postern, shop):
    for trick in TRICKS:
        with postern.smtp() as wire:
            reply = wire.cmd(f"VRFY {trick.format(d=shop)}".encode())
            assert reply.code // 100 in (4, 5), (trick, reply)


def test_nor_as_the_client_of_a_listed_proxy(fresh_postern):
    """Which is believed; but the client is in no network of ours."""
    server = fresh_postern(start=False)
    server.set("smtpd_upstream_proxy_protocol", "haproxy", "service mx")
    server.set("smtpd_upstream_proxy_hosts", "127.0.0.1", "service mx")
    server.set("mynetworks", "198.51.100.0/24")
    server.set("smtpd_error_sleep_time", "0")
    server.start()
    server.add_domain("shop.example")
    server.add_mailbox("kim@shop.example", "secret")
    for trick in TRICKS:
        with SmtpWire(server.address("mx")) as wire:
            wire.send(b"PROXY TCP4 192.0.2.9 192.0.2.1 4000 25\r\n")
            wire.greeted()
            refused(wire, trick, "shop.example")


@pytest.mark.parametrize("sender", SENDERS)
def test_no_sender_opens_the_relay(postern, domain, kim, sender):
    sender = sender.format(d=domain)
    with postern.smtp() as wire:
        if wire.cmd(f"MAIL FROM:<{sender}>").code == 250:
            assert wire.cmd(f"RCPT TO:<{OUT}>").code // 100 in (4, 5)


def test_helo_as_ourselves_opens_nothing(postern, kim):
    for helo in ("EHLO mx.test.example", "HELO localhost",
                 "EHLO [127.0.0.1]"):
        with postern.smtp(helo=helo) as wire:
            wire.expect("MAIL FROM:<anna@sender.example>", 250)
            assert wire.cmd(f"RCPT TO:<{OUT}>").code // 100 in (4, 5)


@pytest.mark.parametrize("line", [
    "XCLIENT ADDR=203.0.113.1", "XCLIENT LOGIN=kim@shop.example",
    "XCLIENT ADDR=203.0.113.1 LOGIN=kim@shop.example NAME=localhost",
    "XFORWARD ADDR=203.0.113.1 NAME=localhost SOURCE=LOCAL",
    "PROXY TCP4 203.0.113.1 127.0.0.1 1000 25",
    "PROXY UNKNOWN", "AUTH EXTERNAL =", "AUTH ANONYMOUS =",
    "MAIL FROM:<kim@shop.example> AUTH=kim@shop.example"])
def test_no_one_is_believed_who_is_not_listed(postern, shop, line):
    """203.0.113.0/24 may relay, and kim may when logged in."""
    with postern.smtp() as wire:
        wire.cmd(line)
        wire.cmd("RSET")
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        assert wire.cmd(f"RCPT TO:<{OUT}>").code // 100 in (4, 5)


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 203.0.113.1 127.0.0.1 1000 25\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x01\x7f\0\0\x01\x03\xe8"
    b"\0\x19"], ids=["v1", "v2"])
def test_a_proxy_header_before_the_greeting_helps_no_one(postern, header):
    with SmtpWire(postern.address("mx")) as wire:
        wire.send(header + b"EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n"
                  b"RCPT TO:<" + OUT.encode() + b">\r\nQUIT\r\n")
        codes = []
        try:
            while True:
                codes.append(wire.reply())
        except (Closed, OSError):       # the server ends it at some point
            pass
        assert not any("2.1.5" in str(reply) for reply in codes), codes


def test_submission_without_login_relays_nothing_and_delivers_nothing(
        postern, kim):
    with postern.smtp("submissions") as wire:
        reply = wire.cmd("MAIL FROM:<anna@sender.example>")
        if reply.code == 250:
            for to in (OUT, kim):
                assert wire.cmd(f"RCPT TO:<{to}>").code // 100 in (4, 5)


def test_after_all_that_the_queue_is_empty(postern):
    from tests.harness import paths
    if paths.program("postern") is None:
        pytest.skip("postern is not built")
    listed = postern.postern("queue", "list", "--json").stdout
    assert "outside.example" not in listed
