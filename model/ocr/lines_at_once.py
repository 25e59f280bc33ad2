"""Reads the crops of a page on several threads, each line alone on one of them.

A line is too little work to be shared among threads, and on one thread a batch of lines gains little or nothing. So
lines are read one by one, several at a time, and a line is read the same whatever stands beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from model.document.images import RgbImage
from model.ocr.recognised import Recognised


class LinesAtOnce:
    """A recogniser made of one that reads a single line.

    Args:
        read: Reads one crop on the thread that calls it; several threads may.
        threads: Lines that are read at a time, by all callers together; 0: as many as there are cores.
    """

    def __init__(self, read: Callable[[RgbImage], Recognised], threads: int) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(threads or cores(), thread_name_prefix="lines")

    def recognise(self, crops: Sequence[RgbImage]) -> list[Recognised]:
        """Return one result a crop, in the same order."""
        # The longest first: a long one at the end would keep one thread alone.
        order = sorted(range(len(crops)), key=lambda index: -crops[index].shape[1] / crops[index].shape[0])
        found = dict(zip(order, self._pool.map(self._read, [crops[index] for index in order]), strict=True))
        return [found[index] for index in range(len(crops))]


def cores() -> int:
    """Return how many cores this process may use."""
    # macOS and Windows tell all cores only.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
