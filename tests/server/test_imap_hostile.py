"""S4, S5, S7, S8: what a hostile IMAP client may cost, and whom."""
import contextlib
import random
import socket

import pytest

from tests.harness.wait import until
from tests.harness.wire import PATIENCE, Closed, ImapWire

# What one unauthenticated session may make imapd grow by, at most: 8 KiB of
# command, what the framer's doubling wastes, the session and its socket.
PER_SESSION_KIB = 40


def memory_kib(instance):
    total = 0
    for pid in instance.pids("imapd"):
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            total += sum(int(line.split()[1]) for line in lines
                         if line.startswith("Private_Dirty"))
    return total


def test_hostile_sessions_before_login_cost_a_stated_constant(fresh_postern):
    instance = fresh_postern()
    instance.add_domain("cost.example")
    instance.add_mailbox("kim@cost.example", "secret")
    with instance.imap("kim@cost.example", "secret") as wire:
        wire.ok("NOOP")
    shapes = [b"a LOGIN {8000}\r\n" + b"x" * 7900,
              b"a LOGIN {8000+}\r\n" + b"x" * 7900,
              b"a ID (" + b"(" * 7000,
              b"a ID (" + b"x " * 4000,
              b"a LOGIN \"" + b"\\\"" * 3900,
              b"x" * 8000]
    count = 200
    before = memory_kib(instance)
    with contextlib.ExitStack() as stack:
        wires = []
        for number in range(count):
            wire = stack.enter_context(ImapWire(instance.address("imap")))
            wire.line()
            wire.send(shapes[number % len(shapes)])
            wires.append(wire)
        with instance.imap("kim@cost.example", "secret") as wire:
            wire.ok("SELECT INBOX")
        grown = memory_kib(instance) - before
        assert grown < count * PER_SESSION_KIB, f"{grown} KiB"


@pytest.mark.parametrize("line", [
    b"a " + b"(" * 200, b"a ID " + b"(" * 41 + b")" * 41,
    b"a LOGIN \"\0\" \"\0\"", b"a LOGIN {3}", b"\0\0\0", b"a",
    b"+ a NOOP", b"a NOOP {5", b"a LOGIN {99999999999999999999}",
    b"a UID", b"a UID LOGIN x y", b"a AUTHENTICATE", b"\xff\xfe a b",
    b"a STARTTLS x", b"a LOGIN kim", b"a AUTHENTICATE PLAIN =  =",
], ids=range(16))
def test_a_malformed_command_is_bad_and_no_more(postern, kim, line):
    with postern.imap() as wire:
        wire.send(line + b"\r\n")
        answer = wire.line()
        assert " BAD " in answer or " NO " in answer or \
            answer.startswith("+"), answer
        if answer.startswith("+"):
            wire.send(b"abc x y\r\n")
            wire.line()
        wire.ok("NOOP")


def test_random_bytes_end_at_most_their_own_session(postern, kim):
    chance = random.Random(20261120)
    words = [b"a", b" ", b"LOGIN", b"FETCH", b"{3}\r\n", b"{9+}\r\n", b"(",
             b")", b"\"", b"\\", b"\r\n", b"\n", b"\0", b"1:*", b"BODY[",
             b"]", b"<0.1>", b"UID", b"SEARCH", b"IDLE", b"DONE", b"*",
             b"APPEND INBOX", b"STORE", b"\xff", b"~{2}\r\n", b"NOOP\r\n"]
    with postern.imap(kim, "secret") as witness:
        witness.ok("SELECT INBOX")
        for number in range(40):
            logged_in = number % 2 == 0
            wire = postern.imap(kim if logged_in else None, "secret")
            if logged_in:
                wire.ok("SELECT INBOX")
            try:
                for _ in range(60):
                    wire.send(b"".join(chance.choice(words) for _ in
                                       range(chance.randint(1, 12))))
            except (OSError, Closed):
                pass
            wire.close()
        witness.ok("NOOP")


@pytest.mark.parametrize("steps", [
    [b"AUTHENTICATE PLAIN", b"*"], [b"AUTHENTICATE PLAIN", b"===="],
    [b"AUTHENTICATE PLAIN", b"AAAA"], [b"AUTHENTICATE PLAIN", b""],
    [b"AUTHENTICATE LOGIN", b"a2lt", b"*"],
    [b"AUTHENTICATE SCRAM-SHA-256", b"biws"],
    [b"AUTHENTICATE SCRAM-SHA-256 biwsbj1raW0scj1hYmM=", b"AAAA"],
    [b"AUTHENTICATE NONE"], [b"AUTHENTICATE PLAIN " + b"QUFB" * 1800],
], ids=range(9))
def test_broken_exchanges_leave_the_session_usable(postern, kim, steps):
    with postern.imap() as wire:
        wire.send(b"x " + steps[0] + b"\r\n")
        for step in steps[1:]:
            line = wire.line()
            if line.startswith("x "):
                break
            assert line.startswith("+")
            wire.send(step + b"\r\n")
        else:
            line = wire.line()
            if line.startswith("+"):        # SCRAM asks on
                wire.send(b"*\r\n")
                line = wire.line()
        assert line.startswith(("x NO", "x BAD")), line
        wire.ok(f"LOGIN {kim} secret")


