"""Login defence: guessers are held, people are not.

Clients come from 127.x.y.z, so that each /24 of it is a network.
"""
import base64
import concurrent.futures
import json
import re

import pytest

from tests.harness.instance import Instance
from tests.harness.wait import until
from tests.harness.wire import ImapWire, SmtpWire

OFFICE = "127.10.0.7"
HOME = "127.20.0.7"
SETTINGS = {
    "smtpd_error_sleep_time": "0", "smtpd_sasl_auth_enable": "yes",
    "smtpd_tls_auth_only": "no", "imap_plaintext_auth": "yes",
    "login_defence_exempt_networks": "", "login_defence_delay": "0",
    "smtpd_client_connection_rate_limit": "0",
}


def host(net, number):
    """One host in each of many networks."""
    return f"127.{net}.{number % 250}.{1 + number // 250}"


class Clients:
    """Logs in from any address, by SMTP or IMAP."""

    def __init__(self, instance):
        self.instance = instance

    def smtp(self, source, user, password):
        with SmtpWire(self.instance.address("mx"), source=source) as wire:
            wire.greeted()
            token = base64.b64encode(f"\0{user}\0{password}".encode())
            return wire.cmd(b"AUTH PLAIN " + token)

    def imap(self, source, user, password):
        with ImapWire(self.instance.address("imap"), source=source) as wire:
            wire.line()
            wire.send(f'a LOGIN "{user}" "{password}"\r\n')
            while not (line := wire.line()).startswith("a "):
                pass
            return line

    def right(self, source, user, password="secret"):
        """Logs in by both."""
        assert self.smtp(source, user, password).code == 235
        assert self.imap(source, user, password).startswith("a OK")

    def guesses(self, source, user, count, first=0):
        """Different wrong passwords by SMTP and IMAP in turn; how many were
        checked."""
        checked = 0
        for i in range(first, first + count):
            if i % 2:
                code = self.smtp(source, user, f"guess {i}").code
                assert code in (535, 454)
                checked += code == 535
            else:
                line = self.imap(source, user, f"guess {i}")
                assert re.match(r"a NO \[(AUTHENTICATIONFAILED|UNAVAILABLE)"
                                r"\]", line), line
                checked += "AUTHENTICATIONFAILED" in line
        return checked


@pytest.fixture
def server(fresh_postern):
    server = fresh_postern(SETTINGS)
    server.add_domain("a.example")
    for name in ("kim", "lee", "mia"):
        server.add_mailbox(f"{name}@a.example", "secret")
    server.clients = Clients(server)
    return server


def test_a_stale_phone_in_an_office_hurts_nobody(server):
    """Hundreds of tries with last year's password, from a network that is
    new to the server, for an account that others of the office use, too."""
    clients = server.clients
    for _ in range(150):
        assert clients.smtp(OFFICE, "kim@a.example", "old").code == 535
        assert "AUTHENTICATIONFAILED" in clients.imap(
            OFFICE, "kim@a.example", "old")
    for name in ("kim", "lee", "mia"):
        clients.right(OFFICE, f"{name}@a.example")
        clients.right("127.10.0.99", f"{name}@a.example")
    assert not server.log_lines("login defence: ")


