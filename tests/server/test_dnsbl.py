"""DNS lists fail safe: one that lists everything, nothing, or refuses to
answer is found out by itself, is used by nobody, and comes back by itself.
The score over several lists says which of them had what."""
import json
import re
import time

import pytest

from tests.harness import nameserver
from tests.harness.instance import Instance
from tests.harness.wait import until

pytestmark = pytest.mark.skipif(nameserver.find() is None, reason="no nsd")

GOOD = "2.0.0.127 A 127.0.0.2\ntest A 127.0.0.2\n"
LISTED = GOOD + "1.2.0.192 A 127.0.0.4\n1.2.0.192 TXT \"because\"\n"
ALL = "* A 127.0.0.2\n"
REFUSES = "* A 127.255.255.254\n"
PARKED = "* A 203.0.113.80\n"

ZONES = {
    "bl.example": LISTED,
    "two.example": GOOD + "1.2.0.192 A 127.0.0.10\n",
    "wl.example": GOOD + "9.2.0.192 A 127.0.9.1\n1.2.0.192 A 127.0.9.1\n",
    "all.example": ALL, "refuses.example": REFUSES,
    "parked.example": PARKED, "empty.example": "",
    "names.example": GOOD + "bad.example A 127.0.1.2\n",
    "names-all.example": ALL, "broken.example": nameserver.BROKEN,
    "pbl.example": "1.2.0.192 A 127.0.0.10\n", "dead.example": ALL,
}

SETTINGS = {
    "dnsbl_self_test_interval": "2s",
    "smtpd_peername_lookup": "no",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_workers": "1",
    "postscreen_dnsbl_sites": "bl.example*2 two.example=127.0.0.[10;11]*3 "
    "wl.example*-4 all.example*20 refuses.example*20 parked.example*20",
    "postscreen_dnsbl_threshold": "4",
}


