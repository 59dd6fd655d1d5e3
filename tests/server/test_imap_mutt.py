"""mutt, driven by its own macros in a terminal nobody looks at."""
import os
import pty
import select
import shutil
import subprocess
import time

import pytest

LETTERS = 40


class Mutt:
    def __init__(self, directory, address, user):
        host, port = address
        where = f"imap://{host}:{port}"
        self.rc = directory / "muttrc"
        self.env = {"HOME": str(directory), "TERM": "vt100", "LANG": "C.UTF-8",
                    "PATH": os.environ["PATH"]}
        self.rc.write_text(f"""\
set imap_user = "{user}"
set imap_pass = "secret"
set folder = "{where}/"
set spoolfile = "{where}/INBOX"
set record = ""
set postponed = ""
set ssl_starttls = yes
set ssl_force_tls = yes
set ssl_verify_host = no
set ssl_verify_dates = no
set certificate_file = "{directory}/certificates"
set header_cache = "{directory}/cache"
set message_cachedir = "{directory}/cache"
set imap_idle = yes
set imap_qresync = yes
set imap_condstore = yes
set confirmappend = no
set confirmcreate = no
set delete = yes
set move = no
set quit = yes
set wait_key = no
set mark_old = no
set beep = no
""")

    def run(self, keys, timeout=300):
        """Starts mutt, types `keys` (mutt's notation) and waits for it to
        end; what the terminal saw."""
        master, slave = pty.openpty()
        child = subprocess.Popen(
            ["mutt", "-F", str(self.rc), "-e", f"push '{keys}'"],
            stdin=slave, stdout=slave, stderr=slave, env=self.env,
            start_new_session=True)
        os.close(slave)
        screen, end = b"", time.monotonic() + timeout
        try:
            while time.monotonic() < end:
                if select.select([master], [], [], 0.2)[0]:
                    try:
                        screen += os.read(master, 65536)
                    except OSError:
                        break
                elif child.poll() is not None:
                    break
            assert child.wait(max(1, end - time.monotonic())) == 0, screen
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            os.close(master)
        return screen.decode("utf-8", "replace")


@pytest.fixture
def mutt(postern, kim, tmp_path):
    if shutil.which("mutt") is None:
        pytest.skip("mutt is not installed")
    (tmp_path / "certificates").write_bytes(
        (postern.dir / "tls" / "postern.crt").read_bytes())
    return Mutt(tmp_path, postern.address("imap"), kim)


def append(wire, number):
    letter = (f"From: joe@x.example\r\nSubject: letter {number}\r\n"
              f"Message-ID: <{number}@x.example>\r\n\r\nbody {number}\r\n")
    wire.send(f"m APPEND INBOX {{{len(letter)}+}}\r\n{letter}\r\n")
    assert wire.answer("m")[1].startswith("OK")


def count(wire, what):
    return len(wire.ok(f"SEARCH {what}")[0].split()) - 2


def test_mutt_reads_flags_and_files_mail(postern, kim, mutt):
    with postern.imap(kim, "secret") as wire:
        wire.ok("CREATE Work")
        for number in range(LETTERS):
            append(wire, number)
        # a server-side search, a flag, a message read
        mutt.run('<limit>=b "body 7"<enter><flag-message><display-message>'
                 '<exit><quit>')
        wire.ok("SELECT INBOX")
        assert wire.ok("SEARCH FLAGGED") == ["* SEARCH 8"]
        assert wire.ok("SEARCH SEEN") == ["* SEARCH 8"]
        # ten tagged ones copied, ten moved, one deleted
        mutt.run('<tag-pattern>~s "letter 1."<enter>'
                 '<tag-prefix><copy-message>=Work<enter>'
                 '<untag-pattern>~A<enter>'
                 '<tag-pattern>~s "letter 2."<enter>'
                 '<tag-prefix><save-message>=Work<enter>'
                 '<untag-pattern>~A<enter>'
                 '<delete-pattern>~s "letter 39"<enter>'
                 '<sync-mailbox><quit>')
        wire.ok("NOOP")
        assert count(wire, "ALL") == LETTERS - 11
        assert count(wire, 'SUBJECT "letter 2"') == 1
        wire.ok("SELECT Work")
        assert count(wire, "ALL") == 20
        # once more, with what it has in its cache and what changed meanwhile
        wire.ok("SELECT INBOX")
        wire.ok("STORE 1 +FLAGS (\\Answered)")
        wire.ok("STORE 2 +FLAGS (\\Deleted)")
        wire.ok("EXPUNGE")
        append(wire, 99)
        mutt.run('<tag-pattern>~Q|(~s "letter 99")<enter>'
                 '<tag-prefix><save-message>=Work<enter>'
                 '<sync-mailbox><quit>')
        wire.ok("SELECT Work")
        assert count(wire, "ALL") == 22
        assert count(wire, "ANSWERED") == 1
        assert count(wire, 'SUBJECT "letter 99"') == 1
