"""`postern quota`: what is shown, set, compared and repaired."""
import json
import os
import random

import pytest

from tests.harness import paths
from tests.harness.wait import until
from tests.harness.wire import Closed


def audit(instance, *words, check=True):
    done = instance.postern("quota", "audit", "--json", *words, check=False)
    assert done.returncode in (0, 65), done.stderr
    return done.returncode, json.loads(done.stdout)


def agrees(instance):
    """It waits for reports itself, but not for a machine that stands still."""
    done = None

    def good():
        nonlocal done
        done = instance.postern("quota", "audit", check=False)
        return done.returncode == 0
    until(good, lambda: done.stdout + done.stderr)
    return done.stdout


@pytest.fixture
def instance(fresh_postern):
    made = fresh_postern({"usage_report_interval": "200ms"})
    made.add_domain("audit.example")
    for i in range(4):
        made.add_mailbox(f"u{i}@audit.example", "secret")
    return made


def test_limits_are_set_and_shown_from_the_command_line(postern, domain, kim):
    postern.postern("quota", "set", kim, "--bytes", "10m", "--messages", "7")
    postern.postern("quota", "set", domain, "--bytes", "1g")
    postern.postern("org", "add", f"org {domain}")
    postern.postern("quota", "set", f"org {domain}", "--org", "--messages",
                    "100")
    postern.send("a@sender.example", kim)
    size = postern.wait_for_messages(kim, 1)[0].stat().st_size

    def rows(*words):
        return json.loads(postern.postern("quota", "show", "--json",
                                          *words).stdout)
    until(lambda: rows(kim)[-1]["messages"] == 1, "the report")
    shown = {row["kind"]: row for row in rows(kim)}
    assert shown["mailbox"]["name"] == kim
    assert shown["mailbox"]["quota_bytes"] == 10 * 2 ** 20
    assert shown["mailbox"]["percent"] == 14
    assert shown["domain"]["bytes"] == size
    assert shown["domain"]["quota_bytes"] == 2 ** 30
    assert [row["name"] for row in rows(domain)] == [domain, kim]
    assert rows(f"org {domain}", "--org")[0]["quota_messages"] == 100
    postern.postern("quota", "set", kim, "--messages", "none")
    assert rows(kim)[-1]["quota_messages"] == 0
    table = postern.postern("quota", "show", domain).stdout
    assert kim in table and "10.0M" in table or "10M" in table
    for words in (["set", kim], ["set", "no@no.example", "--bytes", "1"],
                  ["show", "no.example"], ["set", kim, "--bytes", "x"]):
        assert postern.postern("quota", *words, check=False).returncode != 0


def test_an_audit_of_what_is_right_finds_nothing(instance):
    for i in range(4):
        instance.send("a@sender.example", [f"u{i}@audit.example"])
        instance.wait_for_messages(f"u{i}@audit.example", 1)
    assert "4 mailboxes: database, index and files agree" in agrees(instance)


def test_wrong_figures_in_the_database_are_found_and_repaired(instance):
    instance.send("a@sender.example", "u0@audit.example")
    instance.wait_for_messages("u0@audit.example", 1)
    agrees(instance)
    instance.sql("UPDATE usage SET bytes = bytes + 7")
    code, rows = audit(instance)
    assert code == 65 and [r["found"] for r in rows] == ["database"]
    assert rows[0]["database_bytes"] == rows[0]["index_bytes"] + 7
    assert rows[0]["index_bytes"] == rows[0]["file_bytes"]
    assert audit(instance, "--fix")[0] == 0
    agrees(instance)
    # the sum of a domain, too
    instance.sql("UPDATE domain_usage SET messages = 99")
    code, rows = audit(instance)
    assert code == 65 and [r["found"] for r in rows] == ["domain sum"]
    assert audit(instance, "--fix")[0] == 0
    agrees(instance)


def test_files_that_another_program_removed_are_reconciled(instance):
    who = "u1@audit.example"
    for _ in range(3):
        instance.send("a@sender.example", who)
    files = instance.wait_for_messages(who, 3)
    agrees(instance)
    instance.stop()
    files[0].unlink()
    code, rows = audit(instance)
    assert code == 65 and rows[0]["found"] == "files"
    assert rows[0]["index_messages"] == 3 == rows[0]["database_messages"]
    assert rows[0]["file_messages"] == 2
    assert audit(instance, "--fix")[0] == 0
    agrees(instance)
    instance.start()
    agrees(instance)


