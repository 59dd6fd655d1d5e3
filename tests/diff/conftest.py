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


@pytest.fixture(scope="session")
def heard(request, pair):
    """{talk id: (Postern's replies, Postfix's)} of all selected dialogues,
    held several at a time: some wait for a name server that is silent."""
    talks = [item.callspec.params["talk"] for item in request.session.items
             if "talk" in getattr(getattr(item, "callspec", None), "params",
                                  {})]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return dict(zip([t.id for t in talks], pool.map(pair.hold, talks)))


def pytest_terminal_summary(terminalreporter):
    known.summary(terminalreporter.write_line)
