"""Quota of mailboxes, and of the pools that mailboxes share."""
import time

import pytest

from tests.harness.wait import until

FULL = "has overdrawn his diskspace quota"
BIG = b"Subject: big\r\n\r\n" + b"x" * 70 * 1024


class Prompt:
    """Waits for changes to act. The machine may hold up each of them, but if
    they act at once it does not hold up all."""

    def __init__(self):
        self.took = []

    def until(self, question, what):
        began = time.monotonic()
        until(question, what)
        self.took.append(time.monotonic() - began)

    def check(self):
        assert min(self.took) < 2, self.took


@pytest.fixture
def prompt():
    made = Prompt()
    yield made
    made.check()


@pytest.fixture
def crowd(postern, domain):
    """Ids of six mailboxes of one domain: each deliver process has some."""
    return {f"u{i}@{domain}": postern.add_mailbox(f"u{i}@{domain}", "secret")
            for i in range(6)}


def pool(postern, domain, size=0, messages=0):
    postern.sql(f"SELECT quota_set('domain', '{domain}', {size}, {messages})")


def rcpt(postern, address, size=100):
    """The reply to a RCPT for a message of that size."""
    with postern.smtp() as wire:
        assert wire.cmd(f"MAIL FROM:<a@sender.example> SIZE={size}").code \
            == 250
        return wire.cmd(f"RCPT TO:<{address}>")


def refused(reply):
    return reply.code == 452 and FULL in str(reply)


def fill(postern, addresses, each=1):
    for address in addresses:
        for _ in range(each):
            postern.send("a@sender.example", address, BIG)
    for address in addresses:
        postern.wait_for_messages(address, each)


def test_a_full_domain_refuses_mail_to_each_of_its_mailboxes(
        postern, domain, crowd):
    pool(postern, domain, size=300 * 1024)
    people = list(crowd)
    fill(postern, people[:4])
    # no mailbox has more than a quarter, whichever process has it
    until(lambda: all(refused(rcpt(postern, who, 70 * 1024))
                      for who in people), "refusals to all")
    # what is small still fits
    assert rcpt(postern, people[5], 1000).code == 250


def test_a_pool_may_limit_the_number_of_messages(postern, domain, crowd):
    pool(postern, domain, messages=4)
    people = list(crowd)
    fill(postern, people[:4])
    until(lambda: all(refused(rcpt(postern, who)) for who in people),
          "refusals to all")


def test_an_organisation_limits_all_its_domains(postern, domain, crowd):
    other = f"other-{domain}"
    postern.add_domain(other)
    lee = f"lee@{other}"
    postern.add_mailbox(lee)
    postern.sql(f"""
INSERT INTO organisation (name, pool_messages) VALUES ('org of {domain}', 2);
UPDATE domain SET org_id = (SELECT id FROM organisation
    WHERE name = 'org of {domain}') WHERE name IN ('{domain}', '{other}');""")
    fill(postern, list(crowd)[:2])
    until(lambda: refused(rcpt(postern, lee)), "a refusal")
    # another organisation's mailboxes do not care
    postern.sql(f"UPDATE domain SET org_id = (SELECT id FROM organisation "
                f"WHERE name = 'tests') WHERE name = '{other}'")
    until(lambda: rcpt(postern, lee).code == 250, "room")


def test_recipients_of_one_message_share_what_is_left(
        postern, domain, crowd):
    # those of one process, whose reservations are known at once
    processes = len(postern.pids("deliver"))
    some = [who for who, number in crowd.items()
            if number % 256 % processes == 0] or [list(crowd)[0]]
    pool(postern, domain, messages=len(some))
    with postern.smtp() as wire:
        wire.cmd("MAIL FROM:<a@sender.example>")
        replies = [wire.cmd(f"RCPT TO:<{who}>") for who in some]
        assert {r.code for r in replies} == {250}
        # another sender finds no room beside these
        assert refused(rcpt(postern, some[0]))
        wire.cmd("RSET")
        until(lambda: rcpt(postern, some[0]).code == 250, "room again")


def test_a_lowered_limit_acts_in_the_very_next_command(postern, domain, kim,
                                                       prompt):
    fill(postern, [kim], 2)
    with postern.smtp() as wire:
        for command in ("quota_bytes = 1000", "quota_messages = 2"):
            wire.cmd("MAIL FROM:<a@sender.example> SIZE=500")
            assert wire.cmd(f"RCPT TO:<{kim}>").code == 250
            wire.cmd("RSET")
            postern.sql(f"UPDATE mailbox SET {command} WHERE id = "
                        f"{postern.mailbox_id(kim)}")

            def says_full():
                wire.cmd("MAIL FROM:<a@sender.example> SIZE=500")
                reply = wire.cmd(f"RCPT TO:<{kim}>")
                wire.cmd("RSET")
                return refused(reply)
            prompt.until(says_full, "a refusal")
            postern.sql(f"UPDATE mailbox SET quota_bytes = 0, quota_messages "
                        f"= 0 WHERE id = {postern.mailbox_id(kim)}")
            prompt.until(lambda: not says_full(), "an end of it")


