"""How far a probability can be believed: temperature scaling, reliability diagrams, expected calibration error.

Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

FloatArray = NDArray[np.float64]

#: Temperatures that are looked for; what is best beyond them says that there is too little to fit to.
TEMPERATURES = (0.25, 5.0)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The answers whose confidence lies in ``[low, high)``; the last bin holds 1 too.

    Attributes:
        low: Where the bin begins.
        high: Where it ends.
        count: Answers in it; never 0.
        confidence: Their mean confidence.
        accuracy: Share of them that is right: equal to ``confidence`` where confidence can be believed.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def fit_temperature(logits: FloatArray, targets: NDArray[np.int64]) -> float:
    """Return the temperature whose division of the logits makes the right answers most likely.

    Args:
        logits: Shape ``(words, tags)``, of documents that the model never learned from.
        targets: Shape ``(words,)``: the column of each word's true tag.

    Returns:
        A temperature within :data:`TEMPERATURES`: above 1 for a model that is too sure. 1 where there are no words.
    """
    if not len(targets):
        return 1.0
    # Between temperatures that differ by as many per cent there is as much difference, so their logarithm is searched.
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda x: mean_nll(logits / np.exp(x), targets), bounds=(low, high), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(found.x))


def mean_nll(logits: FloatArray, targets: NDArray[np.int64]) -> float:
    """Return the mean negative log likelihood of the targets, in nats; arguments as in :func:`fit_temperature`."""
    right = logits[np.arange(len(targets)), targets]
    return float(np.mean(np.logaddexp.reduce(logits, axis=1) - right))


def word_confidences(probabilities: FloatArray, targets: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return how sure the model is of each word's most probable tag, and whether that tag is right.

    Args:
        probabilities: Shape ``(words, tags)``; rows sum to 1.
        targets: Shape ``(words,)``: the column of each word's true tag.
    """
    return probabilities.max(axis=1, initial=0.0), probabilities.argmax(axis=1) == targets


def entity_confidences(
    named: Iterable[tuple[tuple[str, int, int], float]], truth: Iterable[tuple[str, int, int]]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return how sure the model is of each entity of a document, and whether it is right in field and words.

    Args:
        named: ``((field, start, stop), confidence)`` of what the model names.
        truth: ``(field, start, stop)`` of what is there.
    """
    wanted = set(truth)
    pairs = [(confidence, span in wanted) for span, confidence in named]
    return np.array([c for c, _ in pairs], dtype=np.float64), np.array([right for _, right in pairs], dtype=np.bool_)


def reliability(
    confidences: FloatArray | Sequence[float], right: NDArray[np.bool_] | Sequence[bool], *, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability diagram: bins of equal width over ``[0, 1]``, those without answers left out.

    Args:
        confidences: In ``[0, 1]``, one an answer.
        right: Whether the answer is right.
        bins: How many bins.
    """
    sure, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.bool_)
    places = np.minimum((sure * bins).astype(np.int64), bins - 1)
    return tuple(
        ReliabilityBin(
            place / bins,
            (place + 1) / bins,
            int(np.count_nonzero(inside)),
            float(sure[inside].mean()),
            float(hits[inside].mean()),
        )
        for place in range(bins)
        if (inside := places == place).any()
    )


def expected_calibration_error(diagram: Sequence[ReliabilityBin]) -> float:
    """Return the mean distance of confidence and accuracy over all answers, in ``[0, 1]``; 0 where there are none."""
    total = sum(each.count for each in diagram)
    return sum(each.count * abs(each.confidence - each.accuracy) for each in diagram) / total if total else 0.0
