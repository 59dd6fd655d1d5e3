"""IDLE hears of mail, flags and other clients at once, across processes."""
import os

from tests.harness.wait import until


def idle(wire):
    wire.send("i IDLE\r\n")
    assert wire.line().startswith("+")


def hear(wire, *ends):
    """Reads untagged lines until each of `ends` ended one."""
    left = list(ends)
    while left:
        line = wire.line()
        assert line.startswith("* "), line
        left = [end for end in left if not line.endswith(end)]


def test_new_mail_wakes_an_idle_session(postern, kim):
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        idle(wire)
        for number in range(1, 4):
            postern.send("anna@sender.example", kim)
            hear(wire, f"{number} EXISTS")
        wire.send("DONE\r\n")
        wire.answer("i")
        assert wire.ok("UID SEARCH ALL") == ["* SEARCH 1 2 3"]


def test_what_one_session_does_the_others_see(postern, kim):
    for _ in range(2):
        postern.send("anna@sender.example", kim)
    postern.wait_for_messages(kim, 2)
    wires = [postern.imap(kim, "secret") for _ in range(5)]
    try:
        for wire in wires:
            wire.ok("SELECT INBOX")
        for wire in wires[1:]:
            idle(wire)
        wires[0].ok("STORE 1 +FLAGS.SILENT (\\Flagged \\Deleted)")
        for wire in wires[1:]:
            assert "\\Flagged" in wire.line()
        wires[0].ok("EXPUNGE")
        for wire in wires[1:]:
            hear(wire, "1 EXPUNGE")
        wires[0].ok("CREATE elsewhere")
        wires[0].ok("MOVE 1 elsewhere")
        for wire in wires[1:]:
            hear(wire, "1 EXPUNGE")
            wire.send("DONE\r\n")
            wire.answer("i")
            assert wire.ok("STATUS elsewhere (MESSAGES)") == \
                ["* STATUS elsewhere (MESSAGES 1)"]
    finally:
        for wire in wires:
            wire.close()


def test_a_file_that_another_program_drops_appears_at_noop(postern, kim):
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        new = postern.home(kim) / "new"
        owner = os.stat(new)
        path = new / "1700000000.foreign.host"
        path.write_bytes(b"From: x@y.example\nSubject: dropped\n\nhi\n")
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o660)
        until(lambda: "* 1 EXISTS" in wire.ok("NOOP"), "the file")
        lines = wire.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[])")
        # its line ends become CR LF on the wire
        assert "RFC822.SIZE 43" in lines[0]
        assert "{43}" in lines[0]
