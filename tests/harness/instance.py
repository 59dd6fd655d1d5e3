"""One Postern instance: a directory, a database, a posternd in the foreground."""
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from . import paths
from .database import quote, scram
from .wait import PATIENCE, until
from .wire import ImapWire, SmtpWire

OFFSETS = {"mx": 25, "submission": 587, "submissions": 465, "imap": 143,
           "imaps": 993}
SANITIZER = re.compile(r"(ERROR: \w+Sanitizer|runtime error:|"
                       r"assertion failed)")


# Bases 1000 k + s with s < 32: no port of one is a port of another.
BASES = [1000 * k + s for s in range(32) for k in range(20, 32)]


def free_port_base():
    """A base N so that N + each of OFFSETS is free on the loopback, and the
    open file whose lock keeps other test runs off it."""
    first = os.getpid() % len(BASES)
    for base in BASES[first:] + BASES[:first]:
        try:
            lock = open(f"/tmp/postern-ports-{base}.lock", "w")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        try:
            for offset in OFFSETS.values():
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base, lock
    raise RuntimeError("no free ports")


class Instance:
    """Made once, started and stopped as often as wished."""
    living = []             # all that are not destroyed yet
    shared = False          # by many tests

    def __init__(self, cluster, directory=None, settings=None):
        self.own = directory is None
        self.dir = pathlib.Path(directory or
                                tempfile.mkdtemp(prefix="postern-"))
        paths.give(self.dir)
        os.chmod(self.dir, 0o755)
        self.cluster = cluster
        self.database = cluster.database()
        self.base, self.port_lock = free_port_base()
        self.conf = self.dir / "postern.conf"
        self.log_path = self.dir / "test.log"
        self.process = None
        self.prefix = []        # words before the command line, as we are
        self.make()
        for name, value in (settings or {}).items():
            self.set(name, value)
        self.living.append(self)

    # --- making it

    def make(self):
        postern = paths.program("postern")
        if postern is None:
            self.make_by_hand()
            return
        env = dict(os.environ, POSTERN_SQL_DIR=str(paths.SOURCE / "sql"))
        done = subprocess.run(
            paths.as_plain_user([
                postern, "setup", self.dir, "--database",
                self.cluster.url_of(self.database), "--port-base",
                str(self.base), "--hostname", "mx.test.example"]),
            capture_output=True, text=True, env=env)
        if done.returncode != 0:
            raise RuntimeError(f"postern setup: {done.stdout}{done.stderr}")
        self.set("maillog_file", "-")
        self.set("myhostname", "mx.test.example")
        self.set("mynetworks", "203.0.113.0/24")
        # all clients of the tests have one address
        self.set("smtpd_client_connection_count_limit", "0")
        # a busy machine is not a gatekeeper that hangs
        self.set("gatekeeper_timeout", "30s")
        self.set("quota_timeout", "30s")

    def make_by_hand(self):
        """A stand-in for `postern setup`, for trees that do not have it."""
        for name in ("spool", "store", "run", "tls"):
            (self.dir / name).mkdir()
            paths.give(self.dir / name)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", "/CN=mx.test.example", "-keyout",
             self.dir / "tls/key.pem", "-out", self.dir / "tls/cert.pem"],
            check=True, capture_output=True)
        paths.give(self.dir / "tls/key.pem")
        at = lambda name: f"127.0.0.1:{self.base + OFFSETS[name]}"
        self.conf.write_text(f"""\
myhostname = mx.test.example
mynetworks = 203.0.113.0/24
spool_directory = {self.dir}/spool
store_directory = {self.dir}/store
run_directory = {self.dir}/run
maillog_file = -
database = {self.cluster.url_of(self.database)}
tls_certificate_file = {self.dir}/tls/cert.pem
tls_key_file = {self.dir}/tls/key.pem

[service mx]
protocol = smtp
listen = {at("mx")}

[service submission]
protocol = submission
listen = {at("submission")}
smtpd_sasl_auth_enable = yes
smtpd_tls_security_level = encrypt
smtpd_relay_restrictions = permit_sasl_authenticated, reject

[service submissions]
protocol = submission
listen = {at("submissions")}
smtpd_sasl_auth_enable = yes
smtpd_tls_wrappermode = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject

[service imap]
protocol = imap
listen = {at("imap")}

[service imaps]
protocol = imap
listen = {at("imaps")}
imap_tls_wrappermode = yes
""")

    def set(self, name, value, section=None):
        """Sets a parameter in the file (a section is "service mx")."""
        lines, out, here, done = self.conf.read_text().splitlines(), [], None, \
            False
        skip = False
        for line in lines:
            if skip and line[:1] in (" ", "\t"):
                continue
            skip = False
            head = re.match(r"\[(.*)\]\s*$", line)
            if head:
                if here == section and not done:
                    blank = len(out) > 0 and out[-1] == ""
                    out.insert(len(out) - blank, f"{name} = {value}")
                    done = True
                here = head.group(1)
            elif here == section and re.match(rf"{name}\s*=", line):
                if not done:
                    out.append(f"{name} = {value}")
                done = skip = True
                continue
            out.append(line)
        if not done:
            if here != section:
                raise KeyError(section)
            out.append(f"{name} = {value}")
        self.conf.write_text("\n".join(out) + "\n")

    # --- its life

    def start(self, wait=True, extra=()):
        posternd = paths.program("posternd")
        if posternd is None:
            raise RuntimeError(f"posternd is not built in {paths.BUILD}")
        mark = self.log_mark()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.prefix + paths.as_plain_user(
                    [posternd, "-c", self.conf, *extra]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        if wait:
            self.wait_ready(mark)
        return self

    def wait_ready(self, mark):
        ready = re.compile(r"posternd?(/\w+)?\[\d+\]: ready")

        def answer():
            if ready.search(self.log_text(mark)):
                return True
            if self.process.poll() is not None:
                raise RuntimeError("posternd ended with "
                                   f"{self.process.returncode}:\n" +
                                   self.log_text(mark)[-4000:])
            return False
        until(answer, lambda: "ready; the log says\n" +
              self.log_text(mark)[-4000:])

    def stop(self, timeout=PATIENCE):
        """Asks to stop; the exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def restart(self):
        code = self.stop()
        if code != 0:
            raise AssertionError(f"posternd ended with {code}")
        return self.start()

    def status(self, role=""):
        """Rows of `postern status`, of one role. All have answered: one that
        is busy or begins is asked again."""
        def rows():
            found = json.loads(self.postern("--json", "status").stdout)
            return found if len(found) == 1 + found[0]["processes"] and \
                all("pid" in row for row in found) else None
        return [row for row in until(rows, "the status of all processes")
                if not role or row["process"].startswith(role + "/")]

    def processes(self):
        """{pid: program name} of posternd and what it started."""
        found = {}
        if self.process is None or self.process.poll() is not None:
            return found
        children = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            name, rest = re.match(r"\d+ \((.*)\) (.*)", stat,
                                  re.S).groups()
            children.setdefault(int(rest.split()[1]), []).append(
                (int(entry.name), name))
        found[self.process.pid] = "posternd"
        todo = [self.process.pid]
        while todo:
            for pid, name in children.get(todo.pop(), []):
                found[pid] = name
                todo.append(pid)
        return found

    def keeps_freed_memory(self):
        """As AddressSanitizer does: how much it takes proves nothing then."""
        maps = pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()
        return "libasan" in maps

    def pids(self, name):
        """Process ids of one program: smtpd, qmgr, deliver, ..."""
        return [pid for pid, n in self.processes().items() if n == name]

    def kill(self, name, signo=signal.SIGKILL):
        """Kills one process of that name; its pid."""
        pid = until(lambda: self.pids(name), f"a process {name}")[0]
        os.kill(pid, signo)
        return pid

    def kill_all(self):
        """SIGKILL for the whole tree at once; waits for its end."""
        pids = self.processes()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process:
            self.process.wait()
            self.process = None
        until(lambda: not any(alive(pid) for pid in pids),
              "the end of killed processes")

    def destroy(self):
        """Stops and removes all; call check_log() before."""
        if self in self.living:
            self.living.remove(self)
        if self.process:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill_all()
        self.cluster.drop(self.database)
        self.port_lock.close()
        if self.own:
            shutil.rmtree(self.dir, ignore_errors=True)

    # --- its log

    def log_mark(self):
        try:
            return self.log_path.stat().st_size
        except FileNotFoundError:
            return 0

    def log_text(self, mark=0):
        try:
            with open(self.log_path, "rb") as log:
                log.seek(mark)
                return log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def log_lines(self, pattern="", mark=0):
        return [line for line in self.log_text(mark).splitlines()
                if re.search(pattern, line)]

    def wait_for_log(self, pattern, mark=0, timeout=PATIENCE):
        """The first line (since mark) that matches."""
        return until(lambda: self.log_lines(pattern, mark),
                     lambda: f"/{pattern}/ in the log:\n" +
                     self.log_text(mark)[-3000:], timeout)[0]

    def check_log(self, mark=0):
        """Nothing that must never be logged is there."""
        bad = [line for line in self.log_text(mark).splitlines()
               if SANITIZER.search(line)]
        if bad:
            raise AssertionError("\n".join(bad[:10]))

    # --- who is known

    def sql(self, text):
        return self.cluster.sql(self.database,
                                "SET search_path = postern;\n" + text)

    def host_name(self):
        found = re.search(r"^host_name_in_database\s*=\s*(\S+)",
                          self.conf.read_text(), re.M)
        if found and not found.group(1).startswith("$"):
            return found.group(1)
        return re.search(r"^myhostname\s*=\s*(\S+)", self.conf.read_text(),
                         re.M).group(1)

    def add_domain(self, name, kind="mailbox", **columns):
        extra = "".join(f", {c}" for c in columns)
        values = "".join(f", {v}" for v in columns.values())
        self.sql(f"""
INSERT INTO organisation (name) VALUES ('tests') ON CONFLICT DO NOTHING;
INSERT INTO domain (org_id, name, class{extra})
SELECT id, {quote(name)}, {quote(kind)}{values}
  FROM organisation WHERE name = 'tests';""")

    def add_mailbox(self, address, password=None, **columns):
        """Columns: quota_bytes, quota_messages, state. Returns its id."""
        local, domain = address.rsplit("@", 1)
        extra = "".join(f", {c}" for c in columns)
        values = "".join(
            f", {quote(v) if isinstance(v, str) else v}"
            for v in columns.values())
        text = f"""
INSERT INTO host (name) VALUES ({quote(self.host_name())})
    ON CONFLICT DO NOTHING;
INSERT INTO mailbox (domain_id, local_part, host_id{extra})
SELECT d.id, {quote(local)}, h.id{values} FROM domain d, host h
 WHERE d.name = {quote(domain)} AND h.name = {quote(self.host_name())}
RETURNING id;"""
        mailbox_id = int(self.sql(text)[-1][0])
        if password is not None:
            self.set_password(mailbox_id, password)
        return mailbox_id

    def set_password(self, mailbox_id, password):
        self.sql(f"""
DELETE FROM credential WHERE mailbox_id = {mailbox_id} AND kind = 'password';
INSERT INTO credential (mailbox_id, kind, label, secret)
VALUES ({mailbox_id}, 'password', 'password', {quote(scram(password))});""")

    def add_alias(self, address, *targets):
        local, domain = address.rsplit("@", 1)
        rows = ", ".join(f"((SELECT id FROM a), {quote(t.rsplit('@', 1)[1])},"
                         f" {quote(t.rsplit('@', 1)[0])})" for t in targets)
        self.sql(f"""
WITH a AS (INSERT INTO alias (domain_id, local_part)
    SELECT id, {quote(local)} FROM domain WHERE name = {quote(domain)}
    RETURNING id)
INSERT INTO alias_target (alias_id, target_domain, target_local)
VALUES {rows};""")

    def mailbox_id(self, address):
        local, domain = address.rsplit("@", 1)
        return int(self.sql(f"""
SELECT m.id FROM mailbox m JOIN domain d ON d.id = m.domain_id
 WHERE d.name = {quote(domain)} AND m.local_part = {quote(local)}
   AND m.state <> 'deleted';""")[0][0])

    # --- its store

    def home(self, who):
        """The Maildir++ root of an address or mailbox id."""
        mailbox_id = who if isinstance(who, int) else self.mailbox_id(who)
        return self.dir / "store" / f"{mailbox_id % 256:02x}" / \
            str(mailbox_id)

    def messages(self, who, folder=""):
        """Files of a folder ("" or ".Sent"), oldest name first."""
        where = self.home(who) / folder if folder else self.home(who)
        found = {}              # one that moves meanwhile counts once
        for part in ("new", "cur"):
            try:
                found.update((name.split(":")[0], where / part / name)
                             for name in os.listdir(where / part))
            except FileNotFoundError:
                pass
        return sorted(found.values(), key=lambda path: path.name)

    def wait_for_messages(self, who, count, folder="", timeout=PATIENCE):
        who = who if isinstance(who, int) else self.mailbox_id(who)
        until(lambda: len(self.messages(who, folder)) >= count,
              lambda: f"{count} messages in {who}, there are "
              f"{len(self.messages(who, folder))}; the log ends\n" +
              self.log_text()[-2000:], timeout)
        return self.messages(who, folder)

    # --- talking to it

    def port(self, service):
        return self.base + OFFSETS[service]

    def address(self, service):
        return ("127.0.0.1", self.port(service))

    def smtp(self, service="mx", helo="EHLO client.example", **keywords):
        """A raw session, greeted (helo=None: nothing was read yet)."""
        wire = SmtpWire(self.address(service),
                        tls=service == "submissions", **keywords)
        if helo is not None:
            wire.greeted(helo)
        return wire

    def imap(self, user=None, password=None, service="imaps"):
        """A raw session over TLS; logged in when a user is given."""
        wire = ImapWire(self.address(service), tls=service == "imaps")
        greeting = wire.line()
        if not greeting.startswith("* OK"):
            raise AssertionError(f"greeted with {greeting!r}")
        if user is not None:
            wire.ok(f'LOGIN "{user}" "{password}"')
        return wire

    def send(self, sender, recipients, content=None, subject="test"):
        """One message by SMTP to the MX; the queue id from the 250."""
        if isinstance(recipients, str):
            recipients = [recipients]
        if content is None:
            content = (f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\n"
                       f"Subject: {subject}\r\n\r\nHello.\r\n").encode()
        with self.smtp() as wire:
            wire.envelope(sender, *recipients)
            reply = wire.data(content.rstrip(b"\r\n"))
            if reply.code != 250:
                raise AssertionError(str(reply))
            wire.cmd("QUIT")
        return re.search(r"queued as (\w+)", str(reply)).group(1)

    def postern(self, *words, stdin=None, check=True):
        """Runs the CLI; what it printed."""
        done = subprocess.run(
            paths.as_plain_user([paths.program("postern"), "-c", self.conf,
                                 *words]),
            input=stdin, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"postern {' '.join(map(str, words))} gave "
                                 f"{done.returncode}: {done.stdout}"
                                 f"{done.stderr}")
        return done


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
