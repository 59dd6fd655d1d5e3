"""Codes and enhanced codes are Postfix's; replies come grouped and in order."""
import os
import signal
import socket

import pytest

from tests.harness.wire import PATIENCE, Closed

OURS = "anna@sender.example"


def test_ehlo_lists_what_the_server_can(postern):
    with postern.smtp(helo=None) as wire:
        assert wire.reply().texts[0].startswith("mx.test.example ESMTP")
        texts = wire.cmd("EHLO client.example").texts
        assert texts[0] == "mx.test.example"
        words = {text.split()[0] for text in texts[1:]}
        assert words >= {"PIPELINING", "SIZE", "STARTTLS", "8BITMIME", "DSN",
                         "ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING"}
        assert "AUTH" not in words


def test_helo_gets_one_line(postern):
    with postern.smtp(helo=None) as wire:
        wire.reply()
        assert len(wire.cmd("HELO client.example").texts) == 1


@pytest.mark.parametrize("command,code,enhanced", [
    ("RCPT TO:<x@y.example>", 503, "5.5.1"),
    ("DATA", 503, "5.5.1"),
    ("MAIL FROM:<a@b", 501, "5.1.7"),
    ("MAIL FROM:<a@b.example> NONSENSE=1", 555, "5.5.4"),
    ("MAIL FROM:<a@b.example> SIZE=99999999999", 552, "5.3.4"),
    ("NOOP", 250, "2.0.0"),
    ("RSET", 250, "2.0.0"),
    ("VRFY kim", 504, "5.5.2"),
    ("VRFY kim@nowhere.example", 454, "4.7.1"),
    ("NONSENSE", 500, "5.5.2"),
    ("AUTH PLAIN AAAA", 503, "5.5.1"),
])
def test_commands_get_postfix_codes(postern, command, code, enhanced):
    with postern.smtp() as wire:
        reply = wire.cmd(command)
        assert (reply.code, reply.enhanced) == (code, enhanced)


def test_unknown_and_foreign_recipients_are_refused_and_logged(
        postern, domain, kim):
    mark = postern.log_mark()
    with postern.smtp() as wire:
        wire.expect(f"MAIL FROM:<{OURS}>", 250)
        reply = wire.cmd(f"RCPT TO:<nobody@{domain}>")
        assert (reply.code, reply.enhanced) == (550, "5.1.1")
        assert "User unknown in virtual mailbox table" in str(reply)
        reply = wire.cmd("RCPT TO:<x@outside.example>")
        assert reply.code in (454, 554) and "Relay access denied" in str(reply)
        wire.expect(f"RCPT TO:<{kim}>", 250)
    postern.wait_for_log(
        rf"smtpd\[\d+\]: NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: "
        rf"550 5\.1\.1 <nobody@{domain}>: Recipient address rejected: User "
        rf"unknown in virtual mailbox table; from=<{OURS}> "
        rf"to=<nobody@{domain}> proto=ESMTP helo=<client\.example>", mark)


def test_a_pipelined_envelope_is_answered_in_one_packet(postern, domain, kim):
    with postern.smtp() as wire:
        wire.send(f"MAIL FROM:<{OURS}>\r\nRCPT TO:<{kim}>\r\n"
                  f"RCPT TO:<nobody@{domain}>\r\nRSET\r\n".encode())
        assert [wire.reply().code for _ in range(4)] == [250, 250, 550, 250]


def test_who_talks_before_the_greeting_is_sent_away(postern):
    # The server is quicker than our first byte, unless it is held.
    pids = postern.pids("smtpd")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    with socket.socket() as s:
        try:
            s.settimeout(PATIENCE)
            s.connect(postern.address("mx"))
            s.sendall(b"EHLO x.example\r\nNOOP\r\n")
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        assert s.recv(4096).startswith(b"554 5.5.0")


def test_more_behind_ehlo_ends_the_session(postern):
    with postern.smtp(helo=None) as wire:
        wire.reply()
        wire.send(b"EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n")
        assert wire.reply().code == 554
        with pytest.raises(Closed):
            wire.cmd("NOOP")


def test_utf8_addresses_need_smtputf8(postern, domain):
    with postern.smtp() as wire:
        reply = wire.cmd("MAIL FROM:<\u00f6@sender.example>".encode())
        assert (reply.code, reply.enhanced) == (553, "5.6.7")
        wire.expect("MAIL FROM:<\u00f6@b\u00fccher.example> SMTPUTF8".encode(),
                    250)
        wire.expect(f"RCPT TO:<\u00f6@{domain}>".encode(), 550)
