"""TLS client certificates: who is asked, who is trusted, what is told."""
import pathlib
import shutil
import ssl
import socket
import tempfile

import pytest

from tests.harness import paths
from tests.harness.pki import Authority, fingerprint, openssl, \
    pubkey_fingerprint


@pytest.fixture(scope="module")
def pki():
    where = pathlib.Path(tempfile.mkdtemp(prefix="postern-pki-"))
    where.chmod(0o755)
    paths.give(where)
    yield Authority(where)
    shutil.rmtree(where)


@pytest.fixture(scope="module")
def stranger(pki):
    """A certificate of an issuer that nobody knows."""
    where = pki.dir / "other"
    where.mkdir()
    return Authority(where, "Other CA").issue("stranger.example")


@pytest.fixture(scope="module")
def friend(pki):
    return pki.issue("friend.example")


@pytest.fixture
def asking(fresh_postern, pki):
    server = fresh_postern(start=False)
    server.set("smtpd_tls_ask_ccert", "yes", "service mx")
    server.set("smtpd_tls_CAfile", str(pki.ca), "service mx")
    server.set("smtpd_tls_CAfile", str(pki.ca), "service submissions")
    server.set("smtpd_tls_req_ccert", "yes", "service submissions")
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    return server


def send_with(server, certificate):
    """One message in TLS; what was stored."""
    before = set(server.messages("kim@a.example"))
    with server.smtp() as wire:
        wire.starttls(certificate=certificate)
        wire.expect("EHLO client.example", 250)
        wire.envelope("anna@sender.example", "kim@a.example")
        assert wire.data(b"Subject: x\r\n\r\nHello.").code == 250
    now = server.wait_for_messages("kim@a.example", len(before) + 1)
    return (set(now) - before).pop().read_text()


def test_a_trusted_certificate_is_told(asking, friend):
    mark = asking.log_mark()
    text = send_with(asking, friend)
    assert '(Client CN "friend.example", Issuer "Test CA" (verified OK))' \
        in text
    asking.wait_for_log(
        r"\]: subject_CN=friend.example, issuer=Test CA, fingerprint="
        f"{fingerprint(friend)}, pkey_fingerprint="
        f"{pubkey_fingerprint(friend)}", mark)
    asking.wait_for_log(r"Trusted TLS connection established from \S+: "
                        r"TLSv1.3 with cipher", mark)


def test_an_unknown_issuer_is_untrusted_but_served(asking, stranger):
    mark = asking.log_mark()
    text = send_with(asking, stranger)
    assert '(Client CN "stranger.example", Issuer "Other CA" ' \
        '(not verified))' in text
    asking.wait_for_log("Untrusted TLS connection established from", mark)


def test_no_certificate_is_fine_where_it_is_only_asked_for(asking):
    mark = asking.log_mark()
    assert "(Client did not present a certificate)" in send_with(asking, None)
    asking.wait_for_log("Anonymous TLS connection established from", mark)


def test_issuers_in_a_directory_and_no_other(asking, pki, friend, stranger):
    where = asking.dir / "issuers"
    where.mkdir()
    shutil.copy(pki.ca, where / "ours.pem")
    shutil.copy(stranger.parent / "ca.pem", where / "not-hashed")
    openssl("rehash", where)
    (where / "not-hashed").rename(where / "theirs.txt")
    asking.set("smtpd_tls_CAfile", "", "service mx")
    asking.set("smtpd_tls_CApath", str(where), "service mx")
    asking.restart()
    assert "(verified OK)" in send_with(asking, friend)
    assert "(not verified)" in send_with(asking, stranger)


def test_the_chain_may_not_be_longer_than_allowed(asking, pki):
    """friend.example below an issuer below ours."""
    between = pki.between(pki.dir / "between", "Between CA")
    deep = between.issue("deep.example", chain=True)
    assert "(verified OK)" in send_with(asking, deep)
    asking.set("smtpd_tls_ccert_verifydepth", "1", "service mx")
    asking.restart()
    assert "(not verified)" in send_with(asking, deep)


def test_a_listener_that_does_not_ask_says_so(asking, friend):
    asking.set("smtpd_tls_ask_ccert", "no", "service mx")
    asking.restart()
    assert "(No client certificate requested)" in send_with(asking, friend)


def test_the_received_header_can_be_without_tls(asking, friend):
    asking.set("smtpd_tls_received_header", "no", "service mx")
    asking.restart()
    text = send_with(asking, friend)
    assert "(using TLS" not in text and "friend.example" not in text


def test_tls_1_2_clients_are_asked_too(asking, friend):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(friend)
    mark = asking.log_mark()
    with asking.smtp() as wire:
        wire.expect("STARTTLS", 220)
        wire.sock = context.wrap_socket(wire.sock)
        wire.expect("EHLO client.example", 250)
    asking.wait_for_log(r"Trusted TLS connection established from \S+: "
                        "TLSv1.2", mark)


