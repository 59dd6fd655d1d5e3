"""The mail log says what Postfix's would say, so that its tools read it."""


def test_a_session_is_logged_as_postfix_logs_it(postern, kim):
    mark = postern.log_mark()
    queue_id = postern.send("anna@sender.example", kim)
    line = postern.wait_for_log(rf"smtpd\[\d+\]: {queue_id}: client=", mark)
    assert queue_id.isalnum() and len(queue_id) == 12
    process = line.split(": ")[0].split()[-1]
    text = postern.log_text(mark)
    text = text[:text.index(f"{queue_id}: client=")]
    assert f"{process}: connect from " in text
    postern.wait_for_log(r"smtpd\[\d+\]: disconnect from \S+\[127\.0\.0\.1\] "
                         r"ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
                         mark)


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
