"""ENVELOPE and BODYSTRUCTURE of the MIME corpus are Dovecot's, but for the
differences that doc/imap.md explains one by one."""
import calendar
import os
import re
import time

import pytest

from tests.harness import dovecot, paths
from tests.mime.corpus import MESSAGES
from tests.mime.response import fetches

ITEMS = ("RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE")
WANTED = f"INTERNALDATE {' '.join(ITEMS)}"
FIRST = 1000000000              # arrival of the first; one a minute


def fill(maildir):
    """The corpus as another program would deliver it."""
    for number, content in enumerate(MESSAGES.values()):
        arrived = FIRST + 60 * number
        name = f"{arrived}.corpus{number}.host:2,S"
        path = maildir / "tmp" / name
        path.write_bytes(content)
        os.utime(path, (arrived, arrived))
        path.chmod(0o660)
        paths.give(path)
        path.rename(maildir / "cur" / name)


def by_name(answers):
    names = list(MESSAGES)
    found = {}
    for items in answers:
        arrived = time.strptime(items["INTERNALDATE"].decode(),
                                "%d-%b-%Y %H:%M:%S %z")
        seconds = calendar.timegm(arrived) - arrived.tm_gmtoff
        found[names[(seconds - FIRST) // 60]] = items
    assert sorted(found) == sorted(names)
    return found


@pytest.fixture
def theirs(tmp_path):
    if dovecot.missing():
        pytest.skip(dovecot.missing())
    # as an ordinary user it must reach the directory
    for parent in (tmp_path.parent.parent, tmp_path.parent, tmp_path):
        parent.chmod(0o755)
    server = dovecot.Dovecot(tmp_path / "dovecot")
    fill(server.maildir)
    # one by one: it gives up a FETCH at the first message it cannot parse
    commands = [f"FETCH {n + 1} ({WANTED})" for n in range(len(MESSAGES))]
    return by_name(fetches(server.talk("SELECT INBOX", *commands)))


@pytest.fixture
def ours(postern, kim):
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        fill(postern.home(kim))
        wire.ok("NOOP")
        wire.send(f"f FETCH 1:* ({WANTED})\r\n")
        while b"\r\nf OK" not in wire.buffer:
            wire._more()
        return by_name(fetches(wire.buffer))


def explained():
    """{(message, item)} of the table in doc/imap.md."""
    text = (paths.SOURCE / "doc" / "imap.md").read_text()
    rows = re.findall(r"^\| ([^|]+: [^|]+) \| ([A-Z]+) \| .* \|$", text, re.M)
    return set(rows)


def test_envelope_and_structure_are_dovecots(theirs, ours):
    found = {(name, item): f"{name} {item}\n  ours    {ours[name][item]}\n"
             f"  Dovecot {theirs[name][item]}"
             for name in MESSAGES for item in ITEMS
             if ours[name][item] != theirs[name][item]}
    listed = explained()
    assert len(MESSAGES) >= 150
    new = [text for key, text in found.items() if key not in listed]
    assert not new, "not in doc/imap.md:\n" + "\n".join(new)
    assert not listed - set(found), "in doc/imap.md, but no longer there"


def test_corpus_is_served_whole(postern, kim):
    """Every part that a structure names can be fetched, with its size."""
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        fill(postern.home(kim))
        wire.ok("NOOP")
        wire.send("f FETCH 1:* (RFC822.SIZE BODY.PEEK[])\r\n")
        while b"\r\nf OK" not in wire.buffer:
            wire._more()
        whole = fetches(wire.buffer)
        assert len(whole) == len(MESSAGES)
        for items in whole:
            assert len(items["BODY[]"]) == int(items["RFC822.SIZE"])
        wire.buffer = b""
        wire.send("g FETCH 1:* (BODYSTRUCTURE)\r\n")
        while b"\r\ng OK" not in wire.buffer:
            wire._more()
        structures = fetches(wire.buffer)
        wire.buffer = b""
        for number, items in enumerate(structures, 1):
            parts = dict(sizes(items["BODYSTRUCTURE"], ""))
            wire.send(f"h FETCH {number} (" + " ".join(
                f"BODY.PEEK[{part}]" for part in parts) + ")\r\n")
            while b"h OK" not in wire.buffer:
                wire._more()
            got, = fetches(wire.buffer)
            wire.buffer = b""
            # a multipart without parts is shown with an empty one: NIL
            assert {part: len(got[f"BODY[{part}]"] or "")
                    for part in parts} == parts, list(MESSAGES)[number - 1]


def sizes(structure, path):
    """(part, octets) of every part that is no multipart."""
    if isinstance(structure[0], list):
        children = [c for c in structure if isinstance(c, list) and c and
                    (isinstance(c[0], list) or
                     (len(c) > 6 and isinstance(c[0], bytes)))]
        for number, child in enumerate(children, 1):
            yield from sizes(child, f"{path}.{number}" if path else
                             str(number))
        return
    here = path or "1"
    yield here, int(structure[6])
    if structure[:2] == [b"message", b"rfc822"]:
        inner = structure[8]
        if isinstance(inner[0], list):
            yield from sizes(inner, here)
        else:
            yield from sizes(inner, f"{here}.1")
