"""Random commands from several sessions on one mailbox, beside a model.

The commands come one after another, so the model is exact; what each session
was told must make its picture of the mailbox equal to the model's as soon as
it asks (NOOP), also when it lost its connection, or its server, and comes back
with what it knew (QRESYNC).

POSTERN_MODEL_STEPS: how many commands; POSTERN_MODEL_SEED.
"""
import os
import random
import re
import signal
import time

from tests.harness.imap_picture import (CONDSTORE, PLAIN, QRESYNC, Picture,
                                        spread, squeeze)
from tests.harness.wait import until
from tests.harness.wire import Closed

STEPS = int(os.environ.get("POSTERN_MODEL_STEPS", "1000"))
SEED = int(os.environ.get("POSTERN_MODEL_SEED", "20261120"))
FLAGS = ["\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$Work"]
MODES = [PLAIN, CONDSTORE, QRESYNC, QRESYNC]
SESSIONS = 4
MAIL_MAX = 60
LOST = (Closed, ConnectionError, TimeoutError)


class Model:
    """mail: uid -> flags, in the order of UIDs. stamp: uid -> (low, high), its
    modseq is above low and not above high; gone: the same of expunges. high:
    HIGHESTMODSEQ."""

    def __init__(self):
        self.mail, self.stamp, self.gone = {}, {}, {}
        self.high, self.highs = 1, [1]
        self.touched, self.unsure = set(), False
        self.next_uid = 1

    def set(self, uid, flags):
        if self.mail.get(uid) != flags:
            self.touched.add(uid)
        self.mail[uid] = flags

    def remove(self, uid):
        del self.mail[uid]
        self.touched.add(uid)

    def expunge(self, uids=None):
        for uid in [uid for uid, flags in self.mail.items()
                    if "\\Deleted" in flags and
                    (uids is None or uid in uids)]:
            self.remove(uid)

    def settle(self, messages, unseen, uidnext, high):
        """The server's figures after a command."""
        assert messages == len(self.mail), f"MESSAGES {messages}"
        assert unseen == sum("\\Seen" not in flags
                             for flags in self.mail.values()), "UNSEEN"
        assert uidnext > max(self.mail, default=0), f"UIDNEXT {uidnext}"
        assert uidnext >= self.next_uid, f"UIDNEXT {uidnext} went back"
        self.next_uid = uidnext
        if self.touched:
            assert high > self.high, f"HIGHESTMODSEQ {high} stays"
        elif self.unsure:
            assert high >= self.high, f"HIGHESTMODSEQ {high} went back"
        else:
            assert high == self.high, \
                f"HIGHESTMODSEQ {self.high} became {high} for nothing"
        for uid in self.touched:
            for which in (self.stamp, self.gone):
                which.pop(uid, None)
            (self.stamp if uid in self.mail else self.gone)[uid] = \
                (self.high, high)
        if self.unsure:
            # a repair may have given new ones
            for uid in self.mail:
                low, _ = self.stamp.get(uid, (0, 0))
                self.stamp[uid] = (low, high)
        if high != self.high:
            self.highs.append(high)
        self.high, self.touched, self.unsure = high, set(), False


class World:
    """Server, model and sessions, and all that was said."""

    def __init__(self, server, who, chance):
        self.server, self.who, self.chance = server, who, chance
        self.model, self.talk = Model(), []
        self.watcher = self.login()
        self.watcher.cmd("CREATE Other")
        self.settle()
        self.sessions = [Session(self, MODES[i % len(MODES)])
                         for i in range(SESSIONS)]

    def login(self):
        """A worker that died may not be back at once."""
        return until(self.login_or_none, "an IMAP login")

    def status(self, folder, items):
        line = self.watcher.ok(f"STATUS {folder} ({items})")[0]
        return dict(zip(items.split(),
                        [int(re.search(item + r" (\d+)", line)[1])
                         for item in items.split()]))

    def settle(self):
        got = self.status("INBOX", "MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ")
        self.model.settle(*got.values())

    def come_back(self):
        """All connections are dead."""
        for session in self.sessions:
            session.wire.close()
        self.watcher.close()
        self.watcher = self.login()
        for session in self.sessions:
            session.wire = self.login()
            session.lost = True

    def login_or_none(self):
        try:
            return self.server.imap(self.who, "secret")
        except (AssertionError, *LOST):
            return None


