"""Owners of full mailboxes are told: once per crossing, and when it is over."""
import re

import pytest

from tests.harness.wait import until

KIM = "kim@warn.example"


@pytest.fixture
def instance(fresh_postern):
    made = fresh_postern({"usage_report_interval": "100ms"})
    made.add_domain("warn.example")
    made.add_mailbox(KIM, "secret", quota_messages=20)
    return made


def warnings(instance, who=KIM):
    """Subject, and what X-Quota-Warning says, of each in order."""
    found = []
    for path in instance.messages(who):
        text = path.read_bytes().decode()
        said = re.search(r"^X-Quota-Warning: (.*)\r$", text, re.M)
        if said:
            subject = re.search(r"^Subject: (.*)\r$", text, re.M).group(1)
            found.append((path.stat().st_mtime_ns, subject, said.group(1)))
    return [rest for _, *rest in sorted(found)]


def levels(instance, who=KIM):
    return [re.search(r"level=(\d+)", said).group(1)
            for _, said in warnings(instance, who)]


def deliver(instance, count, who=KIM):
    have = len(instance.messages(who))
    for _ in range(count):
        instance.send("a@sender.example", who)
    instance.wait_for_messages(who, have + count)


def wait_for_levels(instance, *want, who=KIM):
    until(lambda: levels(instance, who) == list(want),
          lambda: f"warnings {want}, there are {levels(instance, who)}")


def judged(instance):
    """Waits until all that happened has been judged; then nothing is due."""
    mark = instance.sql("SELECT 'v=' || coalesce(max(version), 0) FROM usage")
    deliver(instance, 1, "lee@warn.example")
    until(lambda: instance.sql("SELECT 'v=' || max(version) FROM usage")
          != mark, "a report")
    until(lambda: "n=0" in str(instance.sql(
        "SELECT 'n=' || count(*) FROM quota_warning WHERE due")),
        "nothing due")


def expunge(instance, sequence):
    with instance.imap(KIM, "secret") as wire:
        wire.ok("SELECT INBOX")
        wire.ok(f"STORE {sequence} +FLAGS (\\Deleted)")
        wire.ok("EXPUNGE")


def test_each_threshold_is_told_of_once_and_when_it_is_over(instance):
    instance.add_mailbox("lee@warn.example")
    deliver(instance, 15)
    judged(instance)
    assert levels(instance) == []
    deliver(instance, 1)                        # 16 of 20
    wait_for_levels(instance, "80")             # itself is the 17th
    (subject, said), = warnings(instance)
    assert subject == "Your mailbox is 80 % full"
    assert said == "level=80 percent=80"
    judged(instance)
    deliver(instance, 1)                        # 18: the next one
    wait_for_levels(instance, "80", "90")       # itself makes it 19: 95 %
    wait_for_levels(instance, "80", "90", "95")
    # full now; the warning needed no room
    assert len(instance.messages(KIM)) == 20
    judged(instance)
    assert levels(instance) == ["80", "90", "95"]
    # a restart repeats nothing
    instance.restart()
    judged(instance)
    assert levels(instance) == ["80", "90", "95"]
    # no news while it is still above one
    expunge(instance, "1:3")                    # 17: above 80
    judged(instance)
    assert levels(instance) == ["80", "90", "95"]
    expunge(instance, "1:5")
    wait_for_levels(instance, "80", "90", "95", "0")
    assert warnings(instance)[-1][0] == "Your mailbox has room again"
    # and a new crossing is a new warning
    deliver(instance, 3)
    wait_for_levels(instance, "80", "90", "95", "0", "80")
    events = [row[0] for row in instance.sql(
        "SELECT name || ':' || (detail->>'level') FROM event "
        f"WHERE subject = '{KIM}' ORDER BY id")]
    assert events[0] == "quota.warning:80"
    assert events[-2:] == ["quota.cleared:0", "quota.warning:80"]


def test_a_lowered_limit_is_told_of_though_no_mail_comes(instance):
    deliver(instance, 3)
    until(lambda: "n=3" in str(instance.sql(
        "SELECT 'n=' || messages FROM usage")), "the report")
    instance.postern("quota", "set", KIM, "--messages", "3")
    wait_for_levels(instance, "95")
    instance.postern("quota", "set", KIM, "--messages", "none")
    wait_for_levels(instance, "95", "0")


def test_a_warning_that_may_be_there_already_is_not_doubled(instance):
    deliver(instance, 16)
    wait_for_levels(instance, "80")
    until(lambda: "n=0" in str(instance.sql(
        "SELECT 'n=' || count(*) FROM quota_warning WHERE due")), "told")
    # as after a kill between the message and its note in the database
    instance.kill_all()
    instance.sql("UPDATE quota_warning SET due = true")
    instance.start()
    until(lambda: "n=0" in str(instance.sql(
        "SELECT 'n=' || count(*) FROM quota_warning WHERE due")), "told")
    assert levels(instance) == ["80"]
    # one that never came does come
    instance.kill_all()
    instance.sql("UPDATE quota_warning SET due = true, number = number + 1, "
                 "level = 90")
    instance.start()
    wait_for_levels(instance, "80", "90")


def test_the_message_is_a_proper_one_and_follows_the_template(instance):
    template = instance.dir / "warning.txt"
    template.write_text("Subject: Voll: ${percent}%\nFrom: Hilfe "
                        "<hilfe@warn.example>\n\n${user}: ${messages} von "
                        "${limit_messages}, ${unknown} ${limit}\n")
    deliver(instance, 16)
    wait_for_levels(instance, "80")
    plain, = [p.read_bytes().decode() for p in instance.messages(KIM)
              if b"X-Quota-Warning" in p.read_bytes()]
    assert plain.startswith("Return-Path: <>\r\nDelivered-To: "
                            f"{KIM}\r\nDate: ")
    for line in ("Auto-Submitted: auto-generated", f"To: {KIM}",
                 "From: postmaster@", "Message-ID: <quota.",
                 "Content-Type: text/plain; charset=utf-8"):
        assert f"\r\n{line}" in plain
    assert "\n" not in plain.replace("\r\n", "")
    assert f"your mailbox {KIM} is 80 % full" in plain
    instance.set("quota_warning_template_file", template)
    instance.set("quota_warning_thresholds", "80 90 100")
    instance.postern("reload")
    deliver(instance, 1)
    wait_for_levels(instance, "80", "90")
    subject, said = warnings(instance)[-1]
    assert subject == "Voll: 90%" and said == "level=90 percent=90"
    text = [p.read_bytes().decode() for p in instance.messages(KIM)
            if b"Voll" in p.read_bytes()][0]
    assert text.endswith(f"\r\n\r\n{KIM}: 18 von 20, ${{unknown}} -\r\n")
    assert text.count("From:") == 1 and "hilfe@warn.example" in text


def test_without_thresholds_nobody_is_told(fresh_postern):
    made = fresh_postern({"usage_report_interval": "100ms",
                          "quota_warning_thresholds": ""})
    made.add_domain("warn.example")
    made.add_mailbox(KIM, quota_messages=2)
    made.add_mailbox("lee@warn.example")
    deliver(made, 2)
    judged(made)
    assert warnings(made) == []


def test_a_pool_that_fills_up_is_an_event(instance):
    instance.postern("quota", "set", "warn.example", "--messages", "10")
    deliver(instance, 9)
    until(lambda: "quota.warning/90" in str(instance.sql(
        "SELECT name || '/' || (detail->>'level') FROM event "
        "WHERE subject = 'warn.example'")), "the event")
    assert warnings(instance) == []
