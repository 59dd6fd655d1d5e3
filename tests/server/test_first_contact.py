"""Clients that this site has not met before are tested in the session."""
import base64
import json
import re
import time

import pytest

from tests.harness.wait import until
from tests.harness.wire import Closed

# The clients of these tests; mynetworks is elsewhere.
CLIENT, OTHER = "127.0.0.2", "127.0.0.3"
WAIT = 2
# For tests that do not wait it out. Who is greeted within SOON did not.
LONG, SOON = "60s", 30


@pytest.fixture
def testing(fresh_postern):
    """An instance that tests strangers, with the settings asked for."""
    def make(start=True, **settings):
        made = fresh_postern(start=start, settings={
            "smtpd_workers": "1", "smtpd_error_sleep_time": "0",
            "smtpd_peername_lookup": "no", "smtpd_first_contact": "yes",
            "postscreen_greet_wait": f"{WAIT}s",
            "postscreen_client_connection_count_limit": "0", **settings})
        made.add_domain("first.example")
        made.add_mailbox("kim@first.example", "secret")
        return made
    return make


def greeting(server, source=CLIENT, talk=None, **keywords):
    """Connects (and talks too early): the connection, its greeting, how long
    that took."""
    began = time.monotonic()
    wire = server.smtp(helo=None, source=source, **keywords)
    if talk is not None:
        wire.send(talk)
    return wire, wire.reply(), time.monotonic() - began


def passes(server, source=CLIENT):
    """A whole message by a patient client."""
    wire, reply, took = greeting(server, source)
    with wire:
        assert reply.code == 220
        wire.expect("EHLO client.example", 250)
        wire.envelope("a@b.example", "kim@first.example")
        assert wire.data(b"x: y\r\n\r\nz").code == 250
        wire.cmd("QUIT")
    return reply, took


def counters(server):
    """Of all smtpd processes together."""
    total = {}
    for row in server.status():
        for name, value in row.get("first_contact", {}).items():
            total[name] = total.get(name, 0) + value
    return total


def test_who_waits_passes_and_does_not_wait_again(testing):
    server = testing()
    mark = server.log_mark()
    reply, took = passes(server)
    assert reply.lines == ["220-mx.test.example ESMTP Postern",
                           "220 mx.test.example ESMTP Postern"]
    assert took >= WAIT - 0.1
    line = server.wait_for_log("PASS NEW", mark)
    assert re.search(rf"PASS NEW \[{CLIENT}\]:\d+$", line)
    assert server.log_lines(rf"CONNECT from \[{CLIENT}\]:\d+ to "
                            rf"\[127\.0\.0\.1\]:{server.port('mx')}$", mark)
    mark = server.log_mark()
    reply, took = passes(server)
    assert reply.lines == ["220 mx.test.example ESMTP Postern"]
    server.wait_for_log(rf"PASS OLD \[{CLIENT}\]", mark)
    # somebody else is somebody else
    _, took = passes(server, OTHER)
    assert took >= WAIT - 0.1
    found = counters(server)
    assert (found["pass_new"], found["pass_old"]) == (2, 1)
    server.wait_for_messages("kim@first.example", 3)


def test_who_talks_early_is_refused_at_rcpt(testing):
    server = testing(postscreen_greet_wait=LONG)
    mark = server.log_mark()
    wire, reply, took = greeting(server, talk="HELO bot.example\r\n")
    with wire:
        assert reply.code == 220 and took < SOON
        assert wire.reply().code == 250         # to its HELO
        wire.expect("MAIL FROM:<spam@b.example>", 250)
        assert str(wire.cmd("RCPT TO:<kim@first.example>")) == \
            "550 5.5.1 Protocol error"
    line = server.wait_for_log("PREGREET", mark)
    assert re.search(rf"PREGREET 18 after \d+\.\d+ from \[{CLIENT}\]:\d+: "
                     r"HELO bot\.example", line)
    line = server.wait_for_log("NOQUEUE: reject: RCPT", mark)
    assert "from=<spam@b.example> to=<kim@first.example> proto=SMTP " \
        "helo=<bot.example>" in line
    assert not server.log_lines("PASS", mark)
    # it has to wait the next time
    server.set("postscreen_greet_wait", f"{WAIT}s")
    server.postern("reload")
    _, took = passes(server)
    assert took >= WAIT - 0.1


def test_who_talks_early_can_be_dropped(testing):
    server = testing(postscreen_greet_action="drop",
                     postscreen_greet_wait=LONG)
    wire = server.smtp(helo=None, source=CLIENT)
    with wire:
        wire.send("EHLO bot.example\r\nMAIL FROM:<a@b.example>\r\n")
        assert str(wire.reply()) == "220-mx.test.example ESMTP Postern / " \
            "521 5.5.1 Protocol error"
        assert wire.at_end()
    assert counters(server)["pregreet"] == 1


