"""IDLE hears of mail, flags and other clients at once, across processes."""
import os
import time

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


def put(path, content, owner):
    path.write_bytes(content)
    os.chown(path, owner.st_uid, owner.st_gid)
    path.chmod(0o660)


def flagged(home):
    """Renames the file that was dropped; None: imapd did so just now."""
    for path in home.glob("*/1700000000.*"):
        try:
            return path.rename(home / "cur" / (path.name.split(":")[0] +
                                               ":2,FS"))
        except FileNotFoundError:
            pass
    return None


def test_what_other_programs_do_is_heard_in_idle(postern, kim):
    """Each within a second or so; without inotify an idle session looks once
    in 30 seconds, and four changes would take a minute and a half."""
    home = postern.home(kim)
    for number in range(1, 3):
        postern.send("anna@sender.example", kim)
    postern.wait_for_messages(kim, 2)
    began = time.monotonic()
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        assert len(wire.ok("UID SEARCH ALL")[0].split()) == 4
        idle(wire)
        owner = os.stat(home / "new")
        tmp = home / "tmp" / "dropped"
        put(tmp, b"From: x@y.example\nSubject: dropped\n\nhi\n", owner)
        tmp.rename(home / "new" / "1700000000.M1P1.host")
        hear(wire, "3 EXISTS", "RECENT")
        ours = until(lambda: flagged(home), "it")
        line = wire.line()
        assert "3 FETCH" in line and "\\Flagged" in line and \
            "\\Seen" in line, line
        ours = ours.rename(str(ours)[:-2] + "S")
        line = wire.line()
        assert "3 FETCH" in line and "\\Flagged" not in line, line
        ours.unlink()
        assert wire.line() == "* 3 EXPUNGE"
        wire.send("DONE\r\n")
        wire.answer("i")
    assert time.monotonic() - began < 85


def watches(postern):
    return sum(row.get("watches", 0) for row in postern.status())


def test_watches_are_bounded_and_given_back(fresh_postern):
    postern = fresh_postern(settings={"imap_watch_limit": "2",
                                      "imapd_workers": "1"})
    postern.add_domain("watch.example")
    for name in ("kim", "lee"):
        postern.add_mailbox(f"{name}@watch.example", "secret")
    kim, lee = (postern.imap(f"{name}@watch.example", "secret")
                for name in ("kim", "lee"))
    for wire in (kim, lee):
        wire.ok("SELECT INBOX")
        assert watches(postern) <= 2
        idle(wire)
        until(lambda: watches(postern) == 2, "a watch")
    postern.wait_for_log("imap_watch_limit is reached")
    # what is ours is told to both all the same
    for name, wire in (("kim", kim), ("lee", lee)):
        postern.send("anna@sender.example", f"{name}@watch.example")
        hear(wire, "1 EXISTS")
        wire.send("DONE\r\n")
        wire.answer("i")
    until(lambda: watches(postern) == 0, "no watch")
    for wire in (kim, lee):
        wire.close()
