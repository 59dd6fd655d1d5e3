"""Where Postern differs from Postfix, and the tally of a run.

KNOWN is on purpose: each reason is argued in doc/restrictions.md,
"Differences". PENDING is not done yet and shrinks: nothing of it fails.
"""
from fnmatch import fnmatchcase

import pytest

REASONS = {
    "strict paths": "a path that is not one is refused, not guessed at",
    "unqualified": "a recipient without a domain is nobody's but postmaster",
    "transaction over": "a text that was refused ends its transaction",
    "SASL codes": "RFC 4954's codes for what no mechanism has looked at yet",
    "AUTH without EHLO": "AUTH is for who has been told of it (RFC 4954)",
    "HELP": "HELP is answered (RFC 5321 4.1.1.8)",
    "last dot": "a dot behind a name is no way around an entry or a list",
    "alias loops": "a loop of CNAMEs is a fault, and so temporary",
    "postmaster": "<postmaster> passes the lists like any recipient",
    "reserved name": "a name that Postfix reserves does what it says",
    "outside 127/8": "what a DNS list answers outside 127/8 is no listing",
}
# Dialogue -> name of its reason.
KNOWN = {
    "recipient_any/to=x": "unqualified",
    "vrfy_plain/VRFY kim": "unqualified",
    "client_reject/postmaster": "postmaster",
    "helo_reject/postmaster": "postmaster",
    "sender_reject/postmaster": "postmaster",
    "relay_reject/postmaster": "postmaster",
    "recipient_reject/postmaster": "postmaster",
    "recipient_ours/to=kim@a.example@elsewhere.example": "strict paths",
    "recipient_ours/to=kim @a.example": "strict paths",
    "recipient_ours/to=kim@ a.example": "strict paths",
    "recipient_ours/to=\\kim@a.example": "strict paths",
    "mail_paths_no/MAIL FROM:x@good.example>": "strict paths",
    "mail_paths_no/MAIL FROM:<<x@good.example>>": "strict paths",
    "mail_paths_no/MAIL FROM:< >": "strict paths",
    "mail_paths_no/MAIL FROM:< x@good.example >": "strict paths",
    "mail_paths_no/MAIL FROM:Name <x@good.example>": "strict paths",
    "mail_paths_yes/MAIL FROM: <x@good.example>": "strict paths",
    "mail_paths_yes/MAIL FROM:<<x@good.example>>": "strict paths",
    "mail_paths_yes/MAIL FROM:< >": "strict paths",
    "mail_paths_yes/MAIL FROM:< x@good.example >": "strict paths",
    "rcpt_paths_yes/RCPT TO: <kim@a.example>": "strict paths",
    "results_message/reject": "transaction over",
    "results_message/dip": "transaction over",
    "results_message/list-reject": "transaction over",
    "results_message/list-unknown": "transaction over",
    "order/AUTH nonsense": "SASL codes",
    "order/AUTH after HELO": "AUTH without EHLO",
    "order/AUTH first": "AUTH without EHLO",
    "order/AUTH aborted": "SASL codes",
    "syntax/HELP": "HELP",
    "helo_access/helo=bad.example.": "last dot",
    "helo_unknown/helo=good.example.": "last dot",
    "rhsbl_sender/sender=x@bad.example.": "last dot",
    "helo_unknown/helo=loop1.good.example": "alias loops",
    "sender_unknown/sender=x@loop1.good.example": "alias loops",
    "recipient_unknown/to=x@loop1.good.example": "alias loops",
    "rbl_plain/client=192.0.2.23": "outside 127/8",
    "rbl_odd/client=192.0.2.23": "outside 127/8",
    "rbl_late/client=192.0.2.23": "outside 127/8",
    "rbl_reply/client=192.0.2.23": "outside 127/8",
    "rbl_reply_maps/client=192.0.2.23": "outside 127/8",
}
KNOWN.update({f"client_forward/client={ip}": "reserved name" for ip in (
    "192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.13")})
# Patterns of dialogues.
PENDING = []
# Restrictions of ours that Postfix does not have: tests/server has them.
POSTERN_ONLY = {"check_greylist", "check_spf", "permit_dnsbl_score",
                "reject_dnsbl_score"}
# With these nothing ends well: ETRN has no queue to flush and says 459 behind
# a permit.
NEVER_WELL = {"check_etrn_access"}

# What the run found out, for summary().
tally = {"equal": 0, "known": 0, "pending": 0, "differ": 0}
texts = {}
coverage = []           # (restriction, it accepted, it refused)


def pending(talk):
    return any(fnmatchcase(talk.id, pattern) for pattern in PENDING)


def unbuilt(talk, complaint):
    """Postern does not understand the talk's configuration."""
    if not pending(talk):
        tally["differ"] += 1
        pytest.fail(f"Postern refuses the lines of {talk.group.name}: "
                    f"{complaint}", pytrace=False)
    tally["pending"] += 1
    pytest.skip(f"{talk.group.name}: {complaint}")


def summary(say):
    n = sum(tally.values())
    if n == 0:
        return
    say(f"{n} dialogues, {tally['equal']} equal, {tally['known']} known "
        f"differences, {tally['pending']} not built yet, "
        f"{tally['differ']} unlisted ones")
    if coverage:
        whole = sum(good and bad for _, good, bad in coverage)
        say(f"{whole} of {len(coverage)} restrictions accepted and refused")
    if texts:
        say(f"{len(texts)} kinds of replies differ in their text only:")
        for (ours, theirs), where in sorted(texts.items()):
            say(f"  {where}\n    Postern: {ours}\n    Postfix: {theirs}")
