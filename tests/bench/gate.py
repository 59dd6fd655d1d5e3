"""The permit path of a chain of ten restrictions, three DNS lists and two
access tables among them, with warm caches: CPU of the server for each RCPT
above that of a list that only permits, for Postern and for Postfix with the
same lines. Then what slow DNS costs: how long one RCPT takes when each list
answers late, and how many parked sessions cost what.

Run by tests/bench/gate, which makes the network.
"""
import argparse
import functools
import os
import pathlib
import resource
import socket
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP))

from tests.diff import names, servers                       # noqa: E402
from tests.diff.talk import Group                           # noqa: E402
from tests.harness.database import Cluster                  # noqa: E402
from tests.harness.wire import SmtpWire                     # noqa: E402

print = functools.partial(print, flush=True)
CLIENT = "192.0.2.10"           # mx.good.example, in no list
LISTS = ["bl.bench.example", "zen.bench.example", "spam.bench.example"]
CHAIN = ", ".join([
    "reject_unauth_pipelining", "reject_unauth_destination",
    "reject_non_fqdn_recipient", "reject_unknown_recipient_domain",
    "reject_unknown_sender_domain",
    *(f"reject_rbl_client {zone}=127.0.0.[2..11]" for zone in LISTS),
    "check_client_access cidr:{dir}/clients",
    "check_sender_access texthash:{dir}/senders", "permit"])
PLAIN = "reject_unauth_destination, permit"
GROUPS = [Group("plain", smtpd_recipient_restrictions=PLAIN),
          Group("chain", smtpd_recipient_restrictions=CHAIN),
          Group("slow", smtpd_recipient_restrictions=", ".join(
              f"reject_rbl_client {zone}.{names.LATE}" for zone in "abc"))]
BOTH = {"smtpd_recipient_limit": "100000"}


def tables(n=10000):
    return {
        "clients": "".join(f"10.{i // 256}.{i % 256}.0/24 REJECT\n"
                           for i in range(200)),
        "senders": "".join(f"spam{i}@junk{i % 100}.example REJECT\n"
                           for i in range(n)),
    }


