"""What policy services are told: test_told_the_same.py looks at it. Here only
the dialogues, and their replies are compared like all others."""
from .talk import Group

# The service is on a unix socket, as both are given the same name of it.
ALL = Group("told", smtpd_delay_reject="no", **{
    f"smtpd_{name}_restrictions": "check_policy_service "
    "{ unix:{dir}/policy, policy_context=told }"
    for name in ("client", "helo", "sender", "recipient", "data",
                 "end_of_data", "etrn")})
GROUPS = [ALL]

ALL.talk("two messages", "EHLO mx.good.example",
         "MAIL FROM:<x+y@good.example> SIZE=77", "RCPT TO:<kim@a.example>",
         "RCPT TO:<Lee@A.example>", "RCPT TO:<nobody@a.example>", "DATA",
         ".Subject: x\n\nhi", "MAIL FROM:<>", "RCPT TO:<kim@a.example>",
         "DATA", ".Subject: x\n\nhi\n..dot")
ALL.talk("reset", "HELO mx.good.example", "MAIL FROM:<x@good.example>",
         "RCPT TO:<kim@a.example>", "RSET", "MAIL FROM:<y@good.example>",
         "RCPT TO:<lee@a.example>", "BDAT 4 LAST\r\nhi")
ALL.talk("login", "EHLO mx.good.example", "=auth kim@a.example",
         "MAIL FROM:<kim@a.example> AUTH=lee+2Bx@a.example",
         "RCPT TO:<lee@a.example>", client="192.0.2.20")
ALL.talk("VRFY, ETRN", "EHLO mx.good.example", "VRFY kim@a.example",
         "VRFY <lee@a.example>", "ETRN a.example", "ETRN #queue")
