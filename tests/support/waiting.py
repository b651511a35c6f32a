"""Waiting for what another thread or process does, and tells nobody of."""

import time
from collections.abc import Callable


def wait_until(is_so: Callable[[], object], seconds: float = 10, every: float = 0.01) -> None:
    """Look again and again until it is so; AssertionError where it does not come to that."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(every)