def test_a_spray_from_many_hosts_at_one_account_is_held(server):
    """A thousand hosts, many at once, a password each."""
    clients = server.clients
    clients.right(HOME, "kim@a.example")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        checked = sum(pool.map(
            lambda i: clients.guesses(host(30 + i // 250, i),
                                      "kim@a.example", 1, i), range(1000)))
    # each of two threads may have been at one more
    assert 20 <= checked <= 21
    server.wait_for_log(r"login defence: account kim@a.example: 2\d "
                        r"different wrong passwords lately, refused for "
                        r"\d+ min")
    # the right password is not told from a wrong one
    reply = clients.smtp(host(50, 1), "kim@a.example", "secret")
    assert str(reply) == "454 4.7.0 Too many wrong passwords lately; try " \
        "again later"
    assert clients.imap(host(50, 1), "kim@a.example", "secret") == \
        "a NO [UNAVAILABLE] Too many wrong passwords lately; try again later"
    # networks where she logged in stay open, and so do other accounts
    clients.right(HOME, "kim@a.example")
    clients.right(host(50, 1), "lee@a.example")


def test_one_host_at_many_accounts_is_held(server):
    """The same password for a thousand names, most of them nobody's."""
    clients = server.clients
    clients.right("127.40.0.1", "kim@a.example")
    checked = 0
    for i in range(300):
        name = ("lee", "mia", f"user{i}")[min(i, 2)] + "@a.example"
        checked += clients.smtp("127.40.0.9", name, "Spring2026").code == 535
    assert checked == 50 + 10
    server.wait_for_log(r"login defence: network 127.40.0.0/24: 60 ")
    assert clients.smtp("127.40.0.9", "lee@a.example", "secret").code == 454
    # who logged in there before goes on; other networks don't notice
    clients.right("127.40.0.1", "kim@a.example")
    clients.right("127.41.0.9", "lee@a.example")


def test_a_guesser_in_a_good_network_is_held_there_alone(server):
    clients = server.clients
    for name in ("kim", "lee"):
        clients.right(OFFICE, f"{name}@a.example")
    clients.right(HOME, "kim@a.example")
    assert clients.guesses("127.10.0.66", "kim@a.example", 60) == 30
    assert clients.smtp(OFFICE, "kim@a.example", "secret").code == 454
    clients.right(OFFICE, "lee@a.example")
    clients.right(HOME, "kim@a.example")


def test_what_is_refused_costs_the_client_no_password(server):
    """4xx and UNAVAILABLE: mail programs keep what they have stored. An
    IMAP session may try on, a few times."""
    assert server.clients.guesses(HOME, "kim@a.example", 30) == 20
    with ImapWire(server.address("imap"), source=HOME) as wire:
        wire.line()
        for i in range(4):
            wire.send(f'{i} LOGIN kim@a.example secret\r\n')
            assert wire.line().startswith(f"{i} NO [UNAVAILABLE]")
        wire.send("x LOGIN lee@a.example secret\r\n")
        while not (line := wire.line()).startswith("x "):
            pass
        assert line.startswith("x OK")
    with ImapWire(server.address("imap"), source=HOME) as wire:
        wire.line()
        for i in range(5):
            wire.send(f'{i} LOGIN kim@a.example secret\r\n')
            assert wire.line().startswith(f"{i} NO [UNAVAILABLE]")
        assert wire.line() == "* BYE Too many failed logins"
        assert wire.at_end()


def test_guesses_are_slowed_before_they_are_refused(server):
    server.set("login_defence_delay", "300ms")
    server.postern("reload")
    clients = server.clients
    mark = server.log_mark()
    assert clients.guesses(HOME, "kim@a.example", 25) == 20
    status = json.loads(server.postern("status", "--json").stdout)
    row = next(r for r in status if r["process"].startswith("authd"))
    assert row["slowed"] >= 15 and row["put_off"] == 5
    assert row["refused"] == 20
    server.wait_for_log("put off: too many wrong passwords lately, "
                        "sasl_username=kim@a.example", mark)


def test_it_can_be_switched_off(server):
    server.set("login_defence", "no")
    server.postern("reload")
    until(lambda: server.clients.guesses(HOME, "lee@a.example", 60) == 60,
          "all guesses checked")
    server.clients.right(HOME, "lee@a.example")


def test_a_mistake_in_the_exempt_networks_is_told(server):
    server.set("login_defence_exempt_networks", "192.0.2.0/24 10.1.2/33")
    told = server.postern("config", "check", check=False)
    assert told.returncode == 78
    assert re.search(r'postern.conf:\d+: login_defence_exempt_networks: '
                     r'"10.1.2/33" is no network', told.stderr)


# --- what sites had scripts for

def test_no_script_that_scans_the_log_is_needed(server):
    """A site ran one every five minutes: who failed too often got into an
    access table. Here the same client is stopped at once, by itself."""
    clients = server.clients
    checked = 0
    for i in range(80):
        checked += clients.guesses("127.70.0.1", f"user{i}@a.example", 1, i)
    assert checked == 50
    assert clients.smtp("127.70.0.1", "kim@a.example", "secret").code == 454
    assert "UNAVAILABLE" in clients.imap("127.70.0.1", "kim@a.example",
                                         "secret")


@pytest.mark.parametrize("table", ["file", "database"])
def test_a_table_that_such_a_script_fills_works_on(server, table):
    """check_client_access on a table that changes every few minutes."""
    path = server.dir / "attackers"
    path.write_text("192.0.2.1 REJECT\n")
    name = f"hash:{path}" if table == "file" else "pg:attackers"
    if table == "database":
        server.postern("access", "add", "attackers", "192.0.2.1", "REJECT")
    server.set("smtpd_client_restrictions", f"check_client_access {name}")
    server.set("smtpd_delay_reject", "no")
    server.set("table_refresh_interval", "1s")
    server.restart()
    clients, attacker = server.clients, "127.71.0.1"
    for i in range(10):
        assert clients.smtp(attacker, "kim@a.example",
                            f"guess {i}").code == 535
    # the script: who failed five times or more is an attacker
    words = r"warning: \S+\[(\S+)\]: SASL \S+ authentication failed"
    until(lambda: len(server.log_lines(words)) == 10, "ten log lines")
    failed = re.findall(words, server.log_text())
    for ip in {ip for ip in failed if failed.count(ip) >= 5}:
        text = "REJECT too many failed logins"
        if table == "file":
            with open(path, "a") as out:
                out.write(f"{ip} {text}\n")
        else:
            server.postern("access", "add", "attackers", ip, *text.split())

    def greeting(source):
        with SmtpWire(server.address("mx"), source=source) as wire:
            return str(wire.reply())
    # each worker finds the change by itself
    until(lambda: all("too many failed logins" in greeting(attacker)
                      for _ in range(3)), "refused")
    assert greeting("127.72.0.1").startswith("220 ")


def test_who_a_proxy_speaks_for_is_who_counts(server):
    """XCLIENT: a front end's own address is in nobody's way."""
    server.set("smtpd_authorized_xclient_hosts", "127.0.0.1")
    server.restart()

    def smtp(ip, password):
        with SmtpWire(server.address("mx")) as wire:
            wire.greeted()
            assert wire.cmd(f"XCLIENT ADDR={ip} NAME=[UNAVAILABLE]") \
                .code == 220
            wire.cmd("EHLO client.example")
            return wire.cmd("AUTH PLAIN " + base64.b64encode(
                f"\0kim@a.example\0{password}".encode()).decode()).code
    assert smtp("203.0.113.1", "secret") == 235
    codes = [smtp(f"198.51.100.{i}", f"guess {i}") for i in range(40)]
    assert codes == [535] * 20 + [454] * 20
    assert smtp("203.0.113.77", "secret") == 235
    assert server.clients.smtp("127.0.0.1", "lee@a.example",
                               "secret").code == 235
    assert {r["subject"] for r in login(server, "list")} == {
        "kim@a.example", "198.51.100.0/24"}


# --- the command

def login(server, *words, check=True):
    done = server.postern("login", *words, "--json", check=check)
    return json.loads(done.stdout) if done.stdout else done


def test_why_says_who_is_counted_and_what_follows(server):
    clients = server.clients
    assert login(server, "why", "kim@a.example") == []
    clients.right(HOME, "kim@a.example")
    clients.guesses(HOME, "kim@a.example", 2)
    assert clients.guesses("127.60.0.1", "kim@a.example", 30) == 20
    rows = {row["subject"]: row
            for row in login(server, "why", "KIM@A.example")}
    assert set(rows) == {"kim@a.example", "kim@a.example 127.20.0.0/24"}
    row = rows["kim@a.example"]
    assert row["kind"] == "account" and row["state"] == "refused"
    assert row["wrong_passwords"] == row["limit"] == 20
    assert row["refused"] == 10
    assert re.match(r"20\d\d-\d\d-\d\dT\d\d:[03]0:00Z", row["refused_until"])
    row = rows["kim@a.example 127.20.0.0/24"]
    assert row["kind"] == "known network" and row["state"] == "open"
    assert row["wrong_passwords"] == 2 and row["refused_until"] == ""
    assert row["known_until"] > "2026"
    row, = login(server, "why", "127.60.0.77")
    assert row["kind"] == "network" and row["wrong_passwords"] == 20
    assert login(server, "why", "127.60.0.0/24") == [row]
    # lists
    assert {r["subject"] for r in login(server, "list")} == {
        "kim@a.example", "kim@a.example 127.20.0.0/24", "127.60.0.0/24"}
    assert [r["subject"] for r in login(server, "list", "--refused")] == \
        ["kim@a.example"]
    assert [r["subject"] for r in login(server, "list", "--known")] == \
        ["kim@a.example 127.20.0.0/24"]
    text = server.postern("login", "why", "kim@a.example").stdout
    assert "refused_until" in text.splitlines()[0]


def test_forgiving_an_account_and_a_network(server):
    clients = server.clients
    assert server.postern("login", "forgive", "kim@a.example",
                          check=False).returncode == 66
    assert clients.guesses("127.60.0.1", "kim@a.example", 30) == 20
    server.postern("login", "forgive", "Kim@A.Example")
    clients.right("127.60.0.2", "kim@a.example")
    for i in range(60):
        clients.smtp("127.61.0.1", f"u{i}@a.example", "x")
    assert clients.smtp("127.61.0.1", "lee@a.example", "secret").code == 454
    # it is not the account that is shut
    assert "network?" in server.postern("login", "why",
                                        "lee@a.example").stdout
    assert "refused" in server.postern("login", "why", "127.61.0.1").stdout
    server.postern("login", "forgive", "127.61.0.0/24")
    clients.right("127.61.0.1", "lee@a.example")
    for word in ("kim", "127.61.0.0.0", ""):
        assert server.postern("login", "forgive", word,
                              check=False).returncode == 64


def test_an_event_tells_what_was_refused(server):
    server.clients.guesses("127.60.0.1", "kim@a.example", 30)
    row, = until(lambda: server.sql(
        "SELECT subject, detail->>'kind', detail->>'wrong_passwords' "
        "FROM event WHERE name = 'login_refused'"), "the event")
    assert list(row) == ["kim@a.example", "account", "20"]


# --- shared and kept

def written(server):
    """All that was counted is in the database."""
    def done():
        status = json.loads(server.postern("status", "--json").stdout)
        row = next(r for r in status if r["process"].startswith("authd"))
        return all(kind["fresh"] and kind["waiting"] == 0
                   for kind in row["shared"].values())
    until(done, "shared state written")


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_restart_keeps_what_was_counted(server, how):
    clients = server.clients
    clients.right(HOME, "kim@a.example")
    assert clients.guesses("127.60.0.1", "kim@a.example", 30) == 20
    assert clients.guesses(OFFICE, "lee@a.example", 12) == 12
    clients.right(OFFICE, "mia@a.example")
    clients.guesses(OFFICE, "mia@a.example", 5)
    if how == "kill":
        written(server)
        server.kill_all()
        server.start()
    else:
        server.restart()
    written(server)
    row = next(r for r in login(server, "why", "kim@a.example")
               if r["kind"] == "account")
    assert row["wrong_passwords"] == 20 and row["state"] == "refused"
    assert clients.guesses("127.60.0.1", "kim@a.example", 3, 100) == 0
    clients.right(HOME, "kim@a.example")
    assert clients.guesses("127.61.0.1", "lee@a.example", 30, 100) == 8
    row, = [r for r in login(server, "why", "mia@a.example")]
    assert row["kind"] == "known network" and row["wrong_passwords"] == 5


@pytest.fixture
def pair(server):
    """Another host on the same database. Mailboxes live on the first."""
    server.sql("INSERT INTO host (name) VALUES ('mx2.test.example')")
    other = Instance(server.cluster, settings={
        **SETTINGS, "database": server.cluster.url_of(server.database),
        "host_name_in_database": "mx2.test.example"})
    other.clients = Clients(other)
    try:
        yield server, other.start()
        other.check_log()
    finally:
        other.destroy()


def test_two_hosts_share_it(pair):
    one, two = pair
    one.clients.right(HOME, "kim@a.example")
    assert one.clients.guesses("127.60.0.1", "kim@a.example", 11) == 11
    until(lambda: any(r["wrong_passwords"] == 11 for r in
                      login(two, "why", "kim@a.example")), "told to two")
    # what each counts is added up
    assert two.clients.guesses("127.61.0.1", "kim@a.example", 30, 50) == 9
    until(lambda: any(r["state"] == "refused" for r in
                      login(one, "why", "kim@a.example")), "told to one")
    assert one.clients.guesses("127.62.0.1", "kim@a.example", 2, 90) == 0
    # a network that one knows is known to the other
    until(lambda: "kim@a.example 127.20.0.0/24" in {
        r["subject"] for r in login(two, "list", "--known")}, "it is known")
    assert two.clients.guesses(HOME, "kim@a.example", 2, 95) == 2
    # and so is forgiving
    two.postern("login", "forgive", "kim@a.example")
    until(lambda: not any(r["state"] == "refused" for r in
                          login(one, "why", "kim@a.example")), "forgiven")
    one.clients.right("127.62.0.1", "kim@a.example")


def test_without_a_database_memory_decides(server):
    """Logins need the database, but for those that are remembered; guesses
    are counted on, and written when it is back."""
    clients = server.clients
    clients.right(HOME, "kim@a.example")
    assert clients.guesses("127.60.0.1", "kim@a.example", 25) == 20
    written(server)
    server.cluster.stop("immediate")
    try:
        until(lambda: "kept" if clients.smtp(
            "127.60.0.1", "lee@a.example", "x").code == 454 else None,
            "the database is missed")
        # remembered logins work, and are refused where guesses came from
        clients.right(HOME, "kim@a.example")
        row = next(r for r in login(server, "why", "kim@a.example")
                   if r["kind"] == "account")
        assert row["state"] == "refused"
        server.postern("login", "forgive", "kim@a.example")
    finally:
        server.cluster.start()
    until(lambda: server.sql("SELECT 1 FROM login_guess WHERE epoch > 0"),
          "forgiving is written")
    until(lambda: clients.smtp("127.60.0.1", "kim@a.example",
                               "secret").code == 235, "open again")
