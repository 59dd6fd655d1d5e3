"""Policy services are told the same by Postern and by Postfix."""
import pytest

from . import table_told
from .postfix import ADDRESS

# What is each server's own, what Postfix of this age does not send, and
# protocol_name: ESMTP at a first EHLO with us (doc/policy.md).
OWN = ["client_port", "server_address", "server_port"]
LATER = {"tls_sni", "compatibility_level", "mail_version"}
STATES = {
    "two messages": "CONNECT EHLO MAIL RCPT RCPT RCPT DATA END-OF-MESSAGE "
                    "MAIL RCPT DATA END-OF-MESSAGE",
    "reset": "CONNECT HELO MAIL RCPT MAIL RCPT DATA END-OF-MESSAGE",
    "login": "CONNECT EHLO MAIL RCPT",
    "VRFY, ETRN": "CONNECT EHLO VRFY VRFY ETRN ETRN",
}


def numbered(requests, key):
    """Instead of values that differ: which of them are the same."""
    seen = {"": 0}
    for request in requests:
        request[key] = seen.setdefault(request[key], len(seen))


def told(requests):
    out = [dict(request) for request in requests]
    for request in out:
        for key in OWN:
            assert request.pop(key)
        if request["protocol_state"] in ("EHLO", "HELO"):
            del request["protocol_name"]
    numbered(out, "queue_id")
    numbered(out, "instance")
    return out


@pytest.mark.parametrize("talk", table_told.ALL.talks,
                         ids=lambda talk: talk.name)
def test_told_the_same(pair, talk):
    mark = len(pair.policy.requests)
    pair.hold(talk)
    asked = pair.policy.requests[mark:]
    theirs = told(r for r in asked if r["server_address"] == ADDRESS)
    ours = told(r for r in asked if r["server_address"] != ADDRESS)
    assert [r["protocol_state"] for r in theirs] == STATES[talk.name].split()
    assert set(ours[0]) - set(theirs[0]) <= LATER
    order = [key for key in ours[0] if key in theirs[0]]
    assert order == list(theirs[0])
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert mine.items() >= other.items(), \
            [(k, mine[k], v) for k, v in other.items() if mine[k] != v]