def descendants(pid):
    """pid and all that came from it, by /proc."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat[1])
    found, more = {pid}, True
    while more:
        more = False
        for child, parent in parents.items():
            if parent in found and child not in found:
                found.add(child)
                more = True
    return found


def cpu(pid):
    total = 0
    for one in descendants(pid):
        try:
            stat = pathlib.Path(f"/proc/{one}/stat").read_text()
        except OSError:
            continue
        fields = stat.rsplit(")", 1)[1].split()
        # its own, and that of children who have ended
        total += sum(int(f) for f in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0])


def rcpts(address, count, each=50):
    """So many RCPTs, pipelined, 40 messages a session; all must be taken."""
    if count > 40 * each:
        return sum(rcpts(address, min(40 * each, count - i), each)
                   for i in range(0, count, 40 * each))
    users = (servers.USERS * each)[:each]
    burst = "MAIL FROM:<x@good.example>\r\n" + "".join(
        f"RCPT TO:<{user}>\r\n" for user in users) + "RSET\r\n"
    with SmtpWire(address, source=CLIENT) as wire:
        wire.reply()
        wire.cmd("EHLO mx.good.example")
        for _ in range(count // each):
            wire.send(burst.encode())
            for i in range(each + 2):
                reply = wire.reply()
                if reply.code != 250:
                    raise SystemExit(f"not taken: {reply}")
        wire.cmd("QUIT")
    return count // each * each


def cost(pid, address, count, each):
    """Server CPU in microseconds for each RCPT; and seconds."""
    rcpts(address, 10 * each, each)         # caches
    before, began = cpu(pid), time.monotonic()
    n = rcpts(address, count, each)
    took = time.monotonic() - began
    return (cpu(pid) - before) / n * 1e6, n / took


def chain_adds(name, pid, address, count, each):
    """Microseconds of CPU for each RCPT; says what they come from."""
    found = []
    for group in GROUPS[:2]:
        us, rate = cost(pid, (address, group.port), count, each)
        found.append(us)
        print(f"{name:8} {group.name:6} {us:8.1f} us CPU per RCPT, "
              f"{rate:8.0f} RCPT/s")
    print(f"{name:8} the chain adds {found[1] - found[0]:.1f} us")
    return found[1] - found[0]


def one_rcpt(address, client):
    """How long a RCPT takes with lists that answer late."""
    with SmtpWire(address, source=client) as wire:
        wire.reply()
        wire.cmd("EHLO mx.good.example")
        wire.cmd("MAIL FROM:<x@good.example>")
        began = time.monotonic()
        reply = wire.cmd("RCPT TO:<kim@a.example>")
        assert reply.code == 250, reply
        return time.monotonic() - began


def parked(server, count):
    """count sessions whose sender's domain no name server answers for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    address = ("127.0.0.1", next(g.port for g in GROUPS
                                 if g.name == "chain"))
    plain = ("127.0.0.1", next(g.port for g in GROUPS if g.name == "plain"))
    pid = server.pids("smtpd")[0]
    rcpts(plain, 1000)
    held, before = [], resident(pid)
    for i in range(count):
        s = socket.socket()
        s.bind((f"198.51.100.{i % 200 + 1}", 0))
        s.connect(address)
        held.append(s)
    for s in held:
        s.recv(512)
        s.sendall(b"EHLO h.example\r\n")
    for s in held:
        s.recv(2048)
    idle = resident(pid)
    for i, s in enumerate(held):
        s.sendall(f"MAIL FROM:<x@d{i}.silent.example>\r\n".encode())
    for s in held:
        s.recv(512)
    for s in held:
        s.sendall(b"RCPT TO:<kim@a.example>\r\n")
    time.sleep(0.5)
    began = time.monotonic()
    n = rcpts(plain, 2000)
    took = time.monotonic() - began
    after = resident(pid)
    codes = {}
    for s in held:
        s.settimeout(30)
        code = s.recv(512)[:3].decode()
        codes[code] = codes.get(code, 0) + 1
        s.close()
    print(f"{count} sessions parked on a name server that is silent: "
          f"{(idle - before) / count:.1f} KiB each idle, "
          f"{(after - before) / count:.1f} KiB each parked; another client "
          f"meanwhile {n / took:.0f} RCPT/s; answers {codes}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rcpts", type=int, default=60000,
                        help="for each figure, an eighth for Postfix (60000)")
    parser.add_argument("--parked", type=int, default=5000)
    arguments = parser.parse_args()
    names.ZONES.update({zone: "other A 127.0.0.2" for zone in LISTS})
    names.ZONES.update({zone: "x A 192.0.2.1"
                        for zone in (names.LATE, names.SILENT)})
    cluster = Cluster()
    with tempfile.TemporaryDirectory(prefix="postern-gate-") as directory:
        directory = pathlib.Path(directory)
        directory.chmod(0o755)
        (directory / "pair").mkdir()
        dns = names.NameServer(directory / "dns")
        pair = servers.Pair(cluster, directory / "pair", GROUPS, tables(),
                            {"postern": dict(
                                BOTH, smtpd_client_connection_limit="20000"),
                             # messages that RSET ends are not delivered
                             "postfix": dict(BOTH, in_flow_delay="0")})
        try:
            report(pair, arguments)
        finally:
            pair.close()
            dns.close()
            cluster.close()


def report(pair, arguments):
    sides = [("Postern", pair.postern.process.pid, "127.0.0.1"),
             ("Postfix", pair.postfix.process.pid, servers.ADDRESS)]
    print("with 50 recipients a message:")
    added = [chain_adds(*side, arguments.rcpts // part, 50)
             for side, part in zip(sides, (1, 8))]
    print(f"Postfix / Postern: {added[1] / added[0]:.1f}")
    # (of Postfix's messages the queue file costs ten times the difference)
    print("with one:")
    chain_adds(*sides[0], arguments.rcpts, 1)
    for name, pid, address in sides:
        took = one_rcpt((address, GROUPS[2].port), "192.0.2.81")
        print(f"{name:8} three lists that answer after "
              f"{names.LATE_SECONDS * 1000:.0f} ms each: "
              f"RCPT takes {took * 1000:.0f} ms")
    if arguments.parked:
        parked(pair.postern, arguments.parked)


main()
