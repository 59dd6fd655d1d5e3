"""A big folder: its long commands run in slices, so that other sessions of the
same process are answered meanwhile, those of the same mailbox too."""
import os
import re

import pytest

COUNT = 20000
OTHERS = 20


@pytest.fixture(scope="module")
def big(cluster):
    from tests.harness.instance import Instance
    postern = Instance(cluster, settings={"imapd_workers": "1",
                                          "smtpd_error_sleep_time": "0"})
    try:
        postern.start()
        postern.add_domain("big.example")
        for n in range(OTHERS):
            postern.add_mailbox(f"u{n}@big.example", "secret")
        yield postern
        postern.check_log()
        assert postern.stop() == 0
    finally:
        postern.destroy()


def fill(postern, user):
    """As a restored backup, or another program, would."""
    new = postern.home(user) / "new"
    owner = os.stat(new)
    directory = os.open(new, os.O_DIRECTORY)
    for number in range(COUNT):
        fd = os.open(f"{1600000000 + number}.M{number}P1.host",
                     os.O_CREAT | os.O_WRONLY, 0o660, dir_fd=directory)
        os.write(fd, b"From: a@x.example\nSubject: number %d\n\nbody\n" %
                 number)
        os.fchown(fd, owner.st_uid, owner.st_gid)
        os.fchmod(fd, 0o660)
        os.close(fd)
    os.close(directory)


class TooLate(AssertionError):
    """The long commands were over when the others had been answered: they
    held these up, or we were slow ourselves."""


class Sessions:
    """One on the big folder, one more on it, and one each of the others."""

    def __init__(self, postern, user):
        self.busy = postern.imap(user, "secret")
        self.same = postern.imap(user, "secret")
        self.others = [postern.imap(f"u{n}@big.example", "secret")
                       for n in range(OTHERS)]
        for wire in self.others:
            wire.ok("SELECT INBOX")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for wire in (self.busy, self.same, *self.others):
            wire.close()

    def others_are_answered_during(self, *commands):
        """Sends commands to the busy one; all others ask and are answered
        before the last of these is. What came for the commands."""
        for number, command in enumerate(commands):
            self.busy.send(f"b{number} {command}\r\n")
        for wire in self.others:
            wire.ok("NOOP")
            wire.ok("STATUS INBOX (MESSAGES)")
        self.must_not_have_answered(f"b{len(commands) - 1}")
        lines = []
        for number in range(len(commands)):
            more, tagged = self.busy.answer(f"b{number}")
            assert tagged.startswith("OK"), tagged
            lines += more
        return lines

    def must_not_have_answered(self, tag):
        if self.has_answered(tag):
            raise TooLate(f"{tag} was answered before the others")

    def has_answered(self, tag):
        self.busy.sock.settimeout(0.001)
        try:
            while True:
                self.busy._more()
        except TimeoutError:
            pass
        finally:
            self.busy.sock.settimeout(120)
        return re.search(rb"(^|\n)%s " % tag.encode(), self.busy.buffer)


def test_a_folder_of_twenty_thousand(big):
    """Up to four times: once that all goes well shows that it can."""
    for attempt in range(4):
        user = f"kim{attempt}@big.example"
        big.add_mailbox(user, "secret")
        with big.imap(user, "secret"):
            pass                # makes the home
        fill(big, user)
        try:
            play(big, user)
            return
        except TooLate:
            if attempt == 3:
                raise


def play(big, user):
    with Sessions(big, user) as sessions:
        busy, same = sessions.busy, sessions.same
        # it is taken over while the others work
        lines = sessions.others_are_answered_during("SELECT INBOX")
        assert f"* {COUNT} EXISTS" in lines
        lines = sessions.others_are_answered_during(
            *["UID SEARCH BODY nowhere"] * 3)
        assert lines.count("* SEARCH") == 3
        same.ok("SELECT INBOX")
        lines = sessions.others_are_answered_during(
            "FETCH 1:* (UID FLAGS)",
            *["STORE 1:* +FLAGS.SILENT (\\Flagged)",
              "STORE 1:* -FLAGS.SILENT (\\Flagged)"] * 2,
            "UID SEARCH BODY nowhere", "STORE 1:* +FLAGS.SILENT ($Label1)")
        assert sum(" FETCH (" in line for line in lines) == COUNT
        # the other session of the mailbox comes in between slices, too
        same.ok("NOOP")
        busy.send("c0 UID SEARCH BODY nowhere\r\nc1 UID SEARCH BODY nowhere"
                  "\r\nc2 UID SEARCH BODY nowhere\r\n")
        assert same.ok("UID SEARCH KEYWORD $Label1 UID 1:10") == [
            "* SEARCH " + " ".join(map(str, range(1, 11)))]
        same.ok("UID STORE 5 +FLAGS.SILENT (\\Seen)")
        sessions.must_not_have_answered("c2")
        for tag in ("c0", "c1", "c2"):
            busy.answer(tag)
        lines = sessions.others_are_answered_during(
            *["UID SEARCH BODY nowhere"] * 3,
            "STORE 1:19000 +FLAGS.SILENT (\\Deleted)", "EXPUNGE")
        assert sum(line.endswith(" EXPUNGE") for line in lines) == 19000
        same.ok("NOOP")
        assert same.ok("UID SEARCH ALL") == [
            "* SEARCH " + " ".join(map(str, range(19001, COUNT + 1)))]
        # leaving it renames and unlinks what is behind
        busy.ok("UNSELECT")
        left = big.messages(user)
        assert f"* {COUNT - 19000} EXISTS" in busy.ok("SELECT INBOX")
        assert len(left) == COUNT - 19000
        assert {path.parent.name for path in left} == {"cur"}
