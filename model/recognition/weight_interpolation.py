"""What keeps a head from forgetting what no correction was about.

Only the columns of characters that were misread learn at all. Of what they learned, as much is taken over as rendered
lines bear that it was not trained on: weights between the old and the new ones lose little of what was learned and much
less of what was known (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.measuring import measure, pooled

_SHARES = (1.0, 0.7, 0.5, 0.35, 0.2, 0.1)
# By how much new characters must lead, in nats, where they are read in places of old ones.
_LEADS = (0.0, 1.0, 2.0)


def misread_characters(head: Head, lines: Sequence[FeatureLine]) -> frozenset[str]:
    """Return the characters on either side of what a head reads wrongly on lines."""
    found: set[str] = set()
    for line, read in zip(lines, head.texts([line.features for line in lines]), strict=True):
        for edit in Levenshtein.editops(line.text, read):
            if edit.tag != "insert":
                found.add(line.text[edit.src_pos])
            if edit.tag != "delete":
                found.add(read[edit.dest_pos])
    return frozenset(found)


def settle(
    champion: Head, start: Head, trained: Head, guards: Sequence[Sequence[FeatureLine]], margin: float
) -> tuple[Head, float]:
    """Take over as much of what was learned as is allowed.

    Args:
        champion: The head in use.
        start: What training started from: the champion, with columns for new characters.
        trained: What came out, with the same characters.
        guards: Rendered lines that were not trained on, kind by kind: what is gained on one makes up for no other.
        margin: Rise of the CER that is allowed on each kind, as a share.

    Returns:
        The head, and the share of the way from ``start`` to ``trained`` that the columns of the champion's characters
        have gone; new characters' columns have gone all of it, but may have to lead.
    """
    new = np.array([False, *(not champion.knows(character) for character in start.characters)])
    before = [pooled(measure(champion, guard)).cer for guard in guards]
    for share, lead in product(_SHARES, _LEADS if new.any() else _LEADS[:1]):
        head = _between(start, trained, np.where(new, 1.0, share))
        head = replace(head, bias=head.bias - np.float32(lead) * new.astype(np.float32))
        after = [pooled(measure(head, guard)).cer for guard in guards]
        if all(now <= old + margin for old, now in zip(before, after, strict=True)):
            return head, share
    return _between(start, trained, new.astype(np.float64)), 0.0


def _between(start: Head, trained: Head, shares: NDArray[np.float64]) -> Head:
    column = shares.astype(np.float32)
    return replace(
        trained,
        weights=start.weights + column * (trained.weights - start.weights),
        bias=start.bias + column * (trained.bias - start.bias),
    )