def test_who_hangs_up_is_noted(testing):
    server = testing(postscreen_greet_wait=LONG)
    mark = server.log_mark()
    wire = server.smtp(helo=None, source=CLIENT)
    assert wire.line().startswith("220-")
    wire.close()
    server.wait_for_log(rf"HANGUP after \S+ from \[{CLIENT}\]:\d+ in tests "
                        "before SMTP handshake", mark)
    until(lambda: counters(server)["waiting"] == 0, "nobody who waits")


def test_a_web_browser_is_turned_away(testing):
    server = testing()
    mark = server.log_mark()
    wire, reply, _ = greeting(server)
    with wire:
        assert reply.code == 220
        assert str(wire.cmd("GET / HTTP/1.1")) == "521 5.5.1 Protocol error"
        assert wire.at_end()
    server.wait_for_log(rf"NON-SMTP COMMAND from \[{CLIENT}\]:\d+ after "
                        r"CONNECT: GET / HTTP/1\.1", mark)
    # early talk of that kind is early talk
    server.set("postscreen_greet_wait", LONG)
    server.postern("reload")
    wire, _, _ = greeting(server, OTHER, talk="GET / HTTP/1.1\r\n")
    with wire:
        assert wire.reply().code == 521
    server.wait_for_log(r"PREGREET 16 .*: GET / HTTP/1\.1", mark)


def test_an_unknown_client_may_not_pipeline(testing):
    server = testing()
    mark = server.log_mark()
    wire, _, _ = greeting(server)
    with wire:
        assert "PIPELINING" not in wire.expect("EHLO bot.example", 250).texts
        wire.send("MAIL FROM:<a@b.example>\r\n"
                  "RCPT TO:<kim@first.example>\r\n")
        assert wire.reply().code == 250
        assert str(wire.reply()) == "550 5.5.1 Protocol error"
    server.wait_for_log(rf"COMMAND PIPELINING from \[{CLIENT}\]:\d+ after "
                        "MAIL: RCPT", mark)
    # one that waits for replies is offered it the next time
    passes(server)
    with server.smtp(source=CLIENT, helo=None) as wire:
        wire.reply()
        assert "PIPELINING" in wire.expect("EHLO mx.example", 250).texts


def test_a_bare_newline_ends_the_session_as_ever(testing):
    server = testing()
    mark = server.log_mark()
    wire, _, _ = greeting(server)
    with wire:
        wire.send("EHLO bot.example\n")
        assert wire.reply().code == 521
        assert wire.at_end()
    server.wait_for_log(rf"BARE NEWLINE from \[{CLIENT}\]:\d+ after CONNECT",
                        mark)


def test_lists_say_who_is_tested_and_who_is_refused(testing, tmp_path):
    server = testing(start=False, postscreen_greet_wait=LONG)
    table = server.dir / "access.cidr"
    table.write_text(f"{CLIENT}/32 permit\n{OTHER}/32 reject\n")
    server.set("postscreen_access_list", f"permit_mynetworks, cidr:{table}")
    server.start()
    mark = server.log_mark()
    _, took = passes(server)
    assert took < SOON
    server.wait_for_log(rf"ALLOWLISTED \[{CLIENT}\]", mark)
    wire, reply, took = greeting(server, OTHER)
    with wire:
        assert reply.code == 220 and took < SOON
        wire.expect("EHLO bad.example", 250)
        wire.expect("MAIL FROM:<a@b.example>", 250)
        assert str(wire.cmd("RCPT TO:<kim@first.example>")) == \
            "550 5.3.2 Service currently unavailable"
    server.wait_for_log(rf"DENYLISTED \[{OTHER}\]", mark)
    # the table is watched, and a mistake in the list is told
    server.set("postscreen_access_list", "permit_mynetwork")
    done = server.postern("config", "check", check=False)
    assert done.returncode != 0
    assert "postscreen_access_list: \"permit_mynetwork\" is none of" in \
        done.stdout + done.stderr


def test_submission_and_own_networks_do_not_wait(testing):
    server = testing(mynetworks=f"{OTHER}/32", postscreen_greet_wait=LONG)
    _, took = passes(server, OTHER)
    assert took < SOON
    began = time.monotonic()
    with server.smtp(service="submission", source=CLIENT) as wire:
        assert time.monotonic() - began < SOON
        wire.cmd("QUIT")


def test_a_stopping_server_tells_those_who_wait(testing):
    server = testing(postscreen_greet_wait="60s")
    with server.smtp(helo=None, source=CLIENT) as wire:
        assert wire.line().startswith("220-")
        assert server.stop() == 0
        assert wire.line() == "421 4.3.2 Service shutting down"
        with pytest.raises(Closed):
            wire.line()


