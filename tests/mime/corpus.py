"""The project's MIME corpus: odd messages, written for it.

MESSAGES maps a name to the bytes of a message. Messages are written here with
LF and made CRLF at the end, but for those given as bytes: they are kept as
they are. `python3 -m tests.mime.corpus DIR` writes them out as files.
"""
import pathlib
import sys

MESSAGES = {}


def add(name, text):
    assert name not in MESSAGES, name
    if isinstance(text, str):
        text = text.encode("utf-8").replace(b"\n", b"\r\n")
    MESSAGES[name] = text


def headers(group, fields, body="body\n"):
    """One message per entry, named `group: entry`."""
    for name, field in fields.items():
        add(f"{group}: {name}", f"{field}\n\n{body}")


def addresses(fields):
    headers("address", {name: f"From: {value}"
                        for name, value in fields.items()})


def types(fields):
    headers("type", {name: f"Content-Type: {value}"
                     for name, value in fields.items()}, "one\ntwo\n")


def contents(fields):
    """Fields of a part that says what it is: some servers look no further
    than Content-Type for one that does not."""
    headers("content", {
        name: field if "Content-Type" in field else
        f"MIME-Version: 1.0\nContent-Type: text/plain\n{field}"
        for name, field in fields.items()})


def mixed(*parts, top="multipart/mixed; boundary=x", end="--x--\n",
          preamble="", epilogue=""):
    return (f"Subject: parts\nContent-Type: {top}\n\n{preamble}" +
            "".join(f"--x\n{part}" for part in parts) + end + epilogue)


TEXT = "Content-Type: text/plain\n\nhello\n"
INNER = "From: in@a.example\nSubject: inner\n\ninner text\n"

# --- subjects and other unstructured fields (RFC 2047, folding) -------------

headers("subject", {
    "plain": "Subject: hello world",
    "absent": "X-None: 1",
    "empty": "Subject:",
    "only spaces": "Subject:    ",
    "encoded q": "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
    "encoded b": "Subject: =?utf-8?B?R3LDvMOfZQ==?=",
    "two encoded words": "Subject: =?utf-8?q?one?= =?utf-8?q?two?=",
    "encoded in the middle": "Subject: a =?iso-8859-1?q?=E9?= b",
    "encoded, language": "Subject: =?us-ascii*en?q?hi?=",
    "encoded, broken": "Subject: =?utf-8?q?never ends",
    "encoded, unknown charset": "Subject: =?x-none?q?a?=",
    "folded": "Subject: one\n two\n three",
    "folded by tab": "Subject: one\n\ttwo",
    "tab inside": "Subject: one\ttwo",
    "folded at once": "Subject:\n late",
    "fold of spaces only": "Subject: one\n  \n two",
    "many spaces": "Subject:  a   b  ",
    "quotes and backslashes": "Subject: \"quoted\" and \\ back\\\\slash",
    "utf-8": "Subject: Grüße",
    "doubled": "Subject: first\nSubject: second",
    "name in capitals": "SUBJECT: loud",
    "space before colon": "Subject : spaced",
    "no space after colon": "Subject:tight",
    "parentheses and braces": "Subject: (a) {5} [b] %* ]",
    "a literal's look": "Subject: {3}",
    "NIL": "Subject: NIL",
    "long": "Subject: " + "word " * 300,
    "very long word": "Subject: " + "x" * 5000,
})
add("subject: latin-1", b"Subject: sch\xf6n\r\n\r\nbody\r\n")
add("subject: NUL", b"Subject: a\0b\r\n\r\nbody\r\n")
add("subject: bare CR", b"Subject: a\rb\r\n\r\nbody\r\n")
add("subject: control characters", b"Subject: a\x01\x7fb\r\n\r\nbody\r\n")

