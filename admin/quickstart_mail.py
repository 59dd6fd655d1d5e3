"""Sends one message by submission and reads it over IMAP, telling how it goes.

Part of admin/quickstart; needs nothing but Python's standard library.
"""
import argparse
import email.message
import email.utils
import imaplib
import smtplib
import ssl
import sys
import time

PATIENCE_S = 30
VERBS = {"EHLO", "HELO", "STARTTLS", "MAIL", "RCPT", "DATA", "RSET", "NOOP",
         "QUIT"}


class Told(smtplib.SMTP):
    """An SMTP client that shows what is said, but no secret."""

    def putcmd(self, cmd, args=""):
        verb = cmd.split()[0].upper()
        if verb == "AUTH":
            line = " ".join(["AUTH"] + args.split()[:1] + ["..."])
        elif verb in VERBS:
            line = f"{verb} {args}".strip()
        else:
            line = "..."        # an answer within AUTH
        print(f"  C: {line}")
        super().putcmd(cmd, args)

    def getreply(self):
        code, text = super().getreply()
        lines = text.decode("utf-8", "replace").splitlines() or [""]
        print(f"  S: {code} {lines[0]}" +
              (f" (and {len(lines) - 1} lines more)"
               if len(lines) > 1 else ""))
        return code, text


def anybody():
    """The instance's certificate is self-signed: encrypt, don't verify."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def first_line(path):
    with open(path, encoding="utf-8") as f:
        return f.readline().rstrip("\n")


def send(args, message):
    print(f"Submission to 127.0.0.1:{args.port_base + 587}:")
    with Told("127.0.0.1", args.port_base + 587, timeout=PATIENCE_S) as smtp:
        smtp.starttls(context=anybody())
        print(f"  -- {smtp.sock.version()}, {smtp.sock.cipher()[0]}")
        smtp.login(args.sender, first_line(args.from_password_file))
        smtp.send_message(message)


def find(imap, message_id):
    imap.select("INBOX")
    return imap.uid("SEARCH", None, "HEADER", "Message-ID",
                    f'"{message_id}"')[1][0].split()


def read(args, message_id):
    print(f"IMAP from 127.0.0.1:{args.port_base + 143}:")
    with imaplib.IMAP4("127.0.0.1", args.port_base + 143,
                       timeout=PATIENCE_S) as imap:
        imap.starttls(anybody())
        print(f"  STARTTLS: {imap.sock.version()}")
        print("  LOGIN:", imap.login(
            args.to, first_line(args.to_password_file))[0])
        end = time.monotonic() + PATIENCE_S
        while not (uids := find(imap, message_id)):
            if time.monotonic() > end:
                sys.exit(f"the message did not arrive in {PATIENCE_S} s; "
                         "see the log and `postern queue list'")
            time.sleep(0.1)
        print(f"  SELECT INBOX, SEARCH: uid {uids[0].decode()}")
        text = imap.uid("FETCH", uids[0], "(BODY[])")[1][0][1]
        return email.message_from_bytes(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-base", type=int, required=True)
    parser.add_argument("--from", dest="sender", required=True)
    parser.add_argument("--from-password-file", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--to-password-file", required=True)
    args = parser.parse_args()
    message = email.message.EmailMessage()
    message["From"] = f"Anna <{args.sender}>"
    message["To"] = f"Ben <{args.to}>"
    message["Subject"] = "The gate is open"
    message["Date"] = email.utils.formatdate(localtime=True)
    message["Message-ID"] = email.utils.make_msgid(domain="quickstart.example")
    message.set_content("Hello Ben,\n\nthis went through Postern.\n\nAnna\n")
    began = time.monotonic()
    send(args, message)
    got = read(args, message["Message-ID"])
    took = time.monotonic() - began
    print("The message as ben has it:")
    for line in got.as_string().splitlines():
        print(f"  | {line}")
    if got["Subject"] != message["Subject"] or \
            "this went through Postern" not in got.get_payload():
        sys.exit("that is not what was sent")
    print(f"From first connection to read: {took:.2f} s")


if __name__ == "__main__":
    main()
