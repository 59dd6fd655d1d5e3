"""What is stored: our Received header, the text as sent, large or small; our own
users' messages with the fields they lack."""
import base64
import re

import pytest

SENDER = "anna@sender.example"


def stored(postern, who):
    path, = postern.wait_for_messages(who, 1)
    return path.read_bytes().replace(b"\r\n", b"\n")


def test_the_received_header_is_postfix_worded(postern, kim):
    mark = postern.log_mark()
    postern.send(SENDER, kim)
    head = stored(postern, kim).decode()
    assert re.search(
        r"Received: from client\.example \(\S+ \[127\.0\.0\.1\]\)\n"
        r"\tby mx\.test\.example \(Postern\) with ESMTP id \w{12}\n"
        rf"\tfor <{re.escape(kim)}>; \w{{3}}, [ \d]\d \w{{3}} \d{{4}} "
        r"\d\d:\d\d:\d\d [+-]\d{4} \(\w+\)\n", head)
    queue_id = re.search(r"with ESMTP id (\w+)", head).group(1)
    postern.wait_for_log(rf"{queue_id}: client=", mark)


def test_two_recipients_do_not_learn_of_each_other(postern, domain, kim):
    lee = f"lee@{domain}"
    postern.add_mailbox(lee)
    postern.send(SENDER, [kim, lee])
    for who in (kim, lee):
        received = stored(postern, who).split(b"\nFrom:")[0]
        assert b"with ESMTP id" in received and b"for <" not in received


def test_aliases_into_one_mailbox_give_one_copy(postern, domain, kim):
    postern.add_alias(f"a1@{domain}", kim)
    postern.add_alias(f"a2@{domain}", kim)
    postern.send(SENDER, [f"a1@{domain}", kim, f"a2@{domain}"])
    postern.send(SENDER, kim, subject="marker")
    assert len(postern.wait_for_messages(kim, 2)) == 2


@pytest.mark.parametrize("size", [1, 5000, 64 * 1024, 300 * 1024,
                                  3 * 1024 * 1024])
def test_texts_of_every_size_arrive_unchanged(postern, kim, size):
    line = b"0123456789abcdef" * 4 + b"\r\n"
    body = (line * (size // len(line) + 1))[:size].rstrip(b"\r\n") + b"\r\n"
    with postern.smtp() as wire:
        wire.envelope(SENDER, kim)
        wire.expect("DATA", 354)
        wire.send(b"Subject: big\r\n\r\n" + body + b".\r\n")
        assert wire.reply().code == 250
    text = stored(postern, kim)
    assert text.endswith(b"\nSubject: big\n\n" + body.replace(b"\r\n", b"\n"))


def test_a_text_in_chunks_arrives_unchanged(postern, kim):
    parts = [b"Subject: parts\r\n", b"\r\n.\r\n", b"..\r\n", b"end\r\n"]
    with postern.smtp() as wire:
        wire.envelope(SENDER, kim)
        for part in parts:
            wire.send(b"BDAT %d\r\n" % len(part) + part)
            assert wire.reply().code == 250
        wire.expect("BDAT 0 LAST", 250)
    assert stored(postern, kim).endswith(b"Subject: parts\n\n.\n..\nend\n")


def test_a_loop_is_refused(postern, kim):
    with postern.smtp() as wire:
        wire.envelope(SENDER, kim)
        wire.expect("DATA", 354)
        wire.send(b"Received: again\r\n" * 51 + b"\r\nx\r\n.\r\n")
        reply = wire.reply()
        assert (reply.code, reply.enhanced) == (554, "5.4.0")


def test_more_than_a_thousand_recipients_are_put_off(postern, domain, kim):
    for i in range(3):
        postern.add_alias(f"many{i}@{domain}", kim)
    with postern.smtp() as wire:
        wire.expect(f"MAIL FROM:<{SENDER}>", 250)
        for i in range(1000):
            wire.send(f"RCPT TO:<many{i % 3}@{domain}>\r\n".encode())
        assert {wire.reply().code for _ in range(1000)} == {250}
        reply = wire.cmd(f"RCPT TO:<{kim}>")
        assert (reply.code, reply.enhanced) == (452, "4.5.3")
        wire.expect("DATA", 354)
        wire.send(b"Subject: many\r\n\r\n.\r\n")
        assert wire.reply().code == 250
    assert len(postern.wait_for_messages(kim, 1)) == 1


def submit(postern, kim, text):
    """By Kim, to herself; the log's mark from before."""
    mark = postern.log_mark()
    token = base64.b64encode(f"\0{kim}\0secret".encode()).decode()
    with postern.smtp("submission") as wire:
        wire.starttls()
        wire.expect("EHLO client.example", 250)
        wire.expect(f"AUTH PLAIN {token}", 235)
        wire.envelope(kim, kim)
        assert wire.data(text).code == 250
    return mark


def test_our_users_messages_get_the_fields_they_lack(postern, kim):
    mark = submit(postern, kim, b"Subject: bare\r\nfrom: x@y.example\r\n\r\nhi")
    text = stored(postern, kim).decode()
    added = re.search(r"\nSubject: bare\nfrom: x@y\.example\n"
                      r"Date: (\w{3}, [ \d]\d \w{3} \d{4} [\d:]{8} .*)\n"
                      r"Message-ID: (<\d{14}\.\w{12}@mx\.test\.example>)\n"
                      r"\nhi\n$", text)
    assert added and f"; {added.group(1)}\n" in text    # Received's
    postern.wait_for_log(r"message-id=" + re.escape(added.group(2)), mark)


def test_a_message_without_header_is_completed(postern, kim):
    submit(postern, kim, b"hello there")
    assert re.search(rf"\nDate: .*\nFrom: {re.escape(kim)}\n"
                     r"Message-ID: <.*>\n\nhello there\n$",
                     stored(postern, kim).decode())


def test_others_messages_stay_as_they_are(postern, kim):
    with postern.smtp() as wire:
        wire.envelope(SENDER, kim)
        assert wire.data(b"Subject: bare\r\n\r\nhi").code == 250
    assert stored(postern, kim).endswith(b"(UTC)\nSubject: bare\n\nhi\n")


def test_others_messages_are_completed_when_asked(fresh_postern):
    server = fresh_postern(settings={"always_add_missing_headers": "yes"})
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example")
    with server.smtp() as wire:
        wire.envelope(SENDER, "kim@a.example")
        assert wire.data(b"Subject: bare\r\n\r\nhi").code == 250
    assert f"\nFrom: {SENDER}\nMessage-ID: <" in \
        stored(server, "kim@a.example").decode()
