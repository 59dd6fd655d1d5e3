"""`postern explain` says which rule decides, and changes nothing."""
import json

import pytest

from tests.harness.instance import Instance

SETTINGS = {
    "smtpd_peername_lookup": "no",
    "smtpd_recipient_restrictions": "permit_mynetworks, "
    "check_helo_access inline:{ bad.example = REJECT go away }, "
    "warn_if_reject reject_unknown_reverse_client_hostname, "
    "check_sender_access inline:{ class.example = strict }, permit",
    "smtpd_restriction_classes": "strict",
    "strict": "reject_non_fqdn_sender, defer",
}


@pytest.fixture(scope="module")
def server(cluster):
    made = Instance(cluster, settings=SETTINGS)
    made.start()
    try:
        made.add_domain("a.example")
        made.add_mailbox("kim@a.example")
        yield made
        made.check_log()
    finally:
        made.destroy()


def explain(server, *words, check=True):
    done = server.postern("explain", "--json", "--client", "192.0.2.7",
                          *words, check=check)
    return json.loads(done.stdout) if check else done


def usual(**other):
    said = dict({"helo": "h.example", "from": "x@s.example",
                 "to": "kim@a.example"}, **other)
    return [word for k, v in said.items()
            for word in ("--" + k.replace("_", "-"), v)]


def test_accepted_mail_lists_every_rule(server):
    told = explain(server, *usual())
    assert told["verdict"] == "accept"
    rules = [s["rule"].split()[0] for s in told["steps"]]
    assert rules == ["permit_mynetworks", "permit_sasl_authenticated",
                     "defer_unauth_destination", "permit_mynetworks",
                     "check_helo_access", "warn_if_reject",
                     "check_sender_access", "permit"]


def test_the_deciding_rule_its_place_and_the_reply(server):
    told = explain(server, *usual(helo="mx.bad.example"))
    assert told["verdict"] == "reject" and told["command"] == "RCPT"
    assert told["reply"] == ("554 5.7.1 <mx.bad.example>: Helo command "
                             "rejected: go away")
    assert told["rule"].startswith("check_helo_access")
    assert told["list"] == "smtpd_recipient_restrictions"
    name, line = told["where"].rsplit(":", 1)
    text = server.conf.read_text().splitlines()[int(line) - 1]
    assert text.startswith("smtpd_recipient_restrictions")
    asked = told["steps"][-1]["asked"]
    assert any("bad.example: REJECT go away" in one for one in asked)
    assert any("mx.bad.example: not there" in one for one in asked)


def test_rules_inside_a_class_are_shown_beneath_it(server):
    told = explain(server, *usual(**{"from": "x@class.example"}))
    assert told["verdict"] == "defer"
    steps = [(s["depth"], s["rule"].split()[0], s["result"])
             for s in told["steps"]]
    at = steps.index((0, "check_sender_access", "defer"))
    assert steps[at + 1:at + 4] == [(1, "strict", "defer"),
                                    (2, "reject_non_fqdn_sender", "dunno"),
                                    (2, "defer", "defer")]


def test_an_unknown_user_is_no_rule_of_the_lists(server):
    told = explain(server, *usual(to="<nobody@a.example>"))
    assert told["reply"].startswith("550 5.1.1 <nobody@a.example>")
    assert told["rule"] == "" and told["list"] == ""


def test_relaying_needs_a_login(server):
    told = explain(server, *usual(to="x@b.example"))
    assert told["rule"] == "defer_unauth_destination"
    told = explain(server, *usual(to="x@b.example", sasl="kim@a.example"))
    assert told["verdict"] == "accept"


def test_people_read_it_too(server):
    done = server.postern("explain", "--client", "192.0.2.7",
                          *usual(helo="mx.bad.example"))
    lines = done.stdout.splitlines()
    assert lines[0] == "RCPT"
    assert lines[1].strip() == "smtpd_relay_restrictions (default)"
    assert lines[-2].startswith("refused at RCPT: 554 5.7.1 <mx.bad")
    assert lines[-1].startswith("by check_helo_access ")


def test_nothing_is_changed(server):
    before = server.postern("queue", "list", "--json").stdout
    explain(server, *usual())
    assert server.postern("queue", "list", "--json").stdout == before
    assert not server.messages("kim@a.example")


@pytest.mark.parametrize("words, says", [
    (["--helo", "x"], "needed"),
    (usual() + ["--listener", "nope"], "there is no [service nope]"),
    (usual(to="a b@c d"), "RCPT is refused with 501"),
    (usual(**{"from": "a b@c d"}), "MAIL is refused with 501"),
    (usual() + ["--size", "9z"], "size"),
])
def test_mistakes_are_named(server, words, says):
    done = explain(server, *words, check=False)
    assert done.returncode != 0 and says in done.stderr


def test_lines_of_a_batch(server):
    text = ("client=192.0.2.7\thelo=h.example\tfrom=x@s.example\t"
            "to=kim@a.example\n"
            "\n"
            "client=192.0.2.8\thelo=bad.example\tfrom=\tto=kim@a.example\t"
            "listener=mx\n")
    done = server.postern("explain", "--json", "--batch", stdin=text)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [t["verdict"] for t in told] == ["accept", "reject"]
    assert done.stderr == ""