class Session:
    def __init__(self, world, mode):
        self.world, self.model = world, world.model
        self.wire, self.lost = world.login(), False
        self.asleep = False         # selected, and not looked at
        self.picture = Picture(mode)
        self.enable()
        self.select()

    @property
    def uids(self):
        return self.picture.uids

    def cmd(self, command):
        lines, tagged = self.wire.cmd(command)
        self.heard(command, lines, tagged)
        return lines, tagged

    def heard(self, command, lines, tagged):
        self.world.talk.append(f"{self.picture.mode} {id(self) % 9973}: "
                               f"{command} -> {lines} {tagged}")
        self.picture.hear(lines, tagged, command)

    def ok(self, command):
        lines, tagged = self.cmd(command)
        assert tagged.startswith("OK"), f"{command}: {tagged}"
        return lines

    def enable(self):
        if self.picture.mode == QRESYNC:
            self.ok("ENABLE QRESYNC")
        elif self.picture.mode == CONDSTORE:
            self.ok("ENABLE CONDSTORE")

    def select(self):
        self.picture.select_again()
        self.picture.flags.clear()
        self.picture.modseqs.clear()
        self.ok("SELECT INBOX")
        self.asleep = self.world.chance.random() < 0.4

    def learn(self):
        self.asleep = False
        while (first := self.picture.first_unknown()):
            self.ok(f"FETCH {first}:{len(self.uids)} (UID FLAGS)")

    def resynchronise(self):
        """Comes back with what it knew when it was lost."""
        picture, chance = self.picture, self.world.chance
        self.lost = False
        self.enable()
        if picture.mode != QRESYNC or self.asleep:
            self.select()
            return
        known = sorted(picture.flags)
        words = [str(picture.uidvalidity), str(picture.modseq)]
        if known and chance.random() < 0.5:
            words.append(squeeze(known))
        if known and chance.random() < 0.5:
            seqs = sorted(chance.sample(range(1, len(known) + 1),
                                        chance.randint(1, len(known))))
            pairs = squeeze(seqs), ",".join(str(known[n - 1]) for n in seqs)
            words.append(f"({' '.join(pairs)})")
        picture.select_again()
        self.ok(f"SELECT INBOX (QRESYNC ({' '.join(words)}))")
        highest = picture.came_back()
        if len(self.uids) > len(picture.flags):
            self.ok(f"UID FETCH {highest + 1}:* (FLAGS)")
        picture.fill()

    def check(self):
        self.ok("NOOP")
        self.learn()
        assert self.uids == list(self.model.mail), "UIDs"
        assert self.picture.flags == self.model.mail, "flags"

    def some(self):
        """A random set of sequence numbers, and the UIDs they mean."""
        if not self.uids:
            return None, []
        low = self.world.chance.randint(1, len(self.uids))
        high = min(len(self.uids), low + self.world.chance.randint(0, 4))
        return f"{low}:{high}", self.uids[low - 1:high]


# --- what sessions do

def changed(sign, old, flags):
    return old | flags if sign == "+" else \
        old - flags if sign == "-" else set(flags)


def store(session, chance):
    numbers, uids = session.some()
    if numbers is None:
        return
    model, picture = session.model, session.picture
    sign = chance.choice(["+", "-", ""])
    flags = set(chance.sample(FLAGS, chance.randint(1, 2)))
    silent = chance.choice(["", ".SILENT"])
    by_uid = chance.random() < 0.5
    since, only = "", None
    if picture.mode != PLAIN and chance.random() < 0.3:
        only = chance.choice(model.highs[-8:])
        since = f"(UNCHANGEDSINCE {only}) "
    which = squeeze(uids) if by_uid else numbers
    tagged = session.cmd(f"{'UID ' if by_uid else ''}STORE {which} {since}"
                         f"{sign}FLAGS{silent} ({' '.join(sorted(flags))})")[1]
    assert tagged.startswith("OK"), tagged
    failed = re.search(r"\[MODIFIED ([\d:,]+)\]", tagged)
    failed = set(spread(failed[1])) if failed else set()
    if not by_uid:
        low = int(numbers.split(":")[0])
        failed = {uids[n - low] for n in failed}
    for uid in uids:
        if uid not in model.mail:
            continue
        if only is not None:
            low, high = model.stamp[uid]
            assert uid not in failed if high <= only else True, "MODIFIED"
            assert uid in failed if low >= only else True, "MODIFIED"
        if uid in failed:
            continue
        model.set(uid, changed(sign, model.mail[uid], flags))
        if silent and uid in picture.flags:
            # the client knows what it asked for, on top of what it knew
            picture.flags[uid] = changed(sign, picture.flags[uid], flags)


