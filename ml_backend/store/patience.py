"""How long is waited for the store's lock: one budget for all of a request, and more for what nobody waits for.

SQLite has one writer at a time, and so a lock that somebody else may hold for minutes. Each statement has a limit of
its own, but a request with several would wait for their sum, and requests that wait hold the threads of the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

#: For so long waits what has no budget, each time: jobs, commands, actions of the panel.
BUSY_SECONDS = 30.0
#: For so long a request waits, all its reads and writes together.
STORE_PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class _Budget:
    seconds: float


_budget: ContextVar[_Budget | None] = ContextVar("store_patience", default=None)


def wait_together(seconds: float | None) -> None:
    """Bound how long this thread waits for the store from now on, all waits together; ``None`` lifts the bound."""
    _budget.set(None if seconds is None else _Budget(seconds))


def use_up() -> None:
    """Note that the store was waited for in vain: what else this request does waits no more."""
    budget = _budget.get()
    if budget is not None:
        budget.seconds = 0.0


@contextmanager
def waiting() -> Iterator[float]:
    """Give how many seconds may be waited, 0 or more, and take what the block lasts off the budget."""
    budget = _budget.get()
    if budget is None:
        yield BUSY_SECONDS
        return
    begun = time.monotonic()
    try:
        yield budget.seconds
    finally:
        budget.seconds = max(0.0, budget.seconds - (time.monotonic() - begun))