headers("field", {
    "date": "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)",
    "date folded": "Date: Mon, 7 Feb 1994\n 21:52:25 -0800",
    "date nonsense": "Date: yesterday",
    "date empty": "Date:",
    "date doubled": "Date: Mon, 7 Feb 1994 21:52:25 -0800\n"
                    "Date: Tue, 8 Feb 1994 21:52:25 -0800",
    "message-id": "Message-ID: <a@b>",
    "message-id without brackets": "Message-ID: a@b",
    "message-id with spaces": "Message-ID:  < a @ b > ",
    "message-id folded": "Message-ID:\n <a@b>",
    "message-id empty": "Message-ID:",
    "message-id doubled": "Message-ID: <a@b>\nMessage-ID: <c@d>",
    "in-reply-to": "In-Reply-To: <a@b>",
    "in-reply-to with text": "In-Reply-To: Your message of \"Monday\" <a@b>",
    "in-reply-to many": "In-Reply-To: <a@b>\n <c@d>",
    "references only": "References: <a@b> <c@d>",
    "all of them": "Date: Mon, 7 Feb 1994 21:52:25 -0800\n"
                   "From: Fred Foobar <foobar@blurdybloop.example>\n"
                   "Sender: secretary@blurdybloop.example\n"
                   "Reply-To: list@blurdybloop.example\n"
                   "Subject: afternoon meeting\n"
                   "To: mooch@owatagu.example\nCc: c1@x, c2@x\n"
                   "Bcc: secret@x\nIn-Reply-To: <0@x>\nMessage-ID: <1@x>",
})

# --- addresses ---------------------------------------------------------------

addresses({
    "bare": "a@b.example",
    "angle": "<a@b.example>",
    "phrase": "Joe Q. Public <john.q.public@example.com>",
    "quoted phrase": "\"Joe Q. Public\" <a@b>",
    "quoted phrase with quote": "\"a \\\"b\\\" c\\\\d\" <a@b>",
    "empty quoted phrase": "\"\" <a@b>",
    "encoded phrase": "=?utf-8?q?J=C3=B6rg?= <a@b>",
    "two encoded words": "=?utf-8?q?J?= =?utf-8?q?K?= <a@b>",
    "utf-8 phrase": "Jörg <a@b>",
    "utf-8 address": "jörg@bücher.example",
    "comment as name": "a@b (Joe)",
    "comment after angle": "Joe <a@b> (home)",
    "comment before": "(Joe) a@b",
    "nested comment": "a@b (Joe (at home) Public)",
    "comment inside": "Joe (x) Public <a(y)@(z)b>",
    "comment with quoted pair": "a@b (Joe \\) x)",
    "unclosed comment": "a@b (Joe",
    "group": "Team: a@b, Joe <c@d>;",
    "empty group": "Undisclosed recipients:;",
    "group with spaces": "A Group : a@b ;",
    "quoted group": "\"A: Group\": a@b;",
    "group without end": "Team: a@b, c@d",
    "group then more": "Team: a@b;, c@d",
    "two groups": "one: a@b;, two: c@d;",
    "nested group": "one: two: a@b;;",
    "semicolon without group": "a@b; c@d",
    "route": "<@x.example,@y.example:a@b>",
    "route with phrase": "Joe <@x:a@b>",
    "local only": "root",
    "local only in angle": "Joe <root>",
    "domain only": "@b.example",
    "empty angle": "<>",
    "phrase and empty angle": "Joe <>",
    "empty": "",
    "only a comma": ",",
    "commas": ",,a@b,,c@d,,",
    "only a comment": "(nobody)",
    "only a phrase": "Joe Public",
    "two at signs": "a@b@c",
    "quoted local part": "\"john doe\"@b",
    "quoted local part with at": "\"a@x\"@b",
    "domain literal": "a@[192.0.2.1]",
    "ipv6 literal": "Joe <a@[IPv6:2001:db8::1]>",
    "obsolete spaces": "joe . smith @ dom . example",
    "dot at the end": "a.@b",
    "dots in the phrase": "J. R. R. Tolkien <a@b>",
    "folded": "Joe\n Public\n <a@b>",
    "folded in angle": "Joe <a@\n b>",
    "unclosed angle": "Joe <a@b",
    "unclosed quote": "\"Joe <a@b>",
    "angle in angle": "<<a@b>>",
    "text after angle": "Joe <a@b> Public",
    "no separator": "<a@b> <c@d>",
    "backslash in atom": "a\\b@c",
    "capitals kept": "Joe <JOE@Example.COM>",
    "many": ", ".join(f"N{n} <n{n}@x.example>" for n in range(120)),
    "apostrophes": "'joe@x.example' <joe@x.example>",
    "address as phrase": "joe@x.example <joe@x.example>",
    "at in phrase": "joe at x <a@b>",
    "colon in phrase": "Re: Joe <a@b>",
    "tab as space": "Joe\tPublic <a@b>",
})
headers("address field", {
    "sender differs": "From: a@b\nSender: c@d",
    "sender empty": "From: a@b\nSender:",
    "reply-to empty": "From: a@b\nReply-To:",
    "from missing": "Sender: a@b\nReply-To: c@d",
    "to doubled": "To: a@b\nTo: c@d",
    "from doubled": "From: a@b\nFrom: c@d",
    "cc after nothing": "Cc: a@b",
    "bcc empty": "Bcc:",
    "groups in to": "To: friends: a@b, c@d;, e@f\nCc: nobody:;",
})
add("address: NUL", b"From: a\0b <a@b>\r\n\r\nx\r\n")
add("address: latin-1", b"From: J\xf6rg <a@b>\r\n\r\nx\r\n")

