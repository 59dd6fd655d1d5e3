"""Organisations, app passwords, transports and new names, by the postern
command and in what the server then does."""
import imaplib
import json
import re
import ssl

import pytest

from tests.harness.wait import until


def rows(server, *words):
    return json.loads(server.postern("--json", *words).stdout)


def refused(server, code, said, *words):
    done = server.postern(*words, check=False)
    assert done.returncode == code, (words, done.stderr)
    assert said in done.stderr, (words, done.stderr)


def test_an_organisation_and_its_limits(postern, domain):
    name = "org-" + domain
    postern.postern("org", "add", name)
    refused(postern, 73, f"there is an organisation {name} already",
            "org", "add", name)
    postern.postern("domain", "set", domain, "organisation", name)
    postern.postern("mailbox", "add", f"a@{domain}", "--no-password",
                    "--quota", "1g")
    postern.postern("org", "set", name, "max_mailboxes", "1")
    refused(postern, 65, "may have 1 mailboxes", "mailbox", "add",
            f"b@{domain}", "--no-password")
    postern.postern("org", "set", name, "max_mailboxes", "none")
    postern.postern("org", "set", name, "max_quota_bytes", "2g")
    refused(postern, 65, "so every mailbox needs one", "mailbox", "add",
            f"b@{domain}", "--no-password")
    refused(postern, 65, "may give", "mailbox", "add", f"b@{domain}",
            "--no-password", "--quota", "1025m")
    refused(postern, 65, "There are: active", "org", "set", name, "colour",
            "1")
    refused(postern, 65, "not a size", "org", "set", name, "max_domains",
            "many")
    shown = rows(postern, "org", "show", name)
    assert (shown["domains"], shown["mailboxes"], shown["quota_given"],
            shown["max_quota_bytes"]) == (1, 1, 2 ** 30, 2 ** 31)
    assert name in [row["name"] for row in rows(postern, "org", "list")]
    assert re.search(rf"(?m)^{re.escape(name)} .* 1\.0G +2\.0G",
                     postern.postern("org", "list").stdout)
    refused(postern, 65, "has domains", "--yes", "org", "del", name)
    refused(postern, 64, "--yes", "org", "del", name)
    postern.postern("domain", "set", domain, "organisation", "tests")
    postern.postern("--yes", "org", "del", name)
    refused(postern, 67, "there is no organisation", "org", "show", name)
    refused(postern, 67, "there is no organisation", "--yes", "org", "del",
            name)


def login(server, address, password):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with imaplib.IMAP4_SSL(*server.address("imaps"),
                           ssl_context=context) as imap:
        imap.login(address, password)


def test_an_app_password_opens_what_it_is_for(postern, kim):
    made = rows(postern, "credential", "add", kim, "phone", "--scope",
                "imap")
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", made["password"])
    login(postern, kim, made["password"])
    told = postern.postern("credential", "add", kim, "desk", "--scope=smtp",
                           "--for", "90 days")
    sending = re.search(r"password:? +(\S+)", told.stdout).group(1)
    assert "not shown again" in told.stderr
    with pytest.raises(imaplib.IMAP4.error):
        login(postern, kim, sending)
    refused(postern, 73, "has a credential", "credential", "add", kim,
            "desk")
    refused(postern, 65, "neither imap nor smtp", "credential", "add", kim,
            "x", "--scope", "imap,pop3")
    refused(postern, 67, "no mailbox", "credential", "add", "no" + kim, "x")
    postern.postern("credential", "add", kim, "own", "--password-stdin",
                    stdin="chosen\n")
    login(postern, kim, "chosen")
    listed = {row["label"]: row
              for row in rows(postern, "credential", "list", kim)}
    assert {(r["label"], r["kind"], r["scope"])
            for r in listed.values()} == {
        ("password", "password", "all"), ("phone", "app", "imap"),
        ("desk", "app", "smtp"), ("own", "app", "all")}
    assert listed["desk"]["expires_at"] and not listed["own"]["expires_at"]
    until(lambda: rows(postern, "credential", "show", kim,
                       "phone")["last_used_at"], "the last use")
    everything = postern.postern("--json", "credential", "list", kim).stdout
    assert "SCRAM" not in everything and made["password"] not in everything
    assert rows(postern, "credential", "show", kim, "phone")["scope"] == \
        "imap"
    refused(postern, 67, "has no credential", "credential", "show", kim, "no")
    refused(postern, 64, "--yes", "credential", "del", kim, "phone")
    postern.postern("--yes", "credential", "del", kim, "phone")

    def forgotten():
        try:
            login(postern, kim, made["password"])
        except imaplib.IMAP4.error:
            return True
        return False
    until(forgotten, "authd to hear of it")
    refused(postern, 67, "has no credential", "--yes", "credential", "del",
            kim, "phone")