def test_a_lowered_pool_acts_at_once(postern, domain, crowd, prompt):
    people = list(crowd)
    pool(postern, domain, messages=100)
    fill(postern, people[:3])
    assert rcpt(postern, people[5]).code == 250
    pool(postern, domain, messages=3)
    prompt.until(lambda: all(refused(rcpt(postern, who)) for who in people),
                 "refusals to all")
    pool(postern, domain)
    prompt.until(lambda: all(rcpt(postern, who).code == 250
                             for who in people), "an end of them")


def test_a_session_that_is_open_learns_of_new_limits(postern, domain, kim,
                                                     prompt):
    number = postern.mailbox_id(kim)
    with postern.imap(kim, "secret") as wire:
        wire.ok("APPEND INBOX {5+}\r\na: b\n")
        wire.ok("SELECT INBOX")
        assert "* QUOTAROOT INBOX" in wire.ok("GETQUOTAROOT INBOX")

        def answers(word, *commands):
            return all(wire.cmd(c)[1].startswith(word) for c in commands)
        both = ("APPEND INBOX {5+}\r\na: b\n", "COPY 1 INBOX")
        for column in ("quota_messages = 1", "quota_bytes = 5"):
            postern.sql(f"UPDATE mailbox SET {column} WHERE id = {number}")
            prompt.until(lambda: answers("NO [OVERQUOTA]", *both), "refusals")
            # a move needs no more room than there is
            for command in ("CREATE x", "MOVE 1 x", "SELECT x",
                            "MOVE 1 INBOX", "SELECT INBOX", "DELETE x"):
                wire.ok(command)
            postern.sql("UPDATE mailbox SET quota_messages = 0, quota_bytes "
                        f"= 0 WHERE id = {number}")
            prompt.until(lambda: answers("OK", *both), "room")


def test_imap_knows_the_pools(postern, domain, crowd):
    people = list(crowd)
    pool(postern, domain, messages=3, size=10 * 2 ** 20)
    fill(postern, people[:2])
    with postern.imap(people[3], "secret") as wire:
        root = f"domain:{domain}"

        def shown():
            return wire.ok("GETQUOTAROOT INBOX")
        # 141 KiB: two messages with the lines put in front
        until(lambda: f"* QUOTA {root} (STORAGE 141 10240 MESSAGE 2 3)"
              in shown(), lambda: f"the pool in {shown()}")
        assert shown()[0] == f"* QUOTAROOT INBOX {root}"
        assert wire.ok(f"GETQUOTA {root}")[0].startswith(f"* QUOTA {root} (")
        wire.ok("APPEND INBOX {5+}\r\na: b\n")
        wire.ok("SELECT INBOX")
        for command in ("APPEND INBOX {5+}\r\na: b\n", "COPY 1 INBOX"):
            assert "NO [OVERQUOTA]" in wire.cmd(command)[-1]
        # what IMAP brought in counts for mail to all others
        until(lambda: all(refused(rcpt(postern, who)) for who in people),
              "refusals to all")
        # and what it takes away, too
        wire.ok("STORE 1 +FLAGS (\\Deleted)")
        wire.ok("EXPUNGE")
        until(lambda: all(rcpt(postern, who).code == 250 for who in people),
              "room for all")


def test_a_site_limit_holds_where_the_database_has_none(fresh_postern):
    made = fresh_postern({"virtual_mailbox_limit": "100k",
                          "virtual_maildir_limit_message": "It is full.",
                          "virtual_overquota_bounce": "yes"})
    made.add_domain("limit.example")
    made.add_mailbox("kim@limit.example")
    made.add_mailbox("lee@limit.example", quota_bytes=10 ** 6)
    made.add_mailbox("pat@limit.example", quota_bytes=10 ** 4)

    def says(who, size):
        return str(rcpt(made, f"{who}@limit.example", size))
    assert says("kim", 90000).startswith("250")
    assert says("kim", 110000).startswith("552 5.2.2") and \
        says("kim", 110000).endswith("It is full.")
    # a ceiling, unless overridden
    assert says("lee", 110000).startswith("552")
    assert says("pat", 20000).startswith("552")
    made.set("virtual_mailbox_limit_override", "yes")
    made.postern("reload")
    assert says("lee", 110000).startswith("250")
    assert says("lee", 1100000).startswith("552")
    assert says("pat", 20000).startswith("552")
