"""Letters that the conversations speak of."""


def lines(*text):
    return "".join(line + "\r\n" for line in text).encode()


def body(lines_wanted, size):
    """So many lines in so many octets."""
    each = size // lines_wanted
    full = ("x" * (each - 2) + "\r\n") * (lines_wanted - 1)
    return (full + "x" * (size - len(full) - 2) + "\r\n").encode()


LETTERS = {
    # RFC 3501 8: 342 octets of header, 3028 of body in 92 lines
    "terry": lines(
        "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)",
        "From: Terry Gray <gray@cac.washington.edu>",
        "Subject: IMAP4rev1 WG mtg summary and minutes",
        "To: imap@cac.washington.edu",
        "cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>",
        "Message-Id: <B27397-0100000@cac.washington.edu>",
        "MIME-Version: 1.0",
        "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII",
        "") + body(92, 3028),
    # RFC 3501 6.3.11
    "fred": lines(
        "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)",
        "From: Fred Foobar <foobar@Blurdybloop.COM>",
        "Subject: afternoon meeting",
        "To: mooch@owatagu.siam.edu",
        "Message-Id: <B27397-0100000@Blurdybloop.COM>",
        "MIME-Version: 1.0",
        "Content-Type: TEXT/PLAIN; CHARSET=US-ASCII",
        "",
        "Hello Joe, do you think we can meet at 3:30 tomorrow?",
        ""),
    "smith": lines(
        "From: Smith <smith@x.example>", "To: Bob <bob@y.example>",
        "Subject: From the =?iso-8859-1?q?Stra=DFe?=",
        "Date: Tue, 1 Feb 1994 10:00:00 +0000", "Message-ID: <1@x.example>",
        "", "a body"),
    "reply": lines(
        "From: Bob <bob@y.example>", "To: Smith <smith@x.example>",
        "Cc: all@y.example", "Bcc: hidden@y.example",
        "Subject: Re: From the =?iso-8859-1?q?Stra=DFe?=",
        "Date: Wed, 2 Feb 1994 10:00:00 +0000", "Message-ID: <2@y.example>",
        "In-Reply-To: <1@x.example>", "References: <1@x.example>",
        "X-Loop: yes",
        "", "a longer body, with an answer in it"),
    # RFC 3501 6.4.5: parts 1 to 4.2.2
    "parts": lines(
        "From: a@x.example", "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=top", "",
        "--top", "Content-Type: text/plain", "", "part 1",
        "--top", "Content-Type: application/octet-stream",
        "Content-Transfer-Encoding: base64", "", "AAECAw==",
        "--top", "Content-Type: message/rfc822", "",
        "Subject: part 3", "Content-Type: multipart/mixed; boundary=in", "",
        "--in", "", "part 3.1",
        "--in", "Content-Type: application/octet-stream", "", "part 3.2",
        "--in--",
        "--top", "Content-Type: multipart/mixed; boundary=four", "",
        "--four", "Content-Type: image/gif", "", "part 4.1",
        "--four", "Content-Type: message/rfc822", "",
        "Subject: part 4.2", "Content-Type: multipart/alternative; "
        "boundary=deep", "",
        "--deep", "Content-Type: text/plain", "", "part 4.2.1",
        "--deep", "Content-Type: text/richtext", "", "part 4.2.2",
        "--deep--",
        "--four--", "--top--"),
}
