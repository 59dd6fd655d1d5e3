"""Fixtures of the whole-server tests.

    postern        an instance that runs for the whole session; each test uses
                   its own domain (fixture `domain`) and must leave it running
    fresh_postern  a function: fresh_postern(settings={...}) makes an instance
                   of the test's own, to kill, restart, or fill the disk of

Both fail a test whose server logged a sanitizer report or a failed assertion.
Without a PostgreSQL server or a built posternd all is skipped, but for
POSTERN_TESTS_REQUIRED=1 (CI), which makes that a failure.
"""
import itertools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.harness import paths                         # noqa: E402
from tests.harness.database import Cluster, NoServer    # noqa: E402
from tests.harness.instance import Instance             # noqa: E402
from tests.harness.limit import (                       # noqa: E402, F401
    pytest_configure, pytest_runtest_call, pytest_runtest_setup,
    pytest_runtest_teardown)

_numbers = itertools.count(1)


def cannot(why):
    if os.environ.get("POSTERN_TESTS_REQUIRED"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def cluster():
    if paths.program("posternd") is None:
        cannot(f"posternd is not built in {paths.BUILD}")
    try:
        made = Cluster()
    except NoServer:
        cannot("no PostgreSQL server is installed")
    yield made
    made.close()


@pytest.fixture(scope="session")
def _session_instance(cluster):
    # Errors are answered at once: tests make many.
    made = Instance(cluster, settings={"smtpd_error_sleep_time": "0"})
    made.shared = True
    try:
        yield made.start()
        code = made.stop()
        made.check_log()
        assert code == 0, f"posternd ended with {code}"
    finally:
        made.destroy()


@pytest.fixture
def postern(_session_instance):
    mark = _session_instance.log_mark()
    yield _session_instance
    assert _session_instance.process.poll() is None, "posternd ended"
    _session_instance.check_log(mark)


@pytest.fixture
def fresh_postern(cluster):
    made = []

    def make(settings=None, start=True):
        made.append(Instance(cluster, settings=settings))
        return made[-1].start() if start else made[-1]

    yield make
    for instance in made:
        try:
            instance.check_log()
        finally:
            instance.destroy()


@pytest.fixture
def domain(postern):
    """A mailbox domain of the test's own on the session's instance."""
    name = f"d{next(_numbers)}.example"
    postern.add_domain(name)
    return name


@pytest.fixture
def kim(postern, domain):
    """kim@DOMAIN with the password `secret`."""
    address = f"kim@{domain}"
    postern.add_mailbox(address, "secret")
    return address


@pytest.fixture
def lee(postern, domain):
    address = f"lee@{domain}"
    postern.add_mailbox(address, "secret")
    return address


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the ends of the logs of the servers that it had."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    shared = [value for value in getattr(item, "funcargs", {}).values()
              if isinstance(value, Instance)]
    for instance in Instance.living:
        if instance in shared or not instance.shared:
            report.sections.append((f"server log, {instance.dir}",
                                    instance.log_text()[-2500:]))
