"""One dialogue with one server, and what of it must be equal.

A line of a dialogue is a command, sent as it is, or

    a tuple             lines sent in one piece; one reply is read for each
    "." + text          a message, sent when the server asked for one (354)
    "=auth USER"        AUTH PLAIN with the password `secret`
    "=tls [FILE]"       STARTTLS and the handshake, with this certificate
    "=end"              nothing is sent; what comes until the server closes
"""
import base64
import re
import ssl
import time
from dataclasses import dataclass

from tests.harness.wire import Closed, SmtpWire

ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})( |$)")
GOOD = "192.0.2.10"


@dataclass
class Said:
    """A reply, or the end of the connection (code 0)."""
    code: int
    enhanced: str
    text: str
    seconds: float = 0      # the greeting: how long it took

    def verdict(self):
        return self.code, self.enhanced

    def __str__(self):
        return f"{self.code} {self.enhanced} {self.text}" if self.code \
            else "(closed)"


CLOSED = Said(0, "", "")
SILENCE = Said(-1, "", "no answer came")


def said(reply):
    text = " / ".join(reply.texts) if reply.code >= 400 else reply.texts[-1]
    match = ENHANCED.match(text)
    enhanced = match.group(1) if match else ""
    return Said(reply.code, enhanced, text[len(enhanced):].strip())


def equal(ours, theirs):
    """What two servers said is the same verdict at each step."""
    return [s.verdict() for s in ours] == [s.verdict() for s in theirs]


@dataclass
class Talk:
    group: object
    name: str
    client: str
    lines: tuple

    @property
    def id(self):
        return f"{self.group.name}/{self.name}"

    @property
    def waits(self):
        """Does it take seconds, by a silent name or a sleep?"""
        about = f"{self.lines} {self.group.settings}"
        return self.client == "192.0.2.27" or "silent" in about or \
            "sleep" in about

    def hold(self, address):
        """Talks to a server; what it said, from its greeting on."""
        heard, start = [], time.monotonic()
        try:
            with SmtpWire(address, source=self.client) as wire:
                heard.append(said(wire.reply()))
                heard[0].seconds = time.monotonic() - start
                for line in self.lines:
                    self.step(wire, line, heard)
                wire.send(b"QUIT\r\n")
                heard.append(said(wire.reply()))
        except (Closed, ConnectionError, ssl.SSLError):
            heard.append(CLOSED)
        except TimeoutError:
            heard.append(SILENCE)
        return heard

    @staticmethod
    def step(wire, line, heard):
        if isinstance(line, tuple):
            wire.send("".join(part + "\r\n" for part in line).encode())
            for _ in line:
                heard.append(said(wire.reply()))
        elif line.startswith("."):
            if heard[-1].code == 354:
                wire.send(line[1:].replace("\n", "\r\n").encode())
                wire.send(b"\r\n.\r\n")
                heard.append(said(wire.reply()))
        elif line == "=end":
            while True:
                heard.append(said(wire.reply()))
        elif line.split()[:1] == ["=tls"]:
            heard.append(said(wire.cmd("STARTTLS")))
            if heard[-1].code == 220:
                wire.wrap(certificate=line[5:] or None)
        elif line.startswith("=auth "):
            word = base64.b64encode(f"\0{line[6:]}\0secret".encode())
            heard.append(said(wire.cmd(b"AUTH PLAIN " + word)))
        else:
            heard.append(said(wire.cmd(line.encode("utf-8",
                                                   "surrogateescape"))))

    def steps(self):
        """The commands beside what is heard, for a report."""
        told = ["(connect)"]
        for line in self.lines:
            told += list(line) if isinstance(line, tuple) else [line]
        return told + ["QUIT"]


class Group:
    """A configuration, the same lines for both servers, and its dialogues.
    `only` names settings of one server: {"postfix": {...}, "postern": ...}.
    """

    def __init__(self, name, only=None, **settings):
        self.name = name
        self.settings = settings
        self.only = only or {}
        self.talks = []
        self.port = None

    def talk(self, name, *lines, client=GOOD):
        self.talks.append(Talk(self, name, client, lines))
        return self

    def ask(self, name, sender="x@good.example", to="kim@a.example",
            helo="mx.good.example", client=GOOD, before=(), after=()):
        """EHLO, MAIL, RCPT; `to` may be several, helo None."""
        recipients = [to] if isinstance(to, str) else to
        lines = [f"EHLO {helo}"] if helo is not None else []
        lines += before
        if sender is not None:
            lines.append(f"MAIL FROM:<{sender}>")
        lines += [f"RCPT TO:<{one}>" for one in recipients]
        lines += after
        return self.talk(name, *lines, client=client)

    def over(self, label, values, **fixed):
        """One ask() for each value of one of its arguments."""
        for value in values:
            text = value if isinstance(value, str) else repr(value)
            self.ask(f"{label}={text}", **{label: value}, **fixed)
        return self

    def for_server(self, server, directory):
        """Parameters as text, {dir} filled in."""
        merged = dict(self.settings, **self.only.get(server, {}))
        return {k: str(v).replace("{dir}", str(directory))
                for k, v in merged.items()}
