"""`postern session list|kick`: who is connected now, and ending it."""
import base64
import json
import re

import pytest

from tests.harness.wait import until
from tests.harness.wire import Closed, ImapWire, SmtpWire


def listed(postern, *words):
    return json.loads(postern.postern("session", "list", "--json",
                                      *words).stdout)


def kick(postern, word, check=True):
    done = postern.postern("session", "kick", "--json", word, check=check)
    return json.loads(done.stdout)["kicked"]


def test_an_imap_session_is_told_of(postern, kim):
    with postern.imap(kim, "secret") as wire:
        row, = listed(postern, "--user", kim)
        assert re.fullmatch(r"\w{10}", row["id"])
        assert row["service"] == "imap" and row["user"] == kim
        assert re.fullmatch(r"imapd/\d+", row["process"])
        assert row["ip"] == "127.0.0.1" and row["tls"] == "TLSv1.3"
        assert row["state"] == "ready" and row["mailbox"] == ""
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["since"])
        assert row["idle_s"] < 60
        wire.ok('CREATE "Work/A &AOQ-"')
        wire.ok('SELECT "Work/A &AOQ-"')
        row, = listed(postern, "--user", kim)
        assert row["mailbox"] == "Work/A &AOQ-"
        wire.ok("SELECT INBOX")
        wire.send("i IDLE\r\n")
        assert wire.line().startswith("+")
        row, = listed(postern, "--user", kim)
        assert (row["state"], row["mailbox"]) == ("IDLE", "INBOX")
    until(lambda: not listed(postern, "--user", kim), "the session's end")


def test_an_smtp_session_is_told_of(postern, kim):
    mark = postern.log_mark()
    with postern.smtp("submissions") as wire:
        wire.expect("AUTH PLAIN " + base64.b64encode(
            f"\0{kim}\0secret".encode()).decode(), 235)
        row, = listed(postern, "--user", kim)
        assert row["service"] == "smtp" and row["state"] == "idle"
        assert row["tls"] == "TLSv1.3" and row["process"].startswith("smtpd/")
        wire.expect(f"MAIL FROM:<{kim}>", 250)
        wire.expect(f"RCPT TO:<{kim}>", 250)
        row, = listed(postern, "--user", kim)
        assert row["state"] == "mail"
        wire.expect("DATA", 354)
        row, = listed(postern, "--user", kim)
        assert row["state"] == "data"
        wire.send(b"Subject: x\r\n\r\nHello\r\n.\r\n")
        assert wire.reply().code == 250
    # the id is that of the log
    postern.wait_for_log(row["id"], mark)


def test_filters(postern, kim, lee, domain):
    with postern.imap(kim, "secret"), postern.imap(kim, "secret"), \
            postern.imap(lee, "secret"), \
            SmtpWire(postern.address("mx"), source="127.5.5.5") as smtp:
        smtp.greeted()
        assert len(listed(postern, "--user", kim)) == 2
        assert len(listed(postern, "--user", f"@{domain}")) == 3
        assert len(listed(postern, "--user", f"@{domain}", "--service",
                          "smtp")) == 0
        assert [r["service"] for r in listed(postern, "--ip", "127.5.5.5")] \
            == ["smtp"]
        assert len(listed(postern, "--ip", "127.5.0.0/16")) == 1
        assert len(listed(postern)) >= 4
        text = postern.postern("session", "list", "--user", lee).stdout
        assert "id" in text.splitlines()[0] and lee in text
    until(lambda: postern.postern("session", "list", "--ip", "127.5.5.5")
          .stdout == "no session of that kind\n", "its end")
    assert postern.postern("session", "list", "--ip", "x",
                           check=False).returncode == 64


def test_kicking_a_user_ends_imap_and_smtp(postern, kim, lee):
    with postern.imap(kim, "secret") as imap, \
            postern.imap(lee, "secret") as other, \
            postern.smtp("submissions") as smtp:
        smtp.expect("AUTH PLAIN " + base64.b64encode(
            f"\0{kim}\0secret".encode()).decode(), 235)
        smtp.expect(f"MAIL FROM:<{kim}>", 250)
        assert kick(postern, kim) == 2
        assert imap.line() == "* BYE Session ended by the administrator"
        assert imap.at_end()
        assert str(smtp.reply()) == "421 4.3.2 Session ended by the " \
            "administrator"
        assert smtp.at_end()
        other.ok("NOOP")
    assert kick(postern, kim, check=False) == 0
    assert postern.postern("session", "kick", kim, check=False) \
        .returncode == 66


def test_kicking_one_by_its_id(postern, kim):
    with postern.imap(kim, "secret") as first, \
            postern.imap(kim, "secret") as second:
        rows = listed(postern, "--user", kim)
        assert len(rows) == 2
        assert kick(postern, rows[0]["id"]) == 1
        left, = listed(postern, "--user", kim)
        assert left["id"] == rows[1]["id"]
        ended = 0
        for wire in (first, second):
            try:
                wire.ok("NOOP")
            except (AssertionError, Closed):
                ended += 1
        assert ended == 1


def test_kicking_an_address_that_idles(postern, kim):
    with ImapWire(postern.address("imaps"), tls=True,
                  source="127.6.6.6") as wire:
        wire.line()
        wire.ok(f'LOGIN "{kim}" secret')
        wire.ok("SELECT INBOX")
        wire.send("i IDLE\r\n")
        assert wire.line().startswith("+")
        assert kick(postern, "127.6.0.0/16") == 1
        assert wire.line().startswith("* BYE")
        assert wire.at_end()


def test_a_message_that_is_being_taken_is_taken_first(fresh_postern):
    """Kicked all the time, a sender that comes back until he is told 250
    leaves each message at most once behind a 250."""
    server = fresh_postern({"smtpd_error_sleep_time": "0"})
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example")
    taken = 0
    for i in range(12):
        with server.smtp() as wire:
            try:
                wire.envelope("x@b.example", "kim@a.example")
                wire.expect("DATA", 354)
                wire.send(f"Subject: m{i}\r\n\r\nHello\r\n.\r\n")
                server.postern("session", "kick", "127.0.0.1", check=False)
                taken += wire.reply().code == 250
            except (Closed, OSError):
                pass
    server.wait_for_messages("kim@a.example", taken)
    assert len(server.messages("kim@a.example")) == taken


def test_a_thousand_sessions_in_one_list(fresh_postern):
    server = fresh_postern({"smtpd_client_connection_rate_limit": "0"})
    wires = []
    try:
        for _ in range(1000):
            wires.append(SmtpWire(server.address("mx")))
        rows = until(lambda: (r := listed(server)) and len(r) == 1000 and r,
                     "1000 sessions")
        assert len({row["id"] for row in rows}) == 1000
        assert kick(server, "127.0.0.0/8") == 1000
        until(lambda: not listed(server), "none is left")
    finally:
        for wire in wires:
            wire.close()


def test_a_worker_that_is_away_is_passed_over(fresh_postern):
    server = fresh_postern({"imapd_workers": "2", "smtpd_workers": "2"})
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    for _ in range(3):
        server.kill("imapd")
        listed(server)
    with server.imap("kim@a.example", "secret"):
        assert len(listed(server, "--user", "kim@a.example")) == 1


@pytest.mark.parametrize("words", [("session",), ("session", "kick"),
                                   ("session", "kick", "a", "b")])
def test_words_that_make_no_sense(postern, words):
    assert postern.postern(*words, check=False).returncode == 64