# --- Content-Type -------------------------------------------------------------

types({
    "plain": "text/plain",
    "charset": "text/plain; charset=utf-8",
    "charset quoted": "text/plain; charset=\"utf-8\"",
    "capitals": "TEXT/PLAIN; CHARSET=UTF-8",
    "format": "text/plain; charset=us-ascii; format=flowed; delsp=yes",
    "html": "text/html",
    "other": "application/x-odd; a=1; b=2",
    "empty": "",
    "no subtype": "text",
    "no subtype but slash": "text/",
    "no type": "/plain",
    "only parameters": "; charset=utf-8",
    "two slashes": "text/plain/x",
    "garbage": "!!! ???",
    "spaces around slash": "text / plain",
    "comments": "text/plain (really) ; (yes) charset=utf-8 (sure)",
    "parameter without value": "text/plain; charset",
    "parameter with empty value": "text/plain; charset=",
    "parameter with empty quotes": "text/plain; name=\"\"",
    "parameter without name": "text/plain; =utf-8; a=b",
    "spaces around equals": "text/plain; charset = utf-8",
    "no semicolon": "text/plain charset=utf-8",
    "semicolon at the end": "text/plain; charset=utf-8;",
    "semicolons doubled": "text/plain;; charset=utf-8",
    "parameter twice": "text/plain; charset=a; charset=b",
    "unclosed quote": "text/plain; name=\"abc",
    "quoted pairs": "text/plain; name=\"a\\\"b\\\\c\"",
    "value with spaces": "text/plain; name=my file.txt; a=b",
    "value with slash": "text/plain; name=a/b",
    "value with colon": "text/plain; x=a:b",
    "folded": "text/plain;\n charset=utf-8;\n\tname=x",
    "folded in quotes": "text/plain; name=\"a\n b\"",
    "encoded word as name": "text/plain; name=\"=?utf-8?q?=C3=A4?=\"",
    "rfc 2231 charset": "text/plain; name*=utf-8''%C3%A4.txt",
    "rfc 2231 language": "text/plain; title*=us-ascii'en'a%20b",
    "rfc 2231 sections": "text/plain; name*0=abc; name*1=def",
    "rfc 2231 sections, quoted": "text/plain; name*0=\"a b\"; name*1=\"c\"",
    "rfc 2231 sections, encoded":
        "text/plain; name*0*=utf-8''%C3; name*1*=%A4; name*2=.txt",
    "rfc 2231 sections, out of order": "text/plain; name*1=b; name*0=a",
    "rfc 2231 sections, gap": "text/plain; name*0=a; name*2=c",
    "rfc 2231 sections, no first": "text/plain; name*1=b; name*2=c",
    "rfc 2231 beside plain": "text/plain; name=old; name*=utf-8''new",
    "long parameter": "text/plain; name=" + "n" * 2000,
    "many parameters": "text/plain; " + "; ".join(f"p{n}={n}"
                                                  for n in range(60)),
    "utf-8 value": "text/plain; name=\"grüße\"",
    "message/partial": "message/partial; id=x; number=1; total=2",
    "message/external-body": "message/external-body; access-type=URL",
    "message/delivery-status": "message/delivery-status",
    "image": "image/png; name=x.png",
    "multipart without boundary": "multipart/mixed",
    "multipart with empty boundary": "multipart/mixed; boundary=\"\"",
})
headers("type", {
    "doubled": "Content-Type: text/html\nContent-Type: text/plain",
    "space before colon": "Content-Type : text/html",
    "mime-version absent": "Content-Type: text/html; charset=utf-8",
    "mime-version odd": "MIME-Version: 2.0\nContent-Type: text/html",
})
add("type: latin-1 value", b"Content-Type: text/plain; name=\"\xe4\"\r\n\r\nx")
add("type: NUL in value", b"Content-Type: text/plain; name=\"a\0b\"\r\n\r\nx")