def refused(server, why, certificate=None):
    """What a client hears where a certificate is required."""
    with server.smtp("submissions", helo=None,
                     certificate=certificate) as wire:
        assert str(wire.reply()) == f"421 4.7.1 mx.test.example Error: {why}"
        assert wire.at_end()


def test_a_required_certificate_must_be_there_and_trusted(asking, pki, friend,
                                                          stranger):
    with asking.smtp("submissions", certificate=friend) as wire:
        wire.expect("NOOP", 250)
    mark = asking.log_mark()
    refused(asking, "No client certificate presented")
    refused(asking, "Client certificate not trusted", stranger)
    refused(asking, "Client certificate not trusted",
            pki.issue("late.example", days=-1))
    asking.wait_for_log(r"NOQUEUE: abort: TLS from \S+: No client "
                        "certificate presented", mark)


def test_starttls_with_a_required_certificate(asking, friend, stranger):
    asking.set("smtpd_tls_req_ccert", "yes", "service mx")
    asking.set("smtpd_tls_security_level", "encrypt", "service mx")
    asking.restart()
    with asking.smtp() as wire:
        wire.starttls(certificate=friend)
        wire.expect("EHLO client.example", 250)
    with asking.smtp() as wire:
        wire.starttls(certificate=stranger)
        wire.expect("EHLO client.example", 421)
        assert wire.at_end()


def test_a_ticket_of_another_listener_is_no_certificate(asking):
    """A session made where none is asked for can't be resumed where one is
    required."""
    asking.set("smtpd_tls_ask_ccert", "no", "service mx")
    asking.restart()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with asking.smtp() as wire:
        wire.expect("STARTTLS", 220)
        wire.sock = context.wrap_socket(wire.sock)
        wire.expect("EHLO client.example", 250)
        ticket = wire.sock.session
    assert ticket.has_ticket
    sock = socket.create_connection(asking.address("submissions"), 30)
    with context.wrap_socket(sock, session=ticket) as sock:
        assert not sock.session_reused
        assert sock.recv(100).startswith(b"421 4.7.1 ")


OUT = "someone@outside.example"


def may_relay(server, certificate):
    with server.smtp() as wire:
        wire.starttls(certificate=certificate)
        wire.expect("EHLO client.example", 250)
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        return wire.cmd(f"RCPT TO:<{OUT}>").code == 250


@pytest.mark.parametrize("digest,of", [("sha256", fingerprint),
                                       ("sha256", pubkey_fingerprint),
                                       ("sha1", fingerprint)])
def test_listed_certificates_may_relay(asking, friend, stranger, digest, of):
    """Listed by fingerprint: no issuer is needed for that."""
    asking.set("smtpd_tls_fingerprint_digest", digest, "service mx")
    asking.set("relay_clientcerts",
               f"inline:{{ {of(stranger, digest)} = stranger }}")
    asking.set("smtpd_relay_restrictions",
               "permit_tls_clientcerts, reject_unauth_destination",
               "service mx")
    asking.restart()
    assert may_relay(asking, stranger)
    assert not may_relay(asking, friend)
    assert not may_relay(asking, None)


def test_all_certificates_of_our_issuers_may_relay(asking, friend, stranger):
    asking.set("smtpd_relay_restrictions",
               "permit_tls_all_clientcerts, reject_unauth_destination",
               "service mx")
    asking.restart()
    assert may_relay(asking, friend)
    assert not may_relay(asking, stranger)
    assert not may_relay(asking, None)


def test_check_ccert_access_over_the_wire(asking, friend, stranger):
    asking.set("smtpd_client_restrictions", "check_ccert_access { inline:"
               "{ {stranger.example = 554 5.7.9 not you} }, "
               "{ search_order = subject_cn } }", "service mx")
    asking.restart()
    with asking.smtp() as wire:
        wire.starttls(certificate=stranger)
        wire.expect("EHLO client.example", 250)
        wire.expect("MAIL FROM:<anna@sender.example>", 250)
        assert str(wire.cmd("RCPT TO:<kim@a.example>")) == \
            "554 5.7.9 <stranger.example>: Client certificate rejected: " \
            "not you"
    send_with(asking, friend)


def test_a_ca_file_that_cannot_be_read_is_named(fresh_postern):
    server = fresh_postern(start=False)
    server.set("smtpd_tls_ask_ccert", "yes")
    server.set("smtpd_tls_CAfile", "/nonexistent/ca.pem")
    server.start(wait=False)
    server.wait_for_log("/nonexistent/ca.pem: no certificate can be read")
