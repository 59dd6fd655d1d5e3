"""`postern trace` tells from the log and the queue what became of a message."""
import gzip
import json
import os
import re
import subprocess

import pytest

from tests.harness import paths

JOURNALD = "/lib/systemd/systemd-journald"
# A journald of the test's own, in a mount namespace where /run is empty.
IN_JOURNAL = """
mount -t tmpfs none /run && mkdir -p /run/systemd/journal /run/log/journal
echo 0123456789abcdef0123456789abcdef >/run/id
mount -t tmpfs none /var/log
mount --bind /run/id /etc/machine-id
{journald} 2>/dev/null & trap "kill $!" EXIT
{python} -c '
import socket, sys, time
for _ in range(600):
    try:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.connect("/run/systemd/journal/dev-log")
        break
    except OSError:
        time.sleep(0.1)
for text in sys.stdin:
    s.send(b"<22>Nov 28 17:00:00 " + text.encode())
'
journalctl --sync 2>/dev/null || sleep 1
{postern} -c {conf} trace kim@a.example
"""


def with_log(postern, *names):
    """A log file as maillog_file would make it, and its older ones."""
    path = postern.dir / "trace.log"
    path.write_text(postern.log_text())
    paths.give(path)
    return path


def trace(postern, *words, fails=None):
    done = postern.postern("trace", *words, check=fails is None)
    if fails is not None:
        assert done.returncode == fails, done
        return done.stderr
    return done.stdout


def queue_id_of(postern, address, mark=0):
    line = postern.wait_for_log(rf"deliver\[\d+\]: \w+: to=<{address}>", mark)
    found = re.search(r": (\w{12}): to=", line).group(1)
    for line in (": removed", ": client="):
        postern.wait_for_log(found + line, mark)
    return found


def test_from_a_client_to_the_mailbox(postern, kim):
    mark = postern.log_mark()
    postern.send("anna@sender.example", kim)
    queue_id = queue_id_of(postern, kim, mark)
    log = with_log(postern)
    for what in (queue_id, queue_id[:10], kim, f"<{kim.upper()}>"):
        text = trace(postern, what, f"--log={log}")
        assert text.startswith(f"{queue_id}\n"), text
        assert "smtpd: client=" in text and "deliver: to=" in text
        assert "status=sent" in text and "qmgr: removed" in text
        assert "not in the queue" in text


def test_as_json_the_facts_stand_apart(postern, kim):
    mark = postern.log_mark()
    postern.send("anna@sender.example", kim)
    queue_id = queue_id_of(postern, kim, mark)
    found, = json.loads(trace(postern, queue_id, "--json",
                              f"--log={with_log(postern)}"))
    assert found["id"] == queue_id
    assert found["client"].endswith("[127.0.0.1]")
    assert found["from"] == "anna@sender.example"
    assert found["nrcpt"] == "1"
    assert found["queue"] == []
    one, = found["recipients"]
    assert one["to"] == kim and one["status"] == "sent"
    assert one["dsn"] == "2.0.0" and one["text"]
    assert any("removed" in line for line in found["log"])


def test_a_message_in_the_queue_is_shown_with_its_place(fresh_postern):
    postern = fresh_postern()
    postern.add_domain("a.example")
    postern.add_domain("relay.example", kind="relay")
    postern.send("anna@sender.example", "x@relay.example")
    line = postern.wait_for_log(r"qmgr\[\d+\]: \w+: from=<anna@")
    queue_id = re.search(r": (\w{12}): from=", line).group(1)
    text = trace(postern, queue_id, f"--log={with_log(postern)}")
    assert "in the queue now:" in text and "x@relay.example" in text
    found, = json.loads(trace(postern, queue_id, "--json",
                              f"--log={with_log(postern)}"))
    assert found["queue"] and found["queue"][0]["queue_id"] == queue_id


