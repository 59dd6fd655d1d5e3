"""The client's side of SCRAM-SHA-256(-PLUS), RFC 5802 and 7677."""
import base64
import hashlib
import hmac
import os


def b64(data):
    return base64.b64encode(data).decode()


class ScramClient:
    """first() and final() give messages, undecorated; verify() checks the
    server's last word. binding: (type, data) for -PLUS."""

    def __init__(self, user, password, binding=None, gs2=None):
        self.password = password.encode()
        self.gs2 = gs2 or (f"p={binding[0]},," if binding else "n,,")
        self.data = binding[1] if binding else b""
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.nonce = b64(os.urandom(18))
        self.bare = f"n={name},r={self.nonce}"

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first):
        fields = dict(f.split("=", 1) for f in server_first.split(","))
        assert fields["r"].startswith(self.nonce) and \
            len(fields["r"]) > len(self.nonce)
        salted = hashlib.pbkdf2_hmac("sha256", self.password,
                                     base64.b64decode(fields["s"]),
                                     int(fields["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(client).digest()
        bound = b64(self.gs2.encode() + self.data)
        without = f"c={bound},r={fields['r']}"
        message = f"{self.bare},{server_first},{without}".encode()
        signature = hmac.digest(stored, message, "sha256")
        server = hmac.digest(salted, b"Server Key", "sha256")
        self.signature = hmac.digest(server, message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature))
        return f"{without},p={b64(proof)}"

    def verify(self, server_final):
        return server_final == f"v={b64(self.signature)}"
