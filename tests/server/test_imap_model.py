"""Random commands from several sessions on one mailbox, beside a model.

The commands come one after another, so the model is exact; what each session
was told must make its picture of the mailbox equal to the model's as soon as
it asks (NOOP).
"""
import os
import random
import re

STEPS = int(os.environ.get("POSTERN_MODEL_STEPS", "1200"))
FLAGS = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work"]
QUIET = re.compile(r"(FETCH|STORE|SEARCH) ")   # no EXPUNGE while these run


TALK = []               # what was said, for the message of a failure


class Model:
    """uid -> set of flags, in the order of UIDs."""

    def __init__(self):
        self.mail = {}

    def expunge(self, uids=None):
        for uid in [uid for uid, flags in self.mail.items()
                    if "\\Deleted" in flags and
                    (uids is None or uid in uids)]:
            del self.mail[uid]


class Session:
    """What a client knows: the UIDs by sequence number, and flags."""

    def __init__(self, wire, model):
        self.wire, self.model = wire, model
        self.uids, self.flags = [], {}
        lines = wire.ok("SELECT INBOX")
        self.hear(lines, "SELECT")
        self.learn()

    def hear(self, lines, command):
        for line in lines:
            number = re.match(r"\* (\d+) (EXPUNGE|EXISTS|FETCH)", line)
            if number is None:
                continue
            n, what = int(number[1]), number[2]
            if what == "EXPUNGE":
                assert not QUIET.match(command), f"{command}: {line}"
                assert n <= len(self.uids), f"{command}: {lines}"
                uid = self.uids.pop(n - 1)
                self.flags.pop(uid, None)
            elif what == "EXISTS":
                assert n >= len(self.uids), line
                self.uids += [None] * (n - len(self.uids))
            else:
                uid = re.search(r"UID (\d+)", line)
                if uid:
                    assert self.uids[n - 1] in (None, int(uid[1])), line
                    self.uids[n - 1] = int(uid[1])
                flags = re.search(r"FLAGS \(([^)]*)\)", line)
                if flags and self.uids[n - 1] is not None:
                    self.flags[self.uids[n - 1]] = \
                        set(flags[1].split()) - {"\\Recent"}

    def cmd(self, command):
        lines, tagged = self.wire.cmd(command)
        TALK.append(f"{id(self) % 9973}: {command} -> {lines} {tagged}")
        self.hear(lines, command)
        return lines, tagged

    def learn(self):
        while None in self.uids:
            first = self.uids.index(None) + 1
            self.cmd(f"FETCH {first}:{len(self.uids)} (UID FLAGS)")

    def check(self):
        assert self.cmd("NOOP")[1].startswith("OK")
        self.learn()
        assert self.uids == list(self.model.mail), "UIDs"
        assert self.flags == self.model.mail, "flags"

    def some(self, chance):
        """A random set of sequence numbers, and the UIDs they mean."""
        if not self.uids:
            return None, []
        low = chance.randint(1, len(self.uids))
        high = min(len(self.uids), low + chance.randint(0, 4))
        return f"{low}:{high}", self.uids[low - 1:high]


def store(session, chance):
    numbers, uids = session.some(chance)
    if numbers is None:
        return
    sign = chance.choice(["+", "-", ""])
    flags = set(chance.sample(FLAGS, chance.randint(1, 2)))
    silent = chance.choice(["", ".SILENT"])
    by_uid = chance.random() < 0.5
    which = ",".join(map(str, uids)) if by_uid else numbers
    tagged = session.cmd(f"{'UID ' if by_uid else ''}STORE {which} "
                         f"{sign}FLAGS{silent} ({' '.join(flags)})")[1]
    assert tagged.startswith("OK"), tagged
    for uid in uids:
        if uid not in session.model.mail:
            continue
        old = session.model.mail[uid]
        new = old | flags if sign == "+" else \
            old - flags if sign == "-" else set(flags)
        session.model.mail[uid] = new
        if silent and uid in session.flags:
            # the client knows what it asked for, on top of what it knew
            known = session.flags[uid]
            session.flags[uid] = known | flags if sign == "+" else \
                known - flags if sign == "-" else set(flags)


