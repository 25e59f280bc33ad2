"""How far what was read leads the next best reading: the margin between the best and the second path through CTC."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLANK = 0


def path_margin(probabilities: NDArray[np.floating[Any]]) -> float:
    """Return by how much the best path leads the nearest one that reads another text.

    Two paths differ in one column at the least, so this is the smallest difference, over the columns, between what
    keeps the text and the likeliest character that would change it (best path of Graves et al. 2006; the margin of
    Scheffer et al. 2001 for a sequence).

    Args:
        probabilities: Shape (columns, 1 + characters), the first one CTC's blank; rows sum to 1.

    Returns:
        In ``[0, 1]``: 0 where two readings are equally likely, or nothing was looked at; 1 where there is no other.
    """
    if not len(probabilities):
        return 0.0
    path = probabilities.argmax(axis=1)
    rows = np.arange(len(path))
    before = np.concatenate(([_BLANK], path[:-1]))
    after = np.concatenate((path[1:], [_BLANK]))
    quiet, repeated = path == _BLANK, (path == before) | (path == after)
    rivals = np.array(probabilities, dtype=np.float32)
    kept = np.zeros(len(path), dtype=np.float32)
    # Which character beside it a column joins, or whether a repeated one or none, changes nothing.
    for where, same in (
        (np.ones_like(quiet), path),
        (quiet | repeated, before),
        (quiet | repeated, after),
        (repeated, np.full_like(path, _BLANK)),
    ):
        chosen = rows[where], same[where]
        # What is counted already stands below 0.
        kept[where] += np.maximum(rivals[chosen], 0)
        rivals[chosen] = -1
    return float(np.clip((kept - np.maximum(rivals.max(axis=1), 0)).min(), 0.0, 1.0))
