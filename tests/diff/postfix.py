"""A real Postfix in a directory of its own: one smtpd for each configuration,
each on a port of its own, under one master."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess

from tests.harness.wait import until

SBIN = pathlib.Path("/usr/lib/postfix/sbin")
ADDRESS = "127.0.0.2"
QUEUE = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
         "incoming", "maildrop", "pid", "private", "public", "saved", "trace"]

MASTER = """\
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
anvil     unix - - n - 1 anvil
tlsmgr    unix - - n 1000? 1 tlsmgr
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
smtp      unix - - n - - smtp
postlog   unix-dgram n - n - 1 postlogd
"""


def installed():
    return (SBIN / "master").exists()


def has_postfix_user():
    try:
        pwd.getpwnam("postfix")
        return True
    except KeyError:
        return False


class Postfix:
    def __init__(self, directory, settings, services):
        """services: name -> (port, {parameter: value})."""
        self.dir = pathlib.Path(directory)
        self.conf = self.dir / "etc"
        self.queue = self.dir / "queue"
        self.log_path = self.dir / "log"
        who = pwd.getpwnam("postfix")
        for path in (self.dir, self.conf, self.queue, self.dir / "data"):
            path.mkdir()
            path.chmod(0o755)
        for name in QUEUE:
            (self.queue / name).mkdir()
            if name != "pid":
                os.chown(self.queue / name, who.pw_uid, who.pw_gid)
            (self.queue / name).chmod(0o755)
        os.chown(self.dir / "data", who.pw_uid, who.pw_gid)
        for name in ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files",
                     "postfix-files.d"):
            there = pathlib.Path("/etc/postfix") / name
            if there.exists():
                (self.conf / name).symlink_to(there)
        self.port = next(iter(services.values()))[0]
        self.write(settings, services)
        self.process = None

    def write(self, settings, services):
        own = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": self.dir / "data",
            "daemon_directory": SBIN,
            "command_directory": "/usr/sbin",
            "meta_directory": self.conf,
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "inet_interfaces": f"127.0.0.1, {ADDRESS}",
            "inet_protocols": "all",
            "maillog_file": self.log_path,
            "maillog_file_prefixes": self.dir,
            "alias_maps": "",
            "max_idle": "30s",
            # A process that could not start is tried again soon.
            "service_throttle_time": "1s",
            "default_process_limit": "40",
        }
        own.update(settings)
        (self.conf / "main.cf").write_text(
            "".join(f"{k} = {v}\n" for k, v in own.items()))
        text = MASTER
        for name, (port, overrides) in services.items():
            text += f"{ADDRESS}:{port} inet n - n - - smtpd\n"
            text += "".join(f"    -o {{ {k} = {v} }}\n"
                            for k, v in overrides.items())
        (self.conf / "master.cf").write_text(text)

    def start(self):
        self.process = subprocess.Popen(
            [SBIN / "master", "-d", "-c", self.conf],
            env=dict(os.environ, MAIL_CONFIG=str(self.conf)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.dir / "stderr", "wb"), start_new_session=True)

        def up():
            if self.process.poll() is not None:
                raise RuntimeError("Postfix's master ended: " + self.said())
            return "daemon started" in self.log_text()
        until(up, self.said)
        # Many that start at once find no postlogd and give up.
        until(self.greets, self.said)
        return self

    def greets(self):
        try:
            with socket.create_connection((ADDRESS, self.port), 5) as sock:
                return sock.recv(4)[:3] in (b"220", b"450", b"554")
        except OSError:
            return False

    def log_text(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def said(self):
        return "Postfix: " + (self.dir / "stderr").read_text()[-2000:] + \
            self.log_text()[-2000:]

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
