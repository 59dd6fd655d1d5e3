"""check_policy_service: what services are told, what their answers do, and
what a service that fails does to us."""
import re
import socket

import pytest

from tests.harness.policy import Recorder
from tests.harness.wait import until

LISTS = ["client", "helo", "sender", "recipient", "data", "end_of_data"]
TO = "RCPT TO:<kim@a.example>"
PROBLEM = "451 4.3.5 <kim@a.example>: Recipient address rejected: " \
    "Server configuration problem"
ATTRIBUTES = """request protocol_state protocol_name client_address client_name
client_port reverse_client_name server_address server_port helo_name sender
recipient recipient_count queue_id instance size etrn_domain stress sasl_method
sasl_username sasl_sender ccert_subject ccert_issuer ccert_fingerprint
ccert_pubkey_fingerprint encryption_protocol encryption_cipher
encryption_keysize tls_sni policy_context compatibility_level
mail_version""".split()


def make(fresh_postern, lists, **settings):
    server = fresh_postern(start=False)
    server.set("smtpd_peername_lookup", "no")
    for name, rules in lists.items():
        server.set(f"smtpd_{name}_restrictions", rules)
    for name, value in settings.items():
        server.set(name, value)
    server.start()
    server.add_domain("a.example")
    server.add_mailbox("kim@a.example", "secret")
    server.add_mailbox("lee@a.example")
    return server


def judged_by(fresh_postern, service, options="", **settings):
    """RCPT is judged by that one service; it is asked once."""
    return make(fresh_postern, {
        "recipient": f"check_policy_service {{ {service}, "
                     f"retry_delay=50ms, {options} }}"}, **settings)


def rcpt(server):
    with server.smtp() as wire:
        wire.expect("MAIL FROM:<x@b.example>", 250)
        return str(wire.cmd(TO))


# --- what a service is told

def test_every_stage_tells_all_there_is_to_know(fresh_postern):
    with Recorder() as service:
        server = make(fresh_postern, {
            name: f"check_policy_service {service.name}" for name in LISTS},
            smtpd_delay_reject="no",
            smtpd_policy_service_policy_context="all of it")
        with server.smtp(helo="EHLO client.example") as wire:
            port = str(wire.sock.getsockname()[1])
            wire.expect("MAIL FROM:<x+y@b.example> SIZE=77", 250)
            wire.expect(TO, 250)
            wire.expect("RCPT TO:<Lee@A.example>", 250)
            assert wire.data(b"Subject: x\r\n\r\nhi").code == 250
            wire.expect("MAIL FROM:<>", 250)
            wire.expect(TO, 250)
            assert wire.data(b"Subject: x\r\n\r\nhi").code == 250
    assert service.states() == [
        "CONNECT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA", "END-OF-MESSAGE",
        "MAIL", "RCPT", "DATA", "END-OF-MESSAGE"]
    always = {
        "request": "smtpd_access_policy", "client_address": "127.0.0.1",
        "client_name": "unknown", "client_port": port,
        "reverse_client_name": "unknown", "server_address": "127.0.0.1",
        "server_port": str(server.port("mx")), "etrn_domain": "",
        "stress": "", "sasl_method": "", "sasl_username": "",
        "sasl_sender": "", "ccert_subject": "", "ccert_issuer": "",
        "ccert_fingerprint": "", "ccert_pubkey_fingerprint": "",
        "encryption_protocol": "", "encryption_cipher": "",
        "encryption_keysize": "0", "tls_sni": "",
        "policy_context": "all of it"}
    for request in service.requests:
        assert list(request) == ATTRIBUTES
        assert always.items() <= request.items()
    told = [[request[key] for key in (
        "protocol_name", "helo_name", "sender", "recipient",
        "recipient_count", "size")] for request in service.requests]
    who, kim = "client.example", "kim@a.example"
    assert told[0] == ["SMTP", "", "", "", "0", "0"]
    assert told[1][1:] == [who, "", "", "0", "0"]
    assert told[2:] == [
        ["ESMTP", who, "x+y@b.example", "", "0", "77"],
        ["ESMTP", who, "x+y@b.example", kim, "0", "77"],
        ["ESMTP", who, "x+y@b.example", "Lee@A.example", "0", "77"],
        # with several, none is told (as in Postfix)
        ["ESMTP", who, "x+y@b.example", "", "2", "77"],
        ["ESMTP", who, "x+y@b.example", "", "2", "18"],
        ["ESMTP", who, "", "", "0", "0"],
        ["ESMTP", who, "", kim, "0", "0"],
        ["ESMTP", who, "", kim, "1", "0"],
        ["ESMTP", who, "", kim, "1", "18"]]
    assert service.connections == 1


