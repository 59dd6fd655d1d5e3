"""The RFCs' examples, played (tests/imap/README.md), and that nothing the
server can do is without one."""
import re

import pytest

from tests.harness import conversation, paths
from tests.harness.wire import ImapWire
from tests.imap.letters import LETTERS

CONVERSATIONS = [one for path in sorted((paths.SOURCE / "tests" / "imap")
                                        .glob("*.txt"))
                 for one in conversation.read(path)]
DATE = '"17-Jul-1996 02:44:25 -0700"'
# Why no conversation has them: they need a damaged or locked store, a file that
# another program removed, a program that is away, or more mail than a test has.
NOT_SPOKEN = {"SERVERBUG", "CONTACTADMIN", "EXPUNGEISSUED", "INUSE",
              "UNAVAILABLE", "LIMIT"}


def fill(postern, user, names):
    with postern.imap(user, "secret") as wire:
        for name in names:
            wire.send(b"x APPEND INBOX %s {%d+}\r\n%s\r\n" % (
                DATE.encode(), len(LETTERS[name]), LETTERS[name]))
            assert wire.answer("x")[1].startswith("OK")


@pytest.mark.parametrize("one", CONVERSATIONS, ids=lambda one: one.title)
def test_conversation(postern, domain, one):
    user = f"kim@{domain}"
    limits = dict(zip(("quota_bytes", "quota_messages"),
                      map(int, one.quota)))
    postern.add_mailbox(user, "secret", **limits)
    fill(postern, user, one.mail)
    talk = conversation.Talk(lambda logged_in: postern.imap(
        user, "secret"), user, "secret")
    if one.on == "plain":
        talk.wires[False] = ImapWire(postern.address("imap"))
    elif one.on == "tls":
        talk.wires[False] = postern.imap()
    try:
        talk.play(one)
    finally:
        for wire in talk.wires.values():
            wire.close()


# --- nothing left out ----------------------------------------------------------

def source(name):
    return (paths.SOURCE / "imapd" / name).read_text()


def table(name, opening):
    """The names in the rows of a table in the source."""
    text = source(name)
    start = text.index(opening)
    rows = text[start:text.index("};", start)]
    found = re.findall(r'(?:\{|\] =) "([A-Z0-9.-]+)"', rows)
    assert found, f"{name}: no rows behind {opening!r}"
    return found


def said(who):
    return [line for one in CONVERSATIONS for line in one.said(who)]


COMMANDS = said("C")
ANSWERS = said("S")


def unspoken(names, pattern, lines):
    """The names that no line has where the pattern says."""
    return [name for name in names if not any(
        re.search(pattern.replace("NAME", re.escape(name)), line, re.I)
        for line in lines)]


def test_every_command_is_spoken():
    names = table("command.c", "commands[]")
    assert len(names) > 30
    assert not unspoken(names, r"^\S+ (UID )?NAME( |$)",
                        COMMANDS)
    by_uid = re.findall(r'\{ "(\w+)", \w+, [^}]*CMD_UID\b', source("command.c"))
    assert "FETCH" in by_uid
    assert not unspoken(by_uid, r"^\S+ UID NAME ", COMMANDS)


def test_every_capability_is_shown(postern, kim):
    advertised = set()
    with ImapWire(postern.address("imap")) as wire:
        wire.line()
        advertised |= set(wire.ok("CAPABILITY")[0].split()[2:])
        wire.ok("STARTTLS")
        wire.wrap()
        advertised |= set(wire.ok("CAPABILITY")[0].split()[2:])
    shown = {name for one in CONVERSATIONS for name in one.shows}
    # the other mechanisms: test_imap_session.py, test_imap_scram.py
    missing = {name for name in advertised - shown
               if not name.startswith(("AUTH=", "APPENDLIMIT="))}
    assert not missing
    assert {"AUTH=PLAIN", "APPENDLIMIT"} <= shown
    assert shown - {"APPENDLIMIT"} <= advertised, "never advertised"


def test_every_response_code_is_heard():
    codes = set()
    for path in (paths.SOURCE / "imapd").glob("*.c"):
        if not path.name.startswith("t_"):
            codes |= set(re.findall(r'"(?:\* OK )?\[([A-Z][A-Z-]+)[] ]',
                                    path.read_text()))
    codes |= {"READ-ONLY", "READ-WRITE"}
    assert {"TRYCREATE", "COPYUID", "CLOSED"} <= codes
    assert not unspoken(codes - NOT_SPOKEN, r"\[NAME[\] ]", ANSWERS)


def test_every_fetch_item_is_asked_for():
    fetches = [line for line in COMMANDS if re.match(r"\S+ (UID )?FETCH",
                                                     line)]
    simple = table("fetch_plan.c", '{ "ALL"')
    parts = ["HEADER.FIELDS.NOT", "HEADER.FIELDS", "HEADER", "TEXT", "MIME"]
    forms = ["BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", "BINARY.SIZE"]
    assert not unspoken(simple, r"[ (]NAME( |\)|$)", fetches)
    assert not unspoken(["RFC822", "RFC822.HEADER", "RFC822.TEXT"],
                        r"[ (]NAME( |\)|$)", fetches)
    assert not unspoken(parts, r"[\[.]NAME[\] ]", fetches)
    assert not unspoken(forms, r"[ (]NAME\[", fetches)
    for name in (*parts, *forms):
        assert f'"{name}"' in source("fetch_plan.c")


def test_every_search_key_is_asked_for():
    searches = [line for line in COMMANDS if re.match(
        r"\S+ (UID )?(SEARCH|SORT|THREAD)", line)]
    keys = table("search_plan.c", "rows[] = {")
    assert len(keys) > 30
    assert not unspoken([*keys, "NOT", "OR", "NEW"], r"[ (]NAME( |\)|$)",
                        searches)
    assert not unspoken(table("search.c", "return_names[]"),
                        r"RETURN \([A-Z ]*\bNAME\b", searches)
    assert not unspoken(table("sort_key.c", "[SORT_ARRIVAL]"),
                        r"SORT \([A-Z ]*\bNAME\b", searches)


def test_every_item_of_status_and_list_is_asked_for():
    assert not unspoken(table("status_items.c", "names[STATUS_ITEMS]"),
                        r"STATUS [^(]*\([^)]*\bNAME\b", COMMANDS)
    lists = [line for line in COMMANDS if " LIST " in line]
    assert not unspoken(table("list_plan.c", "select_options[]"),
                        r" LIST \([^)]*\bNAME\b", lists)
    assert not unspoken(table("list_plan.c", "return_options[]"),
                        r"RETURN \([^)]*\bNAME\b", lists)