def expunge(session, chance):
    if chance.random() < 0.5 or not session.uids:
        assert session.cmd("EXPUNGE")[1].startswith("OK")
        session.model.expunge()
    else:
        uids = session.some(chance)[1]
        which = ",".join(map(str, uids))
        assert session.cmd(f"UID EXPUNGE {which}")[1].startswith("OK")
        session.model.expunge(uids)


def append(session, chance):
    flags = set(chance.sample(FLAGS, chance.randint(0, 2)))
    mail = f"Subject: {chance.random()}\r\n\r\nx\r\n"
    session.wire.send(f"p APPEND INBOX ({' '.join(flags)}) "
                      f"{{{len(mail)}+}}\r\n{mail}\r\n")
    lines, tagged = session.wire.answer("p")
    session.hear(lines, "APPEND")
    uid = int(re.match(r"OK \[APPENDUID \d+ (\d+)\]", tagged)[1])
    session.model.mail[uid] = flags


def spread(text):
    for part in text.split(","):
        low, _, high = part.partition(":")
        yield from range(int(low), int(high or low) + 1)


def copy(session, chance):
    numbers, uids = session.some(chance)
    if numbers is None or len(session.model.mail) > 60:
        return
    move = chance.random() < 0.4
    lines, tagged = session.cmd(f"{'MOVE' if move else 'COPY'} {numbers} "
                                "INBOX")
    assert tagged.startswith("OK"), tagged
    code = re.search(r"\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]",
                     "".join(lines) + tagged)
    alive = [uid for uid in uids if uid in session.model.mail]
    if code is None:
        assert not alive
        return
    came, went = list(spread(code[1])), list(spread(code[2]))
    assert came == alive
    for old, new in zip(came, went):
        session.model.mail[new] = set(session.model.mail[old])
        if move:
            del session.model.mail[old]


def search(session, chance):
    flag = chance.choice(["SEEN", "FLAGGED", "DELETED", "KEYWORD $Work"])
    lines, tagged = session.cmd(f"UID SEARCH {flag}")
    assert tagged.startswith("OK"), tagged
    # what this session was not told of yet may differ: check when it is up
    # to date
    session.check()
    lines, _ = session.cmd(f"UID SEARCH {flag}")
    name = "$Work" if "$" in flag else "\\" + flag.capitalize()
    found = [line for line in lines if line.startswith("* SEARCH")][0]
    assert [int(uid) for uid in found.split()[2:]] == \
        [uid for uid, flags in session.model.mail.items() if name in flags]


def reselect(session, chance):
    command = chance.choice(["UNSELECT", "CLOSE", "SELECT"])
    if command != "SELECT":
        assert session.wire.cmd(command)[1].startswith("OK")
    if command == "CLOSE":
        session.model.expunge()
    session.uids, session.flags = [], {}
    session.hear(session.wire.ok("SELECT INBOX"), "SELECT")
    session.learn()


def test_sessions_agree_with_a_model(postern, kim):
    seed = int(os.environ.get("POSTERN_MODEL_SEED", "20261120"))
    chance = random.Random(seed)
    model = Model()
    wires = [postern.imap(kim, "secret") for _ in range(4)]
    sessions = [Session(wire, model) for wire in wires]
    history = []
    try:
        for step in range(STEPS):
            session = chance.choice(sessions)
            action = chance.choices(
                [store, append, expunge, copy, search, reselect],
                weights=[10, 5, 2, 2, 2, 1])[0]
            history.append((sessions.index(session), action.__name__))
            action(session, chance)
            session.learn()
            if chance.random() < 0.4:
                chance.choice(sessions).check()
        for session in sessions:
            session.check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed} step {len(history)} "
                             f"{history[-6:]}: {error}\n" +
                             "\n".join(TALK[-40:])) from error
    finally:
        for wire in wires:
            wire.close()