# --- the other Content- fields -------------------------------------------------

contents({
    "id": "Content-ID: <part@x>",
    "id without brackets": "Content-ID: part",
    "id empty": "Content-ID:",
    "description": "Content-Description: a picture",
    "description encoded": "Content-Description: =?utf-8?q?=C3=A4?=",
    "description utf-8": "Content-Description: grün",
    "description folded": "Content-Description: one\n two",
    "description empty": "Content-Description:",
    "encoding base64": "Content-Transfer-Encoding: base64",
    "encoding capitals": "Content-Transfer-Encoding: BASE64",
    "encoding unknown": "Content-Transfer-Encoding: x-odd",
    "encoding empty": "Content-Transfer-Encoding:",
    "encoding with comment": "Content-Transfer-Encoding: (x) 8bit (y)",
    "encoding with garbage": "Content-Transfer-Encoding: 7bit; x=y",
    "encoding two words": "Content-Transfer-Encoding: quoted printable",
    "disposition": "Content-Disposition: attachment",
    "disposition with name":
        "Content-Disposition: attachment; filename=\"a b.txt\"",
    "disposition inline, dates": "Content-Disposition: inline; filename=x; "
        "creation-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"; size=10",
    "disposition rfc 2231":
        "Content-Disposition: attachment; filename*=utf-8''%C3%A4",
    "disposition sections":
        "Content-Disposition: attachment; filename*0=a; filename*1=b",
    "disposition empty": "Content-Disposition:",
    "disposition only parameters": "Content-Disposition: ; filename=x",
    "disposition garbage": "Content-Disposition: \"attachment\"; filename=x",
    "disposition without semicolon":
        "Content-Disposition: attachment filename=x",
    "language": "Content-Language: en",
    "languages": "Content-Language: en, de (German), fr",
    "language empty": "Content-Language:",
    "language odd": "Content-Language: en de",
    "language commas": "Content-Language: ,en,,de,",
    "location": "Content-Location: http://x.example/a",
    "location folded": "Content-Location: http://x.example/\n a",
    "location empty": "Content-Location:",
    "md5": "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==",
    "md5 empty": "Content-MD5:",
    "md5 with comment": "Content-MD5: (x) Q2hlY2s=",
    "all": "Content-Type: image/png; name=x\nContent-ID: <i@x>\n"
           "Content-Description: pic\nContent-Transfer-Encoding: base64\n"
           "Content-Disposition: inline; filename=y\nContent-Language: en\n"
           "Content-Location: loc\nContent-MD5: abc",
    "doubled": "Content-ID: <1@x>\nContent-ID: <2@x>\n"
               "Content-Description: 1\nContent-Description: 2",
})

