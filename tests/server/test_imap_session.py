"""Logins, refusals and ends of IMAP sessions."""
import base64
import imaplib
import os
import signal
import ssl

import pytest

from tests.harness.wait import until
from tests.harness.wire import ImapWire


def context():
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def test_capabilities_say_what_is_true(postern, kim):
    with ImapWire(postern.address("imap")) as wire:
        wire.line()
        before = wire.ok("CAPABILITY")[0]
        assert "STARTTLS" in before and "LOGINDISABLED" in before
        assert "AUTH=" not in before
        wire.ok("STARTTLS")
        wire.wrap()
        under = wire.ok("CAPABILITY")[0]
        assert "STARTTLS" not in under and "LOGINDISABLED" not in under
        assert "AUTH=PLAIN" in under and "AUTH=SCRAM-SHA-256" in under
        wire.ok(f"LOGIN {kim} secret")
        after = wire.ok("CAPABILITY")[0]
        assert "AUTH=" not in after and "IDLE" in after


def test_authenticate_plain_with_and_without_initial_response(postern, kim):
    token = base64.b64encode(f"\0{kim}\0secret".encode()).decode()
    with postern.imap() as wire:
        wire.ok(f"AUTHENTICATE PLAIN {token}")
    with postern.imap() as wire:
        wire.send("x AUTHENTICATE PLAIN\r\n")
        assert wire.line().startswith("+")
        wire.send(token + "\r\n")
        assert wire.answer("x")[1].startswith("OK")


def test_authenticate_login_asks_twice(postern, kim):
    with postern.imap() as wire:
        wire.send("x AUTHENTICATE LOGIN\r\n")
        for word in (kim, "secret"):
            assert wire.line().startswith("+ ")
            wire.send(base64.b64encode(word.encode()) + b"\r\n")
        assert wire.answer("x")[1].startswith("OK")


def test_a_wrong_password_and_an_unknown_user_read_alike(postern, kim):
    with postern.imap() as wire:
        wrong = wire.cmd(f"LOGIN {kim} nonsense")[1]
        unknown = wire.cmd("LOGIN nobody@nowhere.example nonsense")[1]
        assert wrong == unknown
        assert wrong.startswith("NO [AUTHENTICATIONFAILED]")


def test_a_changed_password_ends_the_sessions(postern, kim):
    with postern.imap(kim, "secret") as wire:
        wire.ok("SELECT INBOX")
        postern.set_password(postern.mailbox_id(kim), "other")
        assert wire.line().startswith("* BYE")
        assert wire.at_end()
    with postern.imap() as wire:
        until(lambda: wire.cmd(f"LOGIN {kim} secret")[1].startswith("NO"),
              "the old password to be refused")


def test_sessions_hear_bye_when_the_server_stops(fresh_postern):
    instance = fresh_postern()
    instance.add_domain("stop.example")
    instance.add_mailbox("kim@stop.example", "secret")
    with instance.imap("kim@stop.example", "secret") as idle, \
            instance.imap() as early:
        idle.ok("SELECT INBOX")
        idle.send("i IDLE\r\n")
        assert idle.line().startswith("+")
        assert instance.stop() == 0
        assert idle.line().startswith("* BYE")
        assert early.line().startswith("* BYE")
        assert idle.at_end()


def test_login_waits_for_authd_and_deliver_to_come_back(fresh_postern):
    instance = fresh_postern()
    instance.add_domain("back.example")
    instance.add_mailbox("kim@back.example", "secret")
    for name in ("authd", "deliver"):
        instance.kill(name)

        def again():
            with instance.imap() as wire:
                tagged = wire.cmd("LOGIN kim@back.example secret")[1]
                if tagged.startswith("NO"):
                    assert "[UNAVAILABLE]" in tagged
                return tagged.startswith("OK")
        until(again, f"logins after {name} was killed")


