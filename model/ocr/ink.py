"""Where a line's print leaves gaps: columns of its crop without ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from model.document.images import RgbImage

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
    gaps: list[Gap | None] = [None] * (len(centres) + 1)
    bounds = [-1.0, *(centre * width for centre in centres), width + 1.0]
    for start, stop in _runs_without(inked):
        if start == 0 and stop == width:
            break
        shares = [min(stop, right) - max(start, left) for left, right in pairwise(bounds)]
        # A centre is only known to the column of the recogniser's output and may lie beside a narrow sign, in the gap:
        # so a gap belongs to the two characters between which most of it lies, and to no others.
        place = 0 if start == 0 else len(centres) if stop == width else shares.index(max(shares))
        at_an_end = place in {0, len(centres)}
        if at_an_end and start > 0 and stop < width:
            continue  # within the first or last character
        gap, best = Gap(start / width, stop / width), gaps[place]
        if best is None or gap.width > best.width:
            gaps[place] = gap
    return tuple(gaps)


def _inked_columns(crop: RgbImage) -> NDArray[np.bool_]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    margin = int(MARGIN * len(grey))
    distance = np.abs(grey - np.median(grey))[margin : len(grey) - margin]
    strongest = np.percentile(distance, 98)
    if strongest < FAINTEST_INK:
        return np.ones(grey.shape[1], dtype=np.bool_)
    return np.asarray(distance.max(axis=0) >= INK_SHARE * strongest, dtype=np.bool_)


def _runs_without(inked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the runs of columns without ink, each as a half-open range."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], inked, [True])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