@pytest.fixture(scope="module")
def names():
    made = nameserver.NameServer(ZONES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(cluster, names):
    made = Instance(cluster, settings={**names.settings(), **SETTINGS})
    made.start()
    made.add_domain("a.example")
    made.add_mailbox("kim@a.example")
    yield made
    made.check_log()
    made.destroy()


def lists(server, text):
    """The lists of recipients, live at once."""
    mark = server.log_mark()
    server.set("smtpd_recipient_restrictions", text)
    server.postern("reload")
    return mark


def rcpt(server, ip="192.0.2.1", sender="x@b.example"):
    with server.smtp() as wire:
        wire.expect("EHLO probe.example", 250)
        wire.expect(f"XCLIENT ADDR={ip} NAME=[UNAVAILABLE]", 220)
        wire.expect("EHLO client.example", 250)
        wire.expect(f"MAIL FROM:<{sender}>", 250)
        return str(wire.cmd("RCPT TO:<kim@a.example>"))


def status(server):
    """{(list, what for): (state, why)}"""
    rows = until(lambda: json.loads(    # none: smtpd is busy
        server.postern("dnsbl", "status", "--json").stdout), "lists")
    return {(r["list"], r["for"]): (r["state"], r["why"]) for r in rows}


V4, V6, NAMES = "IPv4 addresses", "IPv6 addresses", "names"


def test_faulty_lists_are_suspended_and_say_why(server):
    lists(server, "reject_rbl_client empty.example, "
          "reject_rhsbl_sender names.example, "
          "reject_rhsbl_sender names-all.example")
    until(lambda: all(state != "untested"
                      for state, _ in status(server).values()),
          "all lists tested")
    found = status(server)
    assert found["bl.example", V4] == ("ok", "")
    assert found["names.example", NAMES] == ("ok", "")
    for name, what, why in (
            ("all.example", V4, "127.0.0.1 is listed"),
            ("refuses.example", V4, "refuses to answer"),
            ("parked.example", V4, "outside 127.0.0.0/8"),
            ("empty.example", V4, "127.0.0.2 is not listed"),
            ("names-all.example", NAMES, "invalid is listed"),
            ("bl.example", V6, "no IPv6")):
        state, said = found[name, what]
        assert state == "suspended" and why in said, (name, said)
    until(lambda: re.search(r"all\.example.*smtpd/0|smtpd/0.*all\.example",
                            server.postern("dnsbl", "status").stdout),
          "a table of lists")


def test_no_faulty_list_refuses_anybody(server):
    lists(server, "reject_rbl_client all.example, "
          "reject_rbl_client refuses.example, "
          "reject_rbl_client parked.example, "
          "reject_rbl_client empty.example, "
          "reject_rhsbl_sender names-all.example")
    for i in range(1, 30):
        assert rcpt(server, f"198.51.100.{i}").startswith("250")


def test_a_good_list_refuses_and_names_itself_truthfully(server):
    lists(server, "reject_rbl_client all.example, "
          "reject_rbl_client bl.example")
    said = rcpt(server)
    assert said.startswith("554 5.7.1 Service unavailable; Client host "
                           "[192.0.2.1] blocked using bl.example; because")
    assert rcpt(server, "192.0.2.2").startswith("250")


def test_a_score_adds_lists_up_and_names_them(server):
    lists(server, "reject_dnsbl_score=5")
    # 2 and 3, less the allow list's 4
    assert rcpt(server).startswith("250")
    server.set("postscreen_dnsbl_sites", "bl.example*2 "
               "two.example=127.0.0.[10;11]*3 all.example*20")
    lists(server, "reject_dnsbl_score=5")
    said = rcpt(server)
    assert said.startswith("554 5.7.1 Service unavailable; Client host "
                           "[192.0.2.1] blocked using two.example "
                           "(127.0.0.10), bl.example (127.0.0.4)"), said
    lists(server, "reject_dnsbl_score=6")
    assert rcpt(server).startswith("250")
    # by the parameter
    lists(server, "reject_dnsbl_score")
    assert rcpt(server).startswith("554")


def test_an_allow_list_permits_by_score(server):
    server.set("postscreen_dnsbl_sites", "wl.example*-4 bl.example*2")
    server.set("postscreen_dnsbl_allowlist_threshold", "-3")
    lists(server, "permit_dnsbl_score, reject")
    assert rcpt(server, "192.0.2.9").startswith("250")
    assert rcpt(server, "192.0.2.1").startswith("554")
    assert rcpt(server, "192.0.2.3").startswith("554")
    server.set("postscreen_dnsbl_allowlist_threshold", "0")


def test_an_allow_list_without_ipv6_softens_no_refusal(server):
    """Its silence about IPv6 is for ever, a 450 for that would be, too."""
    lists(server, "permit_dnswl_client wl.example, "
          "check_client_access inline:{2001:db8::7=REJECT}")
    until(lambda: rcpt(server, "IPV6:2001:db8::7").startswith("554 5.7.1"),
          "a refusal for good")       # when both tests of the list are over
    assert rcpt(server, "IPV6:2001:db8::8").startswith("250")
    # what fails otherwise still does
    lists(server, "permit_dnswl_client all.example, "
          "check_client_access inline:{2001:db8::7=REJECT}")
    assert rcpt(server, "IPV6:2001:db8::7").startswith("450 4.7.1")


def test_a_suspended_list_comes_back_by_itself(server, names):
    mark = lists(server, "reject_rbl_client pbl.example")
    server.wait_for_log("dnsbl suspended list=pbl.example for=\"IPv4", mark)
    assert rcpt(server).startswith("250")
    mark = server.log_mark()
    names.set("pbl.example", ZONES["pbl.example"] + GOOD)
    server.wait_for_log("dnsbl resumed list=pbl.example for=\"IPv4", mark)
    assert rcpt(server).startswith("554")
    # and goes again when it begins to list the world
    mark = server.log_mark()
    names.set("pbl.example", ALL)
    server.wait_for_log("dnsbl suspended list=pbl.example for=\"IPv4", mark)
    assert rcpt(server).startswith("250")
    until(lambda: server.sql(
        "SELECT count(*) FROM event WHERE subject = 'pbl.example' AND name "
        "IN ('dnsbl.suspended', 'dnsbl.resumed') AND detail->>'for' = "
        "'IPv4 addresses'")[0][0] == "3", "three events")


def test_a_resolver_that_refuses_for_everything_refuses_nobody(server,
                                                               names):
    """The mornings after a public resolver was blocked: every list of the
    configuration answers 127.255.255.254 to everything, between two tests."""
    lists(server, "reject_rbl_client bl.example, reject_rbl_client "
          "two.example, reject_rhsbl_sender names.example, "
          "reject_dnsbl_score=1")
    until(lambda: status(server)["bl.example", V4][0] == "ok", "bl.example")
    for name in ("bl.example", "two.example", "names.example", "wl.example"):
        names.set(name, REFUSES)
    refused = [i for i in range(1, 100)
               if not rcpt(server, f"192.0.2.{i}",
                           f"x@bad{i}.example").startswith("250")]
    # what was cached while it was true may be used for its second
    assert [i for i in refused if i > 9] == []
    until(lambda: status(server)["bl.example", V4][0] == "suspended",
          "bl.example suspended")
    for name in ("bl.example", "two.example", "names.example", "wl.example"):
        names.set(name, ZONES[name])
    until(lambda: status(server)["bl.example", V4][0] == "ok",
          "bl.example well again")


def test_a_faulty_allow_list_does_not_end_greylisting(server):
    server.set("greylist_dnswl_domains",
               "all.example parked.example refuses.example wl.example")
    lists(server, "check_greylist")
    try:
        until(lambda: rcpt(server, "198.51.100.77").startswith("450 4.7.1"),
              "greylisting")
        assert "Greylisted" in rcpt(server, "198.51.100.77")
        until(lambda: rcpt(server, "192.0.2.9").startswith("250"),
              "the good list to be used")
        server.set("greylist_dnswl_domains", "dead.example")
        mark = server.log_mark()
        server.postern("reload")
        server.wait_for_log("suspended list=dead.example", mark)
        until(lambda: status(server)["dead.example", V4][0] == "suspended",
              "dnsbl status to show it")
    finally:
        server.set("greylist_dnswl_domains", "")


def test_explain_shows_that_a_list_is_suspended(server):
    server.set("postscreen_dnsbl_sites", "bl.example*2 all.example*20")
    lists(server, "reject_rbl_client all.example, reject_dnsbl_score=1")
    said = server.postern("explain", "--client", "192.0.2.1", "--name",
                          "unknown", "--helo", "x.example", "--from",
                          "x@b.example", "--to", "kim@a.example").stdout
    assert "all.example: suspended, not asked about IPv4 addresses: " \
        "127.0.0.1 is listed" in said
    assert "1.2.0.192.bl.example A: 127.0.0.4" in said
    assert "blocked using bl.example (127.0.0.4)" in said


def test_mistakes_in_sites_are_told(server):
    before = server.conf.read_text()
    for bad, why in (("bl.example*x", "weight"), ("bl..example", "domain"),
                     ("bl.example=1.2*2", "four numbers")):
        server.set("postscreen_dnsbl_sites", bad)
        done = server.postern("config", "check", check=False)
        assert done.returncode != 0 and why in done.stdout + done.stderr
    server.conf.write_text(before)
    server.set("smtpd_recipient_restrictions", "reject_dnsbl_score=0")
    done = server.postern("config", "check", check=False)
    assert "wants a score" in done.stdout + done.stderr
    server.conf.write_text(before)


def test_a_dead_list_holds_up_nobody_for_long(server):
    lists(server, "reject_rbl_client broken.example")
    began = time.monotonic()
    assert rcpt(server).startswith("250")
    assert time.monotonic() - began < 25        # dns_timeout is 30


def test_a_list_that_is_named_no_more_is_tested_no_more(server):
    lists(server, "reject_rbl_client empty.example")
    until(lambda: ("empty.example", V4) in status(server), "empty.example")
    lists(server, "permit")
    until(lambda: ("empty.example", V4) not in status(server),
          "empty.example gone")
    # what was known of it still is: nobody waits, nobody is refused
    lists(server, "reject_rbl_client empty.example")
    assert rcpt(server).startswith("250")
