"""The index of a folder is deleted, cut or overwritten while sessions are
selected, idle and fetching: all go on, with the same UIDs and flags and with
mod-sequences that only grow."""
import os
import re
import threading

import pytest

from tests.harness.wait import until
from tests.server.test_imap_idle import hear, idle

COUNT = 300


def deleted(path):
    path.unlink()


def cut(size):
    def damage(path):
        os.truncate(path, size)
    return damage


def overwritten(first, last):
    """Garbage from page to page, the file stays as long as it is."""
    def damage(path):
        pages = path.stat().st_size // 4096
        with open(path, "r+b") as index:
            index.seek(4096 * first)
            index.write(os.urandom(4096 * (min(last, pages) - first)))
    return damage


DAMAGES = {
    "deleted": deleted, "empty": cut(0), "half a header": cut(2000),
    "half the groups": cut(4096 * 3 + 100),
    "garbage in the header": overwritten(0, 1),
    "garbage in a group": overwritten(2, 3),
    "garbage in the last group": overwritten(5, 6),
    "all garbage": overwritten(0, 10 ** 6),
}


def fill(postern, user):
    with postern.imap(user, "secret") as wire:
        for number in range(COUNT):
            text = f"Subject: number {number}\r\n\r\nbody\r\n"
            word = "\\Flagged" if number % 3 else "\\Seen $Label1"
            wire.ok(f"APPEND INBOX ({word}) {{{len(text)}+}}\r\n{text}")
        wire.ok("SELECT INBOX")
        wire.ok("STORE 7,9,250 +FLAGS (\\Deleted)")
        wire.ok("EXPUNGE")
        wire.ok("CHECK")


def known(wire):
    """{uid: flags}, {uid: modseq} of all."""
    flags, modseqs = {}, {}
    for line in wire.ok("UID FETCH 1:* (FLAGS MODSEQ)"):
        found = re.search(r"UID (\d+).*FLAGS \((.*?)\).*MODSEQ \((\d+)\)",
                          line)
        if found:
            uid = int(found[1])
            flags[uid] = sorted(set(found[2].split()) - {"\\Recent"})
            modseqs[uid] = int(found[3])
    return flags, modseqs


class Fetching(threading.Thread):
    """A session that fetches all the time."""

    def __init__(self, wire):
        super().__init__(daemon=True)
        self.wire, self.ended, self.rounds = wire, threading.Event(), 0
        self.uids, self.trouble = set(), None
        wire.ok("SELECT INBOX")
        self.start()

    def run(self):
        try:
            while not self.ended.is_set():
                lines = self.wire.ok("UID FETCH 1:* (UID RFC822.SIZE "
                                     "ENVELOPE)")
                now = re.findall(r"UID (\d+)", "".join(lines))
                self.uids.add(len(set(now)))
                self.rounds += 1
        except Exception as error:      # pylint: disable=broad-except
            self.trouble = error

    def end(self):
        self.ended.set()
        self.join()
        assert self.trouble is None, self.trouble


@pytest.mark.parametrize("name", DAMAGES)
def test_sessions_go_on(postern, kim, name):
    fill(postern, kim)
    wires = [postern.imap(kim, "secret") for _ in range(5)]
    outline, loaded, idling, fetching, late = wires
    try:
        outline.ok("SELECT INBOX")
        loaded.ok("SELECT INBOX")
        flags, modseqs = known(loaded)
        assert len(flags) == COUNT - 3
        idling.ok("SELECT INBOX")
        idle(idling)
        thread = Fetching(fetching)
        until(lambda: thread.rounds > 1, "a fetch")

        DAMAGES[name](postern.home(kim) / "postern.index")

        rounds = thread.rounds
        until(lambda: thread.rounds > rounds + 3, "more fetches")
        assert known(outline)[0] == flags
        now, stamps = known(loaded)
        assert now == flags
        assert all(stamps[uid] >= modseqs[uid] for uid in stamps)
        # changes reach everybody, and have a higher mod-sequence than any
        highest = max(stamps.values())
        line = loaded.ok("UID STORE 100 +FLAGS (\\Answered)")[-1]
        assert int(re.search(r"MODSEQ \((\d+)\)", line)[1]) > highest
        told = ""
        while "\\Answered" not in told:
            told = idling.line()
        postern.send("anna@sender.example", kim)
        hear(idling, f"{COUNT - 2} EXISTS")
        late.ok("SELECT INBOX")
        # (a lost index knows only the ceiling of the UIDs given out)
        new = max(known(late)[0])
        assert new > COUNT
        late.ok("UID STORE 50 +FLAGS.SILENT (\\Deleted)")
        late.ok("UID EXPUNGE 50")
        while "EXPUNGE" not in told:
            told = idling.line()
        assert told == "* 48 EXPUNGE"
        thread.end()
        flags[100] = sorted([*flags[100], "\\Answered"])
        del flags[50]
        flags[new] = []
        for wire in (outline, loaded, late, fetching):
            wire.ok("NOOP")
            assert known(wire)[0] == flags
        idling.send("DONE\r\n")
        idling.answer("i")
        assert known(idling)[0] == flags
    finally:
        for wire in wires:
            wire.close()


@pytest.mark.parametrize("damage", [deleted, cut(0), overwritten(0, 10 ** 6)])
def test_expunges_that_nobody_remembers(postern, kim, damage):
    """Between SELECT and the first command about messages the index is lost,
    and with it what was expunged. The session is told of as many expunges as
    there were."""
    fill(postern, kim)
    for mode in ("", "ENABLE QRESYNC"):
        with postern.imap(kim, "secret") as first, \
                postern.imap(kim, "secret") as second:
            if mode:
                first.ok(mode)
            lines = first.ok("SELECT INBOX")
            exists = int(re.search(r"\* (\d+) EXISTS", "\n".join(lines))[1])
            second.ok("SELECT INBOX")
            second.ok("STORE 10:14 +FLAGS.SILENT (\\Deleted)")
            second.ok("EXPUNGE")
            second.ok("CHECK")
            damage(postern.home(kim) / "postern.index")
            first.ok("FETCH 1:* (FLAGS)")
            lines = first.ok("NOOP")
            if mode:
                gone = [line for line in lines if "VANISHED" in line]
                assert len(gone) == 1
            else:
                assert sum("EXPUNGE" in line for line in lines) <= 5
            left = known(first)[0]
            assert left == known(second)[0] and len(left) == exists - 5
