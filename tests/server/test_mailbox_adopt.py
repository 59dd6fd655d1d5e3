"""`postern mailbox adopt`: a maildir that Dovecot made is taken over, and what
its clients knew of it (UIDs, flags, keywords, dates, sizes, subscriptions) is
what ours tell."""
import os
import pathlib
import pwd
import random
import re
import shutil
import subprocess
import tempfile

import pytest

from tests.harness import dovecot, paths
from tests.harness.wait import until
from tests.mime.response import fetches

FOLDERS = ["INBOX", "Sent", "Work", "Work/2026", "Entw&APw-rfe"]
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft",
         "$Forwarded", "Junk", "later", "$Label1"]
ITEMS = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[])"


def append(folder, number, flags):
    content = (f"From: a{number}@x.example\r\nSubject: number {number}\r\n"
               f"\r\n{'body of it ' * (number % 30)}\r\n").encode()
    head = (f'APPEND "{folder}" ({" ".join(flags)}) "{number % 28 + 1:02}-Mar-'
            f'2024 10:{number % 60:02}:00 +0000" {{{len(content)}+}}\r\n')
    return head.encode() + content


def a_life(seed, mail=40):
    """What somebody did for years."""
    dice = random.Random(seed)
    yield from (f'CREATE "{name}"' for name in FOLDERS[1:])
    yield from (f'SUBSCRIBE "{name}"' for name in
                dice.sample(FOLDERS, 3))
    for folder in FOLDERS:
        for number in range(dice.randrange(1, mail)):
            yield append(folder, number, dice.sample(FLAGS, 2))
        yield f'SELECT "{folder}"'
        for _ in range(10):
            uid, word = dice.randrange(1, mail), dice.choice(FLAGS)
            yield f"UID STORE {uid} {dice.choice('+-')}FLAGS ({word})"
        yield f"UID STORE 1:{dice.randrange(1, 4)} +FLAGS (\\Deleted)"
        yield "EXPUNGE"
        yield f'UID COPY 3:9 "{dice.choice(FOLDERS)}"'
    yield "UNSELECT"


def picture(talk):
    """All a client can know. Flags without \\Recent, which a look changes."""
    known = {}
    for folder in FOLDERS:
        text = talk(f'EXAMINE "{folder}"')
        known[folder, "uidvalidity"], known[folder, "uidnext"] = (
            int(re.search(rb"\[%s (\d+)\]" % word, text)[1])
            for word in (b"UIDVALIDITY", b"UIDNEXT"))
        known[folder] = []
        # not all at once: Dovecot ends at LOGOUT with answers unsent
        for first in range(1, known[folder, "uidnext"], 50):
            known[folder] += fetches(talk(
                f'EXAMINE "{folder}"',
                f"UID FETCH {first}:{first + 49} {ITEMS}"))
        for one in known[folder]:
            one["FLAGS"] = sorted(flag for flag in one["FLAGS"]
                                  if flag != "\\Recent")
            # " 3-Mar-2024" by RFC 3501
            one["INTERNALDATE"] = one["INTERNALDATE"].lstrip(b" 0")
        # one that cannot be searched for would be there by name only
        for flag in FLAGS:
            key = flag[1:] if flag[0] == "\\" else f"KEYWORD {flag}"
            known[folder, flag] = sorted(re.search(
                rb"^\* SEARCH([ \d]*)\r\n", talk(f'EXAMINE "{folder}"',
                f"UID SEARCH {key}"), re.M)[1].split())
    for word in ("LIST", "LSUB"):
        text = talk(f'{word} "" *')
        known[word] = sorted(re.findall(
            rb'^\* %s \(.*?\) "/" "?(.*?)"?\r\n' % word.encode(), text, re.M))
    return known


def our_talk(postern, user):
    def talk(*commands):
        with postern.imap(user, "secret") as wire:
            for number, command in enumerate(commands):
                wire.send(f"y{number} {command}\r\n")
            wire.send("z NOOP\r\n")
            while b"\r\nz OK" not in wire.buffer:
                wire._more()
            assert wire.buffer.count(b"\r\ny") + \
                wire.buffer.startswith(b"y") == len(commands)
            return wire.buffer
    return talk


@pytest.fixture
def theirs():
    if dovecot.missing():
        pytest.skip(dovecot.missing())
    # beside the instances: a rename needs one file system
    where = pathlib.Path(tempfile.mkdtemp(prefix="postern-theirs-"))
    where.chmod(0o755)
    yield dovecot.Dovecot(where / "dovecot")
    shutil.rmtree(where)


def adopt(postern, user, maildir, *options):
    return postern.postern("mailbox", "adopt", user, maildir, *options)


