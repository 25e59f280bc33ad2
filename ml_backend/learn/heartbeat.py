"""Signs of life of a training run, also where a stage takes long without a report."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ml_backend.errors import BackendError
from ml_backend.store.runs import RunStore

#: Seconds between two signs of life.
_BEAT_SECONDS = 5.0


@contextmanager
def beating(runs: RunStore, run_id: int) -> Iterator[None]:
    """Give signs of life of a run until the block ends."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(_BEAT_SECONDS):
            # A store that is busy for a moment is no reason to stop; the next report finds out.
            with suppress(BackendError):
                runs.beat(run_id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
