"""Where a line's print leaves gaps: columns of its crop without ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from model.images import RgbImage

INK_SHARE = 0.45
"""A column is inked where some pixel differs from the background by this share of what the strongest ink does."""

MARGIN = 0.1
"""Share of the height left out above and below, where rules and neighbouring lines look in."""

FAINTEST_INK = 10
"""Crops whose ink differs from the background by less, in grey levels of 255, are not looked at."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A run of columns without ink, as shares of the crop's width in ``[0, 1]``; ``start < stop``."""

    start: float
    stop: float

    @property
    def width(self) -> float:
        """Its width as a share of the crop's, above 0."""
        return self.stop - self.start


def gaps_around(crop: RgbImage, centres: Sequence[float]) -> tuple[Gap | None, ...]:
    """Return the gap at the beginning of the line, the widest between each two characters, and the one at the end.

    Args:
        crop: One line, upright.
        centres: Where the middle of each character stands, as a share of the width, ascending.

    Returns:
        One more than there are characters; None where the print leaves no gap, or where an uneven background does not
        let it be seen.
    """
    inked = _inked_columns(crop)
    width = len(inked)
    places = [round(centre * width) for centre in centres]
    if not inked.any():
        return (None,) * (len(places) + 1)
    first, last = np.flatnonzero(inked)[[0, -1]]
    between = (_widest(inked, start, stop) for start, stop in pairwise(places))
    return (
        Gap(0.0, float(first) / width) if first else None,
        *between,
        Gap(float(last + 1) / width, 1.0) if last + 1 < width else None,
    )


def _inked_columns(crop: RgbImage) -> NDArray[np.bool_]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    margin = int(MARGIN * len(grey))
    distance = np.abs(grey - np.median(grey))[margin : len(grey) - margin]
    strongest = np.percentile(distance, 98)
    if strongest < FAINTEST_INK:
        return np.ones(grey.shape[1], dtype=np.bool_)
    return np.asarray(distance.max(axis=0) >= INK_SHARE * strongest, dtype=np.bool_)


def _widest(inked: NDArray[np.bool_], start: int, stop: int) -> Gap | None:
    """Return the longest run without ink within a range of columns, to its ends beyond the range."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], inked[start:stop], [True])).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return None
    first, last = (start + int(edge) for edge in runs[np.argmax(runs[:, 1] - runs[:, 0])])
    # A centre is only known to the column of the recogniser's output, and may lie beside a narrow sign.
    while first > 0 and not inked[first - 1]:
        first -= 1
    while last < len(inked) and not inked[last]:
        last += 1
    return Gap(first / len(inked), last / len(inked))
