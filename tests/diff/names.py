"""The DNS that both servers ask: nsd with zones of our making on 127.0.0.54,
and on 127.0.0.53 a relay in front of it that stays silent about some names.

A zone whose file is missing makes nsd answer SERVFAIL. Whatever is in no
zone is in the root, which has nothing: NXDOMAIN.
"""
import collections
import pathlib
import select
import socket
import subprocess
import sys
import time

from tests.harness import nameserver, paths
from tests.harness.wait import until

FRONT, BACK = "127.0.0.53", "127.0.0.54"

# Zone -> lines of its file behind SOA; None: no file, so SERVFAIL.
ZONES = {
    "good.example": """
@       A 192.0.2.80
@       MX 10 mx
@       MX 20 mx2
@       TXT "v=spf1 -all"
mx      A 192.0.2.10
mx      AAAA 2001:db8::10
mx2     A 192.0.2.81
www     A 192.0.2.82
six     AAAA 2001:db8::82
gone    TXT "no address"
alias   CNAME www
chain   CNAME alias
dangling CNAME nothere
loop1   CNAME loop2
loop2   CNAME loop1
txtonly TXT "neither A nor MX"
lo      A 127.0.0.1
zero    A 0.0.0.0
mxlo    MX 10 lo
mxzero  MX 10 zero
mxnone  MX 10 nothere
mxip    MX 10 192.0.2.10.
mxsome  MX 10 nothere
mxsome  MX 20 mx
mxsilent MX 10 a.silent.example.
mxbroken MX 10 a.broken.example.
nullmx  MX 0 .
nullmxa A 192.0.2.83
nullmxa MX 0 .
*.wild  A 192.0.2.84
under_score A 192.0.2.85
many    A 192.0.2.86
many    A 198.51.100.86
sub     A 192.0.2.87
deep.sub A 192.0.2.88
""",
    "bad.example": """
@       A 192.0.2.66
@       MX 10 mail
mail    A 192.0.2.66
mx      A 192.0.2.20
""",
    "listed.example": """
@       A 192.0.2.67
@       MX 10 mx.bad.example.
mx      A 192.0.2.21
""",
    "forged.example": """
@       A 192.0.2.99
""",
    "elsewhere.example": """
@       A 192.0.2.90
@       MX 10 mx
mx      A 192.0.2.90
""",
    "a.example": "@ A 127.0.0.1\n@ MX 10 mx.test.example.",
    "b.example": "@ A 127.0.0.1",
    "test.example": "mx A 127.0.0.1\nmx A 127.0.0.2",
    "backup.example": "@ MX 10 mx.elsewhere.example.\n@ MX 20 mx.test.example.",
    "broken.example": None,
    # Block lists.
    "bl.example": """
2.0.0.127   A 127.0.0.2
20.2.0.192  A 127.0.0.2
20.2.0.192  TXT "listed, see http://bl.example/?20"
21.2.0.192  A 127.0.0.4
21.2.0.192  TXT "first" " second"
22.2.0.192  A 127.0.0.2
22.2.0.192  A 127.0.0.10
23.2.0.192  A 192.0.2.1
23.2.0.192  TXT "an answer outside 127/8"
24.2.0.192  CNAME 20.2.0.192
25.2.0.192  TXT "text, but no address"
26.2.0.192  A 127.0.0.11
0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 A 127.0.0.2
0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 TXT "six"
""",
    "rhs.example": """
bad.example     A 127.0.0.2
bad.example     TXT "a bad domain"
mx.bad.example  A 127.0.0.2
listed.example  A 127.0.0.4
forged.example  A 127.0.0.5
""",
    "wl.example": """
10.2.0.192  A 127.0.0.1
20.2.0.192  A 127.0.10.3
21.2.0.192  A 127.0.10.0
""",
    "rhswl.example": """
mx.good.example A 127.0.0.1
mx.bad.example  A 127.0.0.1
""",
    "lame.example": None,
    # Clients.
    "2.0.192.in-addr.arpa": """
1       PTR ns.test.example.
10      PTR mx.good.example.
12      PTR forged.example.
13      PTR gone.good.example.
14      PTR never.served.example.
15      PTR x.broken.example.
17      PTR under_score.good.example.
18      PTR 192.0.2.18.
19      PTR many.good.example.
20      PTR mx.bad.example.
21      PTR mx.listed.example.
27      PTR slow.silent.example.
28      PTR deep.sub.good.example.
80      PTR good.example.
88      PTR deep.sub.good.example.
90      PTR mx.elsewhere.example.
86      PTR many.good.example.
""",
    "14.2.0.192.in-addr.arpa": None,
    "113.0.203.in-addr.arpa": "5 PTR inside.test.example.",
    "8.b.d.0.1.0.0.2.ip6.arpa": """
0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mx.good.example.
""",
}
SILENT = "silent.example"
LATE, LATE_SECONDS = "late.example", 0.1