def expunge(session, chance):
    model = session.model
    deleted = {uid for uid, flags in model.mail.items()
               if "\\Deleted" in flags}
    uids = None
    command = "EXPUNGE"
    if session.uids and chance.random() < 0.5:
        uids = session.some()[1]
        command = f"UID EXPUNGE {squeeze(uids)}"
        deleted &= set(uids)
    tagged = session.cmd(command)[1]
    assert tagged.startswith("OK"), tagged
    assert (session.picture.mode != PLAIN and bool(deleted)) == \
        ("HIGHESTMODSEQ" in tagged) or not deleted, tagged
    model.expunge(uids)


def append(session, chance):
    if len(session.model.mail) > MAIL_MAX:
        return
    flags = set(chance.sample(FLAGS, chance.randint(0, 2)))
    command = append_command(flags)
    session.wire.send(f"p {command}\r\n")
    lines, tagged = session.wire.answer("p")
    session.heard("APPEND", lines, tagged)
    uid = int(re.match(r"OK \[APPENDUID \d+ (\d+)\]", tagged)[1])
    session.model.set(uid, flags)


def append_command(flags):
    mail = "Subject: x\r\n\r\nx\r\n"
    return (f"APPEND INBOX ({' '.join(sorted(flags))}) "
            f"{{{len(mail)}+}}\r\n{mail}")


def copy(session, chance):
    numbers, uids = session.some()
    if numbers is None or len(session.model.mail) > MAIL_MAX:
        return
    model = session.model
    move = chance.random() < 0.5
    to = chance.choice(["INBOX", "Other"]) if move else "INBOX"
    lines, tagged = session.cmd(f"{'MOVE' if move else 'COPY'} {numbers} {to}")
    assert tagged.startswith("OK"), tagged
    code = re.search(r"\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]",
                     "".join(lines) + tagged)
    alive = [uid for uid in uids if uid in model.mail]
    if code is None:
        assert not alive
        return
    came, went = list(spread(code[1])), list(spread(code[2]))
    assert came == alive
    for old, new in zip(came, went):
        if to == "INBOX":
            model.set(new, set(model.mail[old]))
        if move:
            model.remove(old)


def search(session, chance):
    flag = chance.choice(["SEEN", "FLAGGED", "DELETED", "KEYWORD $Work"])
    # what this session was not told of yet may differ: but no harm is done
    numbers = session.some()[0]
    session.ok(f"SEARCH {flag}")
    if numbers:
        session.ok(f"UID SEARCH {numbers} {flag}")
    session.check()
    name = "$Work" if "$" in flag else "\\" + flag.capitalize()
    want = [uid for uid, flags in session.model.mail.items() if name in flags]
    lines = session.ok(f"UID SEARCH {flag}")
    found = [line for line in lines if line.startswith("* SEARCH")][0]
    assert [int(uid) for uid in found.split()[2:]] == want, "SEARCH"
    lines = session.ok(f"UID SEARCH RETURN (SAVE MIN COUNT ALL) {flag}")
    found = [line for line in lines if line.startswith("* ESEARCH")][0]
    assert f"COUNT {len(want)}" in found, found
    if want:
        assert f"MIN {want[0]} " in found, found
        assert found.endswith(f"ALL {squeeze(want)}"), found
    lines = session.ok("FETCH $ (UID)")
    assert [int(re.search(r"UID (\d+)", line)[1]) for line in lines
            if line.endswith("FETCH (UID " + line.split("(UID ")[-1])] == \
        want, "$"