def test_one_session_s_flood_does_not_stop_the_others(postern, kim, lee):
    with postern.imap(lee, "secret") as flood:
        flood.ok("SELECT INBOX")
        body = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n"
        for _ in range(20):
            flood.send(b"f APPEND INBOX {%d+}\r\n%s\r\n" % (len(body), body))
            flood.answer("f")
        # a thousand answers that nobody reads
        flood.send(b"".join(b"g%d FETCH 1:* BODY.PEEK[]\r\n" % n
                            for n in range(1000)))
        with postern.imap(kim, "secret") as wire:
            for _ in range(20):
                wire.ok("STATUS INBOX (MESSAGES)")


@pytest.mark.parametrize("command", [
    b"x CAPABILITY", b"(", b"x STATUS INBOX (MESSAGES)"], ids=range(3))
def test_who_reads_no_answers_is_asked_for_no_more(fresh_postern, command):
    instance = fresh_postern()
    instance.add_domain("deaf.example")
    instance.add_mailbox("kim@deaf.example", "secret")
    logged_in = b"STATUS" in command
    with instance.imap("kim@deaf.example", "secret") as wire:
        wire.ok("NOOP")
    wire = instance.imap("kim@deaf.example" if logged_in else None, "secret")
    with wire:
        before = memory_kib(instance)
        block = (command + b"\r\n") * 1000
        sent, most = 0, 200 * 1024 * 1024 // len(command)
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        wire.sock.settimeout(2)
        with contextlib.suppress(TimeoutError):
            while sent < most:
                sent += wire.sock.send(block[sent % len(block):])
        grown = memory_kib(instance) - before
        assert grown < 10 * 1024 or instance.keeps_freed_memory(), \
            f"{grown} KiB"
        # all are answered once it reads, and the session goes on
        wire.sock.settimeout(PATIENCE)
        line = len(command) + 2
        for _ in range(sent // line):
            while not wire.line().startswith(("x ", "* BAD")):
                pass
        if sent % line:
            wire.send((command + b"\r\n")[sent % line:])
            while not wire.line().startswith(("x ", "* BAD")):
                pass
        wire.send("y LOGOUT\r\n")
        wire.answer("y")


def test_who_idles_and_reads_nothing_is_told_no_more(fresh_postern):
    instance = fresh_postern()
    instance.add_domain("deaf.example")
    instance.add_mailbox("kim@deaf.example", "secret")
    with contextlib.ExitStack() as stack:
        deaf, busy = [stack.enter_context(
            instance.imap("kim@deaf.example", "secret")) for _ in range(2)]
        busy.send(b"a APPEND INBOX" + b" {3+}\r\nabc" * 450 + b"\r\n")
        busy.answer("a")
        for wire in (deaf, busy):
            wire.ok("SELECT INBOX")
        deaf.send("i IDLE\r\n")
        deaf.line()
        before = memory_kib(instance)
        for _ in range(1000):
            busy.ok("STORE 1:* +FLAGS.SILENT (\\Flagged)")
            busy.ok("STORE 1:* -FLAGS.SILENT (\\Flagged)")
        grown = memory_kib(instance) - before
        assert grown < 10 * 1024 or instance.keeps_freed_memory(), \
            f"{grown} KiB"
        # and the last of it, once it reads
        busy.ok("STORE 450 +FLAGS.SILENT (\\Answered)")
        while "\\Answered" not in deaf.line():
            pass
        deaf.send("DONE\r\n")
        deaf.answer("i")


def test_mime_and_header_bombs_are_served(postern, kim):
    bombs = [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
        b"--b\r\n\r\n\r\n" * 20000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
                 b"--b%d\r\n" % (n, n) for n in range(3000)),
        b"Content-Type: message/rfc822\r\n\r\n" * 5000,
        b"To: " + b"a@b.example,\r\n " * 10000 + b"\r\n\r\nx",
        b"Subject: " + b"(" * 100000 + b"\r\n\r\n",
        b"Content-Type: text/plain" + b"; a=b" * 20000 + b"\r\n\r\nx",
        b"X: y\r\n" * 50000 + b"\r\n",
        b"\r\n\r\n\r\n",
    ]
    with postern.imap(kim, "secret") as wire:
        for bomb in bombs:
            wire.send(b"p APPEND INBOX {%d+}\r\n" % len(bomb) + bomb +
                      b"\r\n")
            assert wire.answer("p")[1].startswith("OK")
        wire.ok("SELECT INBOX")
        lines = wire.ok("FETCH 1:* (UID RFC822.SIZE BODYSTRUCTURE)")
        assert len(lines) >= len(bombs)
        wire.ok("FETCH 1:* (ENVELOPE BODY)")
        wire.ok("SEARCH TEXT nothing-of-that-kind")
        for number, bomb in enumerate(bombs, 1):
            wire.send(f"b FETCH {number} BODY.PEEK[]\r\n")
            assert wire.line().endswith("{%d}" % len(bomb))
            assert wire.read(len(bomb)) == bomb
            wire.answer("b")