def test_a_session_outlives_deliver(fresh_postern):
    instance = fresh_postern()
    instance.add_domain("live.example")
    instance.add_mailbox("kim@live.example", "secret")
    with instance.imap("kim@live.example", "secret") as wire:
        wire.ok("SELECT INBOX")
        instance.kill("deliver")
        wire.ok("NOOP")
        instance.send("anna@sender.example", "kim@live.example")
        until(lambda: "* 1 EXISTS" in wire.ok("NOOP"), "the mail")
        wire.ok("STORE 1 +FLAGS (\\Seen)")
        # a second login makes the mailbox known to the new deliver
        with instance.imap("kim@live.example", "secret") as other:
            other.ok("SELECT INBOX")
            other.send("i IDLE\r\n")
            assert other.line().startswith("+")
            instance.send("anna@sender.example", "kim@live.example")
            line = other.line()
            while "2 EXISTS" not in line:
                line = other.line()


def test_who_does_not_log_in_is_sent_away(fresh_postern):
    instance = fresh_postern(settings={"imap_login_timeout": "1s"})
    # (no TLS: a handshake may take a second)
    with instance.imap(service="imap") as wire:
        assert wire.line().startswith("* BYE")
        assert wire.at_end()


def test_a_user_has_so_many_sessions_from_one_address(fresh_postern):
    """All imapd processes count together, and others' places stay theirs."""
    instance = fresh_postern(settings={"imap_user_connection_limit": "4"})
    instance.add_domain("many.example")
    for name in ("kim", "lee"):
        instance.add_mailbox(f"{name}@many.example", "secret")

    def login(wire, user="kim"):
        return wire.cmd(f"LOGIN {user}@many.example secret")[1]

    wires = [instance.imap() for _ in range(6)]
    assert len(instance.pids("imapd")) > 1
    try:
        answers = [login(wire) for wire in wires[:5]]
        assert [answer[:2] for answer in answers] == ["OK"] * 4 + ["NO"]
        assert answers[4].startswith("NO [LIMIT]")
        # who was one too many is not sent away, and others may come
        assert login(wires[4], "lee").startswith("OK")
        # a place becomes free: by LOGOUT, and by a connection that is lost
        wires[0].ok("LOGOUT")
        until(lambda: login(wires[5]).startswith("OK"), "a free place")
        wires[1].close()
        wires.append(instance.imap())
        until(lambda: login(wires[6]).startswith("OK"), "a free place")
        wires.append(instance.imap())
        assert login(wires[7]).startswith("NO [LIMIT]")
        # an imapd that dies gives back the places of its sessions
        for pid in instance.pids("imapd"):
            os.kill(pid, signal.SIGKILL)

        def again():
            wires.append(instance.imap())
            return login(wires[-1]).startswith("OK")
        until(again, "logins after all imapd were killed")
    finally:
        for wire in wires:
            wire.close()


def test_the_separator_is_a_setting(fresh_postern):
    instance = fresh_postern(settings={"imap_hierarchy_separator": "."})
    instance.add_domain("dot.example")
    instance.add_mailbox("kim@dot.example", "secret")
    with instance.imap("kim@dot.example", "secret") as wire:
        wire.ok("CREATE Work.2026")
        wire.ok("CREATE a/b")
        assert wire.ok('LIST "" *') == [
            '* LIST (\\HasNoChildren) "." INBOX',
            '* LIST (\\HasChildren) "." Work',
            '* LIST (\\HasNoChildren) "." Work.2026',
            '* LIST (\\HasNoChildren) "." a/b']
        assert wire.ok("NAMESPACE") == ['* NAMESPACE (("" ".")) NIL NIL']
        assert (instance.home("kim@dot.example") / ".Work.2026").is_dir()
        assert (instance.home("kim@dot.example") / ".a&AC8-b").is_dir()


def test_a_full_mailbox_takes_no_copies(postern, domain):
    full = f"full@{domain}"
    postern.add_mailbox(full, "secret", quota_bytes=1000)
    with postern.imap(full, "secret") as wire:
        wire.send("x APPEND INBOX {600+}\r\n" + "x" * 600 + "\r\n")
        assert wire.answer("x")[1].startswith("OK")
        wire.send("y APPEND INBOX {600}\r\n")
        assert wire.line().startswith("y NO [OVERQUOTA]")
        wire.ok("SELECT INBOX")
        wire.ok("CREATE other")
        assert wire.cmd("COPY 1 other")[1].startswith("NO [OVERQUOTA]")
        wire.ok("MOVE 1 other")


