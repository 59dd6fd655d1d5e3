"""IMAP responses as Python values: lists, bytes, None for NIL."""
import re

ATOM = re.compile(rb"[^ ()\r\n]+")
LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")


def value(text, at):
    """(value, index behind it) of what stands at `at`."""
    if text[at:at + 1] == b"(":
        return values(text, at + 1)
    if text[at:at + 1] == b'"':
        return quoted(text, at + 1)
    literal = LITERAL.match(text, at)
    if literal:
        end = literal.end() + int(literal.group(1))
        return text[literal.end():end], end
    atom = ATOM.match(text, at)
    if atom.group() == b"NIL":
        return None, atom.end()
    # numbers and names; a string of the same letters is something else
    return atom.group().decode(), atom.end()


def values(text, at):
    found = []
    while text[at:at + 1] != b")":
        if text[at:at + 1] == b" ":
            at += 1
            continue
        item, at = value(text, at)
        found.append(item)
    return found, at + 1


def quoted(text, at):
    out = bytearray()
    while text[at:at + 1] != b'"':
        if text[at:at + 1] == b"\\":
            at += 1
        out += text[at:at + 1]
        at += 1
    return bytes(out), at + 1


def fetches(text):
    """The items of every FETCH response in `text`, as dicts by name."""
    found, at = [], 0
    start = re.compile(rb"\* \d+ FETCH \(")
    while True:
        at = start.search(text, at)
        if at is None:
            return found
        items, at = values(text, at.end())
        found.append(dict(zip(items[::2], items[1::2])))
