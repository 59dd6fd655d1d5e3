"""A policy server (SMTPD_POLICY_README) whose answer the sender's local part
names, so that a table of answers is a table of senders."""
import socketserver
import threading
import time

PORT, MUTE_PORT, NOBODY_PORT = 2501, 2502, 2503
ANSWERS = {
    "ok": b"action=OK\n\n",
    "dunno": b"action=DUNNO\n\n",
    "reject": b"action=REJECT by policy\n\n",
    "reject-dsn": b"action=REJECT 5.7.9 by policy\n\n",
    "defer": b"action=DEFER later\n\n",
    "dip": b"action=DEFER_IF_PERMIT Greylisted\n\n",
    "dip-dsn": b"action=DEFER_IF_PERMIT 4.2.0 Greylisted\n\n",
    "dir": b"action=DEFER_IF_REJECT later\n\n",
    "450": b"action=450 4.7.1 wait\n\n",
    "550": b"action=550 5.7.1 no\n\n",
    "421": b"action=421 4.7.0 bye\n\n",
    "521": b"action=521 5.7.0 bye\n\n",
    "number": b"action=42\n\n",
    "list": b"action=reject_non_fqdn_helo_hostname, reject\n\n",
    "class": b"action=class_reject\n\n",
    "unknown": b"action=reject_nonsense\n\n",
    "prepend": b"action=PREPEND X-Policy: yes\n\n",
    "hold": b"action=HOLD by policy\n\n",
    "discard": b"action=DISCARD by policy\n\n",
    "warn": b"action=WARN look\n\n",
    "info": b"action=INFO look\n\n",
    "more": b"note=first\naction=REJECT second\nother=third\n\n",
    "twice": b"action=REJECT first\naction=OK\n\n",
    "no-action": b"verdict=OK\n\n",
    "empty-action": b"action=\n\n",
    "nothing": b"\n",
    "garbage": b"\x00\xff\x17 !!\n\n",
    "no-equals": b"OK\n\n",
    "half": b"action=OK\n",
    "close": b"",
}
UNFINISHED = ("half", "close")          # then the server closes


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            asked = {}
            for line in self.rfile:
                if line == b"\n":
                    break
                name, _, value = line.decode("latin-1").rstrip("\n") \
                    .partition("=")
                asked[name] = value
            if not asked:
                return
            what = asked.get("sender", "").partition("@")[0]
            self.wfile.write(ANSWERS.get(what, b"action=DUNNO\n\n"))
            if what in UNFINISHED:
                return


class Mute(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(4096):
            time.sleep(0)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def start():
    """Both servers; the third port stays closed."""
    servers = [Server(("127.0.0.1", PORT), Handler),
               Server(("127.0.0.1", MUTE_PORT), Mute)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers
