"""What one client may do per time unit, and how many errors a session may
have. Each dialogue has a client of its own: rates outlive a session."""
from .talk import Group

GROUPS = []
EHLO = "EHLO mx.good.example"
MAIL = "MAIL FROM:<x@good.example>"
RCPT = "RCPT TO:<kim@a.example>"
TEXT = ".Subject: x\n\nx"


def group(name, **settings):
    GROUPS.append(Group(name, **settings))
    return GROUPS[-1]


def client(number):
    return f"198.51.100.{number}"


group("limits_mail", smtpd_client_message_rate_limit="2") \
    .talk("three", EHLO, MAIL, "RSET", MAIL, "RSET", MAIL, MAIL, RCPT,
          client=client(10)) \
    .talk("syntax", EHLO, *["MAIL FOO"] * 3, *["MAIL FROM:<a b>"] * 2, MAIL,
          client=client(11)) \
    .talk("nested", EHLO, MAIL, MAIL, MAIL, "RSET", MAIL, "RSET", MAIL,
          client=client(12)) \
    .talk("refused", EHLO, *["MAIL FROM:<x@good.example> SIZE=999999999999"]
          * 2, MAIL, client=client(13)) \
    .talk("mynetworks", EHLO, *[MAIL, "RSET"] * 4, client="203.0.113.7")

group("limits_mail_early", smtpd_client_message_rate_limit="1",
      smtpd_helo_required="yes", smtpd_delay_reject="no",
      smtpd_sender_restrictions="reject") \
    .talk("no HELO", MAIL, MAIL, EHLO, MAIL, MAIL, client=client(14))

group("limits_rcpt", smtpd_client_recipient_rate_limit="3",
      smtpd_recipient_limit="2") \
    .talk("four", EHLO, MAIL, RCPT, "RCPT TO:<nobody@a.example>", RCPT, RCPT,
          "DATA", TEXT, MAIL, RCPT, client=client(20)) \
    .talk("syntax", EHLO, RCPT, MAIL, *["RCPT FOO"] * 4,
          *["RCPT TO:<a b>"] * 2, RCPT, RCPT, client=client(21)) \
    .talk("past the limit", EHLO, MAIL, RCPT, RCPT, RCPT, RCPT,
          client=client(22))

group("limits_auth", smtpd_client_auth_rate_limit="2") \
    .talk("three", EHLO, *["AUTH PLAIN AGtpbUBhLmV4YW1wbGUAd3Jvbmc="] * 2,
          "=auth kim@a.example", MAIL, client=client(30)) \
    .talk("good ones count", EHLO, "=auth kim@a.example",
          "=auth kim@a.example", "=auth kim@a.example", client=client(31))

group("limits_exceptions", smtpd_client_message_rate_limit="1",
      smtpd_client_event_limit_exceptions="!198.51.100.41, 198.51.100.40/31") \
    .talk("in", EHLO, *[MAIL, "RSET"] * 3, client=client(40)) \
    .talk("taken out", EHLO, *[MAIL, "RSET"] * 3, client=client(41)) \
    .talk("mynetworks no longer", EHLO, *[MAIL, "RSET"] * 3,
          client="203.0.113.8")

group("limits_errors", smtpd_hard_error_limit="4",
      smtpd_junk_command_limit="2", smtpd_recipient_limit="1",
      smtpd_recipient_overshoot_limit="2") \
    .talk("nonsense", EHLO, *["NONSENSE"] * 4, "=end", client=client(50)) \
    .talk("order", EHLO, *["DATA"] * 4, "=end", client=client(51)) \
    .talk("refused", EHLO, MAIL, *["RCPT TO:<nobody@a.example>"] * 4, "=end",
          client=client(52)) \
    .talk("junk", EHLO, *["NOOP"] * 6, "=end", client=client(53)) \
    .talk("kinds of junk", EHLO, "RSET", EHLO, "NOOP", "RSET",
          "HELO x.example", "NOOP", "=end", client=client(54)) \
    .talk("junk that fails", EHLO, *["RSET x"] * 3, "=end",
          client=client(55)) \
    .talk("overshoot", EHLO, MAIL, RCPT, *[RCPT] * 6, "=end",
          client=client(56)) \
    .talk("overshoot anew", EHLO, MAIL, RCPT, *[RCPT] * 4, "DATA", TEXT, MAIL,
          RCPT, *[RCPT] * 6, "=end", client=client(57)) \
    .talk("mail forgives", EHLO, *["NONSENSE"] * 3, MAIL, RCPT, "DATA", TEXT,
          *["NONSENSE"] * 4, "=end", client=client(58)) \
    .talk("RSET does not", EHLO, *["NONSENSE"] * 3, MAIL, "RSET",
          "NONSENSE", "=end", client=client(59)) \
    .talk("denied", EHLO, MAIL, *["RCPT TO:<x@elsewhere.example>"] * 4,
          "=end", client=client(60)) \
    .talk("AUTH", EHLO, *["AUTH PLAIN AGtpbUBhLmV4YW1wbGUAd3Jvbmc="] * 4,
          "=end", client=client(61))
