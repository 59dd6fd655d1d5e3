"""The policy services that sites have, as Debian ships them: postgrey and
policyd-spf."""
import os
import socket
import struct
import threading

import pytest

from tests.harness.policy import Postgrey, Spawner, policyd_spf
from tests.harness.wait import until
from tests.harness.wire import SmtpWire


def program(path):
    if not os.path.exists(path):
        if os.environ.get("POSTERN_TESTS_REQUIRED"):
            pytest.fail(f"{path} is missing")
        pytest.skip(f"{path} is missing")


def make(fresh_postern, rules, **settings):
    server = fresh_postern(start=False)
    server.set("smtpd_recipient_restrictions", rules)
    for name, value in settings.items():
        server.set(name, value)
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    return server


# --- postgrey

@pytest.fixture
def postgrey():
    program(Postgrey.PROGRAM)
    with Postgrey("--delay=1", "--greylist-text=Greylisted for %s seconds",
                  "--auto-whitelist-clients=0") as service:
        yield service


def test_postgrey_lets_the_second_attempt_in(fresh_postern, postgrey):
    server = make(fresh_postern, f"check_policy_service {postgrey.name}",
                  smtpd_soft_error_limit="1000",
                  smtpd_hard_error_limit="1000")
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<x@b.example>", 250)
        first = str(wire.cmd("RCPT TO:<kim@a.example>"))
        assert first.startswith("450 4.2.0 <kim@a.example>: Recipient "
                                "address rejected: Greylisted for ")
        until(lambda: wire.cmd("RCPT TO:<kim@a.example>").code == 250,
              "the end of greylisting")
        assert wire.data(b"Subject: late\r\n\r\nhi").code == 250
    path, = server.wait_for_messages("kim@a.example", 1)
    assert b"\r\nX-Greylist: delayed " in path.read_bytes()
    server.wait_for_log(r"NOQUEUE: reject: RCPT from .*: 450 4\.2\.0 "
                        "<kim@a.example>: Recipient address rejected: "
                        "Greylisted")


def test_postgrey_is_not_asked_about_our_users(fresh_postern, postgrey):
    server = fresh_postern(start=False)
    server.set("smtpd_recipient_restrictions", "permit_sasl_authenticated, "
               f"check_policy_service {postgrey.name}", "service submission")
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    with server.smtp("submission") as wire:
        wire.starttls()
        wire.expect("EHLO client.example", 250)
        wire.expect("AUTH PLAIN AGtpbUBhLmV4YW1wbGUAc2VjcmV0", 235)
        wire.expect("MAIL FROM:<kim@a.example>", 250)
        wire.expect("RCPT TO:<kim@a.example>", 250)


def test_postgrey_that_dies_lets_mail_in_if_we_say_so(fresh_postern,
                                                      postgrey):
    server = make(fresh_postern,
                  f"check_policy_service {{ {postgrey.name}, retry_delay=0, "
                  "default_action=DUNNO }")
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<x@b.example>", 250)
        wire.expect("RCPT TO:<kim@a.example>", 450)
        postgrey.process.kill()
        postgrey.process.wait()
        wire.expect("RCPT TO:<kim@a.example>", 250)


# --- policyd-spf

class TxtServer:
    """A name server that knows a few TXT records, and of nothing else."""

    def __init__(self, records):
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self.answer(query), peer)
            except OSError:
                return

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += query[at] + 1
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        text = self.records.get(".".join(labels)) if kind == 16 else None
        known = ".".join(labels) in self.records
        head = query[:2] + struct.pack("!HHHHH", 0x8180 | (0 if known else 3),
                                       1, 1 if text else 0, 0, 0)
        body = query[12:at + 5]
        if text:
            data = bytes([len(text)]) + text.encode()
            body += b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 60,
                                              len(data)) + data
        return head + body


@pytest.fixture
def spf(fresh_postern, tmp_path):
    """A server behind a proxy on the loopback, so that clients can be of any
    address; asked is what policyd-spf says."""
    program("/usr/bin/policyd-spf")
    for part in (tmp_path, *list(tmp_path.parents)[:3]):
        part.chmod(0o755)
    with TxtServer({"good.example": "v=spf1 ip4:192.0.2.0/24 -all",
                    "soft.example": "v=spf1 ip4:198.51.100.1 ~all",
                    "bad.example": "v=spf1 nonsense"}) as names, \
            Spawner(policyd_spf(tmp_path, {
                "debugLevel": 0, "HELO_reject": "Fail",
                "Mail_From_reject": "Fail", "PermError_reject": "True",
                "skip_addresses": "203.0.113.0/24"}, names.port)) as service:
        server = make(fresh_postern, f"check_policy_service {service.name}",
                      smtpd_peername_lookup="no", smtpd_workers="1",
                      smtpd_upstream_proxy_protocol="haproxy",
                      smtpd_upstream_proxy_hosts="127.0.0.1")
        server.service = service
        yield server


def from_client(server, ip, sender):
    wire = SmtpWire(server.address("mx"))
    wire.send(f"PROXY TCP4 {ip} 198.51.100.2 40000 25\r\n".encode())
    wire.greeted("EHLO nospf.example")
    wire.expect(f"MAIL FROM:<{sender}>", 250)
    return wire


def test_policyd_spf_refuses_who_may_not_send(spf):
    for ip, sender, want in [
            ("192.0.2.7", "x@good.example", "250 2.1.5"),
            ("198.51.100.9", "x@good.example", "550 5.7.23 <kim@a.example>: "
             "Recipient address rejected: Message rejected due to: SPF fail"),
            ("198.51.100.9", "x@soft.example", "250 2.1.5"),
            ("198.51.100.9", "x@none.example", "250 2.1.5"),
            ("198.51.100.9", "x@bad.example", "550 5.7.24"),
            ("203.0.113.5", "x@good.example", "250 2.1.5"),
            ("198.51.100.9", "", "250 2.1.5")]:
        with from_client(spf, ip, sender) as wire:
            assert str(wire.cmd("RCPT TO:<kim@a.example>")).startswith(want),\
                (ip, sender)
    # one program serves many requests, as under spawn(8)
    assert len(spf.service.children) <= 2


def test_policyd_spf_adds_its_header(spf):
    with from_client(spf, "192.0.2.7", "x@good.example") as wire:
        wire.expect("RCPT TO:<kim@a.example>", 250)
        assert wire.data(b"Subject: x\r\n\r\nhi").code == 250
    path, = spf.wait_for_messages("kim@a.example", 1)
    head = path.read_text().split("\n\n")[0]
    assert "Received-SPF: Pass (mailfrom)" in head
    assert head.count("Received-SPF:") == 1
