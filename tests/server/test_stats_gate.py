"""postern stats gate: what each rule said, counted by all workers of all hosts,
and kept over restarts and outages of what it goes through."""
import json

import pytest

from tests.harness.instance import Instance
from tests.harness.wait import until


@pytest.fixture(scope="module")
def server(cluster):
    made = Instance(cluster, settings={
        "smtpd_workers": "2", "smtpd_peername_lookup": "no",
        "smtpd_error_sleep_time": "0",
        "smtpd_sender_restrictions": "warn_if_reject "
        "reject_non_fqdn_sender, check_sender_access "
        "inline:{bad.example=REJECT}",
    })
    made.start()
    made.add_domain("a.example")
    made.add_mailbox("kim@a.example")
    yield made
    made.check_log()
    made.destroy()


def stats(server, *words):
    return json.loads(server.postern("stats", "gate", "--json",
                                     *words).stdout)


def counts(server, column="since_start"):
    """{(rule, action): n}"""
    return {(r["rule"], r["action"]): r[column] for r in stats(server)}


def rcpt(server, sender, to="kim@a.example"):
    with server.smtp() as wire:
        wire.expect(f"MAIL FROM:<{sender}>", 250)
        return wire.cmd(f"RCPT TO:<{to}>").code


BAD = ("check_sender_access inline:{bad.example=REJECT}", "reject")
RELAY = ("defer_unauth_destination", "defer")
UNKNOWN = ("reject_unlisted_recipient", "reject")
WARN = ("reject_non_fqdn_sender", "warn")


def some(server):
    assert [rcpt(server, "x@bad.example") for _ in range(5)] == [554] * 5
    assert [rcpt(server, "x@good.example", "x@b.example")
            for _ in range(3)] == [454] * 3
    assert [rcpt(server, "x@good.example", "no@a.example")
            for _ in range(2)] == [550] * 2
    assert rcpt(server, "x@short") == 250


def times(n):
    return {BAD: 5 * n, RELAY: 3 * n, UNKNOWN: 2 * n, WARN: n}


def at_least(server, want, column="since_start"):
    until(lambda: all(counts(server, column).get(k) == v
                      for k, v in want.items()),
          lambda: f"{want}, there is {counts(server, column)}")


def test_verdicts_are_counted_by_rule(server):
    some(server)
    at_least(server, times(1))
    found = {r["rule"]: r for r in stats(server)}
    assert found[RELAY[0]]["list"] == "smtpd_relay_restrictions"
    assert found[BAD[0]]["list"] == "smtpd_sender_restrictions"
    for column in ("today", "last_7_days", "last_30_days"):
        assert counts(server, column)[BAD] == 5
    assert RELAY[0] in \
        server.postern("stats", "gate").stdout


def test_days_and_hosts(server):
    day = stats(server, "--days=1")
    assert {(r["rule"], r["action"]): r["n"] for r in day}[BAD] == 5
    assert stats(server, "--host", server.host_name()) == stats(server)
    assert stats(server, "--host", "other.example") == []
    done = server.postern("stats", "gate", "--days=x", check=False)
    assert done.returncode == 65 and "--days" in done.stderr


def test_prometheus_has_the_sums(server):
    text = server.postern("status", "--prometheus").stdout
    total = sum(float(line.split()[-1]) for line in text.splitlines()
                if line.startswith("postern_smtpd_verdicts_reject{"))
    assert total == 7


def test_counts_wait_for_a_gatekeeper_that_died(server):
    before = counts(server, "today")
    server.kill("gatekeeper")
    some(server)
    at_least(server, {k: before[k] + v for k, v in times(1).items()},
             "today")


def test_a_stop_loses_nothing_and_a_start_begins_anew(server):
    before = counts(server, "today")
    some(server)
    server.restart()
    assert counts(server, "today") == {
        **before, **{k: before.get(k, 0) + v for k, v in times(1).items()}}
    some(server)
    at_least(server, times(1))
    at_least(server, {k: before.get(k, 0) + v for k, v in times(2).items()},
             "today")
