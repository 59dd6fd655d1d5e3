"""PostgreSQL is truth, but not on the hot path: changes are live at once, a
warm delivery asks it nothing, and mail flows while it is away."""
import smtplib

import pytest

from tests.harness.database import Cluster
from tests.harness.instance import Instance
from tests.harness.wait import until


def rcpt(instance, *addresses):
    """The code RCPT gets for each."""
    with smtplib.SMTP(*instance.address("mx")) as client:
        client.ehlo()
        client.mail("anna@sender.example")
        return [client.rcpt(address)[0] for address in addresses]


@pytest.fixture
def own_cluster(cluster):
    """A cluster to stop and start."""
    made = Cluster()
    yield made
    made.close()


@pytest.fixture
def own_postern(own_cluster):
    # of several workers one may never have been asked before
    made = Instance(own_cluster, settings={"smtpd_workers": "1"})
    try:
        yield made.start()
        made.check_log()
    finally:
        own_cluster.start()
        made.destroy()


def test_a_warm_delivery_runs_no_query(postern, kim):
    """Counted by the server itself; heartbeats and usage reports are not of
    a delivery."""
    if not postern.sql("SELECT name FROM pg_available_extensions "
                       "WHERE name = 'pg_stat_statements'"):
        pytest.skip("PostgreSQL's contrib modules are not installed")
    postern.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements "
                "SCHEMA public;")
    ran = lambda: postern.sql("""
        SELECT s.calls, s.query FROM public.pg_stat_statements s
        JOIN pg_roles r ON r.oid = s.userid
        WHERE s.dbid = (SELECT oid FROM pg_database
                        WHERE datname = current_database())
          AND r.rolname LIKE 'postern%' AND s.query NOT LIKE '%pg_notify%'
          AND s.query !~ 'usage_report|share_|_expire';""")
    # Each smtpd has a cache of its own, and who takes a connection is chance:
    # one that was cold is warm the next time.
    for round in range(1, 5):
        postern.sql("SELECT public.pg_stat_statements_reset();")
        for _ in range(20):
            postern.send("anna@sender.example", kim)
        postern.wait_for_messages(kim, 20 * round)
        queries = ran()
        if queries == []:
            break
    assert queries == []
    before = ran()
    assert rcpt(postern, "x" + kim) == [550]
    assert len(ran()) > len(before)         # so they are counted


def test_changes_are_live_at_once(postern, domain):
    new = f"new@{domain}"
    assert rcpt(postern, new) == [550]
    postern.sql(f"SELECT mailbox_add('{new}', '{postern.host_name()}', NULL, "
                "NULL, NULL);")
    until(lambda: rcpt(postern, new) == [250], "the mailbox to be taken")
    postern.sql(f"SELECT mailbox_set('{new}', 'state', 'disabled');")
    until(lambda: rcpt(postern, new) == [550], "it to be refused")
    postern.sql(f"SELECT mailbox_del('{new}');"
                f"SELECT alias_add('{new}', ARRAY['other@{domain}']);"
                f"SELECT mailbox_add('other@{domain}', "
                f"'{postern.host_name()}', NULL, NULL, NULL);")
    until(lambda: rcpt(postern, new) == [250], "the alias to be taken")
    postern.sql(f"SELECT mailbox_del('other@{domain}');")
    until(lambda: rcpt(postern, new) == [550], "its target to be missed")


def test_mail_flows_while_the_database_is_away(own_cluster, own_postern):
    postern = own_postern
    postern.add_domain("a.example")
    postern.add_mailbox("kim@a.example")
    until(lambda: rcpt(postern, "kim@a.example") == [250], "kim")
    for _ in range(12):
        assert rcpt(postern, "kim@a.example") == [250]
    own_cluster.stop("immediate")
    assert rcpt(postern, "kim@a.example") == [250]
    queue_id = postern.send("anna@sender.example", "kim@a.example")
    postern.wait_for_log(rf"{queue_id}: to=<kim@a\.example>.*status=sent")
    # Never asked for before: nobody knows, so it is not refused for good.
    assert rcpt(postern, "lee@a.example") == [451]
    own_cluster.start()
    postern.sql("SELECT mailbox_del('kim@a.example');")
    until(lambda: rcpt(postern, "lee@a.example", "kim@a.example") ==
          [550, 550], "the database to be asked again")
