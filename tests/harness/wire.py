"""A raw SMTP or IMAP connection: what was sent is exactly what is sent."""
import socket
import ssl

PATIENCE = 30.0


class Reply:
    """An SMTP reply: code, texts of its lines, and the raw lines."""

    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[0][:3])
        self.texts = [line[4:] for line in lines]

    @property
    def enhanced(self):
        return self.texts[-1].split(" ")[0]

    def __str__(self):
        return " / ".join(self.lines)

    __repr__ = __str__


class Closed(Exception):
    """The server ended the connection."""


class Wire:
    def __init__(self, address, tls=False, source=None, timeout=PATIENCE,
                 certificate=None):
        self.sock = socket.create_connection(
            address, timeout, (source, 0) if source else None)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if tls:
            self.wrap(certificate=certificate)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def wrap(self, server_name="localhost", certificate=None):
        """The TLS handshake, now. What was buffered before is an error.

        certificate: a PEM file with a certificate and its key to show.
        """
        if self.buffer:
            raise AssertionError(f"before TLS came {self.buffer!r}")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate)
        self.sock = context.wrap_socket(self.sock,
                                        server_hostname=server_name)

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.sock.sendall(data)

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        if not data:
            raise Closed(f"closed after {self.buffer!r}")
        self.buffer += data

    def line(self):
        """The next line without its CR LF; a bare LF is an error."""
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise AssertionError(f"a line ended without CR: {line!r}")
        return line[:-1].decode("utf-8", "surrogateescape")

    def read(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def at_end(self, timeout=PATIENCE):
        """True when the server closes; False when something else comes."""
        self.sock.settimeout(timeout)
        try:
            if self.buffer:
                return False
            try:
                self._more()
            except Closed:
                return True
            return False
        finally:
            self.sock.settimeout(PATIENCE)

    def silent(self, seconds):
        """True when nothing comes for that long."""
        self.sock.settimeout(seconds)
        try:
            if not self.buffer:
                self._more()
            return False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(PATIENCE)


class SmtpWire(Wire):
    """Says nothing by itself; the greeting is read by greeted()."""

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return Reply(lines)

    def cmd(self, text):
        self.send(text if isinstance(text, bytes) else text.encode())
        self.send(b"\r\n")
        return self.reply()

    def expect(self, text, code):
        """Sends a line; the reply must have that code (or class: 2, 5)."""
        reply = self.cmd(text)
        if code not in (reply.code, reply.code // 100):
            raise AssertionError(f"{text!r} gave {reply}")
        return reply

    def greeted(self, helo="EHLO client.example"):
        reply = self.reply()
        if reply.code != 220:
            raise AssertionError(f"greeted with {reply}")
        return self.expect(helo, 250) if helo else reply

    def starttls(self, **keywords):
        self.expect("STARTTLS", 220)
        self.wrap(**keywords)

    def envelope(self, sender, *recipients):
        self.expect(f"MAIL FROM:<{sender}>", 250)
        for recipient in recipients:
            self.expect(f"RCPT TO:<{recipient}>", 250)

    def data(self, content):
        """DATA with the content as it is; returns the last reply."""
        self.expect("DATA", 354)
        self.send(content)
        self.send(b"\r\n.\r\n")
        return self.reply()


class ImapWire(Wire):
    """Tagged commands; cmd() returns (untagged lines, tagged line)."""

    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        self.tag = 0

    def cmd(self, text):
        self.tag += 1
        tag = f"a{self.tag}"
        self.send(f"{tag} {text}\r\n")
        return self.answer(tag)

    def answer(self, tag):
        lines = []
        while True:
            line = self.line()
            if line.startswith(tag + " "):
                return lines, line[len(tag) + 1:]
            lines.append(line)

    def ok(self, text):
        lines, tagged = self.cmd(text)
        if not tagged.startswith("OK"):
            raise AssertionError(f"{text!r} gave {tagged!r}")
        return lines
