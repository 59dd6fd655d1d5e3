"""Waiting for a state, never for a time."""
import time

# Long enough for a loaded machine under sanitizers; a test that meets its
# state never waits it out.
PATIENCE = 30.0


def until(question, what, timeout=PATIENCE):
    """Asks until the answer is true; returns it. `what` is for the failure."""
    end = time.monotonic() + timeout
    pause = 0.002
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            what = what() if callable(what) else what
            raise TimeoutError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
