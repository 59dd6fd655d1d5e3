"""The mail log says what Postfix's would say, so that its tools read it."""


def test_a_session_is_logged_as_postfix_logs_it(postern, kim):
    mark = postern.log_mark()
    postern.send("anna@sender.example", kim)
    postern.wait_for_log(r"smtpd\[\d+\]: disconnect from \S+\[127\.0\.0\.1\] "
                         r"ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
                         mark)
    text = postern.log_text(mark)
    assert "connect from " in text
    line, = postern.log_lines(r"smtpd\[\d+\]: \w+: client=", mark)
    queue_id = line.split(": ")[1]
    assert queue_id.isalnum() and len(queue_id) == 12


def test_failed_commands_are_counted(postern, domain):
    mark = postern.log_mark()
    with postern.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        wire.expect(f"RCPT TO:<nobody@{domain}>", 550)
        wire.cmd("NONSENSE")
        wire.expect("QUIT", 221)
    postern.wait_for_log(r"disconnect from \S+ ehlo=1 mail=1 rcpt=0/1 quit=1 "
                         r"unknown=0/1 commands=3/5", mark)


def test_a_client_that_vanishes_is_told_of(postern):
    mark = postern.log_mark()
    with postern.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        wire.close()
    postern.wait_for_log(r"lost connection after MAIL from \S+\[127\.0\.0\.1\]",
                         mark)
