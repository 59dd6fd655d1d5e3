"""Certificates of a test's own, made by openssl."""
import hashlib
import subprocess

from . import paths


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Authority:
    """An issuer in a directory; `ca` is its certificate's file."""

    def __init__(self, directory, name="Test CA"):
        self.dir = directory
        self.ca, self.key = directory / "ca.pem", directory / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.ca)
        paths.give(self.ca)

    def between(self, directory, name):
        """An issuer below this one."""
        directory.mkdir()
        made = Authority(directory, name)
        csr = directory / "ca.csr"
        openssl("req", "-new", "-key", made.key, "-subj", f"/CN={name}",
                "-out", csr)
        (directory / "ca.ext").write_text("basicConstraints=CA:TRUE\n")
        openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey",
                self.key, "-CAcreateserial", "-days", "30", "-extfile",
                directory / "ca.ext", "-out", made.ca)
        return made

    def issue(self, name, days=30, chain=False):
        """A PEM file with a client's certificate and key, and with chain its
        issuer's certificate."""
        base = self.dir / name.replace("/", "_")
        key, csr, crt = (base.with_suffix(s) for s in (".key", ".csr",
                                                       ".crt"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                f"/CN={name}", "-keyout", key, "-out", csr)
        openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey",
                self.key, "-CAcreateserial", "-days", str(days), "-out", crt)
        pem = base.with_suffix(".pem")
        pem.write_bytes(crt.read_bytes() + key.read_bytes() +
                        (self.ca.read_bytes() if chain else b""))
        return pem


def fingerprint(pem, digest="sha256"):
    out = subprocess.run(["openssl", "x509", "-in", pem, "-noout",
                          "-fingerprint", f"-{digest}"], check=True,
                         capture_output=True, text=True).stdout
    return out.split("=", 1)[1].strip()


def pubkey_fingerprint(pem, digest="sha256"):
    public = subprocess.run(["openssl", "x509", "-in", pem, "-noout",
                             "-pubkey"], check=True,
                            capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                         input=public, check=True,
                         capture_output=True).stdout
    return ":".join(f"{b:02X}" for b in hashlib.new(digest, der).digest())
