"""Nothing takes for ever: what hangs fails, and says where it stood.

In a conftest.py the hooks are taken in by
    from tests.harness.limit import (pytest_configure, pytest_runtest_setup,
        pytest_runtest_call, pytest_runtest_teardown)
"""
import contextlib
import faulthandler
import os
import signal

# Far above what any test takes on a busy machine, under sanitizers.
LIMIT = float(os.environ.get("POSTERN_TEST_LIMIT", 600))
# What cannot be interrupted ends the process so much later.
GRACE = 240

_stderr = 2


@contextlib.contextmanager
def within(what, seconds=LIMIT, error=TimeoutError):
    """Raises `error` where the main thread stands when the time is over,
    after all threads' stacks have been printed; again if that is caught."""
    def over(_number, _frame):
        faulthandler.dump_traceback(file=2)
        raise error(f"{what} took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, over)
    faulthandler.dump_traceback_later(seconds + GRACE, exit=True,
                                      file=_stderr)
    signal.setitimer(signal.ITIMER_REAL, seconds, 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


try:
    import pytest
except ImportError:             # a storm can do without
    pass
else:
    def pytest_configure(config):
        """Output is not captured yet."""
        global _stderr
        _stderr = os.dup(2)

    def _limited(item):
        return within(item.nodeid, error=pytest.fail.Exception)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_setup(item):
        with _limited(item):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(item):
        with _limited(item):
            yield

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_teardown(item):
        with _limited(item):
            yield
