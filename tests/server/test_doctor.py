"""`postern doctor` finds what is wrong around the server and names the cure."""
import json
import os

import pytest

from tests.harness import nameserver
from tests.harness.wait import until
from tests.server.conftest import cannot

HOST = """
mx.test A 192.0.2.25
mx.test AAAA 2001:db8::25
good MX 10 mx.test
good TXT "v=spf1 mx -all"
_dmarc.good TXT "v=DMARC1; p=reject"
sub.good MX 10 other
sub.good MX 20 mx.test
sub.good TXT "v=spf1 include:good.example ~all"
elsewhere MX 10 other
other A 192.0.2.99
null MX 0 .
nomx TXT "v=spf1 -all"
byaddress A 192.0.2.25
cname MX 10 alias
cname TXT "v=spf1 a:mx.test.example -all"
alias CNAME mx.test
lost MX 10 nowhere
two MX 10 mx.test
two TXT "v=spf1 mx -all"
two TXT "v=spf1 a -all"
_dmarc.two TXT "v=DMARC1; p=none"
_dmarc.two TXT "v=DMARC1; p=reject"
soft MX 10 mx.test
soft TXT "v=spf1 ip4:198.51.100.1 ~all"
_dmarc.soft TXT "v=DMARC1; rua=mailto:x@soft.example"
"""
DOMAINS = ["good", "sub.good", "elsewhere", "null", "nomx", "byaddress",
           "cname", "lost", "two", "soft", "gone"]


@pytest.fixture(scope="module")
def names():
    if nameserver.find() is None:
        cannot("nsd is not installed")
    made = nameserver.NameServer({
        "example": HOST,
        "2.0.192.in-addr.arpa": "25 PTR mx.test.example.",
        "8.b.d.0.1.0.0.2.ip6.arpa": "5.2" + ".0" * 22 +
                                    " PTR other.example.",
    })
    yield made
    made.close()


@pytest.fixture
def postern(fresh_postern, names):
    made = fresh_postern(settings=dict(names.settings(), **{
        "dns_plain_zones": "2.0.192.in-addr.arpa 8.b.d.0.1.0.0.2.ip6.arpa"}))
    for name in DOMAINS:
        made.add_domain(f"{name}.example")
    return made


def doctor(postern, *words):
    """The findings, the exit code."""
    done = postern.postern("doctor", "--json", *words, check=False)
    return json.loads(done.stdout), done.returncode


def doctor_of_all(postern, *words):
    """Of all processes: one that does not answer in time is not told of."""
    def heard():
        told = doctor(postern, *words)
        return told if {row["process"] for row in postern.status()} <= \
            {f["subject"] for f in told[0]} | {"posternd"} else None
    return until(heard, "all processes")


def about(found, subject, text):
    fit = [f for f in found if f["subject"] == subject and text in f["text"]]
    assert len(fit) == 1, (subject, text, found)
    return fit[0]


def test_the_dns_of_each_domain(postern):
    found, code = doctor(postern, "--only=dns")
    assert code == 2

    def level(subject, text):
        return about(found, subject, text)["level"]

    assert level("192.0.2.25", "leads back") == "ok"
    assert level("2001:db8::25", "other.example, not mx.test") == "warning"
    assert level("good.example", "comes here (MX 10 mx.test") == "ok"
    assert level("good.example", "192.0.2.25 may send") == "ok"
    assert level("good.example", "2001:db8::25 may send") == "ok"
    assert level("good.example", "has a DMARC record") == "ok"
    # the parent's DMARC record counts, the better of two MX need not be ours
    assert level("sub.good.example", "comes here (MX 20") == "ok"
    assert level("sub.good.example", "has a DMARC record") == "ok"
    assert level("elsewhere.example", "goes to other.example") == "fault"
    assert level("elsewhere.example", "no SPF record") == "warning"
    assert level("elsewhere.example", "no DMARC record") == "warning"
    assert level("null.example", "null MX") == "fault"
    assert level("nomx.example", "has no MX record: mail") == "fault"
    assert level("byaddress.example", "comes by its address") == "warning"
    assert level("cname.example", "is a CNAME") == "warning"
    assert level("cname.example", "192.0.2.25 may send") == "ok"
    assert level("lost.example", "has no address") == "warning"
    assert level("two.example", "record is broken") == "fault"
    assert level("two.example", "2 DMARC records") == "fault"
    assert level("soft.example", "SPF of 192.0.2.25 is softfail") == "warning"
    assert level("soft.example", "has no policy") == "fault"
    assert level("gone.example", "is not in the DNS") == "fault"
    cure = about(found, "nomx.example", "has no MX")["cure"]
    assert cure == "publish: nomx.example. MX 10 mx.test.example."
    cure = about(found, "elsewhere.example", "no SPF")["cure"]
    assert cure == 'publish: elsewhere.example. TXT "v=spf1 mx -all"'


def test_named_domains_alone(postern):
    found, code = doctor(postern, "good.example", "--only=dns")
    assert {f["subject"] for f in found if "example" in f["subject"]} == \
        {"good.example"}
    assert code == 1        # the warning about the IPv6 address' name