def test_requests_about_one_message_have_one_instance(fresh_postern):
    with Recorder() as service:
        server = make(fresh_postern, {
            name: f"check_policy_service {service.name}"
            for name in ("recipient", "data", "end_of_data")})
        with server.smtp() as wire:
            for _ in range(2):
                wire.envelope("x@b.example", "kim@a.example", "lee@a.example")
                assert wire.data(b"Subject: x\r\n\r\nhi").code == 250
        instances = [r["instance"] for r in service.requests]
        ids = [r["queue_id"] for r in service.requests]
    assert len(instances) == 8
    assert len(set(instances[:4])) == len(set(instances[4:])) == 1
    assert instances[0] != instances[4]
    assert re.fullmatch(r"[0-9a-f]+(\.[0-9a-f]+){3}", instances[0])
    # the queue id comes with the first recipient that was accepted
    assert ids[0] == ids[4] == ""
    assert len(set(ids[1:4])) == len(set(ids[5:])) == 1
    server.wait_for_log(f"{ids[1]}: from=<x@b.example>")


def test_tls_and_login_are_told(fresh_postern):
    with Recorder() as service:
        server = fresh_postern(start=False)
        server.set("smtpd_recipient_restrictions",
                   f"check_policy_service {{ {service.name}, "
                   "policy_context=submission }", "service submission")
        server.start()
        server.add_domain("a.example")
        server.add_mailbox("kim@a.example", "secret")
        with server.smtp("submission") as wire:
            wire.starttls()
            wire.expect("EHLO client.example", 250)
            wire.expect("AUTH PLAIN AGtpbUBhLmV4YW1wbGUAc2VjcmV0", 235)
            wire.expect("MAIL FROM:<kim@a.example>", 250)
            wire.expect(TO, 250)
        request = service.requests[0]
    assert request["sasl_username"] == "kim@a.example"
    assert request["sasl_method"] == "PLAIN"
    assert request["encryption_protocol"] == "TLSv1.3"
    assert request["encryption_cipher"].startswith("TLS_")
    assert int(request["encryption_keysize"]) >= 128
    assert request["tls_sni"] == "localhost"
    assert request["policy_context"] == "submission"
    assert request["server_port"] == str(server.port("submission"))


@pytest.mark.parametrize("sender", [
    '"a=b c"@b.example', '"action=OK"@b.example', '"\\\\n"@b.example',
    '"a\tb"@b.example', "a=recipient=x@b.example"])
def test_odd_senders_stay_one_value(fresh_postern, sender):
    with Recorder() as service:
        server = judged_by(fresh_postern, service.name)
        with server.smtp() as wire:
            if wire.cmd(f"MAIL FROM:<{sender}>").code != 250:
                return      # not a sender at all: that is fine too
            wire.expect(TO, 250)
        assert list(service.requests[0]) == ATTRIBUTES
        assert service.requests[0]["sender"] == sender
        assert service.requests[0]["recipient"] == "kim@a.example"


# --- what answers do; replies are Postfix 3.7's to the same answers

REJECTED = "<kim@a.example>: Recipient address rejected: "


@pytest.fixture
def answered(fresh_postern):
    """A server whose one service gives service.action."""
    with Recorder(lambda request: service.action) as service:
        service.action = "DUNNO"
        service.server = judged_by(fresh_postern, service.name)
        yield service


def test_answers_are_access_values(answered):
    for action, want in {
            "DUNNO": "250 2.1.5", "dunno and more": "250 2.1.5",
            "OK": "250 2.1.5", "permit": "250 2.1.5", "12345": "250 2.1.5",
            "": "250 2.1.5",
            "450 4.2.0 grey": "450 4.2.0 " + REJECTED + "grey",
            "521 5.7.1 bye": "521 5.7.1 " + REJECTED + "bye",
            "REJECT": "554 5.7.1 " + REJECTED + "Access denied",
            "REJECT 4.7.1 x": "554 5.7.1 " + REJECTED + "x",
            "DEFER": "450 4.7.1 " + REJECTED + "Access denied",
            "DEFER_IF_PERMIT": "450 4.7.1 " + REJECTED +
                               "Service unavailable",
            "DEFER_IF_PERMIT Service: x": "450 4.7.1 " + REJECTED +
                                          "Service: x",
            "reject": "554 5.7.1 " + REJECTED + "Access denied",
            "reject_non_fqdn_sender": "250 2.1.5",
            "FOO": "451 4.3.5 Server configuration error",
            "250 2.0.0 fine": "451 4.3.5 Server configuration error",
            "check_policy_service inet:127.0.0.1:1":
                "451 4.3.5 Server configuration error",
            }.items():
        answered.action = action
        assert rcpt(answered.server).startswith(want), action


