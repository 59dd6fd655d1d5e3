"""Programs people use, doing real work."""
import os
import re
import shutil
import subprocess

import pytest

from tests.harness import paths
from tests.harness.wait import until


def run(*words, **keywords):
    done = subprocess.run([str(word) for word in words], text=True,
                          capture_output=True, timeout=600, **keywords)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(maildir):
    return sorted(path for part in ("cur", "new")
                  for path in (maildir / part).iterdir())


@pytest.fixture
def mbsync(postern, kim, tmp_path):
    if shutil.which("mbsync") is None:
        pytest.skip("mbsync is not installed")
    host, port = postern.address("imap")
    (tmp_path / "mail").mkdir()
    (tmp_path / "cert.pem").write_bytes(
        (postern.dir / "tls" / "postern.crt").read_bytes())
    conf = tmp_path / "mbsyncrc"
    conf.write_text(f"""
IMAPAccount there
Host {host}
Port {port}
User {kim}
Pass secret
SSLType STARTTLS
CertificateFile {tmp_path}/cert.pem
AuthMechs *

IMAPStore far
Account there

MaildirStore near
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    conf.chmod(0o600)

    def sync():
        run("mbsync", "-c", conf, "-a", env=dict(os.environ,
                                                 HOME=str(tmp_path)))
        return tmp_path / "mail"
    return sync


def test_mbsync_syncs_both_ways(postern, kim, mbsync):
    body = "".join(f"line {n}\r\n" for n in range(50))
    with postern.imap(kim, "secret") as wire:
        wire.ok("CREATE Work/2026")
        for number in range(200):
            mail = f"Subject: far {number}\r\n\r\n{body}".encode()
            folder = "INBOX" if number % 2 else "Work/2026"
            wire.send(b"m APPEND %s {%d+}\r\n%s\r\n" %
                      (folder.encode(), len(mail), mail))
            assert wire.answer("m")[1].startswith("OK")
        mail = mbsync()
        assert len(files(mail / "INBOX")) == 100
        assert len(files(mail / "Work" / "2026")) == 100
        # from here: a new one, a flag, an expunge, a new folder
        (mail / "INBOX" / "new" / "1.near.host").write_bytes(
            b"Subject: near\n\nmade here\n")
        first, second = files(mail / "INBOX")[:2]
        first.rename(mail / "INBOX" / "cur" /
                     (first.name.split(":")[0] + ":2,FS"))
        second.unlink()
        mbsync()
        wire.ok("SELECT INBOX")
        assert wire.ok("SEARCH SUBJECT near BODY \"made here\"") != \
            ["* SEARCH"]
        assert len(wire.ok("SEARCH FLAGGED SEEN")[0].split()) == 3
        assert len(wire.ok("SEARCH ALL")[0].split()) == 102
        # and from there again
        wire.ok("STORE 1:50 +FLAGS.SILENT (\\Deleted)")
        wire.ok("EXPUNGE")
        mbsync()
        assert len(files(mail / "INBOX")) == 50


MANY = 5000


def letter(where, number):
    return (f"Message-ID: <{where}.{number}@x.example>\r\n"
            f"Subject: {where} {number}\r\n\r\nbody {number}\r\n").encode()


def drop(maildir, where):
    """MANY letters, as another program would deliver them."""
    for number in range(MANY):
        path = maildir / "new" / f"{1000000000 + number}.{where}{number}.host"
        path.write_bytes(letter(where, number))
        paths.give(path)


def contents(maildir):
    """{message id: flags} of what a maildir holds."""
    found = {}
    for path in files(maildir):
        with open(path, "rb") as file:
            head = file.read(2000)
        key = re.search(rb"Message-ID: <(.*?)>", head, re.I).group(1)
        flags = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
        found[key.decode()] = "".join(sorted(set(flags) & set("FRST")))
    return found


def test_mbsync_5000_messages_both_ways(postern, kim, mbsync):
    near = mbsync() / "INBOX"
    drop(postern.home(kim), "far")
    drop(near, "near")
    mbsync()
    assert len(files(near)) == len(postern.messages(kim)) == 2 * MANY
    # here: flags on some, others thrown away
    here = files(near)
    for path in here[:500]:
        path.rename(near / "cur" / (path.name.split(":")[0] + ":2,FS"))
    for path in here[500:1000]:
        path.unlink()
    # there: the same with others
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        wire.ok(f"STORE {MANY + 2001}:{MANY + 2500} +FLAGS.SILENT "
                "(\\Answered)")
        wire.ok("STORE 3001:3500 +FLAGS.SILENT (\\Deleted)")
        wire.ok("EXPUNGE")
        mbsync()
        kept = contents(near)
        assert len(kept) == 2 * MANY - 1000
        # what the server holds, by its own word
        wire.ok("NOOP")
        assert len(wire.ok("SEARCH ALL")[0].split()) - 2 == len(kept)
        assert len(wire.ok("SEARCH FLAGGED")[0].split()) - 2 == 500
        assert len(wire.ok("SEARCH ANSWERED")[0].split()) - 2 == 500
        assert sum("F" in flags for flags in kept.values()) == 500
        assert sum("R" in flags for flags in kept.values()) == 500
        wire.ok("CHECK")

        def alike():
            try:
                return contents(postern.home(kim)) == kept
            except FileNotFoundError:       # renamed just now
                return False
        until(alike, "both sides alike")


def test_curl_reads_and_files_mail(postern, kim, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    host, port = postern.address("imaps")
    base = f"imaps://{host}:{port}"
    curl = ["curl", "-sSk", "--user", f"{kim}:secret"]
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: curled\r\n\r\nhello\r\n")
    run(*curl, "-T", mail, f"{base}/INBOX")
    assert "curled" in run(*curl, f"{base}/INBOX;UID=1")
    assert run(*curl, f"{base}/INBOX;UID=1;SECTION=TEXT") == "hello\n"
    assert "INBOX" in run(*curl, f"{base}/")
    assert "* SEARCH 1" in run(*curl, f"{base}/INBOX?SUBJECT%20curled")
