"""posternd keeps its processes running, wired and apart from others.

The processes are played by admin/fake_child, which tells in its status what
it was handed.
"""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from tests.harness import paths
from tests.harness.instance import alive
from tests.harness.wait import until

ROLES = ("authd", "deliver", "qmgr", "gatekeeper", "smtpd", "imapd")


@pytest.fixture
def family(fresh_postern, monkeypatch):
    """An instance of fake processes, two of each kind that may be many."""
    made = fresh_postern(settings={"smtpd_workers": "2",
                                   "deliver_workers": "2",
                                   "imapd_workers": "2",
                                   "tls_watch_interval": "100ms"},
                         start=False)
    fake = made.dir / "fake"
    fake.mkdir()
    for role in ROLES:
        (fake / role).symlink_to(paths.BUILD / "admin" / "fake_child")
    monkeypatch.setenv("POSTERN_LIBEXEC", str(fake))
    return made


def status(instance):
    """{process: its row} as `postern status` has it."""
    rows = json.loads(instance.postern("--json", "status").stdout)
    return {row["process"]: row for row in rows}


def wired(instance):
    """All run, and each sees as many peers as the table of wires says."""
    want = {"smtpd": 5, "qmgr": 4, "deliver": 5, "authd": 4, "imapd": 3,
            "gatekeeper": 2}
    rows = status(instance)
    return all(row["state"] == "running" and
               row.get("peers") == want[name.split("/")[0]]
               for name, row in rows.items() if name != "posternd")


def test_every_process_gets_what_is_its_own(family):
    family.start()
    until(lambda: wired(family), lambda: f"all wires: {status(family)}")
    rows = status(family)
    assert sorted(rows) == sorted(
        ["posternd", "authd/0", "qmgr/0", "gatekeeper/0"] +
        [f"{r}/{i}" for r in ("deliver", "smtpd", "imapd") for i in (0, 1)])
    for name, row in rows.items():
        role = name.split("/")[0]
        if role == "posternd":
            continue
        assert row["spool"] == (role == "qmgr")
        assert row["store"] == (role == "deliver")
        assert row["listeners"] == {"smtpd": 3, "imapd": 2}.get(role, 0)
        assert ("tls/default" in row["files"]) == (role in ("smtpd", "imapd"))
    numbers = [row["incarnation"] for row in rows.values()
               if "incarnation" in row]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("program", ROLES)
def test_a_killed_process_is_replaced_and_wired_anew(family, program):
    family.start()
    before = status(family)
    old = family.kill(program)
    name = next(n for n, row in before.items() if row["pid"] == old)
    family.wait_for_log(rf"process {name} \(pid {old}\) killed by signal 9, "
                        "restarting")
    family.wait_for_log(rf"process {name} \(pid \d+\) is back")
    until(lambda: wired(family), lambda: f"all wires: {status(family)}")
    after = status(family)
    assert after[name]["restarts"] == 1
    highest = max(row.get("incarnation", 0) for row in before.values())
    assert after[name]["incarnation"] > highest
    assert all(after[n]["pid"] == before[n]["pid"] for n in before
               if n != name)


def test_processes_end_with_posternd_and_the_next_one_starts(family):
    family.start()
    children = [pid for pid, name in family.processes().items()
                if name != "posternd"]
    family.process.kill()
    family.process.wait()
    until(lambda: not any(alive(pid) for pid in children),
          "the end of the orphans")
    family.start()
    until(lambda: wired(family), lambda: f"all wires: {status(family)}")


def test_two_generations_never_share_a_spool(family):
    family.start()
    second = subprocess.run(
        paths.as_plain_user([paths.program("posternd"), "-c", family.conf,
                             "--no-wait"]), capture_output=True, text=True)
    assert second.returncode == 75
    assert "in use by another posternd" in second.stderr
    # Another configuration with the same spool is no way around.
    other = family.dir / "other.conf"
    other.write_text(re.sub(r"(run_directory = .*)", r"\1-other",
                            family.conf.read_text()))
    second = subprocess.run(
        paths.as_plain_user([paths.program("posternd"), "-c", other,
                             "--no-wait"]), capture_output=True, text=True)
    assert second.returncode == 75
    assert "spool is in use" in second.stderr
    # One that may wait does so until the last process has ended.
    first, mark = family.process, family.log_mark()
    family.start(wait=False)
    family.wait_for_log("waiting for the last of them to end", mark)
    first.terminate()
    assert first.wait(30) == 0
    family.wait_ready(mark)
    text = family.log_text(mark)
    assert text.index("stopped") < text.index("ready: ")


