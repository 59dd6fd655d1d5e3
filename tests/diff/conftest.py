"""Fixtures of the differential test; see README.md."""
import concurrent.futures
import os
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.diff import known, names, servers, table     # noqa: E402
from tests.harness.database import Cluster, NoServer    # noqa: E402


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


@pytest.fixture(scope="session")
def pair(cluster):
    with tempfile.TemporaryDirectory(prefix="postern-diff-") as directory:
        directory = pathlib.Path(directory)
        directory.chmod(0o755)
        dns = names.NameServer(directory / "dns")
        made = None
        try:
            try:
                made = servers.Pair(cluster, directory, table.GROUPS,
                                    table.TABLES, table.EXTRA)
            except Exception as error:      # not once for each dialogue
                pytest.exit(f"the servers do not start: {error}", 1)
            yield made
            made.postern.check_log()
        finally:
            if made:
                if os.environ.get("POSTERN_DIFF_LOGS"):
                    keep = pathlib.Path(os.environ["POSTERN_DIFF_LOGS"])
                    (keep / "postern.log").write_text(
                        made.postern.log_text())
                    (keep / "postfix.log").write_text(
                        made.postfix.log_text())
                made.close()
            dns.close()


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
        return [(talk.id, pair.hold(talk)) for talk in row]

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return dict(one for row in pool.map(hold, jobs(talks.values()))
                    for one in row)


def pytest_terminal_summary(terminalreporter):
    known.summary(terminalreporter.write_line)