def test_a_name_server_that_is_away_is_no_fault_of_the_domains(
        fresh_postern, names):
    postern = fresh_postern(settings={"dns_resolver": "127.0.0.1@9",
                                      "dns_timeout": "500ms",
                                      "dns_trust_anchor_file": ""})
    postern.add_domain("good.example")
    found, code = doctor(postern, "--only=dns")
    assert code == 1
    assert not [f for f in found if f["level"] == "fault"]
    assert about(found, "good.example", "MX cannot be looked up")


def test_a_server_that_runs_and_one_that_does_not(postern):
    found, code = doctor_of_all(postern, "--only=server,database")
    # on a busy machine some process may have answered late
    assert not [f for f in found if f["level"] != "ok" and
                "answers late" not in f["text"]]
    assert code in (0, 1)
    assert about(found, "qmgr/0", "")["level"] in ("ok", "warning")
    assert "220 mx.test.example" in about(
        found, f"mx 127.0.0.1:{postern.port('mx')}", "greets")["text"]
    assert "* OK" in about(
        found, f"imap 127.0.0.1:{postern.port('imap')}", "greets")["text"]
    assert about(found, f"imaps 127.0.0.1:{postern.port('imaps')}",
                 "takes connections")
    assert "11 domains" in about(found, "schema", "revision")["text"]
    postern.stop()
    found, code = doctor(postern, "--only=server")
    assert code == 2
    assert about(found, "posternd", "")["level"] == "fault"


def test_a_process_that_was_killed_is_told_of(postern):
    mark = postern.log_mark()
    postern.kill("authd")
    postern.wait_for_log(r"process authd/0 .* is back", mark)
    found, _ = doctor_of_all(postern, "--only=server")
    authd = [f for f in found if f["subject"] == "authd/0"]
    assert authd and all(f["level"] in ("warning", "fault") for f in authd)


def test_keys_and_certificates(postern):
    key = postern.dir / "tls/postern.key"
    found, code = doctor(postern, "--only=files,certificates")
    assert about(found, str(key), "not for everybody")["level"] == "ok"
    certificate = str(postern.dir / "tls/postern.crt")
    assert about(found, certificate, "good for")["level"] == "ok"
    assert about(found, certificate, "self-signed")["level"] == "warning"
    assert code == 1
    os.chmod(key, 0o644)
    found, code = doctor(postern, "--only=files,certificates")
    assert code == 2
    assert about(found, str(key), "everybody may read")["cure"] == \
        "chmod 0600"
    os.chmod(key, 0o600)
    for name, value in (("a.example.key", "tls_certificate_directory"),
                        ("word", "database_password_file")):
        secret = postern.dir / "secrets" / name
        secret.parent.mkdir(exist_ok=True)
        secret.write_text("secret")
        secret.chmod(0o644)
        postern.set(value, str(secret.parent if name.endswith(".key")
                               else secret))
        found, _ = doctor(postern, "--only=files")
        assert about(found, str(secret), "everybody may read")
    postern.set("database_password_file", "")
    postern.set("tls_certificate_directory", "")
    postern.set("tls_key_file", str(postern.dir / "postern.conf"))
    found, code = doctor(postern, "--only=certificates")
    assert code == 2


def test_a_disk_that_is_nearly_full(postern):
    postern.set("queue_minfree", "1048576m")
    found, code = doctor(postern, "--only=files")
    assert code == 2
    assert "452" in about(found, str(postern.dir / "spool"), "are free")["cure"]


def test_the_database_may_be_away(postern):
    postern.set("database", "postgresql://127.0.0.1:9/postern")
    found, code = doctor(postern, "--only=database,clock")
    assert code == 2
    assert [f for f in found if f["part"] == "database" and
            f["level"] == "fault"]


def test_a_host_that_has_lost_its_name(postern):
    postern.set("host_name_in_database", "renamed.example")
    found, code = doctor(postern, "--only=database")
    fault = about(found, "host_name_in_database", "no host renamed.example")
    assert code == 2 and "set it to what it was" in fault["cure"]
    # ... and has been given another
    postern.sql("SELECT host_add('renamed.example');")
    assert doctor(postern, "--only=database")[1] == 0
    postern.sql("SELECT mailbox_add('kim@good.example', 'mx.test.example', "
                "NULL, NULL, NULL);")
    found, code = doctor(postern, "--only=database")
    assert code == 1
    about(found, "host_name_in_database", "some on mx.test.example")


def test_people_read_lines_with_cures(postern):
    done = postern.postern("doctor", "--problems", "--only=dns", check=False)
    assert done.returncode == 2
    assert "FAULT    nomx.example: has no MX record" in done.stdout
    assert "-> publish: nomx.example. MX 10 mx.test.example." in done.stdout
    assert "\nok " not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("8 faults, ")


def test_an_unknown_part_is_refused(postern):
    done = postern.postern("doctor", "--only=dns,disk", check=False)
    assert done.returncode == 64 and "there is no part `disk'" in done.stderr
