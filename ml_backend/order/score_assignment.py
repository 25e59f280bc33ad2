"""Scores that put tasks into an order, with as few of them changed as possible: each change is a request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

#: Scores nearer than this are spread out again, before numbers run out between them.
_NARROW = 1e-9


def scores_in_order(shown: Sequence[float | None]) -> dict[int, float]:
    """Return the scores to change, by place, so that all scores rise.

    The longest rising run of scores stays (Schensted, 1961); what stands between two that stay is spread evenly.

    Args:
        shown: The present score of each task in ``[0, 1]``, in the order that is wanted; ``None`` where it is unknown.

    Returns:
        The new scores, above 0 and below 1, by place in ``shown``.
    """
    kept = _longest_rise(shown)
    changed: dict[int, float] = {}
    borders = [(-1, 0.0), *((place, float(shown[place] or 0.0)) for place in kept), (len(shown), 1.0)]
    for (before, low), (after, high) in pairwise(borders):
        between = after - before - 1
        if between and (high - low) / (between + 1) < _NARROW:
            return {place: (place + 1) / (len(shown) + 1) for place in range(len(shown))}
        for step in range(1, between + 1):
            changed[before + step] = low + (high - low) * step / (between + 1)
    return changed


def _longest_rise(shown: Sequence[float | None]) -> list[int]:
    """Return the places of the longest strictly rising run of scores strictly between 0 and 1."""
    ends: list[float] = []
    places: list[int] = []
    before: dict[int, int | None] = {}
    for place, score in enumerate(shown):
        if score is None or not 0.0 < score < 1.0:
            continue
        length = bisect_left(ends, score)
        before[place] = places[length - 1] if length else None
        if length == len(ends):
            ends.append(score)
            places.append(place)
        else:
            ends[length], places[length] = score, place
    rise: list[int] = []
    at = places[-1] if places else None
    while at is not None:
        rise.append(at)
        at = before[at]
    return rise[::-1]
