"""Fixtures of the differential test; see README.md."""
import concurrent.futures
import contextlib
import os
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.diff import known, names, servers, table     # noqa: E402
from tests.harness.database import Cluster, NoServer    # noqa: E402
from tests.harness.limit import (                       # noqa: E402, F401
    pytest_configure, pytest_runtest_call, pytest_runtest_setup,
    pytest_runtest_teardown)


WORKERS = 8             # dialogues at a time: some wait, for DNS or for sleep


def cannot(why):
    if os.environ.get("POSTERN_TESTS_REQUIRED"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def cluster():
    try:
        made = Cluster()
    except NoServer:
        cannot("no PostgreSQL server is installed")
    yield made
    made.close()


def keep_logs(made, where):
    if where:
        (pathlib.Path(where) / "postern.log").write_text(
            made.postern.log_text())
        (pathlib.Path(where) / "postfix.log").write_text(
            made.postfix.log_text())


@pytest.fixture(scope="session")
def pair(cluster):
    with contextlib.ExitStack() as open_ones:
        directory = pathlib.Path(open_ones.enter_context(
            tempfile.TemporaryDirectory(prefix="postern-diff-")))
        directory.chmod(0o755)
        try:
            dns = names.NameServer(directory / "dns")
            open_ones.callback(dns.close)
            made = servers.Pair(cluster, directory, table.GROUPS,
                                table.TABLES, table.EXTRA)
            open_ones.callback(made.close)
        except Exception as error:      # said once, not for each dialogue
            pytest.exit(f"the servers do not start: {error}", 1)
        yield made
        keep_logs(made, os.environ.get("POSTERN_DIFF_LOGS"))
        made.postern.check_log()


def jobs(talks):
    """Talks of a group stay in a row, so that Postfix needs one smtpd for
    them; those that wait are each a job of its own, and begin first."""
    slow = [[talk] for talk in talks if talk.waits]
    rows = {}
    for talk in talks:
        if not talk.waits:
            rows.setdefault(talk.group.name, []).append(talk)
    return slow + sorted(rows.values(), key=len, reverse=True)


@pytest.fixture(scope="session")
def heard(request, pair):
    """{talk id: (Postern's replies, Postfix's)} of all selected dialogues."""
    talks = {}
    for item in request.session.items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if "talk" in params:
            talks[params["talk"].id] = params["talk"]

    def hold(row):
        return [(talk.id, pair.agree(talk)) for talk in row]

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return dict(one for row in pool.map(hold, jobs(talks.values()))
                    for one in row)


def pytest_terminal_summary(terminalreporter):
    known.summary(terminalreporter.write_line)