def test_after_a_storm_of_kills_nothing_has_drifted(instance):
    """Mail and IMAP changes go on while processes are killed at random."""
    dice = random.Random(4711)
    people = [f"u{i}@audit.example" for i in range(4)]
    for turn in range(24):
        who = dice.choice(people)
        try:
            instance.send("a@sender.example", who, b"Subject: x\r\n\r\n" +
                          b"y" * dice.randrange(5000))
            with instance.imap(who, "secret") as wire:
                wire.ok("APPEND INBOX {5+}\r\na: b\n")
                wire.ok("SELECT INBOX")
                wire.ok("COPY 1:* INBOX")
                wire.ok("STORE 1:2 +FLAGS (\\Deleted)")
                if dice.random() < .5:
                    wire.ok("EXPUNGE")
                if turn % 3 == 0:
                    instance.kill("imapd")
                wire.cmd("STORE 1 +FLAGS (\\Deleted)")
                wire.cmd("EXPUNGE")
        except (OSError, AssertionError, Closed):
            pass            # its process was killed
        if turn % 3 == 1:
            instance.kill("deliver")
        if turn % 8 == 7:
            instance.kill_all()
            instance.start()
    for program in ("deliver", "imapd", "smtpd"):
        until(lambda p=program: instance.pids(p), f"a {program}")
    agrees(instance)
    total = sum(path.stat().st_size for who in people
                for path in instance.messages(who))
    assert total > 0
    # the truth by another way: files of messages that are not expunged
    rows = json.loads(instance.postern("quota", "show", "audit.example",
                                       "--json").stdout)
    assert rows[0]["bytes"] == sum(r["bytes"] for r in rows[1:])


def test_what_was_not_reported_before_a_crash_is_reported_after(
        fresh_postern):
    made = fresh_postern({"usage_report_interval": "1h"})
    made.add_domain("late.example")
    number = made.add_mailbox("kim@late.example", "secret")
    made.send("a@sender.example", "kim@late.example")
    made.wait_for_messages("kim@late.example", 1)
    marks = [made.dir / "store" / name for name in
             os.listdir(made.dir / "store") if "marks" in name]
    assert any(number.to_bytes(8, "little") in path.read_bytes()
               for path in marks)
    made.kill_all()
    made.set("usage_report_interval", "100ms")
    made.start()

    def reported():
        return made.sql("SELECT 'n=' || messages FROM usage")
    until(lambda: "n=1" in str(reported()), "the report")


def test_maildirsize_is_written_when_wished_and_follows_the_limit(
        fresh_postern):
    made = fresh_postern({"usage_report_interval": "100ms",
                          "virtual_create_maildirsize": "yes"})
    made.add_domain("size.example")
    who = "kim@size.example"
    made.add_mailbox(who, quota_bytes=10 ** 6)
    made.send("a@sender.example", who)
    size = made.wait_for_messages(who, 1)[0].stat().st_size
    file = made.home(who) / "maildirsize"

    def says():
        return file.read_text() if file.exists() else None
    until(lambda: says() == f"1000000S\n{size} 1\n", lambda: says())
    made.postern("quota", "set", who, "--messages", "50")
    until(lambda: says() == f"1000000S,50C\n{size} 1\n", lambda: says())
    made.postern("quota", "set", who, "--messages", "none", "--bytes",
                 "none")
    until(lambda: says() is None, lambda: says())


def test_an_adopted_maildir_brings_the_limit_of_its_maildirsize(
        postern, domain, kim, lee):
    postern.postern("quota", "set", lee, "--messages", "9")
    for who in (kim, lee):
        source = postern.dir / f"old-{who}"
        for name in ("cur", "new", "tmp"):
            (source / name).mkdir(parents=True)
        (source / "cur" / "1.M1.x:2,S").write_text("Subject: a\n\nb\n")
        (source / "maildirsize").write_text("5000000S,700C\n12 1\n")
        for path in [source, *source.rglob("*")]:
            paths.give(path)
        postern.postern("mailbox", "adopt", who, source, "--yes")

    def limits(who):
        row = json.loads(postern.postern("quota", "show", "--json",
                                         who).stdout)[-1]
        return row["quota_bytes"], row["quota_messages"]
    assert limits(kim) == (5000000, 700)
    assert limits(lee) == (0, 9)
