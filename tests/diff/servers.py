"""Both servers with the same lines, users and name server."""
import base64
import concurrent.futures
import os
import pathlib
import re
import socketserver
import threading
import time

from tests.harness.database import quote
from tests.harness.instance import Instance
from tests.harness.policy import Recorder

from . import names, policy
from .known import KNOWN
from .postfix import ADDRESS, Postfix
from .table_verify import VERDICTS
from .talk import equal

FIRST_PORT = 3000
DOMAINS = ["a.example", "b.example"]
USERS = ["kim@a.example", "lee@a.example", "max@b.example",
         "postmaster@a.example"]
ALIASES = {"alias@a.example": "kim@a.example",
           "both@a.example": "kim@a.example lee@a.example"}
COMMON = {
    "myhostname": "mx.test.example",
    "mynetworks": "203.0.113.0/24",
    "smtpd_error_sleep_time": "0",
    "smtpd_tls_auth_only": "no",
    "smtpd_sasl_auth_enable": "yes",
}


class Tables:
    """Files that tables are read from, by both."""

    def __init__(self, directory, tables):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir()
        self.dir.chmod(0o755)
        for name, text in tables.items():
            (self.dir / name).write_text(text.strip("\n") + "\n")
            (self.dir / name).chmod(0o644)


class DovecotAuth(socketserver.ThreadingUnixStreamServer):
    """What Postfix asks about passwords: everybody's is `secret`."""
    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\n"
                             b"SPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n")
            for line in self.rfile:
                words = line.decode().rstrip("\n").split("\t")
                if words[0] != "AUTH":
                    continue
                told = dict(w.partition("=")[::2] for w in words[3:])
                _, user, password = base64.b64decode(
                    told.get("resp", "") + "==").decode().split("\0")
                if password == "secret":
                    answer = f"OK\t{words[1]}\tuser={user}\n"
                else:
                    answer = f"FAIL\t{words[1]}\tuser={user}\n"
                self.wfile.write(answer.encode())

    def __init__(self, path):
        super().__init__(str(path), self.Handler)
        os.chmod(path, 0o666)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def postfix(directory, groups, tables, extra=None):
    settings = dict(COMMON, **{
        "mydestination": "",
        "virtual_mailbox_domains": ", ".join(DOMAINS),
        "virtual_mailbox_maps": f"texthash:{tables.dir}/users",
        "virtual_alias_maps": f"texthash:{tables.dir}/aliases",
        "smtpd_sender_login_maps": f"texthash:{tables.dir}/logins",
        "virtual_transport": "discard",
        "default_transport": "discard",
        "relay_transport": "discard",
        "recipient_delimiter": "+",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": "private/auth",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": f"{directory.parent}/postern/tls/postern.crt",
        "smtpd_tls_key_file": f"{directory.parent}/postern/tls/postern.key",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_connection_rate_limit": "0",
    }, **(extra or {}))
    made = Postfix(directory, settings,
                   {g.name: (g.port, g.for_server("postfix", tables.dir))
                    for g in groups})
    DovecotAuth(made.queue / "private/auth")
    return made


def postern(directory, cluster, groups, tables, extra=None):
    directory.mkdir()
    made = Instance(cluster, directory=directory, settings=dict(COMMON, **{
        "recipient_delimiter": "+",
        "dns_resolver": names.FRONT,
        "dns_timeout": "1500ms",
        "dns_trust_anchor_file": "",
        # The zones have no test entries, and Postfix tests none.
        "dnsbl_self_test_interval": "0",
        "dns_plain_zones": " ".join(names.PLAIN),
        "smtpd_workers": "1", "deliver_workers": "1", "imapd_workers": "1",
    }, **(extra or {})))
    made.refused = settle(made, groups, tables)
    for domain in DOMAINS:
        made.add_domain(domain)
    for user in USERS:
        made.add_mailbox(user, "secret")
    for alias, targets in ALIASES.items():
        made.add_alias(alias, *targets.split())
    made.add_domain(COMMON["myhostname"])       # for <postmaster>
    made.add_alias(f"postmaster@{COMMON['myhostname']}", USERS[0])
    for address, status in VERDICTS.items():
        made.sql(f"SELECT verify_set({quote(address)}, {quote(status)}, "
                 "'the other server said so')")
    return made