def changed_since(session, chance):
    """CHANGEDSINCE finds what changed, and VANISHED what went."""
    if session.picture.mode == PLAIN:
        return
    model, picture = session.model, session.picture
    since = chance.choice(model.highs[-20:])
    vanished = picture.mode == QRESYNC and chance.random() < 0.7
    held = set(session.uids)
    picture.earlier = []
    lines = session.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}"
                       f"{' VANISHED' if vanished else ''})")
    asked = [line for line in lines if "FETCH (UID" in line]
    found = {int(re.search(r"UID (\d+)", line)[1]) for line in asked}
    assert len(found) == len(asked), f"told twice: {lines}"
    for uid in held & set(model.mail):
        low, high = model.stamp[uid]
        # others may be told as well, being news to this session
        assert uid in found or low < since, f"{uid} {low} {high}"
    if vanished:
        earlier = set(picture.earlier)
        assert not earlier & set(model.mail), "VANISHED is there"
        assert not earlier & held, "EARLIER what was not told at all"
        # one that came and went since the last command is told here, too
        just_now = {uid for line in lines for told in
                    re.findall(r"\* VANISHED ([\d:,]+)$", line)
                    for uid in spread(told)}
        for uid, (low, _) in model.gone.items():
            assert uid in earlier or uid in held or uid in just_now or \
                low < since, \
                f"{uid} has VANISHED"


def reselect(session, chance):
    command = chance.choice(["UNSELECT", "CLOSE", "SELECT"])
    if command != "SELECT":
        # what it says is still about the old picture, and no news
        assert session.wire.cmd(command)[1].startswith("OK")
    if command == "CLOSE":
        session.model.expunge()
    session.select()


def modseqs(session, chance):
    """All modseqs are what the model says they can be."""
    session.check()
    if not session.uids:
        return
    lines = session.wire.cmd("UID FETCH 1:* (MODSEQ)")[0]
    if session.picture.mode == PLAIN:
        # from here on it knows them
        session.picture.mode = CONDSTORE
    for line in lines:
        found = re.search(r"UID (\d+) MODSEQ \((\d+)\)", line)
        if found:
            uid, modseq = int(found[1]), int(found[2])
            low, high = session.model.stamp[uid]
            assert low < modseq <= high, f"{line}: not in {low}..{high}"
            session.model.stamp[uid] = (modseq - 1, modseq)
            if session.picture.mode == QRESYNC:
                assert session.picture.modseqs.get(uid, modseq) == modseq, \
                    f"{line}: was told {session.picture.modseqs[uid]}"


def drop(session, chance):
    """The connection is lost, and things happen meanwhile."""
    session.wire.close()
    session.wire = session.world.login()
    session.lost = True


def deliver(session, chance):
    world = session.world
    if len(world.model.mail) > MAIL_MAX:
        return
    before = world.status("INBOX", "UIDNEXT")["UIDNEXT"]
    world.server.send("a@sender.example", world.who)
    until(lambda: world.status("INBOX", "MESSAGES")["MESSAGES"] >
          len(world.model.mail), "the delivery")
    uid = world.status("INBOX", "UIDNEXT")["UIDNEXT"] - 1
    assert uid >= before
    world.model.set(uid, set())


ACTIONS = {store: 20, append: 8, expunge: 4, copy: 4, search: 3,
           changed_since: 4, modseqs: 2, reselect: 2, drop: 3, deliver: 1}


# --- what happens to them

def lose_index(session, chance):
    """Somebody removes the index while sessions go on. What lags in it is in
    the file names first."""
    session.ok("CHECK")
    for one in session.world.sessions:
        if not one.lost:
            # what went before they looked would be forgotten
            one.learn()
    home = session.world.server.home(session.world.who)
    (home / "postern.index").unlink()
    if chance.random() < 0.5:
        (home / "postern.cache").unlink()
    model = session.model
    model.touched |= set(model.mail)
    # when things went is not known any more
    model.gone = {uid: (0, model.high) for uid in model.gone}


def kill_workers(world, chance):
    names = chance.choice([["imapd"], ["imapd"], ["deliver"],
                           ["imapd", "deliver"]])
    for name in names:
        for pid in world.server.pids(name):
            os.kill(pid, signal.SIGKILL)
    if "imapd" in names:
        world.come_back()
    world.model.unsure = True


def kill_between(session, chance):
    """Everything was answered: nothing may be lost."""
    kill_workers(session.world, chance)