def test_a_refusal_is_found_by_address_and_by_client(postern, domain):
    nobody = f"nobody@{domain}"
    with postern.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        wire.expect(f"RCPT TO:<{nobody}>", 550)
        wire.expect("QUIT", 221)
    postern.wait_for_log(rf"NOQUEUE: reject: .*{nobody}")
    log = with_log(postern)
    text = trace(postern, nobody, f"--log={log}")
    assert text.startswith("without a message\n")
    assert "NOQUEUE: reject: RCPT from" in text and "550 5.1.1" in text
    assert nobody in trace(postern, "127.0.0.1", "--all", f"--log={log}")


def test_rotated_and_compressed_logs_are_read_too(postern, kim):
    """maillog_file is where it looks when not told."""
    mark = postern.log_mark()
    postern.send("anna@sender.example", kim)
    queue_id = queue_id_of(postern, kim, mark)
    lines = [line for line in postern.log_lines() if queue_id in line]
    log = postern.dir / "rotated.log"
    with gzip.open(f"{log}.2.gz", "wt") as out:
        out.write(lines[0] + "\n")
    (postern.dir / "rotated.log.1").write_text("\n".join(lines[1:-1]) + "\n")
    log.write_text(lines[-1] + "\n")
    for path in postern.dir.glob("rotated.log*"):
        paths.give(path)
    found, = json.loads(trace(postern, kim, "--json", f"--log={log}"))
    assert found["log"] == lines
    # one that is damaged does not hide the others
    with open(f"{log}.3.gz", "w") as out:
        out.write("not compressed\n")
    paths.give(postern.dir / "rotated.log.3.gz")
    done = postern.postern("trace", kim, "--json", f"--log={log}")
    found, = json.loads(done.stdout)
    assert found["log"] == lines
    assert done.stderr.count("rotated.log.3.gz is left out") == 1


def test_standard_input_is_a_log(postern, kim):
    mark = postern.log_mark()
    postern.send("anna@sender.example", kim)
    queue_id = queue_id_of(postern, kim, mark)
    done = subprocess.run(
        paths.as_plain_user([paths.program("postern"), "-c", postern.conf,
                             "trace", kim, "--log=-"]),
        input=postern.log_text(), text=True, capture_output=True, check=True)
    assert done.stdout.startswith(queue_id)


@pytest.mark.skipif(
    os.geteuid() != 0 or
    not all(map(os.path.exists, (JOURNALD, "/etc/machine-id"))),
    reason="needs root, systemd-journald and /etc/machine-id")
def test_the_journal_is_read_where_there_is_no_file(tmp_path):
    conf = tmp_path / "postern.conf"
    conf.write_text("myhostname = mx.a.example\nmaillog_file =\n")
    script = IN_JOURNAL.format(journald=JOURNALD, python="/usr/bin/python3",
                               postern=paths.program("postern"), conf=conf)
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c",
         script], text=True, capture_output=True, timeout=300, input="""\
postern/smtpd[8]: 0A00001c3k00: client=x[192.0.2.7]
postern/deliver[9]: 0A00001c3k00: to=<kim@a.example>, status=sent (ok)
""")
    assert done.stdout.startswith("0A00001c3k00\n"), done
    assert "smtpd: client=x[192.0.2.7]" in done.stdout
    assert "deliver: to=<kim@a.example>, status=sent (ok)" in done.stdout


def test_what_cannot_be_found_is_said(postern):
    log = with_log(postern)
    assert "says nothing of nobody@no.example" in trace(
        postern, "nobody@no.example", f"--log={log}", fails=67)
    assert "is no queue id" in trace(postern, "kim", f"--log={log}", fails=64)
    assert "no-such.log" in trace(postern, "kim@a.example",
                                  "--log=/no-such.log", fails=69)
    assert "--log=FILE" in trace(postern, "kim@a.example", fails=67)


def test_control_bytes_in_a_log_do_not_reach_the_terminal(postern):
    log = with_log(postern)
    log.write_text("Nov 28 10:57:48 mx postern/smtpd[8]: NOQUEUE: reject: "
                   "\x1b[2J from=<e@a.example> to=<x@b.example>\n")
    assert "\x1b" not in trace(postern, "x@b.example", f"--log={log}")
