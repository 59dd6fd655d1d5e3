"""HOLD, DISCARD, PREPEND, REDIRECT, BCC and FILTER of an access table act on
the message, and what they ask for survives whatever happens to the server."""
import json

import pytest

from tests.harness.wait import until

TABLE = """\
hold@s.example\tHOLD look at this one
discard@s.example\tDISCARD
prepend@s.example\tPREPEND X-Seen-By: the gate
redirect@s.example\tREDIRECT lee@act.example
bcc@s.example\tBCC lee@act.example
filter@s.example\tFILTER smtp:[127.0.0.1]:10025
lost@s.example\tREDIRECT nobody@act.example
"""


@pytest.fixture
def gate(fresh_postern):
    """kim and lee @act.example behind a sender table."""
    server = fresh_postern(start=False)
    table = server.dir / "access"
    table.write_text(TABLE)
    table.chmod(0o644)
    server.set("smtpd_sender_restrictions", f"check_sender_access hash:{table}")
    server.start()
    server.add_domain("act.example")
    server.add_mailbox("kim@act.example")
    server.add_mailbox("lee@act.example")
    server.rows = lambda *words: json.loads(
        server.postern("--json", "queue", *words).stdout)
    return server


def flush(server):
    """Mail to both that came in later is in the maildirs."""
    server.send("plain@s.example", "kim@act.example", subject="behind")
    server.send("plain@s.example", "lee@act.example", subject="behind")
    for who in "kim@act.example", "lee@act.example":
        until(lambda: any("Subject: behind" in text
                          for text in texts(server, who)), "the next message")


def texts(server, who):
    return [path.read_text() for path in server.messages(who)]


def row_of(server, id):
    return [r for r in server.rows("list") if r["queue_id"] == id][0]


def subjects(server, who):
    return sorted(line[9:].strip() for text in texts(server, who)
                  for line in text.splitlines()
                  if line.startswith("Subject: "))


def test_held_mail_is_listed_with_the_reason_and_released(gate):
    id = gate.send("hold@s.example", "kim@act.example", subject="held")
    line = gate.wait_for_log("NOQUEUE: hold: RCPT from")
    assert ("<hold@s.example>: Sender address look at this one; "
            "from=<hold@s.example> to=<kim@act.example> proto=ESMTP "
            in str(line))
    flush(gate)
    assert "held" not in subjects(gate, "kim@act.example")
    row = row_of(gate, id)
    assert row["state"] == "hold"
    assert "look at this one" in row["reason"]
    gate.postern("queue", "flush")
    gate.postern("queue", "release", id)
    until(lambda: "held" in subjects(gate, "kim@act.example"), "delivery")


def test_held_mail_survives_kill_9_of_everything(gate):
    id = gate.send("hold@s.example", "kim@act.example", subject="held")
    gate.kill_all()
    gate.restart()
    until(lambda: [r["state"] for r in gate.rows("list")] == ["hold"],
          "the held message")
    assert "look at this one" in gate.rows("list")[0]["reason"]
    flush(gate)
    assert "held" not in subjects(gate, "kim@act.example")
    gate.postern("queue", "release", id)
    gate.kill_all()
    gate.restart()
    # Released before the crash or not: it is there, and at most once.
    def delivered():
        if [r["state"] for r in gate.rows("list")] == ["hold"]:
            gate.postern("queue", "release", id)
        return "held" in subjects(gate, "kim@act.example")
    until(delivered, "delivery")
    assert subjects(gate, "kim@act.example").count("held") == 1


def test_discarded_mail_gets_250_and_is_nowhere(gate):
    id = gate.send("discard@s.example", "kim@act.example", subject="gone")
    gate.wait_for_log("NOQUEUE: discard: RCPT from")
    gate.wait_for_log(f"{id}: discarded size=")
    flush(gate)
    assert "gone" not in subjects(gate, "kim@act.example")
    assert not gate.log_lines(rf"{id}: from=<")
    until(lambda: gate.rows("list") == [], "an empty queue")
    with gate.smtp() as wire:
        wire.expect("MAIL FROM:<discard@s.example>", 250)
        wire.expect("RCPT TO:<nobody@act.example>", 250)
        wire.expect("RCPT TO:<x@elsewhere.example>", 250)
        wire.expect("RSET", 250)
        wire.expect("MAIL FROM:<plain@s.example>", 250)
        wire.expect("RCPT TO:<nobody@act.example>", 550)


def test_a_prepended_line_stands_above_our_received(gate):
    gate.send("prepend@s.example", "kim@act.example", subject="seen")
    gate.wait_for_messages("kim@act.example", 1)
    text = texts(gate, "kim@act.example")[0].replace("\r\n", "\n")
    assert "X-Seen-By: the gate\nReceived: from " in text


def test_redirected_mail_goes_there_only(gate):
    gate.send("redirect@s.example", "kim@act.example", subject="moved")
    gate.wait_for_log("NOQUEUE: redirect: RCPT from .*triggers REDIRECT "
                      "lee@act.example")
    gate.wait_for_messages("lee@act.example", 1)
    flush(gate)
    assert subjects(gate, "lee@act.example") == ["behind", "moved"]
    assert subjects(gate, "kim@act.example") == ["behind"]


def test_a_redirect_to_nobody_loses_nothing(gate):
    with gate.smtp() as wire:
        wire.expect("MAIL FROM:<lost@s.example>", 250)
        wire.expect("RCPT TO:<kim@act.example>", 250)
        wire.expect("DATA", 354)
        wire.expect("Subject: x\r\n\r\nx\r\n.", 451)
    gate.wait_for_log("REDIRECT nobody@act.example of an access rule: there "
                      "is no such address")
    flush(gate)
    assert subjects(gate, "kim@act.example") == ["behind"]


def test_a_blind_copy_goes_along(gate):
    gate.send("bcc@s.example", "kim@act.example", subject="both")
    gate.wait_for_log("NOQUEUE: bcc: RCPT from .*triggers BCC lee@act.example")
    gate.wait_for_messages("kim@act.example", 1)
    gate.wait_for_messages("lee@act.example", 1)
    assert subjects(gate, "lee@act.example") == ["both"]


def test_mail_for_a_filter_waits_until_somebody_says_so(gate):
    id = gate.send("filter@s.example", "kim@act.example", subject="filtered")
    gate.wait_for_log(r"NOQUEUE: filter: RCPT from .*triggers FILTER "
                      r"smtp:\[127.0.0.1\]:10025;")
    flush(gate)
    assert subjects(gate, "kim@act.example") == ["behind"]
    row = row_of(gate, id)
    assert row["state"] == "hold"
    assert "FILTER smtp:[127.0.0.1]:10025" in row["reason"]
    assert "not built" in row["reason"]
    gate.postern("queue", "release", id)
    until(lambda: "filtered" in subjects(gate, "kim@act.example"), "delivery")
