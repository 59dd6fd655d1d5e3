"""Garbage on local sockets and in the store: isolated, told, survived."""
import json
import os
import socket

import pytest

from tests.harness import paths
from tests.harness.wait import PATIENCE, until


@pytest.fixture
def instance(fresh_postern):
    made = fresh_postern()
    made.add_domain("local.example")
    made.add_mailbox("kim@local.example", "secret")
    made.add_mailbox("lee@local.example", "secret")
    return made


def works(instance, who="kim@local.example"):
    before = len(instance.messages(who))
    instance.send("a@sender.example", who)
    instance.wait_for_messages(who, before + 1)


@pytest.mark.parametrize("junk", [b"", b"\0" * 4096, b"\xff" * 4096,
                                  b"GET / HTTP/1.0\r\n\r\n",
                                  os.urandom(65536)],
                         ids=["nothing", "zeros", "ones", "http", "random"])
def test_garbage_on_the_control_socket_ends_nothing(instance, junk):
    """S18."""
    found = [path for path in (instance.dir / "run").iterdir()
             if path.is_socket()]
    assert found
    pids = instance.processes()
    for path in found:
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(PATIENCE)
                s.connect(str(path))
                try:
                    s.sendall(junk)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
    works(instance)
    assert instance.processes() == pids


def test_foreign_files_in_a_maildir_are_taken_or_left_but_harm_nobody(
        instance):
    """S17: links, directories, strange names, no read permission."""
    works(instance)
    home = instance.home("kim@local.example")
    os.symlink("/etc/passwd", home / "new" / "1.link.host:2,")
    os.symlink("..", home / "cur" / "2.dirlink:2,S")
    (home / "new" / "3.directory").mkdir()
    (home / "cur" / "no-info-at-all").write_text("Subject: odd\n\nodd\n")
    (home / "new" / ("4." + "x" * 200)).write_text("Subject: long\n\nx\n")
    (home / "cur" / "5.empty.host:2,").write_text("")
    (home / "new" / "6.\udcff.host".encode("utf-8", "surrogateescape")
     .decode("utf-8", "surrogateescape")).write_text("Subject: raw\n\nr\n")
    unreadable = home / "cur" / "7.secret.host:2,"
    unreadable.write_text("Subject: no\n\nno\n")
    unreadable.chmod(0)
    for path in list((home / "new").iterdir()) + list((home / "cur")
                                                      .iterdir()):
        if not path.is_symlink():
            paths.give(path)
    with instance.imap("kim@local.example", "secret") as wire:
        lines = wire.ok("SELECT INBOX")
        exists = int(next(line.split()[1] for line in lines
                          if line.endswith("EXISTS")))
        assert exists >= 1
        lines, tagged = wire.cmd("FETCH 1:* (FLAGS RFC822.SIZE BODY.PEEK[])")
        assert not any("root:" in line for line in lines)
        wire.ok("NOOP")
    works(instance)
    works(instance, "lee@local.example")


def test_a_destroyed_index_is_rebuilt_with_the_same_uids(instance):
    for _ in range(5):
        works(instance)
    home = instance.home("kim@local.example")

    def uids():
        with instance.imap("kim@local.example", "secret") as wire:
            wire.ok("SELECT INBOX")
            return [line.split("UID ")[1].rstrip(")")
                    for line in wire.ok("UID FETCH 1:* (UID)")
                    if "FETCH" in line]

    before = uids()
    assert len(before) == 5
    instance.stop()
    indexes = [path for path in home.iterdir()
               if path.is_file() and "index" in path.name]
    assert indexes, sorted(home.iterdir())
    for path in indexes:
        path.write_bytes(os.urandom(path.stat().st_size))
    instance.start()
    works(instance, "lee@local.example")
    assert uids() == before
    works(instance)
    after = uids()
    assert after[:5] == before and len(after) == 6


def test_no_second_posternd_runs_on_the_same_instance(instance):
    """The lock: a second one waits, or ends when told not to wait."""
    import subprocess
    done = subprocess.run(
        paths.as_plain_user([paths.program("posternd"), "-c", instance.conf,
                             "--no-wait"]), capture_output=True, text=True,
        timeout=60)
    assert done.returncode != 0
    works(instance)


def test_a_mistake_in_the_configuration_names_its_place(fresh_postern):
    instance = fresh_postern(start=False)
    text = instance.conf.read_text()
    instance.conf.write_text("smtpd_timeot = 5s\n" + text)
    with pytest.raises(RuntimeError) as error:
        instance.start()
    assert "postern.conf:1:1" in str(error.value)
    assert "smtpd_timeout" in str(error.value)
    assert instance.process.poll() == 78
    instance.process = None
    instance.conf.write_text(text)


def test_a_bad_reload_keeps_the_old_configuration(instance):
    import signal
    text = instance.conf.read_text()
    mark = instance.log_mark()
    instance.conf.write_text(text + "\nbogus_name = 1\n")
    instance.process.send_signal(signal.SIGHUP)
    instance.wait_for_log("bogus_name", mark)
    works(instance)
    instance.conf.write_text(text.replace("mx.test.example",
                                          "mx2.test.example"))
    instance.process.send_signal(signal.SIGHUP)

    def renamed():
        with instance.smtp(helo=None) as wire:
            return "mx2.test.example" in str(wire.reply())
    until(renamed, "the greeting to change")
    works(instance)


def test_a_home_that_cannot_be_used_defers_its_own_mail_only(instance):
    """S17: the others' copies of the same messages arrive; afterwards each
    message is there once."""
    works(instance)
    home = instance.home("kim@local.example")
    mark = instance.log_mark()
    home.chmod(0)
    ids = [instance.send("a@sender.example", ["kim@local.example",
                                              "lee@local.example"])
           for _ in range(3)]
    instance.wait_for_messages("lee@local.example", 3)
    for queue_id in ids:
        line = instance.wait_for_log(
            rf"{queue_id}: to=<kim@local\.example>.*status=deferred", mark)
        assert str(home.name) in line, line
    # its delivery says so before the queue hears of it; what is under way
    # then is not tried again by a flush
    until(lambda: [row["state"] for row in json.loads(instance.postern(
        "--json", "queue", "list").stdout)] == ["deferred"] * 3, "the queue")
    home.chmod(0o2770)
    instance.postern("queue", "flush")
    instance.wait_for_messages("kim@local.example", 4)
    works(instance, "lee@local.example")
    assert len(instance.messages("kim@local.example")) == 4
    assert len(instance.messages("lee@local.example")) == 4
