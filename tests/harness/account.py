"""Load by smtpload, and the accounting of what it was told `250` for."""
import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from . import paths
from .wait import until

NUMBER = re.compile(rb"^X-Load-Number: (\d+)\r?$", re.M)
UID = re.compile(r",U=(\d+\.\d+)")


def build_tool(directory):
    """Compiles smtpload; the path of the program."""
    tool = pathlib.Path(directory) / "smtpload"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-std=gnu11", "-o",
                    tool, paths.SOURCE / "tests/bench/smtpload.c"],
                   check=True)
    return tool


def populate(instance, mailboxes, domains, password=False):
    """uK@d((K-1)%domains+1).test, as smtpload names them; ids in order."""
    for i in range(1, domains + 1):
        instance.add_domain(f"d{i}.test")
    return [instance.add_mailbox(f"u{k}@d{(k - 1) % domains + 1}.test",
                                 "secret" if password else None)
            for k in range(1, mailboxes + 1)]


class Load:
    """smtpload in the background; every number is offered once only."""

    def __init__(self, tool, instance, directory, mailboxes, domains,
                 recipients=2, sessions=8, size=3000):
        self.tool, self.instance = tool, instance
        self.mailboxes, self.domains = mailboxes, domains
        self.recipients, self.sessions, self.size = \
            recipients, sessions, size
        self.file = pathlib.Path(directory) / "accepted"
        self.file.touch()
        self.next = 0
        self.process = None
        self.figures = collections.Counter()

    def start(self, messages=10000000, kept=True):
        self.process = subprocess.Popen(
            [self.tool, "-k", "-s", str(self.sessions), "-m", str(messages),
             "-r", str(self.recipients), "-l", str(self.size), "-U",
             str(self.mailboxes), "-D", str(self.domains), "-n",
             str(self.next), "-a", self.file, "-T", "100000",
             *(["-d"] if kept else []),
             f"127.0.0.1:{self.instance.port('mx')}"],
            stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Lets messages in hand end; the figures. Raises when one never does."""
        self.process.send_signal(signal.SIGTERM)
        try:
            out = self.process.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            self._hung()
        return self._read(out)

    def _hung(self):
        """Says which sessions wait for what, as client and server see it."""
        print(self.instance.postern("session", "list", check=False).stdout,
              flush=True)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)
        raise AssertionError("sessions hang; the server's log ends\n" +
                             self.instance.log_text()[-3000:])

    def kill(self):
        """As a client that loses its network; numbers go on behind."""
        self.process.kill()
        self.process.communicate()
        self.next += 10000000
        self.process = None

    def _read(self, out):
        found = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", out)}
        self.next += int(found["offered"])
        for name in ("offered", "accepted", "refused", "broken"):
            self.figures[name] += int(found[name])
        self.process = None
        return found

    def accepted(self):
        """Numbers that got 250 so far."""
        text = self.file.read_text()
        return [int(n) for n in text[:text.rfind("\n") + 1].split()]

    def count(self):
        return self.file.read_bytes().count(b"\n")

    def recipients_of(self, number):
        """Positions (from 0) of the mailboxes a message went to."""
        return [(number * self.recipients + i) % self.mailboxes * 37 %
                self.mailboxes for i in range(self.recipients)]


class Account:
    """What lies in the maildirs against what was promised."""

    def __init__(self, instance, load, ids):
        self.instance, self.load, self.ids = instance, load, ids
        self.lost, self.doubled, self.damaged = [], [], []
        self.found = collections.Counter()
        self.files = 0
        self.uids_doubled = 0

    def _file(self, position, path):
        data = path.read_bytes()
        match = NUMBER.search(data)
        if match is None:
            self.damaged.append(str(path))
            return
        number = int(match.group(1))
        if len(data) < self.load.size:
            self.damaged.append(str(path))
        self.found[number, position] += 1

    def take(self):
        """Reads every maildir."""
        for position, mailbox in enumerate(self.ids):
            uids = collections.Counter()
            for path in self.instance.messages(mailbox):
                self.files += 1
                try:
                    self._file(position, path)
                except FileNotFoundError:
                    continue
                uid = UID.search(path.name)
                if uid:
                    uids[uid.group(1)] += 1
            self.uids_doubled += sum(n - 1 for n in uids.values() if n > 1)
        for number in self.load.accepted():
            for position in self.load.recipients_of(number):
                if self.found[number, position] == 0:
                    self.lost.append((number, position))
        self.doubled = [key for key, n in self.found.items() if n > 1]
        return self

    def good(self):
        return not (self.lost or self.doubled or self.damaged or
                    self.uids_doubled)

    def report(self, out=sys.stdout):
        accepted = self.load.count()
        print(f"{accepted} messages got 250, "
              f"{accepted * self.load.recipients} copies promised; "
              f"{self.files} files found, {len(self.lost)} lost, "
              f"{len(self.doubled)} doubled, {len(self.damaged)} damaged, "
              f"{self.uids_doubled} UIDs doubled", file=out)
        for name in ("lost", "doubled", "damaged"):
            for item in getattr(self, name)[:5]:
                print(f"  {name}: {item}", file=out)


def wait_drained(instance, load, ids, timeout=120):
    """Until every promised copy is there (what never comes is lost) and the
    number of files stands still."""
    promised = {}
    for number in load.accepted():
        for position in load.recipients_of(number):
            promised[position] = promised.get(position, 0) + 1
    end = time.monotonic() + timeout

    def count():
        return sum(len(instance.messages(ids[p])) for p in range(len(ids)))

    wanted = sum(promised.values())
    try:
        until(lambda: count() >= wanted, "all promised copies", timeout)
    except TimeoutError:
        pass
    last = -1
    while time.monotonic() < end + 10:
        now = count()
        if now == last:
            return
        last = now
        time.sleep(0.5)     # a state that must *not* change can't be awaited