add("content: without a type", "Content-Transfer-Encoding: base64\n"
    "Content-ID: <i@x>\n\nYQ==\n")
add("content: only mime-version", "MIME-Version: 1.0\n"
    "Content-Transfer-Encoding: base64\nContent-ID: <i@x>\n\nYQ==\n")

# --- headers as a whole ----------------------------------------------------------

add("header: nothing at all", b"")
add("header: only an empty line", b"\r\n")
add("header: no body", "Subject: x\n\n")
add("header: no empty line", "Subject: x\n")
add("header: no line end", b"Subject: x")
add("header: LF lines", b"Subject: x\nContent-Type: text/html\n\none\ntwo\n")
add("header: mixed line ends", b"Subject: x\nFrom: a@b\r\n\none\r\ntwo\n")
add("header: a line without colon", "Subject: x\nnonsense\nFrom: a@b\n\nx\n")
add("header: begins with a fold", " folded\nSubject: x\n\nx\n")
add("header: mbox From line", "From a@b Mon Feb  7 21:52:25 1994\n"
    "Subject: x\n\nx\n")
add("header: colon first", ": x\nSubject: y\n\nx\n")
add("header: body only", "\njust a body\n")
add("header: white line is no end", "Subject: x\n \nFrom: a@b\n\nx\n")
add("header: many fields", "".join(f"X-{n}: {n}\n" for n in range(2000)) +
    "Subject: last\n\nx\n")
add("header: long line", "X-Long: " + "y" * 100000 + "\nSubject: x\n\nx\n")
add("header: much folded", "To: " + ",\n ".join(
    f"n{n}@x.example" for n in range(500)) + "\n\nx\n")

# --- bodies ------------------------------------------------------------------------

add("body: no last line end", b"Subject: x\r\n\r\none\r\ntwo")
add("body: 8-bit", "Content-Type: text/plain; charset=utf-8\n"
    "Content-Transfer-Encoding: 8bit\n\nGrüße\n")
add("body: 8-bit undeclared", b"Subject: x\r\n\r\n\xff\xfe\r\n")
add("body: NULs", b"Subject: x\r\n\r\na\0b\0\r\n")
add("body: bare LF", b"Subject: x\r\n\r\none\ntwo\r\nthree\n")
add("body: bare CR", b"Subject: x\r\n\r\none\rtwo\r\n")
add("body: long line", "Subject: x\n\n" + "z" * 200000 + "\n")
add("body: many lines", "Subject: x\n\n" + "\n" * 5000)
add("body: looks like a boundary", "Subject: x\n\n--x\n\nhello\n--x--\n")

# --- multiparts ----------------------------------------------------------------------

add("multipart: two parts", mixed(TEXT, "Content-Type: text/html\n\n<p>\n"))
add("multipart: one part", mixed(TEXT))
add("multipart: no parts", mixed())
add("multipart: no parts, no boundary line", mixed(end="nothing\n"))
add("multipart: nothing behind the header", mixed(end=""))
add("multipart: empty part", mixed("\n"))
add("multipart: part of nothing", mixed(""))
add("multipart: part is only a header", mixed("Content-Type: text/html\n"))
add("multipart: part with header and empty body",
    mixed("Content-Type: text/html\n\n"))
add("multipart: preamble and epilogue",
    mixed(TEXT, preamble="pre\n", epilogue="post\n"))
add("multipart: epilogue with boundary", mixed(TEXT, epilogue="--x\n\nz\n"))
add("multipart: never ends", mixed(TEXT, TEXT, end=""))
add("multipart: ends without line end", mixed(TEXT, end="--x--"))
add("multipart: ends in a boundary", mixed(TEXT, end="--x\n"))
add("multipart: ends in a torn boundary", mixed(TEXT, end="--x-\n"))
add("multipart: spaces behind boundary", mixed(TEXT, end="--x  \n\nb\n--x--\n"))
add("multipart: longer boundary", mixed(TEXT, "\na\n--xy\n\nb\n"))
add("multipart: boundary in a line", mixed("\na --x\nb\n"))
add("multipart: quoted boundary",
    mixed(TEXT, top="multipart/mixed; boundary=\"x\""))
