"""Overload and slow clients: strangers wait less, the others notice nothing."""
import base64
import json
import pathlib
import socket
import time

import pytest

from tests.harness.wait import until
from tests.harness.wire import Closed

STRANGER = "127.0.0.2"
NEIGHBOUR = "127.0.0.9"         # in mynetworks
LIMIT = 20


@pytest.fixture
def small(fresh_postern):
    """One worker with room for few sessions."""
    def make(**settings):
        made = fresh_postern(settings={
            "smtpd_workers": "1", "mynetworks": NEIGHBOUR,
            "smtpd_client_connection_limit": str(LIMIT),
            "smtpd_error_sleep_time": "0", "smtpd_peername_lookup": "no",
            **settings})
        made.add_domain("stress.example")
        made.add_mailbox("kim@stress.example", "secret")
        return made
    return make


def worker(server):
    rows = json.loads(server.postern("--json", "status").stdout)
    return [row for row in rows if row["process"] == "smtpd/0"][0]


def login(server):
    wire = server.smtp(service="submissions", source=STRANGER)
    secret = base64.b64encode(b"\0kim@stress.example\0secret").decode()
    wire.expect(f"AUTH PLAIN {secret}", 235)
    return wire


def strangers(server, count):
    return [server.smtp(source=STRANGER) for _ in range(count)]


def close_all(wires):
    for wire in wires:
        wire.close()


def sends(wire):
    wire.envelope("kim@stress.example", "kim@stress.example")
    assert wire.data(b"x: y\r\n\r\nz").code == 250


def test_idle_strangers_make_room(small):
    server = small(smtpd_stress_timeout="1h")
    mark = server.log_mark()
    user = login(server)
    neighbour = server.smtp(source=NEIGHBOUR)
    idle = strangers(server, LIMIT - 2)
    server.wait_for_log("warning: stress begins: 18 of 20 sessions", mark)
    assert worker(server)["stress"] is True
    time.sleep(1.1)             # one second of silence is no idleness

    # whoever comes now takes the place of the one that was idle longest
    newcomers = strangers(server, 3)
    for wire in idle[:3]:
        assert str(wire.reply()) == (
            "421 4.3.2 Server is overloaded, try again later")
        assert wire.at_end()
    newcomers.append(login(server))
    assert idle[3].reply().code == 421
    for wire in idle[4:] + newcomers[:3]:
        wire.expect("NOOP", 250)
    assert worker(server)["shed"] == 4

    # who is known notices nothing
    for wire in (user, neighbour, newcomers[3]):
        sends(wire)
    server.wait_for_messages("kim@stress.example", 3)

    # and it ends, with a margin: 20 - 7 = 13 sessions are not yet 70 %
    for wire in idle[4:10]:
        wire.close()
    until(lambda: worker(server)["sessions"] == 14, "those closed")
    assert not server.log_lines("stress is over", mark) or \
        worker(server)["stress"] is False
    close_all(idle[10:] + newcomers)
    server.wait_for_log("stress is over", mark)
    assert worker(server)["stress"] is False
    assert len(server.log_lines("stress begins", mark)) == 1
    close_all([user, neighbour])


def test_a_server_full_of_users_says_so(small):
    server = small(smtpd_client_connection_limit="3")
    users = [login(server) for _ in range(3)]
    mark = server.log_mark()
    with server.smtp(helo=None, source=STRANGER) as wire:
        assert str(wire.reply()) == "421 4.3.2 All server ports are busy"
        assert wire.at_end()
    server.wait_for_log("too many sessions: refusing", mark)
    # nothing in the clear where TLS comes first
    with pytest.raises(OSError):
        server.smtp(service="submissions", helo=None, source=STRANGER)
    for wire in users:
        sends(wire)
    close_all(users)


def test_strangers_may_make_fewer_errors(small):
    server = small(smtpd_stress_timeout="1h")
    user = login(server)
    idle = strangers(server, 13)
    idle[0].expect("FOO", 500)          # no stress yet: one error is one
    idle[0].expect("NOOP", 250)
    mark = server.log_mark()
    crowd = strangers(server, 4)
    server.wait_for_log("stress begins", mark)
    reply = crowd[0].cmd("FOO")
    assert reply.code == 500
    assert crowd[0].reply().enhanced == "4.7.0"     # too many errors
    crowd[1].expect("NOOP", 250)
    crowd[1].expect("NOOP", 250)        # the EHLO before was one, too
    assert crowd[1].reply().enhanced == "4.7.0"
    user.expect("FOO", 500)
    user.expect("NOOP", 250)
    close_all([user, *idle, *crowd])


def test_strangers_get_less_time(small):
    server = small(smtpd_stress_timeout="2s", smtpd_timeout="300s")
    user = login(server)
    mark = server.log_mark()
    idle = strangers(server, 16)
    # the last one of calm times: who comes now may be out of time at once
    crowd = [server.smtp(source=STRANGER, helo=None) for _ in range(2)]
    server.wait_for_log("stress begins", mark)
    for wire in crowd:
        assert wire.reply().code == 220

    # all strangers are out of time, those that came before included
    for wire in idle + crowd:
        reply = wire.reply()
        assert (reply.code, reply.enhanced) == (421, "4.4.2")
        assert wire.at_end()
    server.wait_for_log("timeout after EHLO", mark)
    server.wait_for_log("stress is over", mark)
    sends(user)
    user.close()


