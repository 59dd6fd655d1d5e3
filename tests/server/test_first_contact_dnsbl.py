"""While an unknown client waits for its greeting DNS lists are asked for it."""
import json
import socket
import time

import pytest

from tests.harness import nameserver
from tests.harness.wait import until
from tests.harness.wire import SmtpWire

pytestmark = pytest.mark.skipif(nameserver.find() is None, reason="no nsd")

GOOD = "2.0.0.127 A 127.0.0.2\n"
BAD, KIND, OTHER = "127.0.1.1", "127.0.1.2", "127.0.1.3"
ZONES = {
    "bl.example": GOOD + "1.1.0.127 A 127.0.0.4\n",
    "two.example": GOOD + "1.1.0.127 A 127.0.0.10\n",
    "wl.example": GOOD + "2.1.0.127 A 127.0.9.1\n",
    "refuses.example": "* A 127.255.255.254\n",
}
WAIT = 3
# Lists have answered by then, also on a busy machine.
LONG = "10s"
SETTINGS = {
    "smtpd_workers": "1", "smtpd_peername_lookup": "no",
    "smtpd_first_contact": "yes", "postscreen_greet_wait": f"{WAIT}s",
    "postscreen_dnsbl_sites":
        "bl.example*2 two.example*3 wl.example*-4 refuses.example*9",
    "postscreen_dnsbl_threshold": "4",
    "postscreen_dnsbl_allowlist_threshold": "-4",
}


@pytest.fixture(scope="module")
def names():
    made = nameserver.NameServer(ZONES)
    yield made
    made.close()


@pytest.fixture
def server(fresh_postern, names):
    def make(**settings):
        made = fresh_postern(settings={**names.settings(), **SETTINGS,
                                       **settings})
        made.add_domain("a.example")
        made.add_mailbox("kim@a.example")
        return made
    return make


def greeted(server, source):
    began = time.monotonic()
    wire = SmtpWire(server.address("mx"), source=source)
    reply = wire.reply()
    assert reply.code == 220, reply
    return wire, time.monotonic() - began


def rcpt(wire):
    wire.expect("EHLO client.example", 250)
    wire.expect("MAIL FROM:<x@b.example>", 250)
    return str(wire.cmd("RCPT TO:<kim@a.example>"))


def test_a_listed_client_is_refused_with_names_and_codes(server):
    postern = server(postscreen_greet_wait=LONG)
    mark = postern.log_mark()
    wire, _ = greeted(postern, BAD)
    with wire:
        reply = rcpt(wire)
    assert reply == ("550 5.7.1 Service unavailable; client [127.0.1.1] "
                     "blocked using two.example (127.0.0.10), bl.example "
                     "(127.0.0.4)")
    line = postern.wait_for_log("DNSBL rank", mark)
    assert f"DNSBL rank 5 for [{BAD}]:" in line
    assert not postern.log_lines("PASS", mark)


def test_a_listed_client_can_be_dropped(server):
    postern = server(postscreen_dnsbl_action="drop",
                     postscreen_greet_wait="60s")
    with SmtpWire(postern.address("mx"), source=BAD) as wire:
        reply = wire.reply()
        assert reply.lines[0].startswith("220-")
        assert reply.lines[1].startswith("521 5.7.1 Service unavailable; ")
        assert wire.at_end()


def test_a_client_on_an_allow_list_does_not_wait(server):
    postern = server(postscreen_greet_wait="60s")
    mark = postern.log_mark()
    wire, took = greeted(postern, KIND)
    with wire:
        assert took < 30
        # nor need it show anything
        assert "PIPELINING" in wire.expect("EHLO mx.example", 250).texts
    postern.wait_for_log(rf"PASS NEW \[{KIND}\]", mark)
    mark = postern.log_mark()
    wire, _ = greeted(postern, KIND)
    wire.close()
    postern.wait_for_log(rf"PASS OLD \[{KIND}\]", mark)
    assert not postern.log_lines(r": CONNECT from", mark)


def test_who_is_on_no_list_waits_and_passes(server):
    """refuses.example answers as lists do that know us no more."""
    postern = server()
    wire, took = greeted(postern, OTHER)
    with wire:
        assert took >= WAIT - 0.1
        assert rcpt(wire).startswith("250")
    # (of lists that answered too late it is asked once more)
    def known():
        greeted(postern, OTHER)[0].close()
        return postern.log_lines(rf"PASS OLD \[{OTHER}\]")
    until(known, "no test any more")


def test_lists_that_are_silent_hold_nobody_up(server):
    """A resolver that never answers: the wait is as long as ever, and says
    nothing against the client."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        postern = server(dns_timeout="100s",
                         dns_resolver=f"127.0.0.1@{mute.getsockname()[1]}")
        wire, took = greeted(postern, OTHER)
        with wire:
            assert WAIT - 0.1 <= took < 30
            assert rcpt(wire).startswith("250")


def test_explain_says_what_the_lists_have(server):
    postern = server()

    def story(client):
        return json.loads(postern.postern(
            "--json", "explain", "--client", client, "--helo", "mx.example",
            "--from", "a@b.example", "--to", "kim@a.example").stdout)
    bad = story(BAD)
    assert (bad["verdict"], bad["command"]) == ("reject", "RCPT")
    assert bad["reply"].startswith("550 5.7.1 Service unavailable; client ")
    assert "DNSBL rank 5" in bad["steps"][0]["asked"]
    kind = story(KIND)
    assert kind["verdict"] == "accept"
    assert "DNSBL rank -4: allowed without a wait" in \
        kind["steps"][0]["asked"]
