"""S3: nothing said before the TLS handshake counts after it."""
import base64

import pytest

from tests.harness.wire import Closed, ImapWire


def quiet_or_gone(wire):
    """After TLS nothing comes by itself; a closed session is fine too."""
    try:
        return wire.silent(0.3)
    except Closed:
        return True


def test_commands_sent_with_starttls_are_not_run(postern, kim):
    with postern.smtp() as wire:
        wire.send(b"STARTTLS\r\nMAIL FROM:<evil@sender.example>\r\n"
                  b"RCPT TO:<" + kim.encode() + b">\r\n")
        code = wire.reply().code
        if code == 554:                 # no TLS, session closed: strictest
            assert wire.at_end()
            return
        assert code == 220
        try:
            wire.wrap()
        except OSError:
            return                      # closed: the strict way
        assert quiet_or_gone(wire)
        try:
            reply = wire.cmd(f"RCPT TO:<{kim}>")
        except (Closed, OSError):
            return
        assert reply.code == 503


def test_helo_and_sender_are_forgotten(postern, kim):
    with postern.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        # A second STARTTLS condition: within a transaction it may be
        # refused; then RSET and again.
        reply = wire.cmd("STARTTLS")
        if reply.code != 220:
            wire.expect("RSET", 250)
            wire.expect("STARTTLS", 220)
        wire.wrap()
        wire.expect(f"RCPT TO:<{kim}>", 503)
        wire.expect("EHLO client.example", 250)
        wire.expect(f"RCPT TO:<{kim}>", 503)
        assert "STARTTLS" not in str(wire.cmd("EHLO client.example"))
        wire.expect("STARTTLS", 5)


def test_auth_needs_tls(postern, kim):
    token = base64.b64encode(f"\0{kim}\0secret".encode()).decode()
    with postern.smtp("submission") as wire:
        reply = wire.cmd("EHLO client.example")
        assert not any(text.startswith("AUTH") for text in reply.texts)
        assert wire.cmd(f"AUTH PLAIN {token}").code // 100 == 5
        wire.starttls()
        reply = wire.cmd("EHLO client.example")
        assert any(text.startswith("AUTH ") for text in reply.texts)
        wire.expect(f"AUTH PLAIN {token}", 235)


def test_imap_commands_sent_with_starttls_are_not_run(postern, kim):
    with ImapWire(postern.address("imap")) as wire:
        wire.line()
        wire.send(b"a STARTTLS\r\nb NOOP\r\nc LOGIN x y\r\n")
        try:
            answer = wire.line()
        except Closed:                  # the strict way
            return
        if not answer.startswith("a OK"):
            assert wire.at_end()
            return
        try:
            wire.wrap()
            assert wire.silent(0.3)
            wire.ok("NOOP")
        except (Closed, OSError):       # closed instead: as good
            pass


def test_imap_login_needs_tls(postern, kim):
    with ImapWire(postern.address("imap")) as wire:
        assert "LOGINDISABLED" in wire.line() or \
            "LOGINDISABLED" in wire.ok("CAPABILITY")[0]
        tagged = wire.cmd(f'LOGIN "{kim}" "secret"')[1]
        assert tagged.startswith("NO")


@pytest.mark.parametrize("junk", [b"\x16\x03\x01" + b"\xff" * 200,
                                  b"GET / HTTP/1.1\r\n\r\n", b"\0" * 64],
                         ids=["half a hello", "http", "zeros"])
def test_garbage_for_a_handshake_ends_only_that_session(postern, kim, junk):
    with postern.smtp() as wire:
        wire.expect("STARTTLS", 220)
        wire.send(junk)
        wire.sock.shutdown(1)
        try:
            wire.sock.recv(4096)
        except OSError:
            pass
    postern.send("anna@sender.example", kim)
    postern.wait_for_messages(kim, 1)
