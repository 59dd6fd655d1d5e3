"""`postern explain` gives the verdict of the live dialogue: random messages to
all listeners of the tables, the same command refused with the same reply.

POSTERN_EXPLAIN_SESSIONS says how many (1,000 if not given).
"""
import concurrent.futures
import json
import os
import random

from . import table
from .talk import Talk

SESSIONS = int(os.environ.get("POSTERN_EXPLAIN_SESSIONS", "1000"))
CLIENTS = ["192.0.2.10", "192.0.2.20", "192.0.2.66", "192.0.2.80",
           "198.51.100.1", "198.51.100.7", "203.0.113.5", "127.0.0.1",
           "192.0.2.99", "192.0.2.200"]
HELOS = ["mx.good.example", "good.example", "nx.good.example",
         "mx.bad.example", "bogus", "[192.0.2.10]", "[192.0.2.300]",
         "192.0.2.10", "a.broken.example", "good.example.", "-bad-",
         "under_score.good.example", "x.nowhere.example"]
SENDERS = ["", "x@good.example", "x@bad.example", "kim@a.example",
           "nobody@a.example", "x@nullmx.good.example", "x@nx.good.example",
           "x@mxlo.good.example", "x@localhost", "x@[192.0.2.10]",
           "x@a.broken.example", "alias@a.example", "x+y@good.example",
           "x@sub.good.example"]
RECIPIENTS = ["kim@a.example", "kim+tag@a.example", "lee@a.example",
              "max@b.example", "nobody@a.example", "alias@a.example",
              "both@a.example", "x@good.example", "x@nowhere.example",
              "x@nullmx.good.example", "postmaster", "KIM@A.EXAMPLE",
              "x@[192.0.2.10]", "x@a.broken.example"]
COMMANDS = ["CONNECT", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE"]


def makes_no_difference(group):
    """What explain leaves out: state that a dialogue changes, what only a
    real connection has, and long waits."""
    text = str(group.settings)
    return not any(word in text for word in (
        "check_policy_service", "smtpd_upstream_proxy", "wrappermode",
        "rate_limit", "smtpd_command_filter", "smtpd_reject_footer",
        "error_limit", "forbidden", "unverified",
        "sleep 20"))


def sessions(pair):
    chance = random.Random(20261128)
    groups = [g for g in table.GROUPS if makes_no_difference(g) and
              g.name not in pair.postern.refused]
    assert len(groups) > 50
    return [(chance.choice(groups), chance.choice(CLIENTS),
             chance.choice(HELOS), chance.choice(SENDERS),
             chance.choice(RECIPIENTS)) for _ in range(SESSIONS)]


def live(session):
    """(command, reply) of the first refusal, or None."""
    group, client, helo, sender, to = session
    talk = Talk(group, "", client, (
        f"EHLO {helo}", f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA",
        ".Subject: x\n\nx"))
    for command, said in zip(COMMANDS, talk.hold(("127.0.0.1", group.port))):
        if said.code >= 400 or said.code == 0:
            return command, said
    return None


def explained(pair, asked):
    lines = "".join(
        f"client={client}\thelo={helo}\tfrom={sender}\tto={to}\t"
        f"listener={group.name}\n"
        for group, client, helo, sender, to in asked)
    done = pair.postern.postern("explain", "--json", "--batch", stdin=lines)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(pair, asked):
    """({session: what differs}, how many were refused)."""
    told = explained(pair, asked)
    assert len(told) == len(asked)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(live, asked))
    wrong, refused = {}, 0
    for session, story, reply in zip(asked, told, heard):
        if reply is None:
            same = story["verdict"] == "accept"
        else:
            refused += 1
            text = f"{reply[1].code} {reply[1].enhanced} {reply[1].text}"
            same = (story["command"], story["reply"].strip()) == \
                (reply[0], text)
        if not same:
            wrong[session] = (f"{session[0].name} {session[1:]}: live "
                              f"{reply}, explain {story['command']} "
                              f"{story['verdict']} {story['reply']}")
    return wrong, refused


def test_explain_agrees_with_the_dialogue(pair):
    # By listener: explain reads the lists anew when it changes.
    asked = sorted(sessions(pair), key=lambda s: s[0].name)
    wrong, refused = compare(pair, asked)
    for _ in range(2):          # a name may come too late for one of them
        if wrong:
            wrong = compare(pair, list(wrong))[0]
    print(f"{len(asked)} sessions, {refused} refused")
    assert SESSIONS // 10 < refused < SESSIONS
    assert not wrong, f"{len(wrong)} differ:\n" + \
        "\n".join(list(wrong.values())[:20])
