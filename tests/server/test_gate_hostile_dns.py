"""Whatever a name server says, or does not say, the answer is Postfix's: 4xx
for what can't be found out, never a permit or a 5xx by accident, in bounded
time, and the next client is served."""
import socket
import struct
import threading

import pytest

from tests.harness.instance import Instance
from tests.harness.wait import until

A, MX, TXT, AAAA = 1, 15, 16, 28
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


def labels(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + \
        b"\0"


def question(packet):
    at, parts = 12, []
    while packet[at]:
        parts.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
    return ".".join(parts).lower(), kind, packet[12:at + 5]


def record(name, kind, data, ttl=60):
    return labels(name) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def reply(packet, records=(), rcode=0, flags=0x8180, id_add=0, ask=None):
    ident = (struct.unpack(">H", packet[:2])[0] + id_add) & 0xffff
    return struct.pack(">HHHHHH", ident, flags | rcode, 1, len(records), 0,
                       0) + (ask or question(packet)[2]) + b"".join(records)


SOA = b"\0\0" + struct.pack(">IIIII", 1, 1, 1, 1, 1)


class Hostile:
    """UDP and TCP on one loopback port; what it does is in the name asked."""

    def __init__(self):
        while not self.has_port():
            pass
        for run in (self.run_udp, self.run_tcp):
            threading.Thread(target=run, daemon=True).start()

    def has_port(self):
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.udp.bind(("127.0.0.1", self.port))
        except OSError:         # somebody else's
            self.close()
            return False
        return True

    def run_udp(self):
        while True:
            try:
                packet, who = self.udp.recvfrom(4096)
            except OSError:
                return
            for answer in self.answers(packet, False):
                self.udp.sendto(answer, who)

    def run_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(conn,),
                             daemon=True).start()

    def talk(self, conn):
        with conn:
            conn.settimeout(5)
            try:
                n = struct.unpack(">H", conn.recv(2))[0]
                packet = conn.recv(n)
                if "tcp-cut" in question(packet)[0]:
                    conn.sendall(struct.pack(">H", 60000) + b"x" * 100)
                    return
                for answer in self.answers(packet, True):
                    conn.sendall(struct.pack(">H", len(answer)) + answer)
            except (OSError, struct.error):
                pass

    def answers(self, packet, tcp):
        name, kind, ask = question(packet)
        if "silent" in name:
            return []
        if "servfail" in name:
            return [reply(packet, rcode=SERVFAIL)]
        if "refused" in name:
            return [reply(packet, rcode=REFUSED)]
        if "wrongid" in name:
            return [reply(packet, [record(name, A, b"\x7f\0\0\2")],
                          id_add=1)]
        if "otherask" in name:
            other = labels("other.example") + struct.pack(">HH", kind, 1)
            return [reply(packet, [record("other.example", A,
                                          b"\x7f\0\0\2")], ask=other)]
        if "garbage" in name:
            return [packet[:2] + b"\x81\x80" + b"\xff" * 200]
        if "short" in name:
            return [reply(packet, [record(name, A, b"\x7f\0\0\2")])[:-3]]
        if "loop" in name:
            return [reply(packet, [record(name, 5, labels(name))])]
        if "chain" in name:         # a CNAME to the next of endless names
            head, _, rest = name.partition(".")
            number = int(head.strip("abcdefghijklmnopqrstuvwxyz") or 0)
            return [reply(packet, [record(name, 5, labels(
                f"chain{number + 1}.{rest}"))])]
        if ("trunc" in name or "tcp-cut" in name) and not tcp:
            return [reply(packet, flags=0x8380)]
        if "everything" in name and kind == A:
            return [reply(packet, [record(name, A, b"\x7f\xff\xff\xfe")])]
        if "huge" in name or "trunc" in name:
            if kind == A:
                many = [record(name, A, b"\x7f\0\0" + bytes([2 + i % 9]))
                        for i in range(1000 if tcp else 1)]
                return [reply(packet, many if tcp else [],
                              flags=0x8180 if tcp else 0x8380)]
            if kind == TXT:
                text = (b"\xff" + b"<\r\n\0\x1b[31m>" * 20)[:256]
                text = bytes([255]) + text[1:].ljust(255, b"x")
                return [reply(packet, [record(name, TXT, text * 60)] * 3
                              if tcp else [],
                              flags=0x8180 if tcp else 0x8380)]
        if "good" in name and kind == A:
            return [reply(packet, [record(name, A, b"\xc0\0\2\1")])]
        return [reply(packet, rcode=NXDOMAIN)]

    def close(self):
        self.udp.close()
        self.tcp.close()


