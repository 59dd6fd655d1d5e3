"""`sleep` in a restriction list makes a client wait, and nobody else."""
import time

from tests.harness.wait import until


def test_who_does_not_wait_is_found_out(fresh_postern):
    server = fresh_postern(settings={
        "smtpd_delay_reject": "no",
        "smtpd_client_restrictions": "sleep 8, reject_unauth_pipelining"})
    began = time.monotonic()
    impatient = server.smtp(helo=None)
    patient = [server.smtp(helo=None) for _ in range(4)]
    # Connected, but not greeted: none of the first bytes is early yet.
    until(lambda: len(server.log_lines(": connect from ")) == 5,
          "five connections")
    impatient.send("EHLO client.example\r\n")
    for wire in patient:
        wire.greeted()
    # Five naps of eight seconds ran at the same time.
    assert 7.9 < time.monotonic() - began < 30
    reply = impatient.reply()
    assert reply.code == 503 and "command pipelining" in str(reply)
    for wire in [impatient, *patient]:
        wire.close()


def test_a_client_that_goes_while_it_sleeps_leaves_nothing(fresh_postern):
    server = fresh_postern(settings={
        "smtpd_sender_restrictions": "sleep 1"})
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example")
    wire = server.smtp()
    wire.expect("MAIL FROM:<x@y.example>", 250)
    wire.send("RCPT TO:<kim@a.example>\r\n")
    wire.close()
    server.wait_for_log("lost connection after RCPT from")
    with server.smtp() as other:
        other.envelope("x@y.example", "kim@a.example")
