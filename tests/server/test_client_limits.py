"""What one client may do is counted for all smtpd processes together."""
import os
import signal
import time

import pytest

from tests.harness.wait import until
from tests.harness.wire import Closed

CLIENT = "127.0.0.2"        # most of what comes from here
OTHER = "127.0.0.3"


@pytest.fixture
def limited(fresh_postern):
    """Two workers, and the settings that a test asks for."""
    def make(**settings):
        made = fresh_postern(settings={
            "smtpd_workers": "2", "smtpd_error_sleep_time": "0",
            "smtpd_hard_error_limit": "100", "smtpd_peername_lookup": "no",
            **settings})
        made.add_domain("limits.example")
        made.add_mailbox("kim@limits.example", "secret")
        return made
    return make


def spread(server, count, source=CLIENT):
    """Sessions of one client until both workers have some; at least so many.
    All are greeted."""
    wires = []

    def both():
        return len(wires) >= count and \
            min(row["sessions"] for row in server.status("smtpd")) > 0

    while not both():
        assert len(wires) < 200, "one worker takes all"
        wires.append(server.smtp(source=source))
    return wires


def close_all(wires):
    for wire in wires:
        wire.close()


def test_connections_are_counted_over_all_workers(limited):
    server = limited(smtpd_client_connection_count_limit="200")
    wires = spread(server, 3)
    try:
        limit = len(wires)
        server.set("smtpd_client_connection_count_limit", str(limit))
        server.postern("reload")
        mark = server.log_mark()
        with server.smtp(helo=None, source=CLIENT) as wire:
            assert str(wire.reply()) == (
                "421 4.7.0 mx.test.example Error: too many connections from "
                f"{CLIENT}")
        line = server.wait_for_log("limit exceeded", mark)
        assert line.endswith(
            f"warning: Connection concurrency limit exceeded: {limit + 1} "
            f"from unknown[{CLIENT}] for service mx")
        # another address, and another service, have counts of their own
        with server.smtp(source=OTHER) as wire:
            wire.expect("NOOP", 250)
        with server.smtp(service="submission", source=CLIENT) as wire:
            wire.expect("NOOP", 250)
        # one that ends makes room
        wires.pop().close()

        def admitted():
            with server.smtp(helo=None, source=CLIENT) as wire:
                return wire.reply().code == 220
        until(admitted, "room for another session")
    finally:
        close_all(wires)
    until(lambda: server.status("gatekeeper")[0]["connections"] == 0,
          "the end of all connections")


def test_a_dead_worker_holds_no_connections(limited):
    server = limited(smtpd_client_connection_count_limit="200")
    wires = spread(server, 4)
    try:
        until(lambda: server.status("gatekeeper")[0]["connections"] ==
              len(wires), "all connections counted")
        held = server.status("smtpd")[0]
        os.kill(held["pid"], signal.SIGKILL)
        until(lambda: server.status("gatekeeper")[0]["connections"] ==
              len(wires) - held["sessions"], "the dead one's release")
        until(lambda: server.status("gatekeeper")[0]["workers"] == 2,
              "its successor")
    finally:
        close_all(wires)


def test_a_new_gatekeeper_learns_of_what_there_is(limited):
    server = limited(smtpd_client_connection_count_limit="200")
    wires = spread(server, 4)
    try:
        limit = len(wires)
        server.set("smtpd_client_connection_count_limit", str(limit))
        server.postern("reload")
        mark = server.log_mark()
        old = server.kill("gatekeeper")
        # nobody waits for it, and no mail is lost meanwhile
        queue_id = server.send("a@b.example", "kim@limits.example")
        assert queue_id
        wires[0].envelope("a@b.example", "kim@limits.example")
        assert wires[0].data(b"x: y\r\n\r\nz").code == 250
        server.wait_for_log("lost gatekeeper", mark)
        until(lambda: server.pids("gatekeeper") not in ([], [old]),
              "a new gatekeeper")
        until(lambda: server.status("gatekeeper")[0].get("connections") ==
              limit, "the connections there were")
        with server.smtp(helo=None, source=CLIENT) as wire:
            assert wire.reply().code == 421
        server.wait_for_messages("kim@limits.example", 2)
    finally:
        close_all(wires)


def test_a_gatekeeper_that_hangs_holds_nobody_up(limited):
    server = limited(smtpd_client_message_rate_limit="5",
                     anvil_rate_time_unit="1h", gatekeeper_timeout="250ms")
    pid = server.pids("gatekeeper")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        with server.smtp(source=CLIENT) as wire:
            for _ in range(5):
                wire.envelope("a@b.example", "kim@limits.example")
                assert wire.data(b"x: y\r\n\r\nz").code == 250
            # this worker's own count holds
            wire.expect("MAIL FROM:<a@b.example>", 450)
    finally:
        os.kill(pid, signal.SIGCONT)
    server.wait_for_messages("kim@limits.example", 5)


