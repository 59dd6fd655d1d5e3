"""S5: aborted, malformed and hostile AUTH exchanges hurt nobody else."""
import base64

import pytest

from tests.harness.wire import Closed


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes)
                            else data.encode()).decode()


def session(postern):
    return postern.smtp("submissions")


BAD_INITIAL = [
    "PLAIN !!!!", "PLAIN ====", "PLAIN AAA", "PLAIN " + b64(b"\0"),
    "PLAIN " + b64(b"\0\0"), "PLAIN " + b64(b"\0\0\0"),
    "PLAIN " + b64(b"\0kim"), "PLAIN " + b64(b"\0" * 500),
    "PLAIN " + b64(b"\xff" * 100), "PLAIN " + b64("\0kim\0" + "x" * 2000),
    "PLAIN =", "PLAIN  ", "LOGIN !!!!", "LOGIN =", "SCRAM-SHA-256 !!!!",
    "SCRAM-SHA-256 " + b64("n,,n=,r=x"), "SCRAM-SHA-256 " + b64("n,,"),
    "SCRAM-SHA-256 " + b64("y,,n=kim,r="), "SCRAM-SHA-256 " + b64(b"\0" * 64),
    "SCRAM-SHA-256 " + b64("n,a=someone,n=kim,r=abc"),
    "SCRAM-SHA-256-PLUS " + b64("n,,n=kim,r=abc"),
    "SCRAM-SHA-256-PLUS " + b64("p=tls-nothing,,n=kim,r=abc"),
    "ANONYMOUS", "ANONYMOUS " + b64("me"), "EXTERNAL =", "NTLM", "GSSAPI",
    "CRAM-MD5", "DIGEST-MD5", "OTP", "X" * 300, "", "PLAIN a b c",
]


@pytest.mark.parametrize("initial", BAD_INITIAL)
def test_a_bad_exchange_is_refused_and_the_next_works(postern, kim, initial):
    with session(postern) as wire:
        reply = wire.cmd(f"AUTH {initial}")
        for _ in range(4):
            if reply.code != 334:
                break
            reply = wire.cmd(b64("nonsense"))
        assert reply.code // 100 in (4, 5), reply
        wire.expect("AUTH PLAIN " + b64(f"\0{kim}\0secret"), 235)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_an_exchange_can_be_cancelled_at_each_step(postern, kim, mechanism):
    for steps in range(3):
        with session(postern) as wire:
            reply = wire.cmd(f"AUTH {mechanism}")
            for _ in range(steps):
                if reply.code != 334:
                    break
                reply = wire.cmd(b64(kim) if mechanism != "SCRAM-SHA-256"
                                 else b64("n,,n=kim,r=abcdef"))
            if reply.code == 334:
                assert wire.cmd("*").code == 501
            wire.expect("AUTH PLAIN " + b64(f"\0{kim}\0secret"), 235)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_hanging_up_in_the_middle_leaves_others_alone(postern, kim,
                                                      mechanism):
    for _ in range(20):
        with session(postern) as wire:
            wire.send(f"AUTH {mechanism}\r\n")
            wire.send(b64("n,,n=kim,r=abcdef") + "\r\n")
    with session(postern) as wire:
        wire.expect("AUTH PLAIN " + b64(f"\0{kim}\0secret"), 235)


def test_an_endless_response_is_cut(postern, kim):
    with session(postern) as wire:
        wire.expect("AUTH PLAIN", 334)
        try:
            wire.send("A" * 200000 + "\r\n")
            assert wire.reply().code // 100 in (4, 5)
        except (Closed, OSError):
            pass
    with session(postern) as wire:
        wire.expect("AUTH PLAIN " + b64(f"\0{kim}\0secret"), 235)


def test_nobody_logs_in_as_another(postern, kim, lee):
    """S19: an authorisation identity that is not one's own is refused."""
    with session(postern) as wire:
        assert wire.cmd("AUTH PLAIN " +
                        b64(f"{lee}\0{kim}\0secret")).code // 100 == 5
        wire.expect("AUTH PLAIN " + b64(f"{kim}\0{kim}\0secret"), 235)


def test_a_second_auth_is_refused(postern, kim):
    with session(postern) as wire:
        wire.expect("AUTH PLAIN " + b64(f"\0{kim}\0secret"), 235)
        wire.expect("AUTH PLAIN " + b64(f"\0{kim}\0secret"), 503)


@pytest.mark.parametrize("user,password", [
    ("kim", "secret"), ("", "secret"), ("KIM@{d}", "Secret"),
    ("kim@{d}", ""), ("kim@{d}", "secret "), ("kim@{d}\0x", "secret"),
    ("nobody@{d}", "secret"), ("kim@nowhere.example", "secret"),
    ("kim@{d}' OR '1'='1", "x"), ("%", "secret"), ("kim@%", "secret"),
    ("../kim@{d}", "secret"),
])
def test_wrong_pairs_are_refused(postern, domain, kim, user, password):
    user = user.format(d=domain)
    with session(postern) as wire:
        assert wire.cmd("AUTH PLAIN " +
                        b64(f"\0{user}\0{password}")).code // 100 == 5


def test_no_secret_is_ever_logged(fresh_postern):
    """S37, at the most talkative level."""
    instance = fresh_postern({"log_level": "debug"})
    instance.add_domain("log.example")
    instance.add_mailbox("kim@log.example", "Tr0ub4dor-and-3")
    token = b64("\0kim@log.example\0Tr0ub4dor-and-3")
    with instance.smtp("submissions") as wire:
        wire.expect(f"AUTH PLAIN {token}", 235)
    with instance.smtp("submissions") as wire:
        wire.expect("AUTH LOGIN", 334)
        wire.expect(b64("kim@log.example"), 334)
        wire.expect(b64("Tr0ub4dor-and-3"), 235)
    with instance.smtp("submissions") as wire:
        wire.cmd("AUTH PLAIN " + b64("\0kim@log.example\0Wr0ng-one"))
    with instance.imap("kim@log.example", "Tr0ub4dor-and-3") as wire:
        wire.ok("NOOP")
    instance.stop()
    log = instance.log_text()
    for secret in ("Tr0ub4dor-and-3", token, b64("Tr0ub4dor-and-3"),
                   "Wr0ng-one", b64("\0kim@log.example\0Wr0ng-one")):
        assert secret not in log
