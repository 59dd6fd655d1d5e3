"""PROXY headers (v1 and v2): believed from listed proxies, from nobody else
(S34)."""
import socket
import struct
import time

import pytest

from tests.harness.wire import Closed, SmtpWire

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
OUT = "victim@outside.example"


def v2(source, target, ports=(40000, 25), command=0x21, tlvs=b""):
    body = socket.inet_aton(source) + socket.inet_aton(target) + \
        struct.pack("!HH", *ports) + tlvs
    return SIGNATURE + bytes([command, 0x11]) + \
        struct.pack("!H", len(body)) + body


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sealed(source, target):
    """v2 with the checksum TLV, as HAProxy writes it."""
    blank = v2(source, target, tlvs=b"\x03\0\x04\0\0\0\0")
    return blank[:-4] + struct.pack("!I", crc32c(blank))


@pytest.fixture
def proxied(fresh_postern):
    """Both the MX and submissions stand behind a proxy on the loopback."""
    server = fresh_postern(start=False)
    for section in ("service mx", "service submissions"):
        server.set("smtpd_upstream_proxy_protocol", "haproxy", section)
        server.set("smtpd_upstream_proxy_hosts", "127.0.0.1", section)
    server.set("smtpd_upstream_proxy_timeout", "60s")
    server.set("mynetworks", "198.51.100.0/24")
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    return server


HEADERS = [
    b"PROXY TCP4 192.0.2.77 198.51.100.2 40000 25\r\n",
    v2("192.0.2.77", "198.51.100.2"),
    v2("192.0.2.77", "198.51.100.2", tlvs=b"\x02\0\x04host"),
    sealed("192.0.2.77", "198.51.100.2"),
]


def greeted(server, header, service="mx"):
    wire = SmtpWire(server.address(service))
    wire.send(header)
    wire.greeted()
    return wire


def relays(wire):
    wire.expect("MAIL FROM:<anna@sender.example>", 250)
    return wire.cmd(f"RCPT TO:<{OUT}>").code == 250


@pytest.mark.parametrize("header", HEADERS, ids=["v1", "v2", "tlv", "crc"])
def test_the_client_is_who_the_header_says(proxied, header):
    mark = proxied.log_mark()
    with greeted(proxied, header) as wire:
        assert not relays(wire)         # 192.0.2.77 is no network of ours
        wire.expect("RCPT TO:<kim@a.example>", 250)
        assert wire.data(b"Subject: x\r\n\r\nHello.").code == 250
    text = proxied.wait_for_messages("kim@a.example", 1)[0].read_text()
    assert "(unknown [192.0.2.77])" in text
    proxied.wait_for_log(r"connect from unknown\[192.0.2.77\]", mark)


