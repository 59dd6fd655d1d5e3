"""Certificates by SNI, exchanged while the server runs."""
import os
import socket
import ssl
import subprocess

import pytest

from tests.harness import paths
from tests.harness.wait import until


def make_pair(stem, name, days=30):
    """stem.crt and stem.key for a host name; written whole, then renamed."""
    for part in ("crt", "key"):
        assert not os.path.exists(f"{stem}.{part}.new")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days),
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
         "-keyout", f"{stem}.key.new", "-out", f"{stem}.crt.new"],
        check=True, capture_output=True)
    for part in ("key", "crt"):
        paths.give(f"{stem}.{part}.new")
        os.rename(f"{stem}.{part}.new", f"{stem}.{part}")


def client(alpn=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def seen(postern, sni, service="imaps", alpn=None):
    """The common name that a client sees who asks for sni."""
    with socket.create_connection(postern.address(service), 30) as plain:
        with client(alpn).wrap_socket(plain, server_hostname=sni) as tls:
            der = tls.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout",
                           "-subject", "-nameopt", "multiline"],
                          input=der, capture_output=True, check=True).stdout
    return text.decode().split("commonName")[1].split("=")[1].strip()


@pytest.fixture(scope="module")
def server(cluster):
    from tests.harness.instance import Instance
    made = Instance(cluster)
    directory = made.dir / "certs"
    directory.mkdir()
    paths.give(directory)
    make_pair(directory / "default", "default.example")
    make_pair(directory / "a.example", "a.example")
    made.set("tls_certificate_file", directory / "default.crt")
    made.set("tls_key_file", directory / "default.key")
    made.set("tls_certificate_directory", directory)
    made.set("tls_watch_interval", "200ms")
    made.certs = directory
    yield made.start()
    made.check_log()
    made.destroy()


@pytest.mark.parametrize("service", ["imaps", "submissions"])
def test_the_asked_for_domain_is_shown(server, service):
    assert seen(server, "a.example", service) == "a.example"
    assert seen(server, "A.EXAMPLE", service) == "a.example"
    assert seen(server, "other.example", service) == "default.example"
    assert seen(server, None, service) == "default.example"


def test_starttls_shows_it_too(server):
    with server.smtp() as wire:
        wire.expect("STARTTLS", 220)
        wire.wrap("a.example")
        wire.expect("EHLO client.example", 250)


def test_a_foreign_protocol_is_refused(server):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        seen(server, "a.example", alpn=["h2", "http/1.1"])
    assert seen(server, "a.example", alpn=["imap"]) == "a.example"


@pytest.mark.parametrize("service", ["imaps", "submissions"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_whichever_worker_answers(server, service,
                                                       version):
    context = client()
    context.minimum_version = context.maximum_version = version
    session = None
    for count in range(12):
        with socket.create_connection(server.address(service), 30) as plain:
            with context.wrap_socket(plain, server_hostname="a.example",
                                     session=session) as tls:
                tls.recv(1000)          # the greeting; tickets before it
                assert tls.session_reused == (count > 0)
                session = tls.session


def test_a_new_pair_is_taken_without_restart_and_sessions_stay(server):
    with server.smtp("submissions") as open_session:
        make_pair(server.certs / "b.example", "b.example")
        until(lambda: seen(server, "b.example") == "b.example",
              "the new pair")
        make_pair(server.certs / "b.example", "renewed.example")
        until(lambda: seen(server, "b.example") == "renewed.example",
              "the renewed pair")
        open_session.expect("NOOP", 250)
    os.unlink(server.certs / "b.example.crt")
    os.unlink(server.certs / "b.example.key")
    until(lambda: seen(server, "b.example") == "default.example",
          "its removal")


def test_a_bad_new_pair_leaves_the_old(server):
    mark = server.log_mark()
    stem = server.certs / "a.example"
    good = {part: open(f"{stem}.{part}", "rb").read()
            for part in ("crt", "key")}
    for part, text in (("crt", b"no certificate"), ("key", b"no key"),
                       ("crt", good["crt"][:len(good["crt"]) // 2])):
        with open(f"{stem}.{part}.new", "wb") as out:
            out.write(text)
        paths.give(f"{stem}.{part}.new")
        os.rename(f"{stem}.{part}.new", f"{stem}.{part}")
        server.wait_for_log(r"a\.example.*(certificate|key)", mark)
        mark = server.log_mark()
        assert seen(server, "a.example") == "a.example"
        with open(f"{stem}.{part}", "wb") as out:
            out.write(good[part])
    assert seen(server, "a.example") == "a.example"


def test_no_key_is_logged(server):
    with open(server.certs / "a.example.key") as key:
        lines = key.read().splitlines()[1:-1]
    log = server.log_text()
    assert lines and not any(line in log for line in lines)
