"""What an IMAP client knows of a mailbox from what it was told, and whether it
was allowed to be told that then (RFC 3501 7.4.1, RFC 7162)."""
import re

# No EXPUNGE or VANISHED while these run.
QUIET = re.compile(r"(FETCH|STORE|SEARCH|UID SEARCH [\d:,*]+( |$)) ?")
PLAIN, CONDSTORE, QRESYNC = "plain", "condstore", "qresync"


def spread(text):
    """The numbers of "1:3,7"."""
    for part in text.split(","):
        low, _, high = part.partition(":")
        yield from range(int(low), int(high or low) + 1)


def squeeze(numbers):
    """Ascending numbers as "1:3,7"."""
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ",".join(f"{low}:{high}" if low < high else str(low)
                    for low, high in out)


def number_of(pattern, line):
    found = re.search(pattern, line)
    return int(found[1]) if found else None


class Picture:
    """uids: by sequence number, None where not known yet; flags and modseqs:
    by UID. modseq: what the client would come back with (RFC 7162 6)."""

    def __init__(self, mode):
        self.mode = mode
        self.uids, self.flags, self.modseqs = [], {}, {}
        self.uidvalidity, self.modseq, self.earlier = None, 0, []

    def forget(self, uid):
        self.flags.pop(uid, None)
        self.modseqs.pop(uid, None)

    def hear(self, lines, tagged, command):
        """All that came for one command."""
        told, stamps = None, [0]
        for line in [*lines, tagged]:
            told = number_of(r"\[HIGHESTMODSEQ (\d+)\]", line) or told
            self.uidvalidity = number_of(r"\[UIDVALIDITY (\d+)\]", line) or \
                self.uidvalidity
        for line in lines:
            stamps.append(self.hear_line(line, command) or 0)
        self.modseq = told or max(self.modseq, *stamps)

    def hear_line(self, line, command):
        earlier = re.match(r"\* VANISHED \(EARLIER\) ([\d:,]+)$", line)
        vanished = re.match(r"\* VANISHED ([\d:,]+)$", line)
        counted = re.match(r"\* (\d+) (EXPUNGE|EXISTS|FETCH)", line)
        if earlier:
            assert command.startswith("SELECT") or "VANISHED" in command, line
            self.earlier += spread(earlier[1])
        elif vanished:
            self.vanish(list(spread(vanished[1])), line, command)
        elif counted:
            return getattr(self, "hear_" + counted[2].lower())(
                int(counted[1]), line, command)

    def vanish(self, uids, line, command):
        assert self.mode == QRESYNC and not QUIET.match(command), \
            f"{command}: {line}"
        for uid in uids:
            at = self.place_of(uid)
            assert self.uids[at] in (uid, None), \
                f"{command}: {line}, known {self.uids}"
            del self.uids[at]
            self.forget(uid)

    def place_of(self, uid):
        """Where it is, or which of the unknown ones it must be."""
        if uid in self.uids:
            return self.uids.index(uid)
        above = [at for at, known in enumerate(self.uids)
                 if known and known > uid]
        return (above[0] if above else len(self.uids)) - 1

    def hear_expunge(self, n, line, command):
        assert self.mode != QRESYNC and not QUIET.match(command), \
            f"{command}: {line}"
        assert n <= len(self.uids), f"{command}: {line}"
        self.forget(self.uids.pop(n - 1))

    def hear_exists(self, n, line, command):
        assert n >= len(self.uids), line
        self.uids += [None] * (n - len(self.uids))

    def hear_fetch(self, n, line, command):
        assert n <= len(self.uids), f"{command}: {line}"
        uid = number_of(r"UID (\d+)", line)
        modseq = number_of(r"MODSEQ \((\d+)\)", line)
        flags = re.search(r"FLAGS \(([^)]*)\)", line)
        if "FETCH" not in command:
            assert (modseq is not None) == (self.mode != PLAIN), line
            assert uid or self.mode == PLAIN, line
        if uid:
            assert self.uids[n - 1] in (None, uid), f"{line}, {self.uids}"
            self.uids[n - 1] = uid
        uid = self.uids[n - 1]
        if uid and flags:
            self.flags[uid] = set(flags[1].split()) - {"\\Recent"}
        if uid and modseq:
            self.modseqs[uid] = modseq
        return modseq

    def first_unknown(self):
        """The number of the first message whose UID or flags were not told (a
        new one may have been told with its modseq alone); None."""
        return next((n for n, uid in enumerate(self.uids, 1)
                     if uid not in self.flags), None)

    def select_again(self):
        """Another SELECT begins: only what is kept for later stays."""
        self.uids, self.earlier = [], []

    def came_back(self):
        """After SELECT (QRESYNC): what vanished is forgotten. The highest UID
        that is known; new ones are above it."""
        for uid in self.earlier:
            self.forget(uid)
        return max(self.flags, default=0)

    def fill(self):
        """All UIDs are known by now, if not by their numbers."""
        known = sorted(self.flags)
        assert len(known) == len(self.uids), f"{known} but {self.uids}"
        for told, uid in zip(self.uids, known):
            assert told in (None, uid), f"{self.uids} but {known}"
        self.uids = known
