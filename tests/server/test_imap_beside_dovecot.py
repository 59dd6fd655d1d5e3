"""The same mail and the same questions to Dovecot and to us: SORT, THREAD,
SEARCH, BINARY, LIST and LSUB must be answered alike."""
import random
import re

import pytest

from tests.harness import dovecot
from tests.mime.corpus import MESSAGES
from tests.mime.response import fetches

LETTERS = 200
TOPICS = ["apple", "Apple", "pear", "Äpfel", "äpfel", "zebra", "ﬁsh", "fish",
          "Straße", "ΣΊΣΥΦΟΣ", "σίσυφος", "Ж", "ж", "", "re", "[list]",
          "two  spaces"]
PREFIXES = ["", "", "Re: ", "RE: ", "re[2]: ", "Fwd: ", "[list] ",
            "Re: [list] ", "[list] Re: ", "Fw: Re: ", "[Fwd: "]
PEOPLE = ["joe@x.example", "Ann <ann@x.example>", "Zoë <zoe@x.example>",
          "list: bob@x.example;", "<Joe@y.example>", "\"q u\" <q@x.example>"]


def letters(seed):
    """Mail of a mailing list that went through many hands."""
    dice = random.Random(seed)
    for number in range(LETTERS):
        prefix = dice.choice(PREFIXES)
        subject = prefix + dice.choice(TOPICS)
        if prefix == "[Fwd: ":
            subject += "]"
        elif dice.random() < 0.1:
            subject += " (fwd)"
        fields = [f"From: {dice.choice(PEOPLE)}",
                  f"To: {dice.choice(PEOPLE)}", f"Subject: {subject}"]
        if dice.random() < 0.5:
            fields.append(f"Cc: {dice.choice(PEOPLE)}")
        if dice.random() < 0.9:
            day, hour = dice.randrange(1, 28), dice.randrange(24)
            zone = dice.choice(["+0000", "-0800", "+0530"])
            fields.append(f"Date: {day} Feb 2024 {hour:02}:{number % 60:02}:"
                          f"00 {zone}")
        if dice.random() < 0.95:
            fields.append(f"Message-ID: <{number}@x.example>")
        if number and dice.random() < 0.6:
            known = sorted(dice.sample(range(number + 20), min(
                number, dice.randrange(1, 4))))
            ids = " ".join(f"<{n}@x.example>" for n in known)
            field = "References" if dice.random() < 0.8 else "In-Reply-To"
            fields.append(f"{field}: {ids}")
        yield ("\r\n".join(fields) + "\r\n\r\n" +
               "body\r\n" * dice.randrange(1, 9)).encode()


SORTS = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO",
         "REVERSE DATE", "SUBJECT REVERSE DATE", "FROM TO CC SUBJECT",
         "REVERSE FROM SIZE", "REVERSE SUBJECT REVERSE SIZE ARRIVAL"]
QUESTIONS = \
    [f"SORT ({keys}) UTF-8 ALL" for keys in SORTS] + \
    ["UID SORT (DATE) UTF-8 FROM joe LARGER 150",
     "THREAD REFERENCES UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL",
     "THREAD REFERENCES UTF-8 50:150", "UID THREAD REFERENCES UTF-8 FROM ann",
     # (a message without Date was sent in 1970, Dovecot says)
     "SEARCH SENTSINCE 10-Feb-2024",
     "SEARCH SENTBEFORE 10-Feb-2024 HEADER Date 2024",
     "SEARCH SENTON 10-Feb-2024", "SEARCH SUBJECT pear", "SEARCH FROM ann",
     "SEARCH HEADER Cc \"\"", "SEARCH HEADER References 1@x",
     "SEARCH OR (TO bob NOT CC bob) LARGER 200",
     "SEARCH CHARSET UTF-8 SUBJECT {6+}\r\näpfel"]


def append(content):
    """An APPEND whose bytes stay what they are."""
    return (f"APPEND INBOX \"01-Mar-2024 10:00:00 +0000\" {{{len(content)}+}}"
            "\r\n").encode() + content


@pytest.fixture
def theirs(tmp_path):
    if dovecot.missing():
        pytest.skip(dovecot.missing())
    for parent in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        parent.chmod(0o755)
    return dovecot.Dovecot(tmp_path / "dovecot")


def untagged(text, names):
    return re.findall(rb"^\* (?:%s).*?\r\n" % "|".join(names).encode(), text,
                      re.M)


def both(theirs, wire, commands):
    """Their answer and ours to commands that all must be OK."""
    commands = [c if isinstance(c, bytes) else c.encode() for c in commands]
    expected = theirs.talk(*commands)
    for number, command in enumerate([*commands, b"NOOP"]):
        wire.send(b"x%d %s\r\n" % (number, command))
    while f"\r\nx{len(commands)} OK".encode() not in wire.buffer:
        wire._more()
    ours, wire.buffer = wire.buffer, b""
    assert len(re.findall(rb"^x\d+ OK", ours, re.M)) == len(commands) + 1, \
        re.findall(rb"^x\d+ [NB].*", ours, re.M)
    return expected, ours


@pytest.mark.parametrize("seed", range(3))
def test_sort_thread_and_search(postern, kim, theirs, seed):
    with postern.imap(kim, "secret") as wire:
        commands = [append(letter) for letter in letters(seed)]
        expected, ours = both(theirs, wire, [*commands, "SELECT INBOX",
                                             *QUESTIONS])
    names = ["SORT", "THREAD", "SEARCH"]
    expected, ours = untagged(expected, names), untagged(ours, names)
    assert len(ours) == len(QUESTIONS)
    if len(expected) < len(QUESTIONS):      # seen once under load
        expected = untagged(theirs.talk("SELECT INBOX", *QUESTIONS), names)
    assert len(expected) == len(QUESTIONS)
    for question, a, b in zip(QUESTIONS, expected, ours):
        assert a == b, question


