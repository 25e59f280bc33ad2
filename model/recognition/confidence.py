"""How sure a head may be: one temperature, so that characters of score p are right in p of the cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from model.recognition.head import Head
from model.recognition.lines import FeatureLine

_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(4.0), 25))


def fit_temperature(head: Head, lines: Sequence[FeatureLine], most: int = 400) -> float:
    """Return the temperature at which the scores of read characters best tell which are right (Guo et al. 2017).

    Args:
        head: Its own temperature does not matter.
        lines: Lines that it was not trained on.
        most: Lines looked at.
    """
    losses = []
    for temperature in _TEMPERATURES:
        scores, right = character_outcomes(replace(head, temperature=float(temperature)), lines[:most])
        if not len(scores):
            return head.temperature
        clipped = np.clip(scores, 1e-4, 1 - 1e-4)
        # One character more, right and wrong by half: perfect reading of few lines is no proof of certainty.
        losses.append(-(np.log(clipped) * right + np.log(1 - clipped) * (1 - right)).sum() - np.log(1 - clipped.max()))
    return float(_TEMPERATURES[int(np.argmin(losses))])


def character_outcomes(head: Head, lines: Sequence[FeatureLine]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the score of each character that the head reads, and whether it is right: 1 or 0."""
    scores: list[float] = []
    right: list[float] = []
    for line in lines:
        reading = head.read(line.features)
        good = np.zeros(len(reading.character_scores))
        text = reading.text
        if len(text) != len(good):
            continue
        for block in Levenshtein.opcodes(text, line.text):
            if block.tag == "equal":
                good[block.src_start : block.src_end] = 1
        scores += reading.character_scores
        right += good.tolist()
    return np.asarray(scores), np.asarray(right)


def calibration_error(scores: NDArray[np.float64], right: NDArray[np.float64], bins: int = 10) -> float:
    """Return the expected calibration error, in ``[0, 1]``: how far scores and success lie apart, in bins by score."""
    if not len(scores):
        return 0.0
    number = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = [abs(float((scores - right)[number == n].sum())) for n in range(bins)]
    return sum(gaps) / len(scores)
