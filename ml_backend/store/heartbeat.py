"""Signs of life, for those who would take over what a killed process has left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ml_backend.errors import BackendError


@contextmanager
def beating(beat: Callable[[], object], seconds: float) -> Iterator[None]:
    """Give a sign of life every so many seconds until the block ends, whatever the block waits for.

    Args:
        beat: Gives one.
        seconds: Between two.
    """
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(seconds):
            # A store that is busy for a moment is no reason to stop; the next sign of life makes up for it.
            with suppress(BackendError):
                beat()

    thread = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
