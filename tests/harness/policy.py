"""Policy services for tests: one that records, hostile ones, and programs
that are policy services themselves. All on the loopback, all ended by us."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

from . import paths
from .wait import until


class Recorder:
    """Speaks the policy protocol; `requests` are dicts, oldest first.

    answer(request) gives the action as text, or bytes to be sent as they are,
    or None to be silent, or Recorder.CLOSE, or (either, Recorder.CLOSE) to
    close behind it.
    """
    CLOSE = object()

    def __init__(self, answer=lambda request: "DUNNO", path=None):
        self.answer = answer
        self.requests = []
        self.connections = 0
        if path:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.bind(str(path))
            os.chmod(path, 0o666)
            self.name = f"unix:{path}"
        else:
            self.socket = socket.create_server(("127.0.0.1", 0))
            self.name = "inet:127.0.0.1:%d" % self.socket.getsockname()[1]
        self.socket.listen(64)
        self.open = set()
        self.ended = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """No listener and no connection any more."""
        self.ended = True
        for sock in [self.socket, *self.open]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        try:
            self._talk(sock)
        except OSError:
            pass
        finally:
            self.open.discard(sock)
            sock.close()

    def _talk(self, sock):
        buffer = b""
        while True:
            while b"\n\n" not in buffer:
                data = sock.recv(65536)
                if not data:
                    return
                buffer += data
            text, buffer = buffer.split(b"\n\n", 1)
            request = dict(line.split("=", 1) for line in
                           text.decode("utf-8", "surrogateescape")
                           .split("\n"))
            self.requests.append(request)
            action = self.answer(request)
            last = isinstance(action, tuple)
            if last:
                action = action[0]
            if action is Recorder.CLOSE:
                return
            if action is not None:
                sock.sendall(action if isinstance(action, bytes) else
                             f"action={action}\n\n".encode())
            if last:
                return

    def states(self):
        return [request["protocol_state"] for request in self.requests]


class Spawner:
    """What Postfix's spawn(8) does: a listener that starts a program for each
    connection, with the connection as its standard input and output."""

    def __init__(self, command):
        self.command = [str(word) for word in command]
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.name = "inet:127.0.0.1:%d" % self.socket.getsockname()[1]
        self.children = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            with sock:
                self.children.append(subprocess.Popen(
                    paths.as_plain_user(self.command), stdin=sock,
                    stdout=sock, stderr=subprocess.DEVNULL))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for child in self.children:
            child.terminate()
            child.wait()


class Postgrey:
    """The greylisting server of Debian's package postgrey, as a plain program
    on a unix socket."""
    PROGRAM = "/usr/sbin/postgrey"

    def __init__(self, *options):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postern-grey-"))
        (self.dir / "db").mkdir()
        for path in (self.dir, self.dir / "db"):
            paths.give(path)
        self.dir.chmod(0o755)
        self.path = self.dir / "socket"
        self.name = f"unix:{self.path}"
        user = paths.plain_user()
        self.process = subprocess.Popen(
            paths.as_plain_user([
                self.PROGRAM, f"--unix={self.path}", f"--user={user}",
                f"--group={_group(user)}", f"--dbdir={self.dir}/db",
                f"--pidfile={self.dir}/pid", *options]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.dir / "log", "wb"))
        until(self._answers, lambda: "postgrey to listen: " +
              (self.dir / "log").read_text())

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.path)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        # not SIGTERM: one that comes just before its select is noticed only
        # behind it, with the next client
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def _group(user):
    import grp
    import pwd
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def policyd_spf(directory, settings, resolver_port):
    """The command that runs Debian's policyd-spf as it is, but for the name
    servers of its DNS library: one on the loopback."""
    conf = pathlib.Path(directory) / "policyd-spf.conf"
    conf.write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
    conf.chmod(0o644)
    start = pathlib.Path(directory) / "policyd-spf.py"
    start.write_text(f"""\
import runpy, sys
import DNS
DNS.defaults.update(server=["127.0.0.1"], port={resolver_port})
DNS.DiscoverNameServers = lambda: None
sys.argv = ["policyd-spf", {str(conf)!r}]
runpy.run_path("/usr/bin/policyd-spf", run_name="__main__")
""")
    start.chmod(0o644)
    return ["/usr/bin/python3", start]
