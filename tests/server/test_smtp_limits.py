"""Time, size and error limits, each with settings of its own."""
import time

import pytest

from tests.harness.wait import until
from tests.harness.wire import Closed

QUICK = 0.25                    # seconds; less than the sleep for errors


@pytest.fixture
def tight(fresh_postern):
    return fresh_postern(settings={
        "message_size_limit": "10k",
        "smtpd_soft_error_limit": "2", "smtpd_hard_error_limit": "4",
        "smtpd_error_sleep_time": "300ms", "smtpd_recipient_limit": "2",
        "smtpd_helo_required": "yes", "smtpd_line_length_limit": "512"})


def test_a_silent_client_is_told_so_and_sent_away(fresh_postern):
    server = fresh_postern(settings={"smtpd_timeout": "1s"})
    with server.smtp(helo=None) as wire:
        assert wire.reply().code == 220
        reply = wire.reply()
        assert (reply.code, reply.enhanced) == (421, "4.4.2")
        with pytest.raises(Closed):
            wire.reply()


def test_limits_hold(tight):
    tight.add_domain("limits.example")
    for who in ("kim", "lee", "max"):
        tight.add_mailbox(f"{who}@limits.example")

    # errors: past the soft limit replies wait, past the hard one it ends
    with tight.smtp() as wire:
        for _ in range(2):
            wire.cmd("NONSENSE")
        began = time.monotonic()
        wire.cmd("NONSENSE")
        assert time.monotonic() - began >= QUICK
        wire.cmd("NONSENSE")
        assert wire.reply().code == 421

    # sizes: declared and real
    with tight.smtp() as wire:
        wire.expect("MAIL FROM:<a@b.example> SIZE=10241", 552)
        wire.envelope("a@b.example", "kim@limits.example")
        wire.expect("DATA", 354)
        wire.send((b"x" * 70 + b"\r\n") * 200 + b".\r\n")
        reply = wire.reply()
        assert (reply.code, reply.enhanced) == (552, "5.3.4")
        wire.expect("MAIL FROM:<a@b.example> SIZE=10240", 250)
        for who in ("kim", "lee"):
            wire.expect(f"RCPT TO:<{who}@limits.example>", 250)
        wire.expect("RCPT TO:<max@limits.example>", 452)

    # HELO first, and lines of 512 bytes
    with tight.smtp(helo=None) as wire:
        wire.reply()
        wire.expect("MAIL FROM:<a@b.example>", 503)
        wire.expect("NOOP " + "x" * 507, 250)
        wire.expect("NOOP " + "x" * 508, 500)


def test_sessions_of_one_address_are_capped(fresh_postern):
    server = fresh_postern(settings={
        "smtpd_workers": "1", "smtpd_client_connection_count_limit": "3"})
    mark = server.log_mark()
    open_ = [server.smtp() for _ in range(3)]
    try:
        with server.smtp(helo=None) as wire:
            reply = wire.reply()
            assert (reply.code, reply.enhanced) == (421, "4.7.0")
        server.wait_for_log("disconnect from .* commands=0", mark)
        mark = server.log_mark()
        open_.pop().close()
        server.wait_for_log("disconnect from .* ehlo=1", mark)
        with server.smtp() as wire:
            wire.expect("NOOP", 250)
    finally:
        for wire in open_:
            wire.close()


def test_errors_are_counted_as_postfix_counts_them(fresh_postern):
    server = fresh_postern(settings={
        "smtpd_soft_error_limit": "2", "smtpd_hard_error_limit": "6",
        "smtpd_error_sleep_time": "300ms", "smtpd_recipient_limit": "2",
        "smtpd_recipient_overshoot_limit": "8",
        "smtpd_junk_command_limit": "3"})
    server.add_domain("errors.example")
    server.add_mailbox("kim@errors.example")
    server.add_mailbox("lee@errors.example")

    def took(wire, command, code):
        began = time.monotonic()
        wire.expect(command, code)
        return time.monotonic() - began

    # Played until nothing but the sleep for errors has held a reply up.
    def soft_limit():
        with server.smtp() as wire:
            quick = [took(wire, "NONSENSE", 500) for _ in range(2)]
            # from the soft limit on every reply waits, whole
            assert took(wire, "MAIL FROM:<a@b.example>", 250) >= QUICK
            assert took(wire, "RSET", 250) >= QUICK
            assert took(wire, "EHLO again.example", 250) >= QUICK
            # a message that is accepted forgives all
            wire.envelope("a@b.example", "kim@errors.example")
            assert wire.data(b"x: y\r\n\r\nz").code == 250
            quick.append(took(wire, "NONSENSE", 500))
        return max(quick) < QUICK
    until(soft_limit, "replies at once")

    # too many recipients are no error; the client sends them another time
    def recipients():
        with server.smtp() as wire:
            wire.envelope("a@b.example", "kim@errors.example",
                          "lee@errors.example")
            return max(took(wire, "RCPT TO:<kim@errors.example>", 452)
                       for _ in range(8)) < QUICK
    until(recipients, "replies at once")
    with server.smtp() as wire:
        wire.envelope("a@b.example", "kim@errors.example",
                      "lee@errors.example")
        for _ in range(13):
            wire.expect("RCPT TO:<kim@errors.example>", 452)
        wire.expect("RCPT TO:<kim@errors.example>", 452)
        reply = wire.reply()
        assert (reply.code, reply.enhanced) == (421, "4.7.0")

    # junk: EHLO and three NOOPs are free, six more are too many
    with server.smtp() as wire:
        for _ in range(9):
            wire.expect("NOOP", 250)
        assert wire.reply().code == 421