def kill_within(session, chance):
    """A command was sent and not answered: all or part of it may have
    happened, but no more."""
    world, model = session.world, session.model
    numbers, uids = session.some()
    if numbers is None:
        return
    before = world.status("Other", "MESSAGES")["MESSAGES"]
    sign = chance.choice(["+", "-"])
    flags = set(chance.sample(FLAGS, 2))
    command = chance.choice([
        f"STORE {numbers} {sign}FLAGS ({' '.join(sorted(flags))})", "EXPUNGE",
        append_command(flags), f"MOVE {numbers} Other",
        f"COPY {numbers} INBOX"])
    world.talk.append(f"{id(session) % 9973}: {command!r}, killed")
    session.wire.send(f"k {command}\r\n")
    time.sleep(chance.choice([0, 0.0003, 0.001, 0.003]))
    for pid in world.server.pids("imapd"):
        os.kill(pid, signal.SIGKILL)
    world.come_back()
    now = mailbox(world)
    assert all(uid in model.mail or uid >= model.next_uid for uid in now), \
        f"{command}: old UIDs came back"
    for uid, old in model.mail.items():
        may = [old]
        if command.startswith("STORE") and uid in uids:
            may.append(changed(sign, old, flags))
        if (command == "EXPUNGE" and "\\Deleted" in old) or \
                (command.startswith("MOVE") and uid in uids):
            may.append(None)
        assert now.get(uid) in may, f"{command}: {uid} is {now.get(uid)}"
    new = [uid for uid in now if uid not in model.mail]
    moved = world.status("Other", "MESSAGES")["MESSAGES"] - before
    if command.startswith("MOVE"):
        assert moved == len(model.mail) - len(now), "MOVE: two or none"
    if command.startswith("COPY"):
        # those that the session was not told of as gone are passed over
        assert len(new) in (0, len([u for u in uids if u in model.mail]))
    elif command.startswith("APPEND"):
        assert [now[uid] for uid in new] in ([], [flags])
    else:
        assert not new, f"{command}: {new} came"
    for uid in list(model.mail):
        if uid not in now:
            model.remove(uid)
    for uid, got in now.items():
        model.set(uid, got)
    model.unsure = True


def mailbox(world):
    """What is there, seen by nobody of the play."""
    with world.login() as wire:
        wire.ok("EXAMINE INBOX")
        lines = wire.cmd("FETCH 1:* (UID FLAGS)")[0]
    found = [re.search(r"UID (\d+) FLAGS \(([^)]*)\)", line)
             for line in lines]
    return {int(one[1]): set(one[2].split()) - {"\\Recent"}
            for one in found if one}


EVENTS = [kill_between, kill_within, kill_within, lose_index]


def play(world, steps, every):
    """`every`: how many steps from event to event; 0: none."""
    chance, history = world.chance, []
    try:
        for step in range(steps):
            session = chance.choice(world.sessions)
            if session.lost:
                session.resynchronise()
            session.learn()
            action = chance.choices(list(ACTIONS), ACTIONS.values())[0]
            if every and step % every == every - 1:
                action = chance.choice(EVENTS)
            history.append((world.sessions.index(session), action.__name__))
            action(session, chance)
            world.settle()
            if not session.lost and not session.asleep:
                session.learn()
            if chance.random() < 0.4:
                other = chance.choice(world.sessions)
                if other.lost:
                    other.resynchronise()
                other.check()
        for session in world.sessions:
            if session.lost:
                session.resynchronise()
            session.check()
    except (AssertionError, *LOST) as error:
        raise AssertionError(
            f"seed {SEED} step {len(history)} {history[-6:]}: "
            f"{type(error).__name__} {error}\nmodel {world.model.mail}\n" +
            "\n".join(world.talk[-40:])) from error
    finally:
        for session in world.sessions:
            session.wire.close()
        world.watcher.close()


def test_sessions_agree_with_a_model(postern, kim):
    play(World(postern, kim, random.Random(SEED)), STEPS, 0)


def test_sessions_agree_with_a_model_though_workers_die(fresh_postern):
    server = fresh_postern()
    server.add_domain("model.example")
    server.add_mailbox("kim@model.example", "secret")
    play(World(server, "kim@model.example", random.Random(SEED + 1)),
         STEPS // 2, 25)