LEVELS = ["a", "b", "Ab", "a-b", "Work"]
SELECTS = ["", "() ", "(SUBSCRIBED) ", "(SUBSCRIBED RECURSIVEMATCH) "]
PATTERNS = ["*", "%", "%/%", "a*", "a/%", "*b", "W%/*", "inbox", "a/b",
            "(\"%\" \"a/*\")", "*%*", "%a"]
RETURNS = ["", " RETURN (SUBSCRIBED)", " RETURN (CHILDREN)",
           " RETURN (SUBSCRIBED CHILDREN)", " RETURN (STATUS (MESSAGES))"]


def tree(seed):
    """Folders and subscriptions that come and go."""
    dice = random.Random(seed)
    made = set()
    for _ in range(60):
        name = "/".join(dice.choices(LEVELS, k=dice.randrange(1, 4)))
        if name in made and dice.random() < 0.3:
            # what is subscribed and gone counts as a child to Dovecot
            made.discard(name)
            yield f"DELETE {name}"
            yield f"UNSUBSCRIBE {name}"
        elif name not in made:
            # Dovecot makes no folders for the levels above
            parts = name.split("/")
            for above in ("/".join(parts[:n + 1]) for n in range(len(parts))):
                if above not in made:
                    made.add(above)
                    yield f"CREATE {above}"
        if name in made and dice.random() < 0.5:
            yield f"SUBSCRIBE {name}"


def rows(text):
    """{(LIST or LSUB, name): what it says} of one answer."""
    found = {}
    for word, flags, name, rest in re.findall(
            rb'^\* (LIST|LSUB) \((.*?)\) "/" "?(.*?)"?( \(.*\))?\r\n', text,
            re.M):
        # RFC 5258 3.3: \NonExistent says \Noselect, too
        said = {flag.replace("NonExistent", "Noselect").lower()
                for flag in flags.decode().split()} - {"\\unmarked"}
        found[word.decode(), name.decode()] = (said, rest.replace(b'"', b""))
    return found, sorted(re.findall(rb"^\* STATUS .*", text, re.M))


def answers(text, first):
    """What stands before each tagged line from x<first> on."""
    parts = re.split(rb"^x(\d+) [A-Z]+ .*\r\n", text, flags=re.M)
    return {int(tag): said for said, tag in zip(parts[0::2], parts[1::2])
            if int(tag) >= first}


@pytest.mark.parametrize("seed", range(3))
def test_list(postern, kim, theirs, seed):
    changes = [*tree(seed)]
    questions = [f'LIST {select}"" {pattern}{give}' for select in SELECTS
                 for pattern in PATTERNS for give in RETURNS
                 if pattern[0] not in "(i" or select]
    questions += [f'LSUB "" {pattern}' for pattern in PATTERNS
                  if pattern[0] != "("]
    with postern.imap(kim, "secret") as wire:
        expected, ours = both(theirs, wire, [*changes, *questions])
    first = len(changes)
    expected, ours = answers(expected, first), answers(ours, first)
    for number, question in enumerate(questions, first):
        a, b = told(question, expected.get(number, b""), ours[number])
        if a != b:
            # right behind the changes Dovecot under load may not list all
            again = answers(theirs.talk(question), 0)[0]
            a, b = told(question, again, ours[number])
        assert a == b, question


def told(question, theirs, ours):
    """Both answers, less what either may say or leave out."""
    (theirs_say, status), (we_say, our_status) = rows(theirs), rows(ours)
    # RFC 3501 6.3.8: levels without folder must be told of for "%" only
    for key, (said, _) in list(we_say.items()):
        if key not in theirs_say and "\\noselect" in said and "*" in question:
            del we_say[key]
    # RFC 5258 4: who wants these asks for them; Dovecot may give them
    if "RETURN" in question and "CHILDREN" not in question:
        for said, _ in (*we_say.values(), *theirs_say.values()):
            said -= {"\\haschildren", "\\hasnochildren"}
    return (theirs_say, status), (we_say, our_status)


# BINARY[] of a whole message is not compared: Dovecot decodes the parts in it.
PARTS = ["1", "2"]


def test_binary(postern, kim, theirs):
    mail = [content for name, content in MESSAGES.items()
            if name.startswith("multipart: ") and "base64" not in name and
            b"\0" not in content]
    mail.append(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
                b"--x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                b"sch=C3=B6n =\r\nund =3D gut=0D=0A\r\n--x\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n"
                b"AAECAwQFBgcICQ==\r\n--x--\r\n")
    questions = [f"FETCH {n} (BINARY.SIZE[{part}] BINARY.PEEK[{part}])"
                 for n in range(1, len(mail) + 1) for part in PARTS]
    with postern.imap(kim, "secret") as wire:
        expected, ours = both(theirs, wire, [*map(append, mail),
                                             "SELECT INBOX", *questions])
    expected, ours = fetches(expected), fetches(ours)
    assert len(ours) == len(questions)
    for question, a, b in zip(questions, expected, ours):
        # a part that is not there is empty to Dovecot, NIL to us
        assert a == {key: b"" if value is None else value
                     for key, value in b.items()}, question
