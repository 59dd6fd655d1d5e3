"""Who passed first-contact tests at one host has passed at all of them."""
import json
import os
import signal
import time

import pytest

from tests.harness.instance import Instance
from tests.harness.wait import until
from tests.harness.wire import SmtpWire

CLIENT, OTHER = "127.0.0.2", "127.0.0.3"
WAIT = 2
SETTINGS = {
    "smtpd_workers": "2", "smtpd_peername_lookup": "no",
    "smtpd_first_contact": "yes", "postscreen_greet_wait": f"{WAIT}s",
}


@pytest.fixture
def testing(fresh_postern):
    def make(**settings):
        return fresh_postern(settings={**SETTINGS, **settings})
    return make


def waited(server, source=CLIENT):
    """Does this client wait for its greeting? It does so patiently."""
    began = time.monotonic()
    with SmtpWire(server.address("mx"), source=source) as wire:
        reply = wire.reply()
        took = time.monotonic() - began
        assert reply.code == 220, reply
        wire.cmd("QUIT")
    assert len(reply.lines) == 1 or took > WAIT - 0.1, (reply, took)
    return len(reply.lines) == 2


def keeper(server):
    return server.status("gatekeeper")[0]


def known(server, *words):
    return json.loads(server.postern("--json", "firstcontact", "list",
                                     *words).stdout)


def test_all_workers_know_who_passed(testing):
    server = testing()
    assert waited(server)
    until(lambda: keeper(server)["passes"] == 1, "gatekeeper to hear")
    # more connections than one worker would take
    assert not any(waited(server) for _ in range(20))
    assert keeper(server)["passes"] == 1


def test_passes_are_listed_and_forgotten(testing):
    server = testing()
    assert waited(server)
    rows = until(lambda: known(server), "a row")
    assert [r["client"] for r in rows] == [CLIENT]
    assert rows[0]["greet_until"] and not rows[0]["dnsbl_until"]
    assert known(server, CLIENT) == rows and known(server, OTHER) == []
    server.postern("firstcontact", "forget", CLIENT)
    until(lambda: keeper(server)["passes"] == 0, "gatekeeper to forget")
    until(lambda: waited(server), "its worker to forget")
    done = server.postern("firstcontact", "forget", OTHER, check=False)
    assert done.returncode != 0 and "is no known client" in done.stderr


def test_two_hosts_share_passes(testing, cluster):
    one = testing()
    # a second host on the same database
    two = Instance(cluster, settings={**SETTINGS,
                                      "host_name_in_database": "two.example"})
    own, two.database = two.database, one.database
    two.set("database", cluster.url_of(one.database))
    try:
        two.start()
        assert waited(one)
        # told, not found by a look every 30 seconds
        until(lambda: keeper(two)["passes"] == 1, "the other host to hear",
              20)
        assert not waited(two)
        # and what the second learns the first knows
        assert waited(two, OTHER)
        until(lambda: keeper(one)["passes"] == 2, "the first host to hear")
        assert not waited(one, OTHER)
        one.postern("firstcontact", "forget", CLIENT)
        until(lambda: keeper(two)["passes"] == 1, "the other to forget")
        until(lambda: waited(two), "its workers to forget")
        two.check_log()
        assert two.stop() == 0
    finally:
        two.database = own
        two.destroy()


def test_a_restart_forgets_nothing(testing):
    server = testing()
    assert waited(server)
    until(lambda: known(server), "a row")
    server.restart()
    until(lambda: keeper(server)["passes"] == 1, "the passes to be read")
    assert not waited(server)


def test_without_gatekeeper_clients_are_served(testing):
    server = testing(smtpd_workers="1", gatekeeper_timeout="250ms")
    assert waited(server)
    until(lambda: known(server), "a row")
    pid = server.pids("gatekeeper")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not waited(server)           # this worker knows it
        assert waited(server, OTHER)        # no longer than ever
        assert not waited(server, OTHER)
    finally:
        os.kill(pid, signal.SIGCONT)
    mark = server.log_mark()
    server.kill("gatekeeper")
    assert not waited(server)
    server.wait_for_log("lost gatekeeper", mark)
    until(lambda: server.pids("gatekeeper") not in ([], [pid]),
          "a new gatekeeper")
    until(lambda: keeper(server)["passes"] >= 1, "what it had known")


def test_while_the_database_is_away_memory_serves(testing, cluster):
    server = testing()
    name = server.database
    assert waited(server)
    until(lambda: known(server), "a row")
    cluster.sql("postern", f"ALTER DATABASE {name} ALLOW_CONNECTIONS off")
    try:
        cluster.sql("postern", "SELECT pg_terminate_backend(pid) FROM "
                    f"pg_stat_activity WHERE datname = '{name}'")
        assert not waited(server)
        assert waited(server, OTHER)
        until(lambda: keeper(server)["passes"] == 2, "gatekeeper to hear")
        assert not any(waited(server, OTHER) for _ in range(5))
    finally:
        cluster.sql("postern", f"ALTER DATABASE {name} "
                    "ALLOW_CONNECTIONS on")
    # what was learned meanwhile gets there
    until(lambda: len(known(server)) == 2, "two rows")
