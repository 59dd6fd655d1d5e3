"""Greylisting: who sends for the first time waits, once; pools, restarts,
budgets, opt-outs, correspondents, two hosts on one database."""
import base64
import json
import os
import pathlib
import re
import signal
import tempfile
import time

import pytest

from tests.harness.database import Cluster
from tests.harness.instance import Instance
from tests.harness.wait import until

SETTINGS = {
    "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "1000",
    "smtpd_peername_lookup": "no", "smtpd_workers": "1",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_recipient_restrictions": "check_greylist",
    "greylist_delay": "1h"}     # it is over when a test says so: no_delay()
FROM = "joe@far.example"
TO = "kim@a.example"
MX = "NAME=mx1.far.example ADDR=192.0.2.7"
WAIT = re.compile(r"450 4\.7\.1 <[^>]*>: Recipient address rejected: "
                  r"Greylisted: .*retry in \d+ seconds")


def keeper(server):
    return server.status("gatekeeper")[0]


def ready(server):
    """gatekeeper has read what there is: until then it accepts."""
    until(lambda: keeper(server)["shared"]["greylist"]["fresh"] and
          keeper(server)["shared"]["greylist_origin"]["fresh"] and
          keeper(server)["shared"]["greylist_exempt"]["fresh"],
          "gatekeeper to be fresh")
    return server


def no_delay(server):
    """From now on whoever comes back has waited long enough; who is new is
    still told to."""
    server.set("greylist_delay", "0")
    server.postern("reload")


@pytest.fixture
def grey(fresh_postern):
    def make(**settings):
        made = fresh_postern(settings={**SETTINGS, **settings})
        made.add_domain("a.example")
        made.add_domain("b.example")
        made.add_mailbox(TO, "secret")
        made.add_mailbox("lee@a.example")
        made.add_mailbox("kim@b.example")
        return ready(made)
    return make


def rcpt(server, client=MX, sender=FROM, to=TO):
    with server.smtp() as wire:
        assert wire.cmd("XCLIENT " + client).code == 220
        wire.expect("EHLO mx.far.example", 250)
        wire.expect(f"MAIL FROM:<{sender}>", 250)
        return str(wire.cmd(f"RCPT TO:<{to}>"))


def waits(server, *args, **keywords):
    said = rcpt(server, *args, **keywords)
    assert said.startswith("250") or WAIT.match(said), said
    return not said.startswith("250")


def comes_back(server, *args, **keywords):
    """After no_delay(): it is let through. The times are by the database's
    clock, of which a busy machine has no exact idea."""
    def passes():
        said = rcpt(server, *args, **keywords)
        assert "retry in 0 seconds" not in said, "it was forgotten"
        return said.startswith("250")
    until(passes, "it to be let through")


def written(server, count):
    until(lambda: int(server.sql("SELECT count(*) FROM greylist")[0][0]) >=
          count, f"{count} rows")


def test_a_sender_waits_once_and_is_told_how_long(grey):
    server = grey()
    said = rcpt(server)
    assert WAIT.match(said) and "retry in 3600 seconds" in said
    assert waits(server)
    no_delay(server)
    comes_back(server)
    assert not waits(server)                # known now
    assert waits(server, to="lee@a.example")
    assert waits(server, sender="ann@far.example")
    line = server.log_lines("NOQUEUE: reject: RCPT from mx1.far.example")[0]
    assert "450 4.7.1" in line and "Greylisted" in line


def test_nobody_passes_before_the_time(grey):
    server = grey(greylist_delay="2s")
    began = time.monotonic()
    assert "retry in 2 seconds" in rcpt(server)
    until(lambda: not waits(server), "the end of the delay")
    assert time.monotonic() - began > 1.9


def test_a_pool_of_addresses_waits_once(grey):
    server = grey()
    assert waits(server)
    # whose name does not say who they are have their networks
    assert waits(server, "NAME=[UNAVAILABLE] ADDR=198.18.7.5",
                 sender="ann@else.example")
    no_delay(server)
    comes_back(server, "NAME=out-0.far.example ADDR=198.51.0.9")
    for i in range(1, 30):
        assert not waits(server, f"NAME=out-{i}.far.example "
                         f"ADDR=198.51.{i}.9")
    comes_back(server, "NAME=[UNAVAILABLE] ADDR=198.18.7.77",
               sender="ann@else.example")
    assert waits(server, "NAME=[UNAVAILABLE] ADDR=198.18.8.77",
                 sender="ann@else.example")


@pytest.fixture
def readable():
    """A directory that smtpd may read."""
    with tempfile.TemporaryDirectory(prefix="grey-") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


