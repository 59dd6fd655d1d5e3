"""offlineimap: syncs both ways, and stays to be woken by IDLE."""
import hashlib
import os
import re
import shutil
import ssl
import subprocess

import pytest

from tests.harness import paths
from tests.harness.wait import until

MESSAGES = 150
MANY = 5000


class OfflineImap:
    def __init__(self, directory, address, user, certificate):
        self.mail = directory / "mail"
        self.conf = directory / "offlineimaprc"
        self.env = dict(os.environ, HOME=str(directory))
        der = ssl.PEM_cert_to_DER_cert(certificate)
        host, port = address
        self.conf.write_text(f"""\
[general]
accounts = test
metadata = {directory}/metadata
ui = basic

[Account test]
localrepository = near
remoterepository = far
autorefresh = 5

[Repository near]
type = Maildir
localfolders = {self.mail}

[Repository far]
type = IMAP
remotehost = {host}
remoteport = {port}
remoteuser = {user}
remotepass = secret
ssl = yes
cert_fingerprint = {hashlib.sha256(der).hexdigest()}
idlefolders = ['INBOX']
""")

    def command(self, *words):
        return ["offlineimap", "-c", str(self.conf), *words]

    def sync(self, timeout=300):
        done = subprocess.run(self.command("-o"), env=self.env, text=True,
                              capture_output=True, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ERROR" not in done.stdout + done.stderr, \
            done.stdout + done.stderr

    def files(self, folder="INBOX"):
        return sorted(path for part in ("cur", "new")
                      for path in (self.mail / folder / part).iterdir())


@pytest.fixture
def offlineimap(postern, kim, tmp_path):
    if shutil.which("offlineimap") is None:
        pytest.skip("offlineimap is not installed")
    return OfflineImap(tmp_path, postern.address("imaps"), kim, (
        postern.dir / "tls" / "postern.crt").read_text())


def drop(maildir, name, text):
    path = maildir / "new" / name
    path.write_bytes(text.encode())
    paths.give(path)


def test_offlineimap_syncs_both_ways(postern, kim, offlineimap):
    with postern.imap(kim, "secret") as wire:
        wire.ok("CREATE Work/2026")
        for number in range(MESSAGES):
            drop(postern.home(kim), f"{1000000000 + number}.far{number}.host",
                 f"Subject: far {number}\r\n\r\nbody\r\n")
        offlineimap.sync()
        assert len(offlineimap.files()) == MESSAGES
        assert offlineimap.files("Work.2026") == []
        # from here: new ones, flags, expunges
        for number in range(MESSAGES):
            drop(offlineimap.mail / "INBOX", f"1.near{number}.host",
                 f"Subject: near {number}\n\nmade here\n")
        far = [path for path in offlineimap.files()
               if b"far" in path.read_bytes()]
        for path in far[:20]:
            path.rename(offlineimap.mail / "INBOX" / "cur" /
                        (path.name.split(":")[0] + ":2,FS"))
        for path in far[20:40]:
            path.unlink()
        offlineimap.sync()
        wire.ok("SELECT INBOX")
        assert len(wire.ok("SEARCH SUBJECT near")[0].split()) - 2 == MESSAGES
        assert len(wire.ok("SEARCH FLAGGED SEEN")[0].split()) - 2 == 20
        assert len(wire.ok("SEARCH SUBJECT far")[0].split()) - 2 == \
            MESSAGES - 20
        # and from there
        wire.ok("STORE 1:50 +FLAGS.SILENT (\\Deleted)")
        wire.ok("EXPUNGE")
        wire.ok("COPY 1:5 Work/2026")
        offlineimap.sync()
        assert len(offlineimap.files()) == 2 * MESSAGES - 70
        assert len(offlineimap.files("Work.2026")) == 5


def subjects(paths_of_letters):
    """Sorted subjects, and how often each flag stands in a file's name."""
    found, flags = [], {}
    for path in paths_of_letters:
        with open(path, "rb") as file:
            found.append(re.search(rb"Subject: (.*?)\r?\n",
                                   file.read(2000)).group(1).decode())
        for flag in path.name.rpartition(":2,")[2] if ":2," in path.name \
                else "":
            flags[flag] = flags.get(flag, 0) + 1
    return sorted(found), flags


def test_offlineimap_5000_messages_both_ways(postern, kim, offlineimap):
    """5,000 there, 5,000 here, and changes on both sides after it."""
    offlineimap.sync()
    home = postern.home(kim)
    for number in range(MANY):
        drop(home, f"{1000000000 + number}.far{number}.host",
             f"Subject: far {number}\r\n\r\nbody\r\n")
    offlineimap.sync(900)
    assert len(offlineimap.files()) == MANY
    for number in range(MANY):
        drop(offlineimap.mail / "INBOX", f"1.near{number}.host",
             f"Subject: near {number}\n\nmade here\n")
    offlineimap.sync(900)
    here = [path for path in offlineimap.files()
            if b"Subject: far" in path.read_bytes()]
    assert len(here) == MANY
    for path in here[:300]:
        path.rename(offlineimap.mail / "INBOX" / "cur" /
                    (path.name.split(":")[0] + ":2,FS"))
    for path in here[300:600]:
        path.unlink()
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        assert len(wire.ok("SEARCH ALL")[0].split()) - 2 == 2 * MANY
        assert len(wire.ok("SEARCH SUBJECT near")[0].split()) - 2 == MANY
        wire.ok(f"UID STORE {MANY + 1}:{MANY + 400} +FLAGS.SILENT "
                "(\\Answered \\Seen)")
        wire.ok(f"UID STORE {MANY + 401}:{MANY + 500} +FLAGS.SILENT "
                "(\\Deleted)")
        wire.ok("EXPUNGE")
        offlineimap.sync(900)
        wire.ok("NOOP")
        assert len(wire.ok("SEARCH ALL")[0].split()) - 2 == 2 * MANY - 400
        assert len(wire.ok("SEARCH FLAGGED SEEN")[0].split()) - 2 == 300
        wire.ok("CHECK")
    left, flags = subjects(offlineimap.files())
    assert len(left) == 2 * MANY - 400
    assert len(set(left)) == len(left)
    assert (flags["F"], flags["R"], flags["S"]) == (300, 400, 700)
    there, _ = subjects(path for part in ("cur", "new") for path in
                        (home / part).iterdir())
    assert there == left


def test_offlineimap_is_woken_by_idle(postern, kim, offlineimap):
    offlineimap.sync()
    said = offlineimap.conf.with_name("said")
    watcher = subprocess.Popen(offlineimap.command("-d", "imap", "-l", said),
                               env=offlineimap.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        # the next sync by the clock is minutes away
        until(lambda: said.exists() and re.search(
            r"\+ .*idling|continuation", said.read_text(), re.I), "IDLE")
        postern.send("joe@x.example", kim, subject="wake up")

        def woken():
            try:
                return any(b"wake up" in path.read_bytes()
                           for path in offlineimap.files())
            except FileNotFoundError:       # renamed just now
                return False
        until(woken, lambda: "the message here; it said\n" +
              said.read_text()[-3000:], timeout=120)
    finally:
        watcher.terminate()
        try:
            watcher.wait(20)
        except subprocess.TimeoutExpired:
            watcher.kill()
            watcher.wait()
