"""Dovecot's IMAP server beside ours: its `imap` binary on standard input and
output, logged in from the start. No service, no port, a private maildir."""
import pathlib
import shutil
import subprocess

from . import paths

IMAP = pathlib.Path("/usr/lib/dovecot/imap")


def missing():
    """Why it cannot run, or None."""
    return None if IMAP.exists() else "Dovecot is not installed"


class Dovecot:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.maildir = self.dir / "mail"
        for part in ("cur", "new", "tmp"):
            (self.maildir / part).mkdir(parents=True)
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(f"""\
mail_location = maildir:{self.maildir}
base_dir = {self.dir}/run
state_dir = {self.dir}/state
ssl = no
mailbox_list_index = no
log_path = {self.dir}/log
namespace inbox {{
  inbox = yes
  separator = /
}}
""")
        for path in [self.dir, *self.dir.rglob("*")]:
            paths.give(path)

    def talk(self, *commands):
        """Answers to commands that come one after the other, as bytes."""
        words = paths.as_plain_user(
            ["env", "-i", f"HOME={self.dir}", "USER=kim", IMAP, "-c",
             self.conf])
        lines = [line if isinstance(line, bytes) else line.encode()
                 for line in (*commands, "LOGOUT")]
        done = subprocess.run(
            words, capture_output=True, timeout=120, input=b"".join(
                b"x%d %s\r\n" % (n, line) for n, line in enumerate(lines)))
        if f"x{len(commands)} OK".encode() not in done.stdout:
            raise AssertionError((done.stdout[-1000:] + done.stderr).decode(
                "utf-8", "replace"))
        return done.stdout

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
