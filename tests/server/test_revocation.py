"""A changed password or a disabled account ends its sessions within 5 s, or on
a busy machine somewhat later: not after the minutes that they may be idle."""
import pytest

from tests.harness.database import quote, scram
from tests.harness.wait import PATIENCE



def token(user, password):
    import base64
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def change_password(postern, address):
    postern.sql(f"SELECT mailbox_passwd({quote(address)}, "
                f"{quote(scram('other'))});")


def disable_mailbox(postern, address):
    local, domain = address.split("@")
    postern.sql(f"UPDATE mailbox SET state = 'disabled' FROM domain d WHERE "
                f"d.id = domain_id AND d.name = {quote(domain)} AND "
                f"local_part = {quote(local)};")


def disable_domain(postern, address):
    domain = address.split("@")[1]
    postern.sql(f"UPDATE domain SET active = false WHERE "
                f"name = {quote(domain)};")


def delete_mailbox(postern, address):
    postern.sql(f"SELECT mailbox_del({quote(address)});")


CHANGES = [change_password, disable_mailbox, disable_domain, delete_mailbox]


def ends(wire):
    """Whatever is said last, the connection is closed in time."""
    wire.sock.settimeout(PATIENCE)
    try:
        while True:
            wire._more()
    except TimeoutError:
        return False
    except Exception as error:
        return type(error).__name__ == "Closed"


@pytest.mark.parametrize("change", CHANGES)
def test_sessions_end(postern, kim, change):
    idle = postern.imap(kim, "secret")
    idle.ok("SELECT INBOX")
    idle.tag += 1
    idle.send(f"a{idle.tag} IDLE\r\n")
    assert idle.line().startswith("+")
    quiet = postern.imap(kim, "secret")
    with idle, quiet, postern.smtp("submissions") as smtp:
        smtp.expect(f"AUTH PLAIN {token(kim, 'secret')}", 235)
        change(postern, kim)
        assert ends(idle) and ends(quiet) and ends(smtp)
    with postern.smtp("submissions") as smtp:
        smtp.expect(f"AUTH PLAIN {token(kim, 'secret')}", 535)
    with postern.imap() as imap:
        assert imap.cmd(f'LOGIN "{kim}" "secret"')[1].startswith("NO")


def test_others_stay(postern, kim, lee):
    with postern.imap(lee, "secret") as other:
        change_password(postern, kim)
        with postern.smtp("submissions") as smtp:
            smtp.expect(f"AUTH PLAIN {token(kim, 'other')}", 235)
        assert other.silent(1)
        other.ok("NOOP")


def test_a_weak_hash_is_replaced_at_login_and_ends_nothing(postern, domain):
    address = f"old@{domain}"
    mailbox = postern.add_mailbox(address)
    postern.sql(f"""INSERT INTO credential (mailbox_id, kind, label, secret)
VALUES ({mailbox}, 'password', 'password',
'{{SHA256}}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=');""")
    with postern.imap(address, "secret") as first:
        from tests.harness.wait import until
        until(lambda: postern.sql(f"SELECT secret FROM credential WHERE "
                                  f"mailbox_id = {mailbox};")[-1][0]
              .startswith("{SCRAM-SHA-256}"), "a better hash")
        assert first.silent(0.5)
        first.ok("NOOP")
    with postern.imap(address, "secret") as second:
        second.ok("NOOP")
