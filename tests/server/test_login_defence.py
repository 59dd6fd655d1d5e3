"""Login defence: guessers are held, people are not.

Clients come from 127.x.y.z, so that each /24 of it is a network.
"""
import base64
import concurrent.futures
import json
import re

import pytest

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
    IMAP session may try on."""
    assert server.clients.guesses(HOME, "kim@a.example", 30) == 20
    with ImapWire(server.address("imap"), source=HOME) as wire:
        wire.line()
        for i in range(10):
            wire.send(f'{i} LOGIN kim@a.example secret\r\n')
            assert wire.line().startswith(f"{i} NO [UNAVAILABLE]")
        wire.send("x LOGIN lee@a.example secret\r\n")
        while not (line := wire.line()).startswith("x "):
            pass
        assert line.startswith("x OK")


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
    assert server.log_lines("put off: too many wrong passwords lately, "
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
