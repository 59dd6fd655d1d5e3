"""A real authoritative name server (nsd) on a port of the loopback, with zones
that a test writes and changes. Whatever is in no zone does not exist.

    names = NameServer({"bl.example": "2.0.0.127 A 127.0.0.2"})
    Instance(cluster, settings=names.settings())
    names.set("bl.example", "")
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from .wait import until

BROKEN = None       # a zone without a file: SERVFAIL


def find():
    return shutil.which("nsd", path=os.environ.get("PATH", "") + ":/usr/sbin")


CONF = """\
server:
    ip-address: {address}
    port: {port}
    username: ""
    chroot: ""
    database: ""
    zonesdir: "{dir}"
    pidfile: "{dir}/nsd.pid"
    xfrdfile: "{dir}/xfrd.state"
    zonelistfile: "{dir}/zone.list"
    xfrdir: "{dir}"
    server-count: 1
    minimal-responses: yes
    rrl-ratelimit: 0
    tcp-count: 100
remote-control:
    control-enable: no
"""


def zone_file(directory, name):
    return directory / ((name.rstrip(".") or "root") + ".zone")


def run_nsd(directory, address, port, zones, log):
    """nsd for zones whose files lie in the directory (zone_file); one without
    a file is SERVFAIL. The process."""
    text = CONF.format(address=address, port=port, dir=directory)
    for name in zones:
        text += f'zone:\n    name: "{name}"\n' \
                f'    zonefile: "{zone_file(directory, name)}"\n'
    (directory / "nsd.conf").write_text(text)
    return subprocess.Popen([find(), "-d", "-c", directory / "nsd.conf"],
                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)


class NameServer:
    def __init__(self, zones):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postern-nsd-"))
        self.serial = 1
        self.write(".", "")
        for name, body in zones.items():
            if body is not BROKEN:
                self.write(name, body)
        self.log = open(self.dir / "log", "wb")
        for _ in range(5):
            if self.start({".": "", **zones}):
                return
        raise RuntimeError("nsd: " + (self.dir / "log").read_text()[-2000:])

    def start(self, zones):
        """False: somebody else took the port meanwhile."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process = run_nsd(self.dir, "127.0.0.1", self.port, zones,
                               self.log)
        until(lambda: self.soa(".") == 1 or self.process.poll() is not None,
              lambda: "nsd: " + (self.dir / "log").read_text()[-2000:], 60)
        return self.process.poll() is None

    def settings(self):
        """Parameters for an instance that asks it."""
        return {"dns_resolver": f"127.0.0.1@{self.port}",
                "dns_trust_anchor_file": "", "dns_timeout": "30s"}

    def write(self, name, body):
        zone_file(self.dir, name).write_text(
            f"$ORIGIN {name.rstrip('.')}.\n$TTL 1\n"
            f"@ SOA ns.test.example. root.test.example. {self.serial} "
            "300 300 300 1\n@ NS ns.test.example.\n" + body.strip() + "\n")

    def set(self, name, body):
        """Changes a zone; it is served when this returns."""
        self.serial += 1
        self.write(name, body)
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self.soa(name) == self.serial, f"{name} as it is now")

    def soa(self, name):
        """The serial of a zone, or None."""
        labels = b"".join(bytes([len(p)]) + p.encode()
                          for p in name.split(".") if p) + b"\0"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\6\0\1")
                packet = s.recv(4096)
            except OSError:
                return None
        if packet[3] & 15 or packet[7] == 0:
            return None
        # the last five numbers of the only record
        return int.from_bytes(packet[-20:-16], "big")

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
