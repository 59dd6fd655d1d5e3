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

    def sync(self):
        done = subprocess.run(self.command("-o"), env=self.env, text=True,
                              capture_output=True, timeout=300)
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
        until(lambda: any(b"wake up" in path.read_bytes()
                          for path in offlineimap.files()),
              lambda: "the message here; it said\n" +
              said.read_text()[-3000:], timeout=60)
    finally:
        watcher.terminate()
        try:
            watcher.wait(20)
        except subprocess.TimeoutExpired:
            watcher.kill()
            watcher.wait()