@pytest.fixture
def client(postern, kim):
    with imaplib.IMAP4_SSL(*postern.address("imaps"),
                           ssl_context=context()) as made:
        made.login(kim, "secret")
        yield made


def test_imaplib_files_mail(client):
    mail = b"From: a@b.example\r\nSubject: filed\r\n\r\nbody\r\n"
    assert client.create("Work/2026")[0] == "OK"
    assert client.append("Work/2026", "(\\Seen)", None, mail)[0] == "OK"
    assert client.select("Work/2026")[1] == [b"1"]
    assert client.fetch("1", "(FLAGS BODY[])")[1][0][1] == mail
    assert client.copy("1", "INBOX")[0] == "OK"
    assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
    assert client.expunge()[1] == [b"1"]
    assert client.select("INBOX")[1] == [b"1"]
    assert client.search(None, "SUBJECT", "filed")[1] == [b"1"]
    assert client.status("INBOX", "(MESSAGES UNSEEN)")[1] == \
        [b"INBOX (MESSAGES 1 UNSEEN 0)"]
    names = b" ".join(client.list()[1])
    assert b"Work/2026" in names and b"INBOX" in names
    assert client.rename("Work", "Job")[0] == "OK"
    assert client.delete("Job/2026")[0] == "OK"
    assert client.select("Job/2026")[0] == "NO"


def test_imaplib_handles_a_large_message(client):
    line = b"0123456789" * 7 + b"\r\n"
    mail = b"Subject: large\r\n\r\n" + line * 60000
    assert client.append("INBOX", None, None, mail)[0] == "OK"
    client.select("INBOX")
    assert client.fetch("1", "(BODY.PEEK[])")[1][0][1] == mail
    assert client.fetch("1", "(BODY.PEEK[TEXT]<4000000.72>)")[1][0][1] == \
        (line * 60000)[4000000:4000072]


def test_a_folder_below_inbox_makes_no_second_inbox(postern, kim):
    with postern.imap(kim, "secret") as wire:
        wire.ok('CREATE "INBOX/sub/one"')
        rows = [line for line in wire.ok('LIST "" "*"') if "LIST" in line]
        assert [line.split()[-1].strip('"') for line in rows] == [
            "INBOX", "INBOX/sub", "INBOX/sub/one"]
        assert r"\HasChildren" in rows[0]
        wire.ok('RENAME "INBOX/sub" "INBOX/other"')
        rows = [line for line in wire.ok('LIST "" "%"') if "LIST" in line]
        assert len(rows) == 1


def test_literals_stand_wherever_strings_do(postern, kim):
    with postern.imap() as wire:
        wire.send(f'a LOGIN "{kim}" {{6}}\r\n')
        assert wire.line().startswith("+ ")
        wire.send("secret\r\n")
        assert wire.answer("a")[1].startswith("OK")
        wire.send("b ID (\"name\" {0+}\r\n \"version\" {1+}\r\n1)\r\n")
        assert wire.answer("b")[1].startswith("OK")
        wire.send("c APPEND {5+}\r\nINBOX {30+}\r\n"
                  "Subject: a\"b\\c\r\nTo: x@y\r\n\r\nz\r\n\r\n")
        assert wire.answer("c")[1].startswith("OK")
        wire.ok("SELECT INBOX")
        wire.send("d SEARCH SUBJECT \"a\\\"b\\\\c\" (BODY {1+}\r\nz)\r\n")
        assert wire.answer("d")[0] == ["* SEARCH 1"]
        wire.send("e FETCH 1 (BODY.PEEK[HEADER.FIELDS ({4}\r\n")
        assert wire.line().startswith("+ ")
        wire.send("From {2+}\r\nTo)] UID)\r\n")
        lines, tagged = wire.answer("e")
        assert tagged.startswith("OK")
        assert lines[:2] == ['* 1 FETCH (UID 1 BODY[HEADER.FIELDS ("From" '
                             '"To")] {11}', "To: x@y"]