@pytest.fixture(scope="module")
def server(cluster):
    dns = Hostile()
    made = Instance(cluster, settings={
        "dns_resolver": f"127.0.0.1@{dns.port}",
        # the lists must be asked, lie as they may
        "dnsbl_self_test_interval": "0",
        "dns_timeout": "2s", "dns_trust_anchor_file": "",
        "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0",
        "unknown_address_reject_code": "550",
        "unknown_hostname_reject_code": "550",
        "smtpd_helo_restrictions": "reject_unknown_helo_hostname",
        "smtpd_sender_restrictions": "reject_unknown_sender_domain",
        "smtpd_recipient_restrictions": "reject_rbl_client "
        "everything.example, reject_rbl_client silent-list.example, "
        "reject_rhsbl_helo list.example, permit",
    })
    made.start()
    made.add_domain("a.example")
    made.add_mailbox("kim@a.example")
    yield made
    made.check_log()
    made.destroy()
    dns.close()


def ask(server, helo="good.example", sender="x@good.example"):
    with server.smtp() as wire:
        wire.expect(f"EHLO {helo}", 250)
        wire.expect(f"MAIL FROM:<{sender}>", 250)
        return wire.cmd("RCPT TO:<kim@a.example>")  # or 30 s pass


def found_out(server, **names):
    """The answer of one who comes again: a machine too busy to answer within
    dns_timeout is a silent one."""
    return until(lambda: (said := ask(server, **names)).code != 450 and said,
                 "an answer")


def test_good_names_pass_although_lists_lie_or_are_silent(server):
    assert found_out(server).code == 250


def test_names_that_do_not_exist_are_refused(server):
    said = found_out(server, sender="x@nothere.example")
    assert said.code == 550 and "5.1.8" in said.texts[0]


UNKNOWN = ["silent", "servfail", "refused", "wrongid", "otherask", "garbage",
           "short", "loop", "chain0", "tcp-cut"]


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_not_found_out_is_told_to_come_again(server, what):
    said = ask(server, sender=f"x@{what}.example")
    assert said.code == 450 and "4.1.8" in said.texts[0]
    assert found_out(server).code == 250, "the next client suffers"


@pytest.mark.parametrize("what", ["silent", "servfail", "loop", "garbage"])
def test_helo_names_likewise(server, what):
    said = ask(server, helo=f"{what}.example")
    assert said.code == 450 and "4.7.1" in said.texts[0]


def test_a_list_whose_answer_is_huge_makes_one_clean_line(server):
    # huge.example.list.example: a thousand addresses, kilobytes of text
    said = until(lambda: (said := ask(server, helo="huge.example")).code ==
                 554 and said, "an answer")
    assert len(said.texts) == 1
    assert len(said.texts[0]) < 512
    assert not any(ord(c) < 32 or ord(c) == 127 for c in said.texts[0])
    assert found_out(server).code == 250


def test_many_who_wait_for_silence_do_not_hold_up_others(server):
    waiting = []
    for i in range(100):
        wire = server.smtp()
        wire.expect("EHLO good.example", 250)
        wire.expect(f"MAIL FROM:<x@silent{i}.example>", 250)
        wire.send(b"RCPT TO:<kim@a.example>\r\n")
        waiting.append(wire)
    assert found_out(server).code == 250
    for wire in waiting:
        assert wire.reply().code == 450
        wire.close()
