"""S34: forty ways to ask for relaying, none of which works for a stranger."""
import pytest

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
]
SENDERS = ["anna@sender.example", "", "kim@{d}", "postmaster@mx.test.example",
           "root@localhost", "kim@outside.example"]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_stranger_cannot_relay(postern, domain, kim, trick):
    trick = trick.format(d=domain)
    with postern.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        reply = wire.cmd(f"RCPT TO:{trick}".encode())
        assert reply.code // 100 in (4, 5), reply


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


def test_xclient_from_a_stranger_is_refused(postern, kim):
    with postern.smtp() as wire:
        reply = wire.cmd("XCLIENT ADDR=192.0.2.1 LOGIN=kim")
        assert reply.code // 100 == 5
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        assert wire.cmd(f"RCPT TO:<{OUT}>").code // 100 in (4, 5)


def test_proxy_header_from_a_stranger_is_not_believed(postern):
    with postern.smtp(helo=None) as wire:
        wire.send(b"PROXY TCP4 192.0.2.1 127.0.0.1 1000 25\r\n"
                  b"EHLO x.example\r\nMAIL FROM:<a@b.example>\r\n"
                  b"RCPT TO:<victim@outside.example>\r\nQUIT\r\n")
        codes = []
        try:
            while True:
                codes.append(wire.reply().code)
        except Exception:               # the server may close at any point
            pass
        assert 250 not in codes[3:] or codes.count(250) <= 2


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