def settle(made, groups, tables):
    """Writes the groups' services. Those with lines that `postern config
    check` complains about are left out: {group name: complaint}. So are such
    lines of the main part: {"": complaint}."""
    main = made.conf.read_text().splitlines()
    refused = {}
    while True:
        lines, owner = list(main), {i + 1: "" for i in range(len(main))}
        for g in groups:
            if g.name in refused:
                continue
            lines += [f"[service {g.name}]", "protocol = smtp",
                      f"listen = 127.0.0.1:{g.port}"]
            for k, v in g.for_server("postern", tables.dir).items():
                lines.append(f"{k} = {v}")
                owner[len(lines)] = g.name
        made.conf.write_text("\n".join(lines) + "\n")
        done = made.postern("config", "check", check=False)
        # Hints and warnings say so in front.
        found = {int(n): text for n, text in re.findall(
            r"^/\S*\.conf:(\d+):(.*)", done.stdout + done.stderr, re.M)
            if int(n) in owner}
        if not found:
            if done.returncode != 0:
                raise RuntimeError(done.stdout + done.stderr)
            return refused
        refused.update((owner[n], text) for n, text in found.items())
        main = [line for i, line in enumerate(main) if i + 1 not in found]


TABLES = {
    "users": "".join(f"{u} x\n" for u in USERS),
    "aliases": "".join(f"{a} {t}\n" for a, t in ALIASES.items()),
    "logins": "".join(f"{u} {u}\n" for u in USERS) +
              "".join(f"{a} {t.replace(' ', ', ')}\n"
                      for a, t in ALIASES.items()),
}


class Pair:
    """Both, started; compare() holds a dialogue with each."""

    def __init__(self, cluster, directory, groups, tables, extra=None):
        extra = extra or {}
        self.dir = pathlib.Path(directory)
        self.dir.chmod(0o755)
        self.open = []
        for i, g in enumerate(groups):
            g.port = FIRST_PORT + i
        tables = Tables(self.dir / "tables", dict(TABLES, **tables))
        for server in policy.start():
            self.open.append(server.server_close)
            self.open.append(server.shutdown)
        try:
            self.begin(cluster, groups, tables, extra)
        except BaseException:
            self.close()
            raise

    def begin(self, cluster, groups, tables, extra):
        self.policy = Recorder(path=tables.dir / "policy")
        self.open.append(self.policy.close)
        self.postern = postern(self.dir / "postern", cluster, groups, tables,
                               extra.get("postern"))
        self.open.append(self.postern.destroy)
        self.postfix = postfix(self.dir / "postfix", groups, tables,
                               extra.get("postfix"))
        self.open.append(self.postfix.close)
        self.postern.start()
        self.postfix.start()

    def hold(self, talk):
        """(what Postern said, what Postfix said), or (None, complaint)"""
        if talk.group.name in self.postern.refused:
            return None, self.postern.refused[talk.group.name]
        where = [("127.0.0.1", talk.group.port), (ADDRESS, talk.group.port)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            ours, theirs = pool.map(talk.hold, where)
        for _ in range(10):
            if theirs[0].code:
                break
            time.sleep(1.5)         # master may still throttle that service
            theirs = talk.hold(where[1])
        return ours, theirs

    def agree(self, talk):
        """The same, up to thrice when it is not as it should be: on a busy
        machine a name may come too late for one of the two, which have but
        seconds for it. What truly differs does so each time."""
        for _ in range(3):
            ours, theirs = self.hold(talk)
            if ours is None or equal(ours, theirs) != (talk.id in KNOWN):
                break
        return ours, theirs

    def close(self):
        for end in reversed(self.open):
            end()
