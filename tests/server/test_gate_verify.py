"""reject_unverified_sender and _recipient go by what the directory and the
administrator know, and bridge a database that is away."""
import smtplib

import pytest

from tests.harness.database import Cluster
from tests.harness.instance import Instance
from tests.harness.wait import until

SETTINGS = {"smtpd_sender_restrictions": "reject_unverified_sender",
            "unverified_sender_reject_code": "550",
            "smtpd_error_sleep_time": "0"}
IN_PROGRESS = "Address verification in progress"


def ask(server, sender, recipient="kim@ver.example"):
    with smtplib.SMTP(*server.address("mx")) as client:
        client.ehlo()
        client.mail(sender)
        code, text = client.rcpt(recipient)
        return f"{code} {text.decode()}"


@pytest.fixture
def server(fresh_postern):
    made = fresh_postern(settings=SETTINGS)
    made.add_domain("ver.example")
    made.add_mailbox("kim@ver.example")
    return made


def test_the_administrators_word_counts_at_once(server):
    answer = ask(server, "x@far.example")
    assert answer.startswith("450 4.1.7 <x@far.example>: Sender address "
                             "rejected: unverified address: ")
    assert IN_PROGRESS in answer
    server.postern("verify", "set", "X@Far.Example", "ok")
    until(lambda: ask(server, "x@far.example").startswith("250"), "a yes")
    server.postern("verify", "set", "x@far.example", "bounce", "no such user")
    until(lambda: "550 5.1.7 <x@far.example>: Sender address rejected: "
          "undeliverable address: no such user" in
          ask(server, "x@far.example"), "a no")
    listed = server.postern("verify", "list", "far.example").stdout
    assert "x@far.example" in listed and "no such user" in listed
    server.postern("verify", "forget", "x@far.example")
    until(lambda: IN_PROGRESS in ask(server, "x@far.example"), "nothing")
    gone = server.postern("verify", "forget", "x@far.example", check=False)
    assert gone.returncode != 0 and "no verdict" in gone.stderr
    odd = server.postern("verify", "set", "x@far.example", "perhaps",
                         check=False)
    assert odd.returncode == 64


def test_our_own_addresses_need_no_verdict(server):
    assert ask(server, "kim@ver.example").startswith("250")
    assert ask(server, "").startswith("250")
    assert "550 5.1.7 <no@ver.example>: Sender address rejected: " \
        "undeliverable address: User unknown" in ask(server, "no@ver.example")
    server.add_mailbox("no@ver.example")
    until(lambda: ask(server, "no@ver.example").startswith("250"), "a yes")


def test_an_old_verdict_counts_for_nothing(server):
    server.postern("verify", "set", "x@far.example", "ok")
    server.sql("UPDATE postern.verdict SET updated_at = "
               "now() - interval '32 days';")
    until(lambda: IN_PROGRESS in ask(server, "x@far.example"), "expiry")


def test_recipients_of_others_are_judged_by_verdict(fresh_postern):
    server = fresh_postern(settings={
        "mynetworks": "127.0.0.0/8",
        "smtpd_recipient_restrictions": "reject_unverified_recipient"})
    server.add_domain("ver.example")
    server.add_mailbox("kim@ver.example")
    assert ask(server, "a@b.example").startswith("250")
    assert "450 4.1.1 <x@far.example>: Recipient address rejected: " \
        "unverified address: " + IN_PROGRESS in \
        ask(server, "a@b.example", "x@far.example")
    server.postern("verify", "set", "x@far.example", "ok")
    until(lambda: ask(server, "a@b.example", "x@far.example")
          .startswith("250"), "a yes")


def test_explain_shows_the_verdict(server):
    server.postern("verify", "set", "x@far.example", "bounce", "gone away")
    told = server.postern(
        "explain", "--client", "192.0.2.9", "--helo", "mx.far.example",
        "--from", "x@far.example", "--to", "kim@ver.example", check=False)
    assert "verdict x@far.example: bounce: gone away" in told.stdout
    assert "undeliverable address: gone away" in told.stdout


def test_an_outage_is_bridged():
    cluster = Cluster()
    server = Instance(cluster, settings={**SETTINGS, "smtpd_workers": "1",
                                         "directory_max_stale": "1h"})
    try:
        server.start()
        server.add_domain("ver.example")
        server.add_mailbox("kim@ver.example")
        server.postern("verify", "set", "ok@far.example", "ok")
        server.postern("verify", "set", "no@far.example", "bounce", "gone")
        assert ask(server, "ok@far.example").startswith("250")
        assert "550 5.1.7" in ask(server, "no@far.example")
        # asked about before, so that the directory knows where it is
        assert IN_PROGRESS in ask(server, "x@far.example")
        cluster.stop()
        assert ask(server, "ok@far.example").startswith("250")
        assert "550 5.1.7" in ask(server, "no@far.example")
        until(lambda: "450 4.1.7 <x@far.example>: Sender address rejected: "
              "address verification problem" in ask(server, "x@far.example"),
              "a temporary failure")
        cluster.start()
        until(lambda: IN_PROGRESS in ask(server, "x@far.example"), "recovery")
        server.check_log()
    finally:
        cluster.start()
        server.destroy()
        cluster.close()
