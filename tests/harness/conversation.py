"""IMAP conversations written as the RFCs write theirs (tests/imap/README.md).

    ## RFC 9051 9.9, what it is about     a conversation begins
    on: plain                             not logged in, STARTTLS not done;
                                          tls: not logged in; else logged in
    mail: terry, binary                   letters that lie in INBOX
    quota: 524288 2                       octets and messages it may hold
    shows: IDLE                           capabilities that this is about
    C: a1 SELECT INBOX                    we say
    S: * 1 EXISTS                         the server must say
    C: a2 APPEND INBOX {}                 a literal; the runner counts it
    S: + …                                … stands for any text
    C| Subject: x                         lines of the literal; behind the last
    C|                                    one is no line end of its own
    C:                                    and the rest of the command
    S: a2 OK [APPENDUID <<v>> 2] …        <<v>> is the same in all its places

"C2:", "S2:": a second connection of the same user, logged in. A line "TLS"
does the handshake, "CLOSED" waits for the server to hang up.
"""
import base64
import re

from tests.harness.wire import Closed

VALUE = r"[^\s\]\)\(]+"
LITERAL = re.compile(r"\{(\+?)\}$")


class Conversation:
    def __init__(self, title, where):
        self.title, self.where = title, where
        self.on, self.mail, self.shows, self.quota = "", [], [], []
        self.lines = []             # (number, who, what)

    def __repr__(self):
        return f"{self.where}: {self.title}"

    def said(self, who):
        return [text for _, speaker, text in self.lines
                if speaker[0] == who]


def read(path):
    """All conversations of a file."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("## "):
            found.append(Conversation(line[3:], f"{path.name}:{number}"))
            continue
        if not line.strip() or not found:
            continue
        one = found[-1]
        spoken = re.match(r"([CS]2?[:|]|TLS$|CLOSED$) ?(.*)", line)
        if spoken:
            one.lines.append((number, spoken[1], spoken[2]))
        elif line.startswith("on: "):
            one.on = line[4:]
        elif line.startswith(("mail: ", "shows: ", "quota: ")):
            key, _, words = line.partition(": ")
            getattr(one, key).extend(re.split(r"[ ,]+", words.strip()))
        elif not line.startswith("#"):
            raise ValueError(f"{path}:{number}: {line!r}")
    return found


class Talk:
    """Plays one conversation. connect(logged_in) makes a connection."""

    def __init__(self, connect, user, password):
        self.connect, self.wires = connect, {}
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.values = {"user": user, "password": password, "plain": token}

    def wire(self, who):
        second = "2" in who
        if second not in self.wires:
            self.wires[second] = self.connect(True)
        return self.wires[second]

    def fill(self, text):
        return re.sub("<<(\\w+)>>", lambda m: self.values[m[1]], text)

    def pattern(self, text):
        """What the server must say, as a regular expression."""
        parts = re.split("(…|<<\\w+>>)", text)
        names, out = [], ""
        for part in parts:
            name = part[2:-2] if part.startswith("<<") else None
            if part == "…":
                out += ".*"
            elif name is None:
                out += re.escape(part)
            elif name in self.values:
                out += re.escape(self.values[name])
            elif name in names:
                out += f"(?P={name})"
            else:
                names.append(name)
                out += f"(?P<{name}>{VALUE})"
        return out

    def hear(self, who, want):
        got = self.wire(who).line()
        match = re.fullmatch(self.pattern(want), got)
        if not match:
            raise AssertionError(f"\nsaid   {got!r}\ninstead {want!r}")
        self.values.update(match.groupdict())

    def play(self, one):
        """Commands are sent line by line; literals after what asks for them
        was heard."""
        lines = one.lines
        for at, (number, who, text) in enumerate(lines):
            try:
                if who == "TLS":
                    self.wire(who).wrap()
                elif who == "CLOSED":
                    assert self.wire(who).at_end(), "still open"
                elif who[0] == "S":
                    self.hear(who, text)
                else:
                    self.say(lines, at)
            except (AssertionError, Closed, TimeoutError) as error:
                raise AssertionError(f"{one.where} line {number}: "
                                     f"{text!r}: {error}") from None
        for wire in self.wires.values():
            assert wire.buffer == b"", f"{one}: and {wire.buffer!r}"

    def say(self, lines, at):
        _, who, text = lines[at]
        data = self.fill(text)
        if who[-1] == "|":
            more = lines[at + 1][1] == who
            self.wire(who).send(data.encode() + b"\r\n" * more)
            return
        literal = LITERAL.search(text)
        if literal:
            content = "\r\n".join(literal_of(lines, at + 1))
            size = len(self.fill(content).encode())
            data = data[:literal.start()] + f"{{{size}{literal[1]}}}"
        self.wire(who).send(data.encode() + b"\r\n")


def literal_of(lines, at):
    """The lines of the literal that comes next."""
    found = []
    for _, who, text in lines[at:]:
        if who[-1] == "|":
            found.append(text)
        elif found or who[0] == "C":
            break
    return found