def test_who_need_not_wait(grey, readable):
    clients = readable / "whitelist_clients"
    clients.write_text("# as postgrey has it\nfriend.example\n"
                       "/^mx\\d+\\.big\\./\n198.51.100\n2001:db8::/32\n")
    recipients = readable / "whitelist_recipients"
    recipients.write_text("postmaster@\nlee@a.example\n")
    server = grey(smtpd_sasl_auth_enable="yes",
                  greylist_client_whitelist=str(clients),
                  greylist_recipient_whitelist=str(recipients),
                  mynetworks="203.0.113.9/32")
    assert waits(server)
    for client in ("NAME=x.friend.example ADDR=192.0.2.9",
                   "NAME=mx7.big.example ADDR=192.0.2.9",
                   "NAME=[UNAVAILABLE] ADDR=198.51.100.200",
                   "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8:7::1",
                   "NAME=[UNAVAILABLE] ADDR=203.0.113.9"):
        assert not waits(server, client), client
    assert waits(server, "NAME=notfriend.example ADDR=192.0.2.9",
                 sender="z@z.example")
    assert not waits(server, to="lee+tag@a.example")
    # who is logged in
    with server.smtp() as wire:
        wire.cmd(f"XCLIENT {MX} LOGIN={TO}")
        wire.expect("EHLO mx.far.example", 250)
        wire.expect("MAIL FROM:<new@n.example>", 250)
        wire.expect("RCPT TO:<kim@b.example>", 250)


def test_as_a_listeners_default(grey):
    server = grey(smtpd_recipient_restrictions="permit",
                  smtpd_greylist="yes")
    assert waits(server)
    said = rcpt(server, to="nobody@a.example")
    assert said.startswith("550"), said     # not greylisted: not there
    server.add_alias("k@a.example", TO)
    no_delay(server)
    comes_back(server, to="k@a.example")    # another name of the same


def test_domains_and_mailboxes_opt_out(grey):
    server = grey()
    assert waits(server)
    server.postern("mailbox", "set", TO, "greylist", "off")
    until(lambda: not waits(server), "the opt-out to be heard")
    assert waits(server, to="lee@a.example")
    server.postern("domain", "set", "b.example", "greylist", "off")
    until(lambda: not waits(server, to="kim@b.example"), "the domain's")
    server.postern("mailbox", "set", TO, "greylist", "on")
    until(lambda: waits(server, sender="other@far.example"), "its end")
    done = server.postern("mailbox", "set", "no@a.example", "greylist",
                          "off", check=False)
    assert done.returncode != 0 and "no@a.example" in done.stderr


def test_an_opt_out_follows_its_mailbox_and_ends_with_it(grey):
    server = grey()

    def items():
        rows = server.postern("--json", "greylist", "list").stdout
        return [r["item"] for r in json.loads(rows)]

    server.postern("mailbox", "set", TO, "greylist", "off")
    server.postern("domain", "set", "b.example", "greylist", "off")
    server.postern("mailbox", "set", "kim@b.example", "greylist", "off")
    server.postern("--yes", "mailbox", "rename", TO, "kate@a.example")
    assert "to:kate@a.example" in items() and f"to:{TO}" not in items()
    until(lambda: not waits(server, to="kate@a.example"), "kate to be known")
    server.postern("--yes", "domain", "rename", "b.example", "c.example")
    assert items() == ["to:@c.example", "to:kate@a.example",
                       "to:kim@c.example"]
    server.postern("--yes", "mailbox", "del", "kate@a.example")
    assert items() == ["to:@c.example", "to:kim@c.example"]
    server.add_mailbox("kate@a.example")        # somebody else
    until(lambda: waits(server, to="kate@a.example"), "kate to wait")
    server.postern("--yes", "mailbox", "del", "kim@c.example")
    server.postern("--yes", "domain", "del", "c.example")
    assert items() == []


def test_whom_our_users_wrote_to_never_waits(grey):
    server = grey()
    assert waits(server)
    with server.smtp("submission") as wire:
        wire.starttls()
        wire.expect("EHLO client.example", 250)
        plain = base64.b64encode(f"\0{TO}\0secret".encode()).decode()
        wire.expect("AUTH PLAIN " + plain, 235)
        wire.expect(f"MAIL FROM:<{TO}>", 250)
        wire.expect(f"RCPT TO:<{FROM}>", 250)
        assert wire.data(b"Subject: x\r\n\r\nhi").code == 250
    until(lambda: not waits(server, to="lee@a.example"),
          "the correspondent to be known")
    assert waits(server, sender="other@far.example")
    listed = lambda: json.loads(server.postern("--json", "greylist",
                                               "list").stdout)
    until(lambda: [r["why"] for r in listed()
                   if r["item"] == f"from:{FROM}"] == ["written"],
          "it to be listed")


