"""Postern and Postfix, asked the same with the same lines, answer the same
codes and enhanced codes."""
import re

import pytest

from . import known, table

TALKS = [talk for group in table.GROUPS for talk in group.talks]


def plain(text):
    """A text without what is each server's own."""
    text = re.sub(r"queued as \w+", "queued as ID", text)
    text = text.replace("Postern", "MTA").replace("Postfix", "MTA")
    return text


def note_texts(talk, ours, theirs):
    for step, a, b in zip(talk.steps(), ours, theirs):
        a, b = plain(str(a)), plain(str(b))
        if a != b and not step.startswith(("EHLO", "HELP")):
            known.texts.setdefault((a, b), f"{talk.id}: {step}")


def report(talk, ours, theirs):
    lines = [talk.id, f"client {talk.client}",
             *(f"  {k} = {v}" for k, v in talk.group.settings.items())]
    for i, step in enumerate(talk.steps()):
        a = ours[i] if i < len(ours) else None
        b = theirs[i] if i < len(theirs) else None
        if a is None and b is None:
            break
        same = a and b and a.verdict() == b.verdict()
        lines.append(f"{'  ' if same else '! '}{step}")
        lines.append(f"      Postern: {a}")
        if not same:
            lines.append(f"      Postfix: {b}")
    return "\n".join(lines)


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: talk.id)
def test_same_verdict(talk, heard):
    ours, theirs = heard[talk.id]
    if ours is None:
        known.unbuilt(talk, theirs)
    equal = [s.verdict() for s in ours] == [s.verdict() for s in theirs]
    if equal:
        note_texts(talk, ours, theirs)
    why = known.KNOWN.get(talk.id)
    wait = not equal and not why and known.pending(talk)
    known.tally["equal" if equal else "known" if why else
                "pending" if wait else "differ"] += 1
    if equal and why:
        pytest.fail(f"{talk.id} no longer differs: take it out of known.py",
                    pytrace=False)
    if wait:
        pytest.skip(report(talk, ours, theirs))
    if not equal and not why:
        pytest.fail(report(talk, ours, theirs), pytrace=False)


def test_names_are_unique_and_known_ones_exist():
    ids = [talk.id for talk in TALKS]
    assert len(ids) == len(set(ids))
    assert set(known.KNOWN) <= set(ids)
    assert set(known.KNOWN.values()) <= set(known.REASONS)