add("multipart: boundary with spaces",
    "Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\n\nx\n--a b--\n")
add("multipart: boundary with specials",
    "Content-Type: multipart/mixed; boundary=\"=_(x:y)?\"\n\n"
    "--=_(x:y)?\n\nx\n--=_(x:y)?--\n")
add("multipart: unquoted specials", "Content-Type: multipart/mixed; "
    "boundary=a=b:c\n\n--a=b:c\n\nx\n--a=b:c--\n")
add("multipart: long boundary", "Content-Type: multipart/mixed; boundary=" +
    "b" * 70 + "\n\n--" + "b" * 70 + "\n\nx\n--" + "b" * 70 + "--\n")
add("multipart: boundary over 70", "Content-Type: multipart/mixed; boundary="
    + "b" * 100 + "\n\n--" + "b" * 100 + "\n\nx\n--" + "b" * 100 + "--\n")
add("multipart: other boundary used",
    mixed(top="multipart/mixed; boundary=y", end="--x\n\na\n--x--\n"))
add("multipart: boundary of other case",
    mixed(top="multipart/mixed; boundary=X", end="--x\n\na\n--x--\n"))
add("multipart: boundary parameter twice",
    mixed(TEXT, top="multipart/mixed; boundary=x; boundary=y"))
add("multipart: boundary in sections",
    mixed(TEXT, top="multipart/mixed; boundary*0=x; boundary*1=\"\""))
add("multipart: empty lines around", mixed("\n\n\na\n\n\n"))
add("multipart: alternative",
    mixed(TEXT, "Content-Type: text/html\n\n<p>\n",
          top="multipart/alternative; boundary=x"))
add("multipart: unknown subtype",
    mixed(TEXT, top="multipart/x-odd; boundary=x; a=b"))
add("multipart: related with parameters", mixed(
    TEXT, top="multipart/related; boundary=x; type=\"text/html\"; start=\"<a>\""))
add("multipart: with its own fields",
    "Content-Type: multipart/mixed; boundary=x\nContent-ID: <m@x>\n"
    "Content-Description: many\nContent-Disposition: inline; a=b\n"
    "Content-Language: en\nContent-Location: here\nContent-MD5: x\n\n"
    "--x\n\na\n--x--\n")
add("multipart: base64 declared",
    "Content-Type: multipart/mixed; boundary=x\n"
    "Content-Transfer-Encoding: base64\n\n--x\n\na\n--x--\n")
add("multipart: digest", mixed(
    "\n" + INNER, "\n" + INNER, top="multipart/digest; boundary=x"))
add("multipart: digest with a text part", mixed(
    TEXT, "\n" + INNER, top="multipart/digest; boundary=x"))
add("multipart: digest, header only fields", mixed(
    "Content-Description: d\n\n" + INNER,
    top="multipart/digest; boundary=x"))
add("multipart: signed", mixed(
    TEXT, "Content-Type: application/pgp-signature\n\nsig\n",
    top="multipart/signed; boundary=x; micalg=pgp-sha1; "
        "protocol=\"application/pgp-signature\""))
add("multipart: report", mixed(
    TEXT, "Content-Type: message/delivery-status\n\n"
    "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b\n",
    "Content-Type: message/rfc822\n\n" + INNER,
    top="multipart/report; boundary=x; report-type=delivery-status"))
add("multipart: many parts", mixed(*[TEXT] * 90))

NESTED = ("Content-Type: multipart/alternative; boundary=y\n\n"
          "--y\n\na\n--y\nContent-Type: text/html\n\n<p>\n--y--\n")