def test_behind_a_proxy_the_client_is_tested(testing):
    server = testing(start=False, smtpd_upstream_proxy_timeout=LONG)
    server.set("smtpd_upstream_proxy_protocol", "haproxy", "service mx")
    server.set("smtpd_upstream_proxy_hosts", "127.0.0.1", "service mx")
    server.start()

    def header(client, port=1234):
        return f"PROXY TCP4 {client} 192.0.2.1 {port} 25\r\n"
    mark = server.log_mark()
    wire, reply, took = greeting(server, None, talk=header("192.0.2.7"))
    wire.close()
    assert len(reply.lines) == 2 and took >= WAIT - 0.1
    server.wait_for_log(r"PASS NEW \[192\.0\.2\.7\]:1234", mark)
    wire, reply, _ = greeting(server, None, talk=header("192.0.2.7"))
    wire.close()
    assert len(reply.lines) == 1
    # what comes behind the header, before the greeting, is early talk
    wire, _, _ = greeting(server, None,
                          talk=header("192.0.2.8") + "HELO bot.example\r\n")
    wire.close()
    server.wait_for_log(r"PREGREET 18 .*\[192\.0\.2\.8\]:1234: HELO", mark)
    # the proxy's own connections are nobody's
    wire, reply, _ = greeting(server, None, talk="PROXY UNKNOWN\r\n")
    wire.close()
    assert len(reply.lines) == 1


def test_xclient_makes_it_the_client_that_is_named(testing):
    server = testing(
        smtpd_authorized_xclient_hosts=CLIENT,
        postscreen_access_list="cidr:{{192.0.2.66/32 reject} "
        "{192.0.2.77/32 permit}}")

    def named(address):
        wire, reply, _ = greeting(server)
        assert len(reply.lines) == 1
        wire.expect("EHLO proxy.example", 250)
        wire.expect(f"XCLIENT ADDR={address} NAME=[UNAVAILABLE]", 220)
        return wire, wire.expect("EHLO client.example", 250).texts
    wire, offered = named("192.0.2.5")
    with wire:
        assert "PIPELINING" not in offered
    wire, offered = named("192.0.2.77")
    with wire:
        assert "PIPELINING" in offered
    wire, offered = named("192.0.2.66")
    with wire:
        wire.expect("MAIL FROM:<a@b.example>", 250)
        assert str(wire.cmd("RCPT TO:<kim@first.example>")) == \
            "550 5.3.2 Service currently unavailable"


def test_who_logs_in_is_refused_for_no_test(testing):
    server = testing(smtpd_sasl_auth_enable="yes", smtpd_tls_auth_only="no",
                     postscreen_greet_wait=LONG)
    wire, _, _ = greeting(server, talk="EHLO early.example\r\n")
    with wire:
        assert wire.reply().code == 250
        word = base64.b64encode(b"\0kim@first.example\0secret").decode()
        wire.expect(f"AUTH PLAIN {word}", 235)
        wire.expect("MAIL FROM:<kim@first.example>", 250)
        wire.expect("RCPT TO:<kim@first.example>", 250)


def explained(server, client, **more):
    words = [f"--{name}={value}" for name, value in more.items()]
    return json.loads(server.postern(
        "--json", "explain", "--client", client, "--helo", "mx.example",
        "--from", "a@b.example", "--to", "kim@first.example",
        *words).stdout)


def first_step(story):
    step = story["steps"][0]
    assert step["rule"] == "first-contact tests"
    assert step["command"] == "CONNECT"
    return step


def test_explain_says_what_the_tests_would_do(testing):
    server = testing(start=False, mynetworks="203.0.113.0/24")
    server.set("postscreen_access_list", "permit_mynetworks, "
               f"cidr:{{{{{OTHER}/32 reject}}}}")
    server.start()
    story = explained(server, CLIENT)
    assert story["verdict"] == "accept"
    step = first_step(story)
    assert step["result"] == "dunno"
    assert step["asked"] == [
        f"NEW client, waits {WAIT}.000 s for its greeting",
        "greet: to be tested", "pipelining: to be tested",
        "non_smtp_command: to be tested", "bare_newline: to be tested"]
    passes(server)

    def known():
        asked = first_step(explained(server, CLIENT))["asked"]
        return asked if asked[0] == "OLD client, does not wait" and \
            "to be tested" not in " ".join(asked) else None
    asked = until(known, "the passes")
    assert re.fullmatch(r"greet: passed, good for "
                        r"(0d 23h 59m \d\ds|1d 00h 00m 00s)", asked[1])
    assert re.fullmatch(r"pipelining: passed, good for "
                        r"(29d 23h 59m \d\ds|30d 00h 00m 00s)", asked[2])

    step = first_step(explained(server, "203.0.113.5"))
    assert (step["result"], step["asked"]) == ("permit", [
        "not tested: permit_mynetworks in postscreen_access_list"])
    story = explained(server, OTHER)
    assert (story["verdict"], story["command"], story["reply"]) == \
        ("reject", "RCPT", "550 5.3.2 Service currently unavailable")
    assert story["list"] == "smtpd_first_contact"
    assert explained(server, OTHER,
                     sasl="kim@first.example")["verdict"] == "accept"
    # another listener has none
    story = explained(server, OTHER, listener="submission",
                      sasl="kim@first.example")
    assert all(s["rule"] != "first-contact tests" for s in story["steps"])