def test_rates_are_counted_over_all_workers(limited):
    server = limited(smtpd_client_message_rate_limit="10",
                     smtpd_client_recipient_rate_limit="12",
                     anvil_rate_time_unit="1h")
    wires = spread(server, 2)
    try:
        mark = server.log_mark()
        for i in range(10):
            wire = wires[i % len(wires)]
            wire.expect("MAIL FROM:<a@b.example>", 250)
            wire.expect("RSET", 250)
        for wire in wires:
            reply = wire.cmd("MAIL FROM:<a@b.example>")
            assert str(reply) == (
                f"450 4.7.1 Error: too much mail from {CLIENT}")
        assert server.wait_for_log("rate limit", mark).endswith(
            "warning: Message delivery request rate limit exceeded: 11 from "
            f"unknown[{CLIENT}] for service mx")
    finally:
        close_all(wires)

    # recipients, of which a refused one counts as well
    wires = spread(server, 2, source=OTHER)
    try:
        mark = server.log_mark()
        for wire in wires[:2]:
            wire.expect("MAIL FROM:<a@b.example>", 250)
        for i in range(12):
            wires[i % 2].expect(
                "RCPT TO:<%s@limits.example>" % ("kim" if i < 6 else "nn"),
                250 if i < 6 else 550)
        for wire in wires[:2]:
            reply = wire.cmd("RCPT TO:<kim@limits.example>")
            assert str(reply) == (
                f"450 4.7.1 Error: too many recipients from {OTHER}")
        assert server.wait_for_log("rate limit", mark).endswith(
            "warning: Recipient address rate limit exceeded: 13 from "
            f"unknown[{OTHER}] for service mx")
        # the transaction stands: what was accepted is delivered
        assert wires[0].data(b"x: y\r\n\r\nz").code == 250
    finally:
        close_all(wires)
    server.wait_for_messages("kim@limits.example", 1)


def test_connections_per_time_are_limited(limited):
    server = limited(smtpd_client_connection_rate_limit="3",
                     anvil_rate_time_unit="1h")
    mark = server.log_mark()
    for _ in range(3):
        with server.smtp(source=CLIENT) as wire:
            wire.expect("QUIT", 221)
    with server.smtp(helo=None, source=CLIENT) as wire:
        assert str(wire.reply()) == (
            "421 4.7.0 mx.test.example Error: too many connections from "
            f"{CLIENT}")
        assert wire.at_end()
    assert server.wait_for_log("rate limit", mark).endswith(
        "warning: Connection rate limit exceeded: 4 from "
        f"unknown[{CLIENT}] for service mx")

    # the next time unit begins anew
    server.set("anvil_rate_time_unit", "1s")
    server.postern("reload")

    def admitted():
        time.sleep(0.3)
        with server.smtp(helo=None, source=CLIENT) as wire:
            return wire.reply().code == 220
    until(admitted, "the next time unit")


def test_tls_handshakes_are_limited(limited):
    server = limited(smtpd_client_new_tls_session_rate_limit="2",
                     anvil_rate_time_unit="1h")

    def starttls():
        wire = server.smtp(source=CLIENT)
        reply = wire.cmd("STARTTLS")
        if reply.code == 220:
            wire.wrap()
        return wire, reply

    for _ in range(2):
        wire, reply = starttls()
        wire.expect("EHLO x.example", 250)
        wire.close()
    mark = server.log_mark()
    # one handshake too many is told behind it, the next not even begun
    wire, reply = starttls()
    assert str(wire.reply()) == (
        "421 4.7.0 mx.test.example Error: too many new TLS sessions from "
        f"unknown[{CLIENT}]")
    assert wire.at_end()
    wire.close()
    assert server.wait_for_log("rate limit", mark).endswith(
        "warning: New TLS session rate limit exceeded: 3 from "
        f"unknown[{CLIENT}] for service mx")
    wire, reply = starttls()
    assert str(reply) == ("454 4.7.0 Error: too many new TLS sessions from "
                          f"unknown[{CLIENT}]")
    wire.expect("NOOP", 250)
    wire.close()
    server.wait_for_log("Refusing STARTTLS request from "
                        r"unknown\[127.0.0.2\] for service mx", mark)
    # handshakes that fail cost us as much
    def fails():
        with server.smtp(source=OTHER) as wire:
            code = wire.cmd("STARTTLS").code
            if code == 220:
                wire.send("no handshake at all\r\n")
                with pytest.raises(Closed):
                    while True:
                        wire.read(1)
            return code
    assert [fails() for _ in range(3)] == [220, 220, 220]
    # told to gatekeeper behind the end of the connection
    until(lambda: fails() == 454, "the limit")
    # TLS from the first byte: a service, and so a count, of its own
    for code in (220, 220, 421):
        with server.smtp(service="submissions", helo=None,
                         source=CLIENT) as wire:
            assert wire.reply().code == code
    with pytest.raises(OSError):        # no handshake, nothing in the clear
        server.smtp(service="submissions", helo=None, source=CLIENT)
    server.wait_for_log("Refusing TLS service request from "
                        r"unknown\[127.0.0.2\] for service submissions",
                        mark)


