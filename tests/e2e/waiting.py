"""Waiting for what happens by itself, but not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(done: Callable[[], object], what: str, seconds: float = 120) -> float:
    """Wait until something is so; return how many seconds it took.

    Raises:
        AssertionError: If it takes longer than ``seconds``.
    """
    start = time.monotonic()
    while not done():
        assert time.monotonic() - start < seconds, f"{what} did not happen within {seconds} s"
        time.sleep(0.5)
    return time.monotonic() - start
