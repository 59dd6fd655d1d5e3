"""The fail2ban filter that we ship reads our log right, and Postern needs
neither it nor any other script that reads logs (test_login_defence.py)."""
import base64
import collections
import re
import shutil
import subprocess

import pytest

from tests.harness import paths
from tests.harness.wait import until
from tests.harness.wire import ImapWire, SmtpWire

pytestmark = pytest.mark.skipif(not shutil.which("fail2ban-regex"),
                                reason="fail2ban is not installed")


def b64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def server(fresh_postern):
    server = fresh_postern({
        "smtpd_error_sleep_time": "0", "smtpd_sasl_auth_enable": "yes",
        "smtpd_tls_auth_only": "no", "imap_plaintext_auth": "yes",
        "login_defence_delay": "0"})
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    return server


@pytest.fixture
def found(server, tmp_path):
    """What the filter finds in the server's log: how often each address."""
    def found(mode):
        conf = tmp_path / "fail2ban"
        if not conf.exists():
            shutil.copytree("/etc/fail2ban", conf)
            shutil.copy(paths.SOURCE / "admin/fail2ban/postern.conf",
                        conf / "filter.d")
        done = subprocess.run(
            ["fail2ban-regex", "-c", conf, "-o", "ip", server.log_path,
             f"postern[mode={mode}]"],
            capture_output=True, text=True, check=True)
        return collections.Counter(done.stdout.split())
    return found


def smtp(server, source, *lines):
    with SmtpWire(server.address("mx"), source=source) as wire:
        wire.greeted()
        return [wire.cmd(line) for line in lines][-1]


def imap(server, source, *lines):
    with ImapWire(server.address("imap"), source=source) as wire:
        wire.line()
        for line in lines:
            wire.send(line + "\r\n")
            while not re.match(r"[ab] |\+", got := wire.line()):
                pass
    return got


def test_wrong_passwords_are_found(server, found):
    wrong = b64("\0kim@a.example\0wrong")
    smtp(server, "127.1.0.1", f"AUTH PLAIN {wrong}")
    smtp(server, "127.1.0.2", "AUTH LOGIN", b64("kim@a.example"),
         b64("wrong"))
    smtp(server, "127.1.0.3", "AUTH PLAIN " + b64("\0no address\0x"))
    smtp(server, "127.1.0.4", "AUTH PLAIN " +
         b64('\0"a [127.9.9.9]: b"@a.example\0x'))
    imap(server, "127.1.0.5", 'a LOGIN "kim@a.example" "wrong"')
    imap(server, "127.1.0.6", "a AUTHENTICATE PLAIN", wrong)
    imap(server, "127.1.0.6", "a AUTHENTICATE PLAIN", wrong)
    smtp(server, "127.1.0.7", "AUTH SCRAM-SHA-256 " +
         b64("n,,n=kim@a.example,r=abc"), b64("c=biws,r=abc,p=AAAA"))
    # what is no wrong password
    smtp(server, "127.2.0.1", "AUTH PLAIN " + b64("\0kim@a.example\0secret"))
    assert imap(server, "127.2.0.2", "a LOGIN kim@a.example secret") \
        .startswith("a OK")
    smtp(server, "127.2.0.3", "AUTH PLAIN", "*")
    smtp(server, "127.2.0.4", "AUTH CRAM-MD5")
    smtp(server, "127.2.0.5", "AUTH PLAIN !!!!")
    want = {f"127.1.0.{i}": 1 for i in range(1, 7)} | {"127.1.0.6": 2}

    def all_found():
        got = found("auth")
        # a proof that is no proof may be told apart from a wrong one
        got.pop("127.1.0.7", None)
        return got == want
    until(all_found, lambda: f"{want} instead of {found('auth')}")


def test_what_is_put_off_is_not_found(server, found):
    for i in range(30):
        smtp(server, "127.1.0.1", "AUTH PLAIN " +
             b64(f"\0kim@a.example\0guess {i}"))
    for _ in range(5):
        assert "UNAVAILABLE" in imap(server, "127.1.0.2",
                                     'a LOGIN kim@a.example x')
    until(lambda: found("auth") == {"127.1.0.1": 20},
          lambda: f"20 instead of {found('auth')}")
    assert found("aggressive").get("127.1.0.2", 0) == 0


def test_refused_mail_is_found_in_its_mode(server, found):
    for _ in range(3):
        smtp(server, "127.3.0.1", "MAIL FROM:<x@b.example>",
             "RCPT TO:<nobody@a.example>")
    until(lambda: found("normal") == {"127.3.0.1": 3}, "three")
    assert found("auth") == {}
    smtp(server, "127.3.0.2", "AUTH CRAM-MD5")
    until(lambda: found("aggressive")["127.3.0.2"] >= 1, "it")
