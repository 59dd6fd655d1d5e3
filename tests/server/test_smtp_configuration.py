"""A restriction list with a mistake is named, and nothing starts with it."""
import pytest

from tests.harness import paths
from tests.harness.wait import until

MISTAKES = {
    "reject_unauth_destinaton": "did you mean \"reject_unauth_destination\"",
    "permit": "open relay",
    "permit, reject_unauth_destination": "never reached",
}


@pytest.mark.parametrize("value", MISTAKES)
def test_a_wrong_list_is_named_and_nothing_starts(fresh_postern, value):
    if paths.program("postern") is None:
        pytest.skip("postern is not built")
    server = fresh_postern(start=False)
    server.set("smtpd_relay_restrictions", value)
    checked = server.postern("config", "check", check=False)
    assert checked.returncode != 0
    said = str(checked.stdout) + str(checked.stderr)
    assert MISTAKES[value] in said
    assert "postern.conf:" in said
    assert said.count(MISTAKES[value]) == 1
    server.start(wait=False)
    assert until(lambda: server.process.poll() is not None,
                 "posternd to refuse")
    assert server.process.poll() != 0
    assert MISTAKES[value] in server.log_text()


def test_a_reload_refuses_a_wrong_list(fresh_postern):
    if paths.program("postern") is None:
        pytest.skip("postern is not built")
    server = fresh_postern()
    server.set("smtpd_relay_restrictions", "permit")
    asked = server.postern("reload", check=False)
    assert asked.returncode == 78
    assert "open relay" in str(asked.stdout) + str(asked.stderr)


def test_a_reload_keeps_sessions_and_changes_new_ones(fresh_postern):
    server = fresh_postern(settings={"smtpd_banner": "old.example ESMTP"})
    if paths.program("postern") is None:
        pytest.skip("postern is not built")
    with server.smtp(helo=None) as old:
        assert "old.example" in str(old.reply())
        server.set("smtpd_banner", "new.example ESMTP")
        server.set("disable_vrfy_command", "yes")
        server.postern("reload")

        def banner():
            with server.smtp(helo=None) as wire:
                return "new.example" in str(wire.reply())
        until(banner, "the new banner")
        old.expect("VRFY kim", 504)         # begun with the old settings
        with server.smtp() as new:
            new.expect("VRFY kim", 502)
