"""The few lines that a person sees while the system comes up."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO


class Console:
    """Writes lines, and one line in place for what takes long.

    On a terminal a progress line is rewritten in place; elsewhere (a log file, CI) it is written again at most every
    ten seconds, so that a log stays readable. Safe to use from several threads.
    """

    _QUIET_SECONDS = 10.0

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._in_place = self._stream.isatty()
        self._lock = threading.Lock()
        self._open = False
        self._started = time.monotonic()
        self._last_progress = float("-inf")

    def say(self, text: str) -> None:
        """Write a line with the seconds since the start before it."""
        self.write(f"[{time.monotonic() - self._started:4.0f} s] {text}")

    def write(self, text: str) -> None:
        """Write ``text`` as a line of its own."""
        with self._lock:
            self._close_progress()
            self._stream.write(f"{text}\n")
            self._stream.flush()
            self._last_progress = float("-inf")

    def progress(self, text: str) -> None:
        """Show how far a long step is; call it as often as is convenient."""
        with self._lock:
            now = time.monotonic()
            if not self._in_place and now - self._last_progress < self._QUIET_SECONDS:
                return
            self._last_progress = now
            stamped = f"[{now - self._started:4.0f} s]   {text}"
            self._stream.write(f"\r\x1b[2K{stamped}" if self._in_place else f"{stamped}\n")
            self._stream.flush()
            self._open = self._in_place

    def _close_progress(self) -> None:
        if self._open:
            self._stream.write("\r\x1b[2K")
            self._open = False
