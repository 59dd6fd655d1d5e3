"""SCRAM-SHA-256 and -PLUS by SMTP and IMAP, bound to the TLS connection."""
import base64
import ssl

import pytest

from tests.harness.scramclient import ScramClient
from tests.harness.wire import ImapWire, SmtpWire


def b64(text):
    return base64.b64encode(text.encode()).decode()


def unb64(text):
    return base64.b64decode(text, validate=True).decode()


def tls12(wire):
    """A handshake of TLS 1.2, whose binding Python can tell us."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    wire.sock = context.wrap_socket(wire.sock, server_hostname="localhost")
    return wire.sock.get_channel_binding("tls-unique")


def smtp_login(wire, mechanism, client, initial=True):
    """The code of the last reply, and whether the server proved itself."""
    if initial:
        reply = wire.cmd(f"AUTH {mechanism} {b64(client.first())}")
    else:
        assert str(wire.cmd(f"AUTH {mechanism}")) == "334 "
        reply = wire.cmd(b64(client.first()))
    if reply.code != 334:
        return reply.code, False
    reply = wire.cmd(b64(client.final(unb64(reply.texts[0]))))
    if reply.code != 334:
        return reply.code, False
    proved = client.verify(unb64(reply.texts[0]))
    return wire.cmd("").code, proved


def imap_login(wire, mechanism, client):
    wire.tag += 1
    tag = f"a{wire.tag}"
    wire.send(f"{tag} AUTHENTICATE {mechanism} {b64(client.first())}\r\n")
    proved = False
    for answer in (client.final, None):
        line = wire.line()
        if not line.startswith("+ "):
            return line[len(tag) + 1:], proved
        if answer:
            wire.send(b64(answer(unb64(line[2:]))) + "\r\n")
        else:
            proved = client.verify(unb64(line[2:]))
            wire.send("\r\n")
    return wire.answer(tag)[1], proved


@pytest.mark.parametrize("initial", [True, False])
def test_smtp_without_binding(postern, kim, initial):
    with postern.smtp("submissions") as wire:
        assert smtp_login(wire, "SCRAM-SHA-256",
                          ScramClient(kim, "secret"), initial) == (235, True)
        wire.expect(f"MAIL FROM:<{kim}>", 250)


def test_imap_without_binding(postern, kim):
    with postern.imap() as wire:
        tagged, proved = imap_login(wire, "SCRAM-SHA-256",
                                    ScramClient(kim, "secret"))
        assert tagged.startswith("OK") and proved
        wire.ok("SELECT INBOX")


def test_a_wrong_password_is_refused(postern, kim):
    with postern.smtp("submissions") as wire:
        assert smtp_login(wire, "SCRAM-SHA-256",
                          ScramClient(kim, "Secret"))[0] == 535
        assert smtp_login(wire, "SCRAM-SHA-256",
                          ScramClient(kim, "secret")) == (235, True)
    with postern.imap() as wire:
        tagged, _ = imap_login(wire, "SCRAM-SHA-256",
                               ScramClient(kim, "Secret"))
        assert tagged.startswith("NO")


def test_an_unknown_user_looks_like_a_known_one(postern, kim, domain):
    salts = []
    for user in (kim, f"nobody@{domain}", f"nobody@{domain}"):
        with postern.smtp("submissions") as wire:
            client = ScramClient(user, "secret")
            reply = wire.cmd(f"AUTH SCRAM-SHA-256 {b64(client.first())}")
            assert reply.code == 334
            nonce, salt, iterations = unb64(reply.texts[0]).split(",")
            salts.append((salt, iterations))
            if user != kim:
                assert wire.cmd(b64(client.final(
                    unb64(reply.texts[0])))).code == 535
    assert salts[1] == salts[2] != salts[0]
    assert salts[0][1] == salts[1][1]


def test_smtp_bound_to_tls(postern, kim):
    for meddled in (False, True):
        with SmtpWire(postern.address("submissions")) as wire:
            data = tls12(wire)
            reply = wire.greeted()
            assert any("SCRAM-SHA-256-PLUS" in t for t in reply.texts)
            if meddled:
                data = bytes([data[0] ^ 1]) + data[1:]
            client = ScramClient(kim, "secret", ("tls-unique", data))
            got = smtp_login(wire, "SCRAM-SHA-256-PLUS", client)
            assert got == ((535, False) if meddled else (235, True))


def test_imap_bound_to_tls(postern, kim):
    with ImapWire(postern.address("imaps")) as wire:
        data = tls12(wire)
        assert wire.line().startswith("* OK")
        client = ScramClient(kim, "secret", ("tls-unique", data))
        tagged, proved = imap_login(wire, "SCRAM-SHA-256-PLUS", client)
        assert tagged.startswith("OK") and proved


@pytest.mark.parametrize("mechanism,gs2", [
    ("SCRAM-SHA-256", "y,,"),           # a downgrade: we did offer -PLUS
    ("SCRAM-SHA-256-PLUS", "n,,"), ("SCRAM-SHA-256-PLUS", "y,,"),
    ("SCRAM-SHA-256", "p=tls-exporter,,"),
    ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,"),
])
def test_binding_cannot_be_talked_away(postern, kim, mechanism, gs2):
    with postern.smtp("submissions") as wire:
        code, _ = smtp_login(wire, mechanism,
                             ScramClient(kim, "secret", gs2=gs2))
        assert code == 535


def test_without_tls_there_is_no_plus(postern, kim):
    with postern.smtp("submission") as wire:
        assert "SCRAM" not in str(wire.cmd("EHLO client.example"))
        assert smtp_login(wire, "SCRAM-SHA-256",
                          ScramClient(kim, "secret"))[0] // 100 == 5


def test_a_login_for_somebody_else_is_refused(postern, kim, lee):
    with postern.smtp("submissions") as wire:
        client = ScramClient(kim, "secret", gs2=f"n,a={lee},")
        assert smtp_login(wire, "SCRAM-SHA-256", client)[0] == 535
    with postern.smtp("submissions") as wire:
        client = ScramClient(kim, "secret", gs2=f"n,a={kim},")
        assert smtp_login(wire, "SCRAM-SHA-256", client) == (235, True)
