"""Bounded waiting for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable

from ml_backend.errors import LaunchError
from ml_backend.launch.console import Console


def wait_until(
    ready: Callable[[], bool], *, what: str, seconds: float, console: Console, hint: str, interval: float = 0.25
) -> None:
    """Return as soon as ``ready()`` is true, showing how long it has taken.

    Args:
        ready: Asked every ``interval`` seconds; it must return quickly and not raise for "not yet".
        what: The thing waited for, such as ``Label Studio``.
        seconds: How long to wait at most.
        console: Where progress is shown.
        hint: What to look at when time runs out.
        interval: Seconds between two questions.

    Raises:
        LaunchError: If ``seconds`` pass first.
    """
    start = time.monotonic()
    while not ready():
        waited = time.monotonic() - start
        if waited > seconds:
            raise LaunchError(f"{what} was not ready after {seconds:.0f} seconds.", hint)
        if waited > 2:
            console.progress(f"waiting for {what}, {waited:.0f} s")
        time.sleep(interval)
