"""S1: only CR LF . CR LF ends a message; no other mix makes two of one."""
import itertools

import pytest

from tests.harness.wait import until
from tests.harness.wire import Closed

ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\n", b"\r\0\n",
        b"\n\0", b""]
MIXES = [(a, b) for a, b in itertools.product(ENDS, ENDS)
         if (a, b) != (b"\r\n", b"\r\n") and a + b != b""]


@pytest.mark.parametrize("before,after", MIXES,
                         ids=lambda b: repr(b)[2:-1] or "nothing")
def test_no_other_end_of_data_smuggles_a_message(postern, domain, kim,
                                                 before, after):
    smuggled = (f"MAIL FROM:<evil@sender.example>\r\nRCPT TO:<{kim}>\r\n"
                "DATA\r\nSubject: smuggled\r\n\r\nx").encode()
    with postern.smtp() as wire:
        wire.envelope("anna@sender.example", kim)
        wire.expect("DATA", 354)
        wire.send(b"Subject: outer\r\n\r\nbody" + before + b"." + after +
                  smuggled + b"\r\n.\r\n")
        try:
            reply = wire.reply()
            # Whatever was said about the message, nothing after it was
            # taken for a command: what comes next is the answer to NOOP.
            assert reply.code in (250, 521, 550, 554)
            wire.send(b"NOOP\r\n")
            answer = wire.reply()
            assert answer.code in (250, 221, 421)
            assert "queued as" not in str(answer)
        except Closed:
            pass
    postern.send("anna@sender.example", kim, subject="marker")

    def subjects():
        found = []
        for path in postern.messages(kim):
            head = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n\n")[0]
            found += [line for line in head.split(b"\n")
                      if line.startswith(b"Subject:")]
        return found

    until(lambda: b"Subject: marker" in subjects(), "the marker")
    assert b"Subject: smuggled" not in subjects()
    assert len(subjects()) <= 2


@pytest.mark.parametrize("bare", [b"\n", b"\r"], ids=["LF", "CR"])
def test_a_bare_line_end_is_refused_on_the_mx(postern, kim, bare):
    with postern.smtp() as wire:
        wire.envelope("anna@sender.example", kim)
        wire.expect("DATA", 354)
        wire.send(b"Subject: x\r\n\r\none" + bare + b"two\r\n.\r\n")
        assert wire.reply().code // 100 == 5


def test_bdat_carries_an_imitated_end_as_content(postern, kim):
    content = b"Subject: chunk\r\n\r\na\r\n.\r\nMAIL FROM:<e@x.example>\r\n"
    with postern.smtp() as wire:
        wire.envelope("anna@sender.example", kim)
        wire.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert wire.reply().code == 250
        wire.expect("NOOP", 250)
    path, = postern.wait_for_messages(kim, 1)
    stored = path.read_bytes().replace(b"\r\n", b"\n")
    assert stored.endswith(b"\n\na\n.\nMAIL FROM:<e@x.example>\n")