def test_a_stop_goes_the_way_of_the_mail(family):
    family.start()
    mark = family.log_mark()
    assert family.postern("stop").stdout == "stopped\n"
    assert family.process.wait(30) == 0
    family.process = None
    order = re.findall(r"fake (\w+) stops", family.log_text(mark))
    assert sorted(order[:4]) == ["imapd", "imapd", "smtpd", "smtpd"]
    assert sorted(order[4:6]) == ["gatekeeper", "qmgr"]
    assert order[6:] == ["deliver", "deliver", "authd"]


def test_a_process_that_does_not_stop_is_killed(family, monkeypatch):
    monkeypatch.setenv("FAKE_STUBBORN", "qmgr")
    # of the others none is that slow
    family.set("stop_grace_time", "5s")
    family.start()
    mark = family.log_mark()
    assert family.stop() == 0
    text = family.log_text(mark)
    assert re.search(r"process qmgr/0 \(pid \d+\) did not end in time", text)
    assert text.index("did not end in time") < text.index("fake deliver stop")


def test_a_process_that_cannot_start_ends_all_with_the_reason(
        family, monkeypatch):
    monkeypatch.setenv("FAKE_FAIL", "imapd")
    family.start(wait=False)
    assert family.process.wait(30) == 75
    family.process = None
    assert "gave up: told to fail" in family.log_text()


def test_a_faulty_reload_changes_nothing(family):
    family.start()
    family.set("smtpd_banner", "one")
    assert family.postern("reload").stdout == "reloaded\n"
    # every process has it by then
    banners = [row["banner"] for row in status(family).values()
               if "banner" in row]
    assert banners == ["one"] * 9
    family.set("smtpd_banner", "two")
    family.set("smtpd_recipient_limt", "5")
    refused = family.postern("reload", check=False)
    assert refused.returncode == 78
    assert re.search(r"postern\.conf:\d+:\d+: .*smtpd_recipient_limt.*"
                     "smtpd_recipient_limit", refused.stderr)
    assert all(row["banner"] == "one" and row["reloads"] == 1
               for row in status(family).values() if "banner" in row)


@pytest.mark.parametrize("then", [signal.SIGCONT, signal.SIGKILL])
def test_a_reload_has_ended_when_every_process_has_it(family, then):
    family.start()
    pid = family.pids("deliver")[0]
    os.kill(pid, signal.SIGSTOP)
    family.set("smtpd_banner", "one")
    asked = subprocess.Popen(
        paths.as_plain_user([paths.program("postern"), "-c", family.conf,
                             "reload"]), stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        asked.wait(1)
    os.kill(pid, then)
    assert asked.communicate()[0] == "reloaded\n"
    assert asked.returncode == 0
    assert not family.log_lines("did not answer")
    assert all(row.get("banner", "one") == "one"
               for row in status(family).values())


def test_a_reload_names_what_needs_a_restart(family):
    family.start()
    family.set("smtpd_workers", "3")
    answer = family.postern("reload").stdout
    assert "a restart is needed for: smtpd_workers" in answer
    mark = family.log_mark()
    family.process.send_signal(signal.SIGHUP)
    family.wait_for_log("reloaded ", mark)
    # what the server began with counts, not what was read last
    assert family.postern("reload").stdout == answer
    family.set("smtpd_workers", "2")
    assert "a restart" not in family.postern("reload").stdout


def test_garbage_on_the_control_socket_ends_nothing(family):
    family.start()
    before = {n: r["pid"] for n, r in status(family).items()}
    frames = [b"", b"\0" * 64, os.urandom(4096), b"\xff" * 16,
              # a request whose body is none; a message that is posternd's
              (4).to_bytes(4, "little") + b"\x27\0\0\0" + bytes(12),
              b"\0\0\0\0\x01\0\0\0" + bytes(8)]
    for i in range(60):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(family.dir / "run" / "control"))
            try:
                s.sendall(frames[i % len(frames)])
            except OSError:
                pass
    idle = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    for s in idle:
        s.connect(str(family.dir / "run" / "control"))
    assert {n: r["pid"] for n, r in status(family).items()} == before
    for s in idle:
        s.close()


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_other_users_get_no_answer(family):
    family.start()
    os.chmod(family.dir / "run" / "control", 0o777)
    os.chmod(family.conf, 0o644)
    done = subprocess.run(
        ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "--",
         paths.program("postern"), "-c", family.conf, "status"],
        capture_output=True, text=True)
    assert done.returncode != 0 and "running" not in done.stdout
    family.wait_for_log(r"control socket: refused user 1 ")