def test_a_multiappend_without_end_is_ended(postern, kim):
    """What is refused costs no memory for each further message."""
    with postern.imap(kim, "secret") as wire:
        wire.send(b"x APPEND nowhere {1+}\r\na")
        piece = b" {1+}\r\na" * 500
        with pytest.raises((ConnectionError, Closed)):
            for _ in range(10):
                wire.send(piece)
            while True:
                wire.line()
    with postern.imap(kim, "secret") as wire:
        wire.ok("NOOP")


def test_a_file_that_cannot_be_read_is_a_clear_no(postern, kim):
    """For its message only, and the log tells of it once."""
    with postern.imap(kim, "secret") as wire:
        for number in range(3):
            mail = b"Subject: number %d\r\n\r\nbody %d\r\n" % (number, number)
            wire.send(b"a APPEND INBOX {%d+}\r\n%s\r\n" % (len(mail), mail))
            assert wire.answer("a")[1].startswith("OK")
        wire.ok("SELECT INBOX")
        path = next(path for path in (postern.home(kim) / "cur").iterdir()
                    if b"number 1" in path.read_bytes())
        mode = path.stat().st_mode
        path.chmod(0)
        try:
            mark = postern.log_mark()
            for _ in range(3):
                lines, tagged = wire.cmd("FETCH 1:3 BODY.PEEK[TEXT]")
                assert tagged.startswith("NO [CONTACTADMIN]"), tagged
                assert [line for line in lines if "FETCH" in line] == \
                    ["* 1 FETCH (BODY[TEXT] {8}", "* 3 FETCH (BODY[TEXT] {8}"]
                assert wire.ok("SEARCH BODY body") == ["* SEARCH 1 3"]
            # what the index knows is still told
            assert "number 1" in wire.ok("FETCH 2 ENVELOPE")[0]
            said = [line for line in postern.log_text(mark).splitlines()
                    if "uid=2" in line]
            assert len(said) == 1 and "warning" in said[0], said
        finally:
            path.chmod(mode)
        assert len(wire.ok("FETCH 2 BODY.PEEK[]")) > 3


def arrive(instance, source):
    """Who connects from there, and what it is told first."""
    wire = ImapWire(instance.address("imap"), source=source)
    return wire.line(), wire


def test_a_network_has_its_share_of_silent_guests(fresh_postern):
    instance = fresh_postern(settings={
        "imapd_workers": "1", "imap_guest_limit": "5",
        "login_defence_exempt_networks": ""})
    instance.add_domain("guests.example")
    instance.add_mailbox("kim@guests.example", "secret")
    with contextlib.ExitStack() as stack:
        def come(source="127.0.0.2"):
            text, wire = arrive(instance, source)
            stack.callback(wire.close)
            return text, wire

        guests = [come() for _ in range(5)]
        assert all(text.startswith("* OK ") for text, _ in guests)
        mark = instance.log_mark()
        text, wire = come()
        assert text == ("* BYE [LIMIT] Too many connections from your "
                        "network") and wire.at_end()
        instance.wait_for_log(r"ip=127\.0\.0\.2: its network has "
                              r"imap_guest_limit \(5\)", mark)
        assert come("127.0.0.3")[0].startswith("* OK ")
        # who logs in is a guest no longer, nor is who leaves
        guest = guests[0][1]
        guest.ok("STARTTLS")
        guest.wrap()
        guest.ok("LOGIN kim@guests.example secret")
        assert come()[0].startswith("* OK ")
        assert come()[0].startswith("* BYE ")
        guests[1][1].close()
        until(lambda: come()[0].startswith("* OK "), "the one that left")
        guest.ok("NOOP")


def test_a_full_server_has_room_for_who_logs_in(fresh_postern):
    instance = fresh_postern(settings={"imapd_workers": "1",
                                       "imap_client_limit": "4"})
    instance.add_domain("full.example")
    instance.add_mailbox("kim@full.example", "secret")
    with contextlib.ExitStack() as stack:
        user = stack.enter_context(
            instance.imap("kim@full.example", "secret"))
        guests = []
        for _ in range(8):
            text, wire = arrive(instance, "127.0.0.2")
            stack.callback(wire.close)
            assert text.startswith("* OK ")
            guests.append(wire)
        for wire in guests[:5]:                 # longest there, first to go
            assert wire.line().startswith("* BYE [UNAVAILABLE]")
            assert wire.at_end()
        user.ok("NOOP")
        guests[-1].ok("NOOP")