@pytest.mark.parametrize("copy", [False, True])
def test_what_dovecots_clients_knew_ours_tell(postern, kim, theirs, copy):
    theirs.talk(*a_life(7 + copy))
    before = picture(theirs.talk)
    said = adopt(postern, kim, theirs.maildir, "--check", "--json").stdout
    assert '"without_uid": 0' in said and '"from": "dovecot"' in said
    assert picture(theirs.talk) == before
    adopt(postern, kim, theirs.maildir, "--yes", *["--copy"][:copy])
    # the database knows at once how much it is
    audit = postern.postern("quota", "audit", kim)
    assert "1 mailboxes: database, index and files agree" in audit.stdout
    after = picture(our_talk(postern, kim))
    for key, value in before.items():
        assert after[key] == value, key
    left = len([*theirs.maildir.glob("cur/*"), *theirs.maildir.glob(
        ".*/cur/*")])
    assert left == (sum(len(before[f]) for f in FOLDERS) if copy else 0)
    # life goes on: a new message gets the UID Dovecot would have given
    postern.send("anna@sender.example", kim)
    known = after["INBOX", "uidnext"]
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        until(lambda: wire.ok(f"UID SEARCH UID {known}") ==
              [f"* SEARCH {known}"], "the UID")


def test_killed_half_way_it_goes_on(postern, kim, theirs):
    """The process is killed at some moment of its work, ten times over; in
    between nobody is shown half of a mailbox."""
    theirs.talk(*a_life(3, mail=300))
    before = picture(theirs.talk)
    command = paths.as_plain_user(
        [paths.program("postern"), "-c", postern.conf, "mailbox", "adopt",
         kim, theirs.maildir, "--yes"])
    total = sum(len(before[f]) for f in FOLDERS)
    marker = postern.home(kim) / "postern.adopting"
    kills = 0
    for round_ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        enough = total * round_ // 10
        while process.poll() is None and adopted(postern, kim) < enough:
            pass
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
        if marker.exists():
            with postern.imap() as wire:
                _, tagged = wire.cmd(f'LOGIN "{kim}" "secret"')
                assert tagged.startswith("NO"), tagged
    adopt(postern, kim, theirs.maildir, "--yes")
    assert not marker.exists()
    after = picture(our_talk(postern, kim))
    for key, value in before.items():
        if "uidnext" in key:
            assert after[key] >= value
        else:
            assert after[key] == value, key
    print(f"{kills} kills")


def adopted(postern, user):
    home = postern.home(user)
    return len([*home.glob("cur/*"), *home.glob(".*/cur/*")])


def test_mail_that_comes_meanwhile_waits(postern, kim, theirs):
    home = postern.home(kim)
    postern.send("anna@sender.example", kim)
    postern.wait_for_messages(kim, 1)
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        theirs.talk(append("INBOX", 1, []))
        # (both are made from the clock, and may be the same here)
        uidlist = theirs.maildir / "dovecot-uidlist"
        uidlist.write_text(re.sub(r" V\d+", " V1234567890",
                                  uidlist.read_text()))
        adopt(postern, kim, theirs.maildir, "--yes")
        # its UIDVALIDITY is another now: the session cannot go on
        wire.send("n NOOP\r\n")
        until(lambda: "BYE" in wire.line(), "BYE")
    assert not (home / "postern.adopting").exists()
    with postern.imap(kim, "secret") as wire:
        assert "* 2 EXISTS" in wire.ok("SELECT INBOX")


def test_complaints(postern, kim, theirs, tmp_path):
    def complaint(*words):
        done = postern.postern("mailbox", "adopt", *words, check=False)
        assert done.returncode != 0
        return done.stderr

    assert "--yes" in complaint(kim, theirs.maildir)
    assert "add it first" in complaint("nobody-" + kim, theirs.maildir,
                                       "--yes")
    assert "No such file" in complaint(kim, "/nowhere", "--yes")
    assert "no maildir" in complaint(kim, theirs.dir, "--yes")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_as_root_the_files_change_hands(postern, kim, theirs):
    """Mail of another user (Dovecot's) becomes the store user's, and nothing
    else does."""
    theirs.talk(*a_life(5))
    before = picture(theirs.talk)
    daemon = pwd.getpwnam("daemon")
    for path in [theirs.maildir, *theirs.maildir.rglob("*")]:
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)
    secret = theirs.dir / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    (theirs.maildir / "cur" / "1.link.host:2,").symlink_to(secret)
    conf = postern.dir / "as-root.conf"
    conf.write_text("mail_owner_store = nobody\n" + postern.conf.read_text())

    def as_root(*words):
        return subprocess.run(
            [paths.program("postern"), "-c", conf, "mailbox", "adopt", kim,
             theirs.maildir, *words], capture_output=True, text=True)

    hard = theirs.maildir / "cur" / "2.hard.host:2,"
    os.link(secret, hard)
    done = as_root("--yes")
    assert done.returncode != 0 and "belongs to user 0" in done.stderr
    assert secret.stat().st_uid == 0 and secret.stat().st_mode & 0o77 == 0
    hard.unlink()
    assert as_root("--check").returncode == 0
    assert (theirs.maildir / "cur").stat().st_uid == daemon.pw_uid
    done = as_root("--yes")
    assert done.returncode == 0, done.stderr
    assert "no readable files" in done.stderr
    assert secret.stat().st_uid == 0 and secret.stat().st_mode & 0o77 == 0
    after = picture(our_talk(postern, kim))
    for key, value in before.items():
        assert after[key] == value, key
