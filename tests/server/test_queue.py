"""What waits in the queue can be seen, tried, held, released and deleted."""
import json

import pytest

from tests.harness.wait import until


@pytest.fixture
def queue(fresh_postern):
    """An instance with one message for elsewhere; its queue id in `.id`."""
    made = fresh_postern()
    made.add_domain("queue.example")
    made.add_mailbox("kim@queue.example", "secret")
    made.add_alias("out@queue.example", "far@elsewhere.example",
                   "kim@queue.example")
    made.id = made.send("a@sender.example", "out@queue.example",
                        subject="waits")
    made.wait_for_messages("kim@queue.example", 1)
    made.rows = lambda *words: json.loads(
        made.postern("--json", "queue", *words).stdout)
    until(lambda: [r["state"] for r in made.rows("list")] == ["deferred"],
          "one deferred message")
    return made


def test_a_deferred_message_says_why_it_waits(queue):
    row = queue.rows("list")[0]
    assert row["queue_id"] == queue.id
    assert row["sender"] == "a@sender.example"
    assert row["recipients"] == 2
    # The local copy counts as done when a checkpoint covers it.
    until(lambda: queue.rows("list")[0]["open"] == 1, "one open recipient")
    assert "relaying is not built" in row["reason"]
    shown = {r["recipient"]: r for r in queue.rows("show", queue.id)}
    assert shown["kim@queue.example"]["state"] == "done"
    assert shown["kim@queue.example"]["reason"] == ""
    assert shown["far@elsewhere.example"]["state"] != "done"
    assert "relaying" in shown["far@elsewhere.example"]["reason"]
    table = queue.postern("queue", "list").stdout
    assert table.startswith("queue_id") and queue.id in table


def test_a_flush_tries_again(queue):
    def tries():
        return len(queue.log_lines(r"to=<far@elsewhere\.example>.*=deferred"))
    before = tries()
    queue.postern("queue", "flush", queue.id)
    until(lambda: tries() > before, "an attempt")
    queue.postern("queue", "flush")
    until(lambda: tries() > before + 1, "another attempt")


def test_held_mail_stays_held_through_a_restart(queue):
    # what is not held is not released, and only once held
    assert queue.rows("release", "ALL") == [{"released": 0}]
    queue.postern("queue", "hold", queue.id)
    assert queue.rows("hold", "ALL") == [{"held": 0}]
    assert queue.rows("list")[0]["state"] == "hold"
    queue.restart()
    until(lambda: queue.rows("list"), "the queue")
    assert queue.rows("list")[0]["state"] == "hold"
    queue.postern("queue", "release", "ALL")
    until(lambda: queue.rows("list")[0]["state"] == "deferred", "release")


def test_a_deleted_message_is_gone_for_good(queue):
    refused = queue.postern("queue", "delete", queue.id, check=False)
    assert refused.returncode == 64 and queue.rows("list")
    # The local copy may not be covered by a checkpoint yet: 75, try again.
    until(lambda: queue.postern("--yes", "queue", "delete", queue.id,
                                check=False).returncode == 0, "deletion")
    until(lambda: queue.rows("list") == [], "an empty queue")
    assert queue.postern("queue", "list").stdout == "the queue is empty\n"
    queue.restart()
    assert queue.rows("list") == []


def test_an_id_that_is_not_there_is_said_and_the_others_are_done(queue):
    done = queue.postern("queue", "hold", "nosuchid0000", queue.id,
                         check=False)
    assert done.returncode == 66
    assert "no such message" in done.stderr
    assert queue.rows("list")[0]["state"] == "hold"


def test_a_restored_spool_sends_nothing_until_released(queue):
    assert queue.stop() == 0
    queue.sql("UPDATE host SET incarnation = 4000000;")
    queue.start(wait=False)
    assert queue.process.wait(30) == 78
    queue.process = None
    mark = queue.log_mark()
    queue.start(extra=["--accept-restored-spool"])
    until(lambda: [r["state"] for r in queue.rows("list")] == ["hold"],
          "all held")
    assert not queue.log_lines(rf"{queue.id}: to=<", mark)
    # New mail flows meanwhile.
    queue.send("a@sender.example", "kim@queue.example", subject="new")
    queue.wait_for_messages("kim@queue.example", 2)
    # The second start needs no word any more.
    assert queue.stop() == 0
    queue.start()
    until(lambda: [r["state"] for r in queue.rows("list")] == ["hold"],
          "what was held")
