"""SCRAM over IMAP: the exchange of RFC 5802, 7677 with the tagging of RFC 3501,
and its channel binding."""
import base64
import hashlib
import hmac
import ssl

import pytest

from tests.harness.wire import ImapWire


class Scram:
    """A client; step() takes the decoded challenge, gives the response."""

    def __init__(self, user, password, header=b"n,,", binding=b""):
        self.password, self.header = password.encode(), header
        self.binding = binding
        self.bare = f"n={user},r=fyko+d2lbbFgONRv9qkxdawL".encode()
        self.step = self.proof

    def first(self):
        return self.header + self.bare

    def proof(self, challenge):
        fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password,
                                     base64.b64decode(fields[b"s"]),
                                     int(fields[b"i"]))
        bound = base64.b64encode(self.header + self.binding)
        last = b"c=" + bound + b",r=" + fields[b"r"]
        message = b",".join([self.bare, challenge, last])

        def mac(key, text):
            return hmac.new(key, text, hashlib.sha256).digest()
        key = mac(salted, b"Client Key")
        sign = mac(hashlib.sha256(key).digest(), message)
        self.expect = b"v=" + base64.b64encode(
            mac(mac(salted, b"Server Key"), message))
        self.step = self.verify
        proof = bytes(a ^ b for a, b in zip(key, sign))
        return last + b",p=" + base64.b64encode(proof)

    def verify(self, challenge):
        assert challenge == self.expect, "the server does not know the secret"
        return b""


def login(wire, mechanism, scram, initial):
    first = base64.b64encode(scram.first())
    if initial:
        wire.send(b"x AUTHENTICATE %s %s\r\n" % (mechanism, first))
    else:
        wire.send(b"x AUTHENTICATE %s\r\n" % mechanism)
        assert wire.line().rstrip() == "+"
        wire.send(first + b"\r\n")
    while True:
        line = wire.line()
        if line.startswith("x "):
            return line[2:]
        assert line.startswith("+ ")
        wire.send(base64.b64encode(scram.step(base64.b64decode(line[2:]))) +
                  b"\r\n")


@pytest.mark.parametrize("initial", [True, False], ids=["initial", "asked"])
def test_scram_logs_in(postern, kim, initial):
    with postern.imap() as wire:
        scram = Scram(kim, "secret")
        assert login(wire, b"SCRAM-SHA-256", scram, initial).startswith("OK")
        assert scram.step == scram.verify
        wire.ok("SELECT INBOX")


def test_scram_refuses_a_wrong_password_and_an_unknown_user(postern, kim):
    with postern.imap() as wire:
        for user in (kim, "nobody@nowhere.example"):
            answer = login(wire, b"SCRAM-SHA-256", Scram(user, "wrong"), True)
            assert answer.startswith("NO [AUTHENTICATIONFAILED]"), answer


class BoundWire(ImapWire):
    """TLS 1.2, whose tls-unique the standard library can tell."""

    def __init__(self, address):
        super().__init__(address)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.sock = context.wrap_socket(self.sock)
        self.line()

    def binding(self):
        return self.sock.get_channel_binding("tls-unique")


def test_scram_plus_binds_to_the_channel(postern, kim):
    with BoundWire(postern.address("imaps")) as wire:
        assert "AUTH=SCRAM-SHA-256-PLUS" in wire.ok("CAPABILITY")[0]
        scram = Scram(kim, "secret", b"p=tls-unique,,", wire.binding())
        assert login(wire, b"SCRAM-SHA-256-PLUS", scram,
                     True).startswith("OK")


def test_scram_plus_refuses_another_channel(postern, kim):
    with BoundWire(postern.address("imaps")) as wire:
        scram = Scram(kim, "secret", b"p=tls-unique,,",
                      bytes(len(wire.binding())))
        assert login(wire, b"SCRAM-SHA-256-PLUS", scram,
                     True).startswith("NO")
        # y: "I could bind, but you did not offer it": we did
        scram = Scram(kim, "secret", b"y,,")
        assert login(wire, b"SCRAM-SHA-256", scram, True).startswith("NO")