def test_an_ipv6_client(proxied):
    with greeted(proxied, b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 25\r\n") \
            as wire:
        wire.envelope("anna@sender.example", "kim@a.example")
        assert wire.data(b"Subject: x\r\n\r\nHello.").code == 250
    text = proxied.wait_for_messages("kim@a.example", 1)[0].read_text()
    assert "[IPv6:2001:db8::7]" in text


def test_a_header_in_single_bytes(proxied):
    with SmtpWire(proxied.address("mx")) as wire:
        for byte in HEADERS[0]:
            wire.send(bytes([byte]))
            time.sleep(0.001)
        wire.greeted()
        assert not relays(wire)


def test_the_check_of_the_proxy_itself_is_local(proxied):
    mark = proxied.log_mark()
    with greeted(proxied, SIGNATURE + b"\x20\0\0\0"):
        proxied.wait_for_log(r"connect from \S+\[127.0.0.1\]", mark)


@pytest.mark.parametrize("header", [
    b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 25\r\n",
    SIGNATURE + b"\x21\0\0\0"], ids=["v1", "v1 with more", "v2"])
def test_an_unknown_client_is_not_the_proxy(proxied, header):
    mark = proxied.log_mark()
    with greeted(proxied, header) as wire:
        assert not relays(wire)
    proxied.wait_for_log(r"connect from unknown\[unknown\]", mark)


def test_a_client_may_what_its_own_address_may(proxied):
    with greeted(proxied, v2("198.51.100.9", "198.51.100.2")) as wire:
        assert relays(wire)


BAD = [b"EHLO client.example\r\n", b"PROXY TCP4 a b c d\r\n",
       b"PROXY TCP4 192.0.2.77 198.51.100.2 40000 25\n",
       b"PROXY TCP5 192.0.2.77 198.51.100.2 40000 25\r\n",
       b"PROXY " + b"x" * 200, SIGNATURE + b"\x51\x11\0\0",
       v2("192.0.2.77", "198.51.100.2", tlvs=b"\x03\0\x04\0\0\0\0"),
       SIGNATURE + b"\x21\x11\xff\xff" + b"x" * 9000, b"\0" * 50]


@pytest.mark.parametrize("header", BAD)
def test_what_is_no_header_ends_the_connection(proxied, header):
    mark = proxied.log_mark()
    with SmtpWire(proxied.address("mx")) as wire:
        wire.send(header)
        assert wire.at_end()
    proxied.wait_for_log(r"proxy protocol: unknown\[127.0.0.1\]: no valid "
                         "header", mark)


def test_silence_ends_it_too(proxied):
    proxied.set("smtpd_upstream_proxy_timeout", "1s")
    proxied.restart()
    mark = proxied.log_mark()
    with SmtpWire(proxied.address("mx")) as wire:
        assert wire.at_end()
    proxied.wait_for_log("no header in time", mark)


def test_a_second_header_is_a_command_nobody_knows(proxied):
    with greeted(proxied, HEADERS[0]) as wire:
        wire.expect(HEADERS[0][:-2].replace(b"192.0.2.77",
                                            b"198.51.100.9"), 500)
        assert not relays(wire)


def test_a_client_behind_the_proxy_may_not_talk_first(proxied):
    """What the header is followed by is the client's, and judged so."""
    with SmtpWire(proxied.address("mx")) as wire:
        wire.send(HEADERS[0] + b"EHLO early.example\r\n")
        assert wire.reply().code == 554
        assert wire.at_end()


@pytest.mark.parametrize("header", HEADERS[:2], ids=["v1", "v2"])
def test_tls_from_the_first_byte_behind_the_header(proxied, header):
    """A proxy sends its header and the client's first bytes in one packet."""
    with SmtpWire(proxied.address("submissions")) as wire:
        wire.send(header)
        wire.wrap()
        wire.greeted()
        assert "AUTH" in str(wire.cmd("EHLO client.example"))


def test_an_unlisted_peer_is_not_listened_to(fresh_postern):
    server = fresh_postern(start=False)
    server.set("smtpd_upstream_proxy_hosts", "203.0.113.1", "service mx")
    server.set("smtpd_upstream_proxy_protocol", "haproxy", "service mx")
    server.set("mynetworks", "192.0.2.0/24")
    server.start()
    mark = server.log_mark()
    for header in HEADERS:
        with SmtpWire(server.address("mx")) as wire:
            try:
                wire.send(header)
                assert wire.at_end()
            except (Closed, OSError):
                pass
    server.wait_for_log("refused: not in smtpd_upstream_proxy_hosts", mark)


def test_a_listener_without_a_proxy_takes_no_header(fresh_postern):
    server = fresh_postern(start=False)
    server.set("mynetworks", "192.0.2.0/24")
    server.set("smtpd_upstream_proxy_hosts", "127.0.0.1")
    server.start()
    for header in HEADERS[:2]:
        with server.smtp(helo=None) as wire:
            assert wire.reply().code == 220
            wire.send(header + b"EHLO x.example\r\n"
                      b"MAIL FROM:<a@b.example>\r\n"
                      b"RCPT TO:<" + OUT.encode() + b">\r\nQUIT\r\n")
            said = []
            try:
                while True:
                    said.append(wire.reply())
            except (Closed, OSError):
                pass
            assert not any("2.1.5" in str(reply) for reply in said), said


def test_limits_count_clients_not_the_proxy(proxied):
    proxied.set("smtpd_client_connection_count_limit", "1")
    proxied.set("mynetworks", "203.0.113.0/24")
    proxied.set("smtpd_workers", "1")
    proxied.restart()
    lines = [b"PROXY TCP4 192.0.2.%d 198.51.100.2 4000 25\r\n" % n
             for n in (1, 2)]
    with greeted(proxied, lines[0]), greeted(proxied, lines[1]):
        with SmtpWire(proxied.address("mx")) as wire:
            wire.send(lines[0])
            assert wire.reply().code == 421
