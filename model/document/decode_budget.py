"""How many decoded pixels a process holds at a time: a file of 350 kB may unfold into hundreds of megabytes.

Pixels count from before they are decoded until their array is gone, whatever holds it. Large images are decoded one at
a time, since a decoder takes more memory than what it leaves.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from model.errors import ImageBusyError, say

#: Megapixels that are held where nobody has said otherwise: two of the largest images that are taken by default.
DEFAULT_MEGAPIXELS = 120
#: Label Studio waits 100 s for an answer; a caller without a place in this time is better told.
WAIT_SECONDS = 30.0
_LARGE_PIXELS = 4_000_000
_PAUSE_SECONDS = 0.01


class DecodeBudget:
    """Admits images for as long as there is place for their pixels; threads share one.

    An image that is larger than the whole budget is admitted when nothing else is held.

    Args:
        megapixels: Most that are held, in millions of pixels.
        wait_seconds: Longest time that one waits for its place.
    """

    def __init__(self, megapixels: float = DEFAULT_MEGAPIXELS, wait_seconds: float = WAIT_SECONDS) -> None:
        self._megapixels = megapixels
        self._wait_seconds = wait_seconds
        self._held = 0
        # Arrays go wherever the interpreter lets go of them, perhaps in a thread that holds the lock: they leave their
        # pixels here, and the waiting thread takes them off.
        self._freed: deque[int] = deque()
        self._lock = threading.Lock()
        self._decoding = threading.Lock()

    @property
    def held(self) -> int:
        """Pixels that are held now."""
        with self._lock:
            self._take_off()
            return self._held

    def decode(self, pixels: int, work: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Decode an image when there is place for it.

        Args:
            pixels: How many it has.
            work: Decodes it into an array that owns its memory.

        Raises:
            ImageBusyError: If others hold the place for too long.
        """
        deadline = time.monotonic() + self._wait_seconds
        while not self._admitted(pixels):
            if time.monotonic() >= deadline:
                raise self._busy()
            time.sleep(_PAUSE_SECONDS)
        try:
            if pixels < _LARGE_PIXELS:
                image = work()
            else:
                if not self._decoding.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    raise self._busy()
                try:
                    image = work()
                finally:
                    self._decoding.release()
            weakref.finalize(image, self._freed.append, pixels).atexit = False
        except BaseException:
            self._freed.append(pixels)
            raise
        return image

    def _admitted(self, pixels: int) -> bool:
        with self._lock:
            self._take_off()
            if self._held and self._held + pixels > self._megapixels * 1e6:
                return False
            self._held += pixels
            return True

    def _take_off(self) -> None:
        while self._freed:
            self._held -= self._freed.popleft()

    def _busy(self) -> ImageBusyError:
        return ImageBusyError(
            say(
                "Other images are being worked on, and together they may have {megapixels} megapixels "
                "(DECODE_BUDGET_MEGAPIXELS).",
                megapixels=f"{self._megapixels:g}",
            )
        )


_of_process = DecodeBudget()


def process_budget() -> DecodeBudget:
    """Return the budget of this process."""
    return _of_process


def set_process_budget(megapixels: float) -> None:
    """Set how many millions of decoded pixels this process holds; what is held already is not counted."""
    global _of_process
    _of_process = DecodeBudget(megapixels)