add("nested: multipart in multipart", mixed(NESTED, TEXT))
add("nested: inner last", mixed(TEXT, NESTED))
add("nested: inner never ends", mixed(
    "Content-Type: multipart/alternative; boundary=y\n\n--y\n\na\n", TEXT))
add("nested: outer ends first", mixed(
    "Content-Type: multipart/alternative; boundary=y\n\n--y\n\na\n",
    epilogue="--y--\n"))
add("nested: same boundary", mixed(
    "Content-Type: multipart/alternative; boundary=x\n\n--x\n\na\n--x--\n",
    TEXT))
add("nested: inner boundary begins with the outer", mixed(
    "Content-Type: multipart/alternative; boundary=xy\n\n"
    "--xy\n\na\n--xy--\n", TEXT))
add("nested: outer boundary begins with the inner",
    "Content-Type: multipart/mixed; boundary=xy\n\n--xy\n"
    "Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n--x--\n"
    "--xy\n\nb\n--xy--\n")
add("nested: inner with epilogue", mixed(NESTED + "epilogue\n", TEXT))
add("nested: inner without boundary", mixed(
    "Content-Type: multipart/mixed\n\na\n", TEXT))
add("nested: ten deep", "".join(
    f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"
    for n in range(10)) + "\ndeep\n" + "".join(
    f"--b{n}--\n" for n in reversed(range(10))))

# --- messages in messages ---------------------------------------------------------------

MESSAGE = "Content-Type: message/rfc822\n"
add("message: attached", mixed(MESSAGE + "\n" + INNER))
add("message: forwarded as it is", MESSAGE + "Subject: outer\n\n" + INNER)
add("message: in a message in a message",
    MESSAGE + "\n" + MESSAGE + "\n" + INNER)
add("message: with multipart", MESSAGE + "\n" + mixed(TEXT, TEXT))
add("message: multipart in message in multipart",
    mixed(MESSAGE + "\n" + NESTED, TEXT))
add("message: empty", MESSAGE + "\n")
add("message: empty in a multipart", mixed(MESSAGE + "\n", TEXT))
add("message: only a header", MESSAGE + "\nSubject: inner\n")
add("message: only a body", MESSAGE + "\n\ninner body\n")
add("message: inner ends with the outer", mixed(
    MESSAGE + "\nSubject: torn\n", TEXT))
add("message: base64", MESSAGE + "Content-Transfer-Encoding: base64\n\n"
    "U3ViamVjdDogeAoKeQo=\n")
add("message: quoted-printable", MESSAGE +
    "Content-Transfer-Encoding: quoted-printable\n\n" + INNER)
add("message: 8bit", MESSAGE + "Content-Transfer-Encoding: 8bit\n\n" + INNER)
add("message: with fields of its own", mixed(
    MESSAGE + "Content-ID: <m@x>\nContent-Description: fwd\n"
    "Content-Disposition: attachment; filename=m.eml\n"
    "Content-Language: en\nContent-MD5: m\n\n" + INNER))
add("message: parameters", mixed(
    "Content-Type: message/rfc822; name=\"x.eml\"\n\n" + INNER))
add("message: odd inner envelope", mixed(
    MESSAGE + "\nFrom: Team: a@b;\nTo: (x) c@d\nSubject: =?utf-8?q?a?=\n"
    "Date: never\n\nx\n"))
add("message: message/global", mixed(
    "Content-Type: message/global\n\n" + INNER))
add("message: message/news", mixed("Content-Type: message/news\n\n" + INNER))
add("message: boundary of the outer inside", mixed(
    MESSAGE + "\n" + mixed(TEXT, end=""), TEXT))


def write(where):
    where = pathlib.Path(where)
    where.mkdir(parents=True, exist_ok=True)
    for number, (name, content) in enumerate(MESSAGES.items(), 1):
        clean = "".join(c if c.isalnum() else "-" for c in name)
        (where / f"{number:03}-{clean}.eml").write_bytes(content)


if __name__ == "__main__":
    write(sys.argv[1])