# --- slow clients


def data_begun(server):
    """Until it has begun: a machine that stands still is a slow client."""
    def begun():
        wire = server.smtp(source=STRANGER)
        try:
            wire.envelope("a@b.example", "kim@stress.example")
            wire.expect("DATA", 354)
            wire.send("Subject: slow\r\n\r\n")
            return wire
        except (AssertionError, OSError, Closed):
            return None
    return until(begun, "a text to begin")


def is_taken(server, piece):
    """A text of such pieces, ten a second for longer than smtpd_timeout."""
    with data_begun(server) as wire:
        if not trickle(wire, piece, 0.1, 5):
            return False
        wire.send(".\r\n")
        return wire.reply().code == 250


def trickle(wire, piece, pause, seconds):
    """Sends a piece now and then; False when the server had enough of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            wire.send(piece)
        except OSError:
            return False
        if not wire.silent(pause):
            return False
    return True


def test_a_text_has_a_minimum_speed(small):
    server = small(smtpd_per_request_deadline="yes", smtpd_timeout="2s",
                   smtpd_min_data_rate="1000")
    mark = server.log_mark()
    with data_begun(server) as wire:
        assert not trickle(wire, "x\r\n", 0.1, 60)      # 30 bytes a second
        assert wire.reply().enhanced == "4.4.2"
    server.wait_for_log("timeout after DATA", mark)
    until(lambda: is_taken(server, "x" * 398 + "\r\n"), "4000 to be enough",
          60)
    server.wait_for_messages("kim@stress.example", 1)


def test_without_stress_slow_is_not_too_slow(small):
    server = small(smtpd_timeout="2s")      # the default: under stress only
    until(lambda: is_taken(server, "x\r\n"), "30 bytes to be enough", 60)


def test_a_line_has_one_deadline(small):
    server = small(smtpd_timeout="2s")
    with server.smtp(source=STRANGER, helo=None) as wire:
        assert wire.reply().code == 220
        assert not trickle(wire, "x", 0.1, 60)
        assert wire.reply().enhanced == "4.4.2"


def test_a_client_that_does_not_read_is_not_waited_for(small):
    server = small(smtpd_timeout="5s", smtpd_junk_command_limit="100000")
    mark = server.log_mark()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind((STRANGER, 0))
        sock.connect(server.address("mx"))
        sock.settimeout(30)
        assert sock.recv(10).startswith(b"220 ")
        sock.settimeout(0.2)
        sent = 0

        def had_enough():
            nonlocal sent
            try:
                while sent < 64 << 20:
                    sent += sock.send(b"NOOP\r\n" * 1000)
            except TimeoutError:            # it takes no more now
                return False
            except OSError:
                return True
            raise AssertionError("it takes all")
        until(had_enough, "the end")
        server.wait_for_log("timeout after NOOP from", mark)
    until(lambda: worker(server)["sessions"] == 0, "its end")


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def slow_texts(server, count):
    """60 KiB of text each, and half a line more. Not all at once: what a
    worker that stood still finds waiting takes memory for a moment."""
    wires = [data_begun(server) for _ in range(count)]
    for i, wire in enumerate(wires, 1):
        wire.send((b"x" * 70 + b"\r\n") * 850 + b"half")
        # in files, but for what smtpd_body_memory_limit lets and a little
        if i % 25 == 0:
            until(lambda: worker(server)["body_memory"] <
                  (1 << 20) + count * 8192, "texts in files")
    return wires


def test_many_slow_texts_cost_bounded_memory(small):
    server = small(smtpd_client_connection_limit="1000",
                   smtpd_body_memory_limit="1m")
    pid = server.pids("smtpd")[0]
    if server.keeps_freed_memory():
        pytest.skip("the sanitizer keeps freed memory")
    slow = slow_texts(server, 150)          # the heap has its working size
    before = resident(pid)
    slow += slow_texts(server, 300)
    assert resident(pid) - before < 300 * 32768
    server.send("a@b.example", "kim@stress.example")
    server.wait_for_messages("kim@stress.example", 1)
    slow[7].send("\r\n.\r\n")           # and none of them is lost
    assert slow[7].reply().code == 250
    close_all(slow)
    server.wait_for_messages("kim@stress.example", 2)


def test_a_slow_client_of_a_full_server_is_closed_not_waited_for(small):
    """Between the 421 and its end a shed client holds no place."""
    server = small(smtpd_stress_timeout="1h")
    idle = strangers(server, LIMIT)
    time.sleep(1.1)
    for _ in range(3):
        with server.smtp(source=STRANGER) as wire:
            wire.expect("NOOP", 250)
    with pytest.raises(Closed):
        while True:
            idle[0].reply()
    close_all(idle)