# What a resolver may answer by itself unless told to ask (RFC 6303).
PLAIN = ["2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa",
         "113.0.203.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa",
         "127.in-addr.arpa", "localhost"]


def zone_text(name, body):
    return (f"$ORIGIN {name.rstrip('.')}.\n$TTL 300\n"
            "@ SOA ns.test.example. root.test.example. 1 300 300 300 300\n"
            "@ NS ns.test.example.\n" + body.strip() + "\n")


class NameServer:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        zones = dict(ZONES)
        zones["."] = ""
        for name, body in zones.items():
            if body is not None:
                nameserver.zone_file(self.dir, name).write_text(
                    zone_text(name, body))
        self.log = open(self.dir / "log", "wb")
        self.process = nameserver.run_nsd(self.dir, BACK, 53, zones, self.log)
        self.front = subprocess.Popen([sys.executable, "-m", __name__],
                                      cwd=paths.SOURCE,
                                      stdin=subprocess.DEVNULL)
        until(self.answers, lambda: "nsd: " +
              (self.dir / "log").read_text()[-2000:])

    def answers(self):
        """Does it answer for the root's SOA?"""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.connect((FRONT, 53))
            try:
                s.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\0\0\6\0\1")
                return s.recv(512)[3] & 15 == 0
            except OSError:
                return False

    def close(self):
        for process in (self.front, self.process):
            process.terminate()
            process.wait()
        self.log.close()


def qname(packet):
    labels, at = [], 12
    while at < len(packet) and packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]])
        at += 1 + packet[at]
    return b".".join(labels).decode("latin-1").lower()


def below(name, zone):
    return name == zone or name.endswith("." + zone)


def relay():
    """Datagrams for FRONT go to BACK and the answers back, those about LATE
    after a while; those about SILENT go nowhere. A process of its own: it must
    answer in time."""
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind((FRONT, 53))
    back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back.connect((BACK, 53))
    asked, number = {}, 0       # our id -> (whose question, its id, its name)
    late = collections.deque()  # when, what, to whom
    while True:
        wait = max(0, late[0][0] - time.monotonic()) if late else None
        ready = select.select([front, back], [], [], wait)[0]
        while late and late[0][0] <= time.monotonic():
            front.sendto(*late.popleft()[1:])
        for sock in ready:
            if sock is front:
                packet, who = front.recvfrom(4096)
                name = qname(packet)
                if below(name, SILENT):
                    continue
                number = (number + 1) % 65536
                asked[number] = who, packet[:2], name
                back.send(number.to_bytes(2, "big") + packet[2:])
            else:
                try:
                    packet = back.recv(4096)
                except ConnectionRefusedError:      # nsd is not up yet
                    continue
                who, theirs, name = asked.pop(int.from_bytes(packet[:2], "big"))
                answer = theirs + packet[2:]
                if below(name, LATE):
                    late.append((time.monotonic() + LATE_SECONDS, answer, who))
                else:
                    front.sendto(answer, who)


if __name__ == "__main__":
    relay()
