"""How unsure a model is of a document: token by token, then of its entities, then of the whole.

The scores of a token are those of Settles, "Active Learning Literature Survey" (2009), section 3.1, each scaled to
``[0, 1]`` with 1 for the most unsure. They mean something only if the probabilities are calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from active_learning.pool import FloatArray


def least_confidence(probabilities: FloatArray) -> FloatArray:
    """Score each token by how unlikely its most likely label is.

    Args:
        probabilities: Shape ``(tokens, labels)``, two labels or more; rows sum to 1.

    Returns:
        Shape ``(tokens,)``, in ``[0, 1]``: 0 for a sure token, 1 where all labels are equally likely.
    """
    labels = probabilities.shape[1]
    return _clipped((1 - probabilities.max(axis=1, initial=0)) * labels / (labels - 1))


def margin(probabilities: FloatArray) -> FloatArray:
    """Score each token by how near its two most likely labels are (Scheffer et al., 2001); arguments as above.

    Returns:
        Shape ``(tokens,)``: one minus the difference of the two, in ``[0, 1]``.
    """
    if not len(probabilities):
        return np.zeros(0)
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    return _clipped(1 - (two[:, 1] - two[:, 0]))


def entropy(probabilities: FloatArray) -> FloatArray:
    """Score each token by Shannon's entropy over its labels, divided by that of chance; arguments as above.

    Returns:
        Shape ``(tokens,)``, in ``[0, 1]``.
    """
    # 0 × log 0 is 0.
    logs = np.log(np.where(probabilities > 0, probabilities, 1))
    return _clipped(-(probabilities * logs).sum(axis=1) / np.log(probabilities.shape[1]))


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One score of a document from those of its tokens or entities.

    Attributes:
        mean: In ``[0, 1]``: how unsure a part is on the average. Does not favour long documents.
        most: In ``[0, 1]``: the most unsure part.
        total: 0 or more: the sum; about the number of corrections if each part were wrong with its score.
    """

    mean: float
    most: float
    total: float

    @staticmethod
    def of(scores: FloatArray | Sequence[float]) -> Aggregate:
        """Aggregate scores in ``[0, 1]``. Without any, nothing was read: mean and most are 1, so a person looks."""
        values = np.asarray(scores, dtype=np.float64)
        if not len(values):
            return Aggregate(1.0, 1.0, 0.0)
        return Aggregate(float(values.mean()), float(values.max()), float(values.sum()))


def entity_scores(tokens: FloatArray, spans: Sequence[tuple[int, int]]) -> FloatArray:
    """Score each entity by its most unsure token: one wrong token makes the value wrong.

    Args:
        tokens: Shape ``(tokens,)``.
        spans: Half-open ranges of tokens, none empty.
    """
    return np.array([tokens[start:stop].max() for start, stop in spans], dtype=np.float64)


def expected_corrections(chosen: FloatArray, read: FloatArray | Sequence[float]) -> float:
    """Return how many words a person will probably change, if words are independent.

    Args:
        chosen: Shape ``(words,)``: probability that each word's field is right, in ``[0, 1]``.
        read: Shape ``(words,)``: probability that it is read right.

    Returns:
        From 0 to the number of words.
    """
    return float(np.sum(1 - np.asarray(chosen, dtype=np.float64) * np.asarray(read, dtype=np.float64)))


@dataclass(frozen=True, slots=True)
class ReadingUncertainty:
    """How unsure the recogniser is of a document's lines.

    Attributes:
        mean: One minus the mean confidence of the lines, in ``[0, 1]``; 1 without lines.
        most: One minus the lowest confidence.
        low_share: Share of the lines less sure than the threshold, in ``[0, 1]``.
        margin: Mean of one minus the margin between the best and the second CTC path, in ``[0, 1]``; ``mean`` where
            no margins are known.
    """

    mean: float
    most: float
    low_share: float
    margin: float

    @staticmethod
    def of(scores: Sequence[float], threshold: float, margins: Sequence[float] | None = None) -> ReadingUncertainty:
        """Sum up line confidences.

        Args:
            scores: Confidence of each line, in ``[0, 1]``.
            threshold: Lines below it count as low.
            margins: Difference of probability between each line's best and second path, in ``[0, 1]``.
        """
        if not len(scores):
            return ReadingUncertainty(1.0, 1.0, 0.0, 1.0)
        sure = np.asarray(scores, dtype=np.float64)
        mean = float(1 - sure.mean())
        between = mean if margins is None or not len(margins) else float(1 - np.mean(margins))
        return ReadingUncertainty(mean, float(1 - sure.min()), float((sure < threshold).mean()), between)


def confused_fields(mass: Mapping[str, FloatArray], *, least: float = 0.2) -> tuple[tuple[str, str], float] | None:
    """Return the two fields that a document's words are most torn between, and how much.

    Args:
        mass: Field to the probability of each word to be part of it, shape ``(words,)``; at least two fields.
        least: Both must have at least so much at some word.

    Returns:
        The pair in alphabetical order, and the smaller one's probability at the worst word, in ``[least, 0.5]``; None
        where no word is torn.
    """
    names = sorted(mass)
    if len(names) < 2 or not len(mass[names[0]]):
        return None
    table = np.stack([mass[name] for name in names])
    order = np.argsort(table, axis=0)[-2:]
    second = np.take_along_axis(table, order[:1], axis=0)[0]
    word = int(second.argmax())
    if second[word] < least:
        return None
    first, other = sorted(names[i] for i in order[:, word])
    return (first, other), float(second[word])


def _clipped(scores: FloatArray) -> FloatArray:
    # Rounding may leave a score just outside.
    return np.clip(scores, 0.0, 1.0)