def test_past_its_budget_an_organisation_waits_no_more(grey):
    server = grey(greylist_delay_budget="5s")
    for i in range(2):
        assert waits(server, sender=f"x@s{i}.example")
    time.sleep(4.2)                 # twice that is more than the budget
    no_delay(server)
    for i in range(2):
        comes_back(server, sender=f"x@s{i}.example")
    until(lambda: not waits(server, sender="n@s9.example"), "the budget")
    until(lambda: server.sql("SELECT subject FROM event WHERE name = "
                             "'greylist.budget'") == [["far.example"]],
          "the event")
    server.wait_for_log("greylist: far.example has waited")


def test_a_restart_loses_nothing(grey):
    server = grey()
    assert waits(server)
    written(server, 1)
    server.kill_all()               # not even the chance to write
    server.set("greylist_delay", "0")
    server.start()
    ready(server)
    comes_back(server)
    assert waits(server, to="lee@a.example")
    assert server.stop() == 0       # in time, or at the end
    server.start()
    ready(server)
    assert not waits(server)
    comes_back(server, to="lee@a.example")


def test_two_hosts_share_it(grey, cluster):
    one = grey()
    one.sql("SELECT host_add('two.example');")
    two = Instance(cluster, settings={**SETTINGS,
                                      "host_name_in_database": "two.example"})
    own, two.database = two.database, one.database
    two.set("database", cluster.url_of(one.database))
    try:
        two.start()
        ready(two)
        assert waits(one)
        # told, not found by a look every 30 seconds
        until(lambda: keeper(two)["greylist"]["waiting"] == 1,
              "the other host to hear", 20)
        assert waits(two)
        no_delay(two)
        comes_back(two)
        until(lambda: keeper(one)["greylist"]["known"] == 1,
              "the first host to hear")
        assert not waits(one)
        two.check_log()
        assert two.stop() == 0
    finally:
        two.database = own
        two.destroy()


