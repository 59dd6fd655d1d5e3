"""The database learns how full mailboxes are, also after an expunge."""
import imaplib
import ssl

from tests.harness.wait import until


def usage_until(postern, who, messages):
    """Waits until that many messages are reported; their bytes."""
    number = postern.mailbox_id(who)

    def told():
        rows = str(postern.sql(
            "SELECT 'usage=' || messages || ':' || bytes || ';' FROM usage "
            f"WHERE mailbox_id = {number}"))
        _, found, rest = rows.partition(f"usage={messages}:")
        return found and rest.partition(";")[0]

    return int(until(told, f"a report of {messages} messages"))


def test_the_database_learns_how_full_a_mailbox_is(postern, kim):
    postern.send("anna@sender.example", kim)
    postern.send("anna@sender.example", kim)
    paths = postern.wait_for_messages(kim, 2)
    size = usage_until(postern, kim, 2)
    assert size == sum(path.stat().st_size for path in paths)


def test_what_a_reader_expunges_is_taken_off(postern, kim):
    postern.send("anna@sender.example", kim)
    postern.send("anna@sender.example", kim)
    postern.wait_for_messages(kim, 2)
    usage_until(postern, kim, 2)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imaplib.IMAP4_SSL(*postern.address("imaps"),
                           ssl_context=context) as client:
        client.login(kim, "secret")
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
    usage_until(postern, kim, 1)