def test_a_text_can_not_break_the_reply(answered):
    answered.action = b"action=REJECT a\rb\n\n"
    assert rcpt(answered.server).startswith(PROBLEM)
    answered.action = b"action=REJECT gr\xfc\n\n"
    assert rcpt(answered.server).startswith(PROBLEM)
    answered.action = "REJECT " + "x" * 4000
    with answered.server.smtp() as wire:
        wire.expect("MAIL FROM:<x@b.example>", 250)
        reply = wire.cmd(TO)
        assert reply.code == 554
        assert all(len(line) <= 512 for line in reply.lines)
        wire.expect("NOOP", 250)


# --- services that fail

BROKEN = {
    "closes": lambda request: Recorder.CLOSE,
    "is silent": lambda request: None,
    "says half": lambda request: (b"action=OK\n", Recorder.CLOSE),
    "says nonsense": lambda request: b"\0\x16\x03 ok\n\n",
    "says too much": lambda request: b"x=y\n" * 10000,
    "has no action": lambda request: b"result=OK\n\n",
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_service_that(fresh_postern, how):
    """... is asked again, and then the default action counts."""
    with Recorder(BROKEN[how]) as service:
        server = judged_by(
            fresh_postern, service.name, "try_limit=3, timeout=" +
            ("1s" if how == "is silent" else "20s"))
        assert rcpt(server).startswith(PROBLEM)
        # a service that is silent may be slower to hear than we to give up
        until(lambda: len(service.requests) >= 3, "three questions")
        assert len(service.requests) == 3
    server.wait_for_log("warning: problem talking to server "
                        + re.escape(service.name[5:]))


def test_nobody_there_and_the_default_action(fresh_postern):
    service = Recorder()
    service.close()
    server = judged_by(fresh_postern, service.name,
                       "try_limit=1, default_action=DUNNO")
    assert rcpt(server).startswith("250 2.1.5")
    server.wait_for_log("problem talking to server .*Connection refused")


def test_the_second_try_counts(fresh_postern):
    def answer(request):
        return Recorder.CLOSE if len(service.requests) == 1 else "REJECT no"
    with Recorder(answer) as service:
        server = judged_by(fresh_postern, service.name)
        assert "rejected: no" in rcpt(server)


def test_a_restarted_service_is_found_again(fresh_postern, tmp_path):
    directory = tmp_path
    for part in (directory, *list(directory.parents)[:3]):
        part.chmod(0o755)
    path = directory / "policy.sock"
    with Recorder(path=path) as service:
        server = judged_by(fresh_postern, service.name, "try_limit=1")
        with server.smtp() as wire:
            wire.expect("MAIL FROM:<x@b.example>", 250)
            wire.expect(TO, 250)
            service.close()
            path.unlink()
            with Recorder(lambda request: "450 4.2.0 later", path) as other:
                assert wire.cmd(TO).code == 450
                assert len(other.requests) == 1


def test_a_client_that_leaves_takes_its_question_along(fresh_postern):
    with Recorder(lambda request: None) as service:
        server = judged_by(fresh_postern, service.name, "timeout=100s")
        wire = server.smtp()
        wire.expect("MAIL FROM:<x@b.example>", 250)
        wire.send(TO + "\r\n")
        until(lambda: service.requests, "the question")
        wire.sock.shutdown(socket.SHUT_RDWR)
        wire.close()
        service.answer = lambda request: "DUNNO"
        assert rcpt(server).startswith("250")


def test_sessions_share_a_few_connections(fresh_postern):
    with Recorder() as service:
        server = judged_by(
            fresh_postern, service.name, smtpd_workers="1",
            smtpd_policy_service_connection_limit="3")
        wires = [server.smtp() for _ in range(30)]
        for wire in wires:
            wire.expect("MAIL FROM:<x@b.example>", 250)
        for wire in wires:
            wire.send(TO + "\r\n")
        for wire in wires:
            assert wire.reply().code == 250
            wire.close()
        assert service.connections <= 3
        assert len(service.requests) == 30


def test_a_name_is_looked_up(fresh_postern):
    with Recorder(lambda request: "REJECT by name") as service:
        server = judged_by(fresh_postern,
                           service.name.replace("127.0.0.1", "localhost"))
        assert "by name" in rcpt(server)


def test_a_bad_name_of_a_service_is_said_at_start(fresh_postern):
    server = fresh_postern(start=False)
    server.set("smtpd_recipient_restrictions",
               "check_policy_service { inet:127.0.0.1:1, timeuot=3s }")
    done = server.postern("config", "check", check=False)
    assert done.returncode != 0
    assert 'unknown setting "timeuot"; did you mean timeout?' in \
        done.stdout + done.stderr


def test_config_check_warns_of_a_service_that_does_not_answer(fresh_postern):
    service = Recorder()
    server = fresh_postern(start=False)
    server.set("smtpd_recipient_restrictions",
               f"check_policy_service {service.name}")
    done = server.postern("config", "check")
    assert "policy service" not in done.stdout + done.stderr
    service.close()
    done = server.postern("config", "check")
    assert re.search(f"warning: policy service {re.escape(service.name[5:])} "
                     "does not answer: .*Connection refused", done.stderr)


def test_explain_asks_only_when_told_to(fresh_postern):
    with Recorder(lambda request: "REJECT not today") as service:
        server = judged_by(fresh_postern, service.name)
        words = ["explain", "--client", "192.0.2.7", "--name", "unknown",
                 "--helo", "h.example", "--from", "x@b.example", "--to",
                 "kim@a.example", "--size", "99"]
        done = server.postern(*words)
        assert not service.requests
        assert "not asked (--policy asks it)" in done.stdout
        assert "accepted" in done.stdout
        done = server.postern(*words, "--policy", check=False)
        request, = service.requests
        assert "policy service " + service.name[5:] + \
            ": REJECT not today" in done.stdout
        assert "554 5.7.1 <kim@a.example>: Recipient address rejected: " \
            "not today" in done.stdout
        assert request["client_address"] == "192.0.2.7"
        assert [request[key] for key in (
            "protocol_state", "sender", "recipient", "size")] == [
            "RCPT", "x@b.example", "kim@a.example", "99"]


def test_a_silent_service_holds_up_nobody_else(fresh_postern):
    with Recorder(lambda request: None) as service:
        server = judged_by(
            fresh_postern, service.name, "timeout=100s, try_limit=1",
            smtpd_workers="1", smtpd_policy_service_connection_limit="3",
            smtpd_sender_restrictions=
            "check_sender_access inline:{ vip.example=REJECT }")
        wires = [server.smtp() for _ in range(60)]
        for wire in wires:
            wire.expect("MAIL FROM:<x@b.example>", 250)
            wire.send(TO + "\r\n")
        until(lambda: len(service.requests) == 3, "three questions")
        with server.smtp() as wire:
            wire.expect("MAIL FROM:<x@vip.example>", 250)
            wire.expect(TO, 554)
        assert len(service.requests) == service.connections == 3
        # it wakes up: only the three questions that it had are lost
        service.answer = lambda request: "DUNNO"
        for sock in list(service.open):
            sock.shutdown(socket.SHUT_RDWR)
        replies = [str(wire.reply()) for wire in wires]
        assert sum(reply.startswith(PROBLEM) for reply in replies) == 3
        assert sum(reply.startswith("250") for reply in replies) == 57
        # at most three new ones: fewer when the first of them answers fast
        assert 4 <= service.connections <= 6


def test_a_reload_asks_another_service(fresh_postern):
    """Who is being judged gets the answer of the one that was asked."""
    with Recorder(lambda request: None) as old, \
            Recorder(lambda request: "REJECT new") as new:
        server = judged_by(fresh_postern, old.name, "timeout=100s")
        with server.smtp() as wire:
            wire.expect("MAIL FROM:<x@b.example>", 250)
            wire.send(TO + "\r\n")
            until(lambda: old.requests, "the question")
            server.set("smtpd_recipient_restrictions",
                       f"check_policy_service {new.name}")
            server.postern("reload")
            assert "rejected: new" in rcpt(server)
            for sock in old.open:
                sock.sendall(b"action=REJECT old\n\n")
            assert "rejected: old" in str(wire.reply())
