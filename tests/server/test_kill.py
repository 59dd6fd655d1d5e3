"""A killed process costs its own sessions; what got 250 arrives once."""
import json
import re

import pytest

from tests.harness.wait import until


def bodies(instance, who):
    return sorted(re.search(rb"(?m)^Subject: (\S+)", path.read_bytes())
                  .group(1).decode() for path in instance.messages(who))


def send(instance, subject):
    """Until it is taken: what was killed may be away for longer than a client
    is made to wait, who is told 451 then."""
    def taken():
        try:
            return instance.send("a@sender.example", "kim@kill.example",
                                 subject=subject)
        except AssertionError as error:
            assert re.match(r"4\d\d ", str(error)), error
    until(taken, "it to be taken")


@pytest.fixture
def instance(fresh_postern):
    made = fresh_postern()
    made.add_domain("kill.example")
    made.add_mailbox("kim@kill.example", "secret")
    return made


@pytest.mark.parametrize("program", ["smtpd", "qmgr", "deliver", "authd",
                                     "imapd"])
def test_a_killed_process_comes_back(instance, program):
    old = instance.kill(program)
    until(lambda: old not in instance.pids(program) and
          instance.pids(program), f"another {program}")
    send(instance, "after")
    instance.wait_for_messages("kim@kill.example", 1)
    with instance.imap("kim@kill.example", "secret") as wire:
        assert any("1 EXISTS" in line for line in wire.ok("SELECT INBOX"))


@pytest.mark.parametrize("program", ["smtpd", "qmgr", "deliver"])
def test_mail_accepted_before_a_kill_arrives_once(instance, program):
    want = []
    for i in range(20):
        send(instance, f"s{i:02}")
        want.append(f"s{i:02}")
        if i == 10:
            instance.kill(program)
            instance.wait_for_log(r"ready|start|exit|signal")
    instance.wait_for_messages("kim@kill.example", 20)
    assert instance.restart()
    assert bodies(instance, "kim@kill.example") == want


def test_mail_accepted_before_the_whole_tree_dies_arrives_once(instance):
    want = []
    for cycle in range(3):
        for i in range(10):
            instance.send("a@sender.example", "kim@kill.example",
                          subject=f"c{cycle}s{i}")
            want.append(f"c{cycle}s{i}")
        instance.kill_all()
        instance.start()
    instance.wait_for_messages("kim@kill.example", 30)
    instance.restart()
    assert bodies(instance, "kim@kill.example") == sorted(want)


def test_a_warm_address_works_while_the_database_is_away(instance):
    kim = instance.mailbox_id("kim@kill.example")
    mark, sent = instance.log_mark(), 0

    def warm():
        return {re.search(r"smtpd\[(\d+)\]", line).group(1) for line in
                instance.log_lines(r"smtpd\[\d+\]: \w+: client=", mark)}

    def all_warm():
        nonlocal sent
        instance.send("a@sender.example", "kim@kill.example", subject="warm")
        sent += 1
        return len(warm()) >= len(instance.pids("smtpd"))
    # every worker has a cache of its own
    until(all_warm, "a session with every worker")
    instance.wait_for_messages(kim, sent)
    instance.cluster.stop("immediate")
    try:
        instance.send("a@sender.example", "kim@kill.example",
                      subject="without")
        instance.wait_for_messages(kim, sent + 1)
    finally:
        instance.cluster.start()


def test_what_only_lacks_its_checkpoint_leaves_the_queue_after_a_crash(
        fresh_postern):
    made = fresh_postern({"checkpoint_interval": "2s"})
    made.add_domain("kill.example")
    made.add_mailbox("kim@kill.example", "secret")
    want = []
    for subject in map(str, range(10)):
        mark = made.log_mark()
        made.send("a@sender.example", "kim@kill.example", subject=subject)
        want.append(subject)
        made.wait_for_log(r"status=sent", mark)
        made.kill_all()
        if not made.log_lines(r"qmgr.*: removed", mark):
            break
        made.start()            # its checkpoint was quicker than we
    made.start()
    # nothing is delivered any more that could remind qmgr of it
    until(lambda: json.loads(made.postern("--json", "queue",
                                          "list").stdout) == [],
          "an empty queue")
    assert bodies(made, "kim@kill.example") == want