def pair(directory, name):
    """A fresh certificate and key as two texts."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3", "-subj",
         f"/CN={name}", "-keyout", directory / "k", "-out", directory / "c"],
        check=True, capture_output=True)
    return (directory / "c").read_text(), (directory / "k").read_text()


def test_certificates_are_watched_and_a_bad_one_is_refused(family, tmp_path):
    certificates = family.dir / "sni"
    certificates.mkdir()
    paths.give(certificates)
    family.set("tls_certificate_directory", certificates)
    family.start()

    def files():
        return status(family)["imapd/0"]["files"]

    def put(cert, key):
        for ending, text in (("crt", cert), ("key", key)):
            new = certificates / "new"
            new.write_text(text)
            paths.give(new)
            new.rename(certificates / f"Shop.example.{ending}")

    cert, key = pair(tmp_path, "shop.example")
    put(cert, key)
    until(lambda: "tls/shop.example:" in files(), "the new certificate")
    seen = files()
    put(pair(tmp_path, "shop.example")[0], key)
    family.wait_for_log("not taken: tls/shop.example: .*the old one stays")
    assert files() == seen
    # A process that restarts meanwhile gets the old one, too.
    old = family.kill("imapd")
    until(lambda: all(row.get("pid", old) != old and "tls/shop.example:" in
                      row.get("files", "") for name, row in
                      status(family).items() if name.startswith("imapd")),
          "the old pair in the new process")
    for ending in ("crt", "key"):
        (certificates / f"Shop.example.{ending}").unlink()
    until(lambda: "tls/shop.example:0" in files(), "its end")


def test_a_queue_command_reaches_qmgr(family):
    family.start()
    for _ in range(3):
        rows = json.loads(family.postern("--json", "queue", "list").stdout)
        assert rows == [{"verb": "queue list"}]


def test_a_restored_spool_is_refused_until_accepted(family):
    family.start()
    assert family.stop() == 0
    family.sql("UPDATE host SET incarnation = 100000;")
    family.start(wait=False)
    assert family.process.wait(30) == 78
    family.process = None
    assert "restored one or a snapshot" in family.log_text()
    family.start(extra=["--accept-restored-spool"])
    assert (family.dir / "spool" / "accepted").exists()
    assert min(row["incarnation"] for row in status(family).values()
               if "incarnation" in row) > 100000


def test_a_database_that_is_away_delays_no_start(family):
    family.set("database", "postgresql:///postern?host=/nonexistent")
    family.start()
    until(lambda: wired(family), lambda: f"all wires: {status(family)}")
    assert "cannot ask the database" in family.log_text()


def test_the_log_file_is_reopened(family):
    family.set("maillog_file", family.dir / "mail.log")
    family.start(wait=False)
    log = family.dir / "mail.log"
    until(lambda: log.exists() and "ready: " in log.read_text(), "ready")
    log.rename(family.dir / "mail.log.1")
    family.process.send_signal(signal.SIGUSR1)
    until(lambda: log.exists() and "log reopened" in log.read_text(),
          "a new log")
    assert family.stop() == 0
    text = log.read_text()
    assert "fake smtpd stops" in text and "stopped" in text


def test_the_service_manager_is_told(family, monkeypatch):
    where = family.dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(where))
        paths.give(where)
        s.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(where))
        family.start()
        assert s.recv(4096).startswith(b"READY=1")
        family.process.send_signal(signal.SIGHUP)
        assert s.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert s.recv(4096).startswith(b"READY=1")
        family.stop()
        assert s.recv(4096).startswith(b"STOPPING=1")


def test_the_watchdog_hears_a_loop_that_turns_and_no_other(
        family, monkeypatch):
    where = family.dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(where))
        paths.give(where)
        s.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(where))
        # twice as often; more than a few that are not read would be lost
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")
        family.start()

        def until_said(word):
            said = s.recv(4096)
            while not said.startswith(word):
                said = s.recv(4096)

        until_said(b"READY=1")
        for _ in range(3):
            assert s.recv(4096) == b"WATCHDOG=1"
        # A stopped process stands for a loop that hangs.
        family.process.send_signal(signal.SIGSTOP)
        s.settimeout(0.1)
        with pytest.raises(TimeoutError):
            while True:         # what was under way already
                s.recv(4096)
        s.settimeout(1)
        with pytest.raises(TimeoutError):
            s.recv(4096)
        s.settimeout(30)
        family.process.send_signal(signal.SIGCONT)
        until_said(b"WATCHDOG=1")
        family.stop()
        until_said(b"STOPPING=1")


def test_a_watchdog_that_is_for_somebody_else_is_left_alone(
        family, monkeypatch):
    where = family.dir / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(where))
        paths.give(where)
        s.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(where))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        monkeypatch.setenv("WATCHDOG_PID", "1")
        family.start()
        assert s.recv(4096).startswith(b"READY=1")
        s.settimeout(0.5)
        with pytest.raises(TimeoutError):
            s.recv(4096)