def test_without_gatekeeper_mail_is_accepted(grey):
    server = grey()
    assert waits(server)
    server.set("gatekeeper_timeout", "250ms")
    server.postern("reload")
    pid = server.pids("gatekeeper")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert not waits(server, to="lee@a.example")
        assert not waits(server, to="kim@b.example")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_or_deferred_where_that_is_wanted(grey):
    server = grey(greylist_default_action="defer", gatekeeper_timeout="250ms")
    pid = server.pids("gatekeeper")[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert waits(server)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_the_database_nobody_waits():
    cluster = Cluster()
    server = Instance(cluster, settings=SETTINGS)
    try:
        server.add_domain("a.example")
        server.add_mailbox(TO)
        server.start()
        ready(server)
        assert waits(server)
        no_delay(server)
        comes_back(server)                  # the directory is warm, too
        assert waits(server, sender="new@n.example")
        cluster.stop()
        until(lambda: not keeper(server)["shared"]["greylist"]["fresh"],
              "gatekeeper to notice")
        assert not waits(server, sender="new@n.example")
        assert not waits(server)
        cluster.start()
        ready(server)
        assert waits(server, sender="newer@n.example")
    finally:
        cluster.start()
        server.destroy()
        cluster.close()


def test_the_command_line_tells_and_changes(grey):
    server = grey()
    assert waits(server)
    written(server, 1)
    rows = json.loads(server.postern("--json", "greylist", "waiting").stdout)
    assert [(r["origin"], r["sender"], r["recipient"]) for r in rows] == \
        [("far.example", FROM, TO)]
    assert rows[0]["first_seen"] < rows[0]["may_pass"] < rows[0]["until"]
    stats = json.loads(server.postern("--json", "greylist", "stats").stdout)
    assert stats[0]["waiting"] == 1 and stats[0]["known"] == 0

    for what, item in (("far.example", "client:far.example"),
                       ("192.0.2.0/24", "net:192.0.2.0/24"),
                       ("192.0.2.7", "net:192.0.2.7/32"),
                       (FROM, f"from:{FROM}")):
        server.postern("greylist", "allow", what)
        assert item in server.postern("greylist", "list").stdout
        until(lambda: not waits(server), f"{what} to be allowed")
        server.postern("greylist", "forget", item.split(":", 1)[1])
        until(lambda: waits(server), f"{what} to be forgotten")
    until(lambda: waits(server) and FROM in
          server.postern("greylist", "waiting").stdout, "it to wait again")
    server.postern("greylist", "forget", "far.example")
    assert server.postern("greylist", "waiting").stdout.count(FROM) == 0
    done = server.postern("greylist", "forget", "n.example", check=False)
    assert done.returncode != 0 and "nothing is known" in done.stderr


@pytest.mark.parametrize("what, item, client", [
    ("2001:0DB8:7::1", "net:2001:db8:7::1/128",
     "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8:7::1"),
    ("2001:DB8:7:0::9/48", "net:2001:db8:7::/48",
     "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8:7::1"),
    ("192.0.2.7/24", "net:192.0.2.0/24", MX),
    ("::ffff:192.0.2.7", "net:192.0.2.7/32", MX),
    ("Far.Example.", "client:far.example", MX),
    ("Joe@Far.Example", f"from:{FROM}", MX)])
def test_what_is_allowed_may_be_written_in_any_form(grey, what, item, client):
    server = grey(greylist_delay="1h")
    assert waits(server, client)
    server.postern("greylist", "allow", what)
    listed = json.loads(server.postern("--json", "greylist", "list").stdout)
    assert [row["item"] for row in listed] == [item]
    until(lambda: not waits(server, client), f"{what} to be allowed")
    server.postern("greylist", "forget", what)
    until(lambda: waits(server, client), f"{what} to be forgotten")
    server.postern("greylist", "allow", what)
    server.postern("greylist", "forget", item)      # as it is listed


def test_what_is_no_network_is_not_allowed(grey):
    server = grey()
    for what in ("192.0.2.0/33", "192.0.2/24", "2001:db8::/129", "1.2.3.4/",
                 "far.example/24"):
        done = server.postern("greylist", "allow", what, check=False)
        assert done.returncode != 0 and "is no network" in done.stderr, what


def test_what_was_said_is_listed_before_whom_users_wrote_to(grey):
    server = grey()
    server.postern("greylist", "allow", "192.0.2.0/24")
    server.postern("mailbox", "set", TO, "greylist", "off")
    server.sql("INSERT INTO greylist_exempt (item, why, revision, expires_at) "
               "SELECT 'from:' || i || '@far.example', 'written', 1, "
               "now() + interval '1 day' FROM generate_series(1, 11000) i;")
    rows = json.loads(server.postern("--json", "greylist", "list").stdout)
    assert [r["item"] for r in rows[:2]] == ["net:192.0.2.0/24", f"to:{TO}"]
    assert len(rows) == 10002


def test_explain_tells_and_changes_nothing(grey):
    server = grey()

    def explained():
        told = json.loads(server.postern(
            "explain", "--json", "--client", "192.0.2.7", "--name",
            "mx1.far.example", "--helo", "mx.far.example", "--from", FROM,
            "--to", TO, check=False).stdout)
        return json.dumps(told)

    told = explained()
    assert "not seen before" in told and "Greylisted" in told
    assert "origin far.example" in told
    assert keeper(server)["greylist"]["waiting"] == 0
    assert waits(server)
    written(server, 1)
    assert "waits since" in explained()
    no_delay(server)
    until(lambda: "came back after its time" in explained(), "its time")
    assert "Greylisted" not in explained()
    assert keeper(server)["greylist"]["waiting"] == 1
    comes_back(server)
    until(lambda: "first seen" in explained(), "it to be known")
    server.postern("mailbox", "set", TO, "greylist", "off")
    assert f"exempt to:{TO}" in explained()


def test_a_known_sender_costs_no_query(grey):
    server = grey()
    if not server.sql("SELECT name FROM pg_available_extensions "
                      "WHERE name = 'pg_stat_statements'"):
        pytest.skip("PostgreSQL's contrib modules are not installed")
    server.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements "
               "SCHEMA public;")
    assert waits(server)
    no_delay(server)
    comes_back(server)
    until(lambda: int(server.sql("SELECT count(*) FROM greylist WHERE "
                                 "passed_at IS NOT NULL")[0][0]) == 1,
          "it to be written")
    server.sql("SELECT public.pg_stat_statements_reset();")
    for _ in range(20):
        assert not waits(server)
    time.sleep(0.5)                 # a batch is gathered for 0.2 s
    until(lambda: not any(kind["waiting"] for kind in
                          keeper(server)["shared"].values()), "the writing")
    assert server.sql("""
SELECT s.query FROM public.pg_stat_statements s
  JOIN pg_roles r ON r.oid = s.userid
 WHERE s.dbid = (SELECT oid FROM pg_database
                  WHERE datname = current_database())
   AND r.rolname LIKE 'postern%' AND s.query ~ 'greylist_'
   AND s.query !~ '_expire';""") == []