def test_auth_commands_are_limited(limited):
    server = limited(smtpd_client_auth_rate_limit="2",
                     anvil_rate_time_unit="1h")
    mark = server.log_mark()
    for n in range(3):
        with server.smtp(service="submissions", source=CLIENT) as wire:
            reply = wire.cmd("AUTH PLAIN AGtpbQB3cm9uZw==")
            if n < 2:
                assert reply.code == 535
                continue
            assert str(reply) == ("450 4.7.1 Error: too many AUTH commands "
                                  f"from {CLIENT}")
    assert server.wait_for_log("rate limit", mark).endswith(
        "warning: AUTH command rate limit exceeded: 3 from "
        f"unknown[{CLIENT}] for service submissions")


def test_networks_count_as_one_client(limited):
    server = limited(smtpd_client_message_rate_limit="2",
                     anvil_rate_time_unit="1h",
                     smtpd_client_ipv4_prefix_length="31")
    codes = []
    # 127.0.0.2 and .3 are one /31, .4 is not
    for source in (CLIENT, OTHER, CLIENT, OTHER, "127.0.0.4"):
        with server.smtp(source=source) as wire:
            codes.append(wire.cmd("MAIL FROM:<a@b.example>").code)
    assert codes == [250, 250, 450, 450, 250]


def test_exceptions_are_not_counted(limited):
    server = limited(
        smtpd_client_message_rate_limit="1", anvil_rate_time_unit="1h",
        smtpd_client_connection_count_limit="2",
        smtpd_client_event_limit_exceptions="!127.0.0.4, 127.0.0.4/30, "
        "inline:{ 127.0.0.3 = friend }")
    for source, free in ((CLIENT, False), (OTHER, True), ("127.0.0.5", True),
                         ("127.0.0.4", False)):
        wires = [server.smtp(source=source) for _ in range(2)]
        with server.smtp(helo=None, source=source) as wire:
            assert wire.reply().code == (220 if free else 421)
        codes = [wire.cmd("MAIL FROM:<a@b.example>").code for wire in wires]
        assert codes == [250, 250 if free else 450]
        close_all(wires)


def test_mynetworks_are_not_counted(limited):
    server = limited(smtpd_client_connection_count_limit="1",
                     mynetworks="127.0.0.2")
    wires = [server.smtp(source=CLIENT) for _ in range(3)]
    for wire in wires:
        wire.expect("NOOP", 250)
    close_all(wires)
    with server.smtp(source=OTHER):
        with server.smtp(helo=None, source=OTHER) as wire:
            assert wire.reply().code == 421


def test_gatekeeper_reports_the_highest_figures(limited):
    server = limited(anvil_status_update_time="1s")
    mark = server.log_mark()
    wires = [server.smtp(source=CLIENT) for _ in range(3)]
    server.wait_for_log("statistics: max connection count 3 for "
                        r"\(mx:127.0.0.2\) at ", mark)
    server.wait_for_log(r"gatekeeper\[\d+\]: statistics: max connection rate "
                        r"3/60s for \(mx:127.0.0.2\) at ", mark)
    close_all(wires)


def test_a_wrong_list_of_exceptions_is_named(fresh_postern):
    server = fresh_postern(start=False)
    server.set("smtpd_client_event_limit_exceptions", "127.0.0.0/8 mx;")
    done = server.postern("config", "check", check=False)
    assert done.returncode != 0
    assert "smtpd_client_event_limit_exceptions: \"mx;\" is no network" in \
        done.stdout + done.stderr


def test_a_peer_that_speaks_for_others_is_none_of_them(limited):
    """XCLIENT: counted is who the client is said to be, not the peer."""
    server = limited(smtpd_client_connection_count_limit="2",
                     smtpd_client_message_rate_limit="1",
                     anvil_rate_time_unit="1h",
                     smtpd_authorized_xclient_hosts=CLIENT)
    wires = [server.smtp(source=CLIENT) for _ in range(4)]
    for _ in range(3):
        wires[0].expect("MAIL FROM:<a@b.example>", 250)
        wires[0].expect("RSET", 250)
    for wire in wires[:2]:
        wire.expect("XCLIENT ADDR=198.51.100.7 NAME=[UNAVAILABLE]", 220)
    assert str(wires[2].cmd("XCLIENT ADDR=198.51.100.7 "
                            "NAME=[UNAVAILABLE]")) == (
        "421 4.7.0 mx.test.example Error: too many connections from "
        "198.51.100.7")
    wires[3].expect("XCLIENT ADDR=198.51.100.8 NAME=[UNAVAILABLE]", 220)
    # and its rates are its own, whichever session it is in
    wires[0].expect("HELO x.example", 250)
    wires[1].expect("HELO x.example", 250)
    wires[0].expect("MAIL FROM:<a@b.example>", 250)
    wires[1].expect("MAIL FROM:<a@b.example>", 450)
    close_all(wires)
    until(lambda: server.status("gatekeeper")[0]["connections"] == 0,
          "the end of all connections")
