"""Access tables and the checks of form decide at RCPT, over the wire."""
from tests.harness.wait import until

TABLE = """\
bad.example\tREJECT no mail from there
slow.example\t450 4.2.0 wait
bye.example\t521 5.7.1 bye
watched.example\tWARN look at this
listed.example\treject_non_fqdn_helo_hostname
"""

SENDERS = {
    "x@good.example": "250",
    "x@sub.bad.example": "554 5.7.1 <x@sub.bad.example>: Sender address "
                         "rejected: no mail from there",
    "x@slow.example": "450 4.2.0 <x@slow.example>: Sender address rejected: "
                      "wait",
    "x@watched.example": "250",
    "x@listed.example": "504 5.5.2 <bogus>: Helo command rejected: need "
                        "fully-qualified hostname",
    "x@nodots": "504 5.5.2 <x@nodots>: Sender address rejected: need "
                "fully-qualified address",
}


def make(fresh_postern):
    server = fresh_postern(start=False)
    table = server.dir / "access"
    table.write_text(TABLE)
    table.chmod(0o644)
    server.set("smtpd_recipient_restrictions",
               f"check_sender_access hash:{table}, reject_non_fqdn_sender")
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example")
    return server, table


def ask(server, sender):
    with server.smtp(helo="EHLO bogus") as wire:
        wire.expect(f"MAIL FROM:<{sender}>", 250)
        return str(wire.cmd("RCPT TO:<kim@a.example>"))


def test_the_sender_decides(fresh_postern):
    server, _ = make(fresh_postern)
    for sender, want in SENDERS.items():
        assert want in ask(server, sender), sender
    line = server.wait_for_log("NOQUEUE: warn: RCPT from")
    assert "look at this" in str(line)


def test_521_ends_the_connection(fresh_postern):
    server, _ = make(fresh_postern)
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<x@bye.example>", 250)
        wire.expect("RCPT TO:<kim@a.example>", 521)
        assert wire.at_end()


def test_a_reload_reads_the_table_again(fresh_postern):
    server, table = make(fresh_postern)
    assert "250" in ask(server, "x@good.example")
    table.write_text("good.example REJECT\n")
    server.postern("reload")
    until(lambda: "554 5.7.1" in ask(server, "x@good.example"),
          "the new table")


def test_no_stranger_sends_as_our_user(fresh_postern):
    server = fresh_postern(settings={
        "smtpd_sender_restrictions":
            "reject_sender_login_mismatch, reject_unlisted_sender"})
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example")
    assert "553 5.7.1 <kim@a.example>: Sender address rejected: not logged " \
        "in" in ask(server, "kim@a.example")
    assert "550 5.1.0 <no@a.example>: Sender address rejected: User unknown" \
        in ask(server, "no@a.example")
    assert "250" in ask(server, "x@elsewhere.example")