def test_a_transport_and_who_is_behind_it(postern, domain):
    name = "t." + domain
    postern.postern("transport", "add", name, "smtp", "[mx.example]:2525")
    refused(postern, 73, "already", "transport", "add", name, "smtp")
    refused(postern, 65, "none of smtp", "transport", "add", "t2", "uucp")
    refused(postern, 65, "a next hop is", "transport", "add", "t2", "smtp",
            "two words")
    relayed = "relayed." + domain
    postern.postern("domain", "add", relayed, "--relay", "--transport", name)
    shown = {row["name"]: row for row in rows(postern, "transport", "list")}
    assert shown[name] == {"name": name, "kind": "smtp",
                           "next_hop": "[mx.example]:2525", "domains": 1}
    refused(postern, 65, "used by a domain", "--yes", "transport", "del",
            name)
    postern.postern("domain", "set", relayed, "relay_recipients", "listed")
    postern.postern("relay-recipient", "add", f"Kim@{relayed}")
    refused(postern, 65, "is not relayed", "relay-recipient", "add",
            f"kim@{domain}")
    assert [row["address"] for row in
            rows(postern, "relay-recipient", "list", relayed)] == \
        [f"kim@{relayed}"]
    assert postern.postern("resolve", f"kim@{relayed}").returncode == 0
    refused(postern, 67, "", "resolve", f"lee@{relayed}")
    postern.postern("relay-recipient", "del", f"kim@{relayed}")
    refused(postern, 67, "is not listed", "relay-recipient", "del",
            f"kim@{relayed}")
    refused(postern, 67, "", "resolve", f"kim@{relayed}")
    postern.postern("--yes", "domain", "del", relayed)
    postern.postern("--yes", "transport", "del", name)


def test_a_renamed_mailbox_keeps_its_mail_and_aliases(postern, kim, domain):
    new = f"kim.lee@{domain}"
    postern.postern("alias", "add", f"all@{domain}", kim)
    before = postern.mailbox_id(kim)
    refused(postern, 64, "--yes", "mailbox", "rename", kim, new)
    postern.postern("mailbox", "rename", kim, new, "--keep-alias")
    assert postern.mailbox_id(new) == before
    login(postern, new, "secret")
    for asked in (kim, f"all@{domain}", f"kim+tag@{domain}"):
        assert {(r["item"], r["value"])
                for r in rows(postern, "resolve", asked)} >= \
            {("mailbox", new)}, asked
    refused(postern, 65, "there is an alias", "--yes", "mailbox", "rename",
            new, kim)
    postern.postern("mailbox", "add", f"b@{domain}", "--no-password")
    refused(postern, 73, "already", "--yes", "mailbox", "rename", new,
            f"b@{domain}")
    refused(postern, 67, "no mailbox", "--yes", "mailbox", "rename",
            f"none@{domain}", f"c@{domain}")
    refused(postern, 67, "no domain", "--yes", "mailbox", "rename", new,
            "kim@nowhere.example")


def test_a_renamed_domain_keeps_its_mailboxes(postern, kim, domain):
    new = "new-" + domain
    postern.add_domain("other-" + domain)
    postern.postern("alias", "add", f"kim@other-{domain}", kim)
    refused(postern, 73, "already", "--yes", "domain", "rename", domain,
            "other-" + domain)
    postern.postern("--yes", "domain", "rename", domain, new)
    login(postern, f"kim@{new}", "secret")
    assert {(r["item"], r["value"]) for r in
            rows(postern, "resolve", f"kim@other-{domain}")} >= \
        {("mailbox", f"kim@{new}")}
    refused(postern, 67, "", "resolve", kim)
    with pytest.raises(imaplib.IMAP4.error):
        login(postern, kim, "secret")


def test_a_deleted_mailbox_is_purged_when_it_is_time(postern, kim, lee,
                                                     domain):
    for who in (kim, lee):
        postern.send("x@far.example", [who])
        postern.wait_for_messages(who, 1)
    home, other = postern.home(kim), postern.home(lee)
    # a link in it leads elsewhere, and only the link goes
    (home / "link").symlink_to(other)
    gone = postern.mailbox_id(kim)
    postern.postern("--yes", "mailbox", "del", kim)
    listed = {row["id"]: row for row in rows(postern, "mailbox", "deleted")}
    assert listed[gone]["address"] == kim
    postern.postern("--yes", "mailbox", "purge")       # not a month yet
    assert home.exists()
    refused(postern, 64, "--yes", "mailbox", "purge", "--older-than", "0")
    refused(postern, 65, "interval", "--yes", "mailbox", "purge",
            "--older-than", "soon")
    for back in "-5 days", "5 days ago":
        refused(postern, 65, "back in time", "--yes", "mailbox", "purge",
                f"--older-than={back}")
        refused(postern, 65, "back in time", "credential", "add", lee, "x",
                f"--for={back}")
    assert home.exists()
    told = postern.postern("--yes", "mailbox", "purge", "--older-than", "0")
    assert f"purged {kim} (id {gone})" in told.stdout
    assert not home.exists() and len(postern.messages(lee)) == 1
    assert rows(postern, "mailbox", "deleted") == []
    # whoever gets the address next has an empty home of another id
    postern.postern("mailbox", "add", kim, "--no-password")
    again = postern.mailbox_id(kim)
    assert again > gone and postern.messages(kim) == []
    # one without a home, as if cut off before its row was gone
    postern.postern("--yes", "mailbox", "del", kim)
    postern.postern("--yes", "mailbox", "purge", "--older-than", "0")
    assert postern.sql(f"SELECT count(*) FROM mailbox WHERE id = {again};") \
        == [["0"]]
