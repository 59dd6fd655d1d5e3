"""Mail comes in by SMTP, lies in the maildir, and is read over IMAP."""
import email
import imaplib
import re
import shutil
import smtplib
import ssl
import subprocess

import pytest


def unchecked():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_smtplib_delivers_into_the_maildir(postern, kim):
    with smtplib.SMTP(*postern.address("mx")) as client:
        client.sendmail("anna@sender.example", [kim],
                        f"From: anna@sender.example\r\nTo: {kim}\r\n"
                        "Subject: hello\r\n\r\nfirst line\r\n")
    path, = postern.wait_for_messages(kim, 1)
    message = email.message_from_bytes(path.read_bytes())
    assert message["Subject"] == "hello"
    assert message["Return-Path"] == "<anna@sender.example>"
    assert message["Received"].startswith("from ")
    assert message.get_payload().replace("\r\n", "\n") == "first line\n"
    assert path.parent.name == "new"


def test_the_log_tells_the_story_in_postfix_words(postern, kim):
    mark = postern.log_mark()
    queue_id = postern.send("anna@sender.example", kim)
    postern.wait_for_messages(kim, 1)
    assert re.fullmatch(r"[0-9A-Za-z]+", queue_id)
    for pattern in (
            rf"postern/smtpd\[\d+\]: {queue_id}: client=\S+\[127\.0\.0\.1\]",
            rf"postern/qmgr\[\d+\]: {queue_id}: "
            r"from=<anna@sender\.example>, size=\d+, nrcpt=1 \(queue active\)",
            rf"{queue_id}: to=<{re.escape(kim)}>, .*relay=\w+.*, "
            r"delay=[\d.]+, delays=[\d./]+, dsn=2\.0\.0, status=sent \(",
            rf"postern/qmgr\[\d+\]: {queue_id}: removed"):
        postern.wait_for_log(pattern, mark)


def test_the_queue_id_is_in_the_file_name(postern, kim):
    queue_id = postern.send("anna@sender.example", kim)
    path, = postern.wait_for_messages(kim, 1)
    assert queue_id in path.name


BODIES = {
    "dots": b".\r\n..\r\n...\r\n.x\r\n",
    "long_line": b"x" * 998 + b"\r\n",
    "eight_bit": bytes(range(128, 256)) + b"\r\n",
    "no_last_newline": b"end without line end",
    "empty_lines": b"\r\n" * 100,
    "looks_like_mbox": b"From nobody Thu Nov 20\r\n>From me\r\n",
    "a_megabyte": b"0123456789abcdef" * 4 * 16384 + b"\r\n",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_arrives_byte_for_byte(postern, kim, name):
    body = re.sub(rb"(.{900})(?=.)", rb"\1\r\n", BODIES[name])
    head = b"Subject: " + name.encode() + b"\r\n\r\n"
    stuffed = re.sub(rb"(?m)^\.", b"..", head + body)
    with postern.smtp() as wire:
        wire.envelope("anna@sender.example", kim)
        wire.expect("DATA", 354)
        wire.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n"))
        wire.send(b".\r\n")
        assert wire.reply().code == 250
    path, = postern.wait_for_messages(kim, 1)
    stored = path.read_bytes()
    stored = stored.replace(b"\r\n", b"\n")
    wanted = (head + body).replace(b"\r\n", b"\n")
    wanted += b"" if wanted.endswith(b"\n") else b"\n"
    assert stored.endswith(wanted)
    assert stored[:-len(wanted)].endswith(b"\n")


def test_several_recipients_get_one_copy_each(postern, domain, kim, lee):
    postern.add_alias(f"both@{domain}", kim, lee)
    postern.add_alias(f"again@{domain}", f"both@{domain}", kim)
    postern.send("anna@sender.example",
                 [f"again@{domain}", kim, f"both@{domain}"],
                 subject="once")
    postern.send("anna@sender.example", [kim, lee], subject="marker")
    assert len(postern.wait_for_messages(kim, 2)) == 2
    assert len(postern.wait_for_messages(lee, 2)) == 2


def test_imaplib_reads_what_smtp_delivered(postern, kim):
    postern.send("anna@sender.example", kim, subject="read me")
    postern.wait_for_messages(kim, 1)
    with imaplib.IMAP4_SSL(*postern.address("imaps"),
                           ssl_context=unchecked()) as client:
        assert client.login(kim, "secret")[0] == "OK"
        assert client.select()[1] == [b"1"]
        assert client.search(None, "SUBJECT", '"read me"')[1] == [b"1"]
        answer = client.fetch("1", "(FLAGS BODY[])")[1]
        message = email.message_from_bytes(answer[0][1])
        assert message["Subject"] == "read me"
        client.store("1", "+FLAGS", r"(\Deleted)")
        assert client.expunge()[0] == "OK"
        assert client.select()[1] == [b"0"]
    assert postern.messages(kim) == []


def test_a_wrong_password_is_refused(postern, kim):
    with imaplib.IMAP4_SSL(*postern.address("imaps"),
                           ssl_context=unchecked()) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login(kim, "wrong")
        assert client.login(kim, "secret")[0] == "OK"


def test_swaks_sends(postern, kim):
    if not shutil.which("swaks"):
        pytest.skip("swaks is not installed")
    done = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port",
         str(postern.port("mx")), "--from", "anna@sender.example", "--to",
         kim, "--header", "Subject: by swaks", "--tls-optional"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    path, = postern.wait_for_messages(kim, 1)
    assert b"Subject: by swaks" in path.read_bytes()


def test_swaks_submits_with_tls_and_auth(postern, kim, lee):
    if not shutil.which("swaks"):
        pytest.skip("swaks is not installed")
    done = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port",
         str(postern.port("submission")), "--tls", "--auth", "PLAIN",
         "--auth-user", kim, "--auth-password", "secret", "--from", kim,
         "--to", lee], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    postern.wait_for_messages(lee, 1)


def test_submission_then_imap_by_the_standard_library(postern, kim, lee):
    with smtplib.SMTP(*postern.address("submission")) as client:
        client.starttls(context=unchecked())
        client.login(kim, "secret")
        client.sendmail(kim, [lee], f"From: {kim}\r\nTo: {lee}\r\n"
                        "Subject: lunch\r\n\r\nat one?\r\n")
    postern.wait_for_messages(lee, 1)
    with imaplib.IMAP4_SSL(*postern.address("imaps"),
                           ssl_context=unchecked()) as client:
        client.login(lee, "secret")
        client.select()
        answer = client.fetch("1", "(BODY[TEXT])")[1]
        assert answer[0][1].strip() == b"at one?"


def test_unknown_recipients_are_refused_in_session(postern, domain, kim):
    with postern.smtp() as wire:
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        reply = wire.cmd(f"RCPT TO:<nobody@{domain}>")
        assert reply.code == 550 and reply.enhanced == "5.1.1"
        wire.expect(f"RCPT TO:<{kim}>", 250)
