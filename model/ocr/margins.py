"""Listens to what a library's recogniser decodes: it hands out texts and scores, but not how near the next text was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.recognition.ambiguity import path_margin

Probabilities = NDArray[np.floating[Any]]


class Margins:
    """Stands before a library's CTC decoder and notes the margin of each line that it decodes, for each thread apart.

    Args:
        decode: The decoder.
        of: Makes the probabilities, shape (lines, columns, characters), of what the decoder is given.
    """

    def __init__(self, decode: Callable[..., Any] | None, of: Callable[[Any], Probabilities]) -> None:
        self._decode, self._of = decode, of
        self._noted = threading.local()

    @classmethod
    def before(cls, owner: object, name: str, of: Callable[[Any], Probabilities]) -> Margins:
        """Put one in the place of a library's decoder; where it has none of that name, no margins are known.

        Args:
            owner: The library's recogniser.
            name: Its attribute that decodes.
            of: See the class.
        """
        decode = getattr(owner, name, None)
        margins = cls(decode if callable(decode) else None, of)
        if margins._decode is not None:
            setattr(owner, name, margins)
        return margins

    def __call__(self, given: Any, *arguments: Any, **named: Any) -> Any:
        """Note the margins, and decode."""
        assert self._decode is not None
        rows = np.asarray(self._of(given))
        if rows.ndim == 3:
            # Kept with every line of every page: four digits are enough.
            noted = [round(path_margin(line), 4) for line in rows]
            self._noted.lines = [*getattr(self._noted, "lines", ()), *noted]
        return self._decode(given, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        # Whatever else the library asks of its decoder.
        return getattr(self._decode, name)

    def taken(self, lines: int) -> list[float | None]:
        """Return the margins of this thread's latest lines, and forget them; None each if it decoded not so many."""
        noted: list[float] = getattr(self._noted, "lines", [])
        self._noted.lines = []
        return list(noted) if len(noted) == lines else [None] * lines
