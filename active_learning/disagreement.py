"""How much a committee is at odds: classifier, patterns, the previous champion, dropout in the classifier head.

Seung et al., "Query by Committee" (1992); Houlsby et al., «Bayesian Active Learning for Classification and Preference
Learning» (2011).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from active_learning.errors import ShapeError
from active_learning.pool import FloatArray


def vote_disagreement(votes: Sequence[Sequence[str]]) -> FloatArray:
    """Return, for each word, the share of the members that are outvoted.

    Args:
        votes: One sequence of labels a member, all of one length; one member or more.

    Returns:
        Shape ``(words,)``, in ``[0, 1)``: 0 where all agree.

    Raises:
        ShapeError: If the members saw different numbers of words, or there is none.
    """
    if not votes or len({len(row) for row in votes}) != 1:
        raise ShapeError("each member of the committee votes once on each word")
    labels = {label: number for number, label in enumerate(sorted({label for row in votes for label in row}))}
    table = np.array([[labels[label] for label in row] for row in votes]).reshape(len(votes), -1)
    counts = np.stack([(table == number).sum(axis=0) for number in range(len(labels))] or [np.zeros(0)])
    return np.asarray(1 - counts.max(axis=0) / len(votes)) if counts.size else np.zeros(table.shape[1])


def bald(samples: FloatArray) -> FloatArray:
    """Return what the labels would tell of the model: the mutual information between a word's label and the weights.

    Args:
        samples: Shape ``(samples, words, labels)``: probabilities of as many passes with dropout; rows sum to 1.

    Returns:
        Shape ``(words,)``, in ``[0, 1]``: entropy of the mean minus mean of the entropies, over the logarithm of the
        number of labels. 0 where all passes say the same, however unsure that is.
    """
    mean = _entropy(samples.mean(axis=0))
    each = _entropy(samples).mean(axis=0)
    return np.asarray(np.clip((mean - each) / np.log(samples.shape[-1]), 0.0, 1.0))


def field_disagreement(first: Sequence[tuple[str, str]], second: Sequence[tuple[str, str]]) -> float:
    """Return how far two sets of values differ, as ``(field, text)``: one minus their F1, in ``[0, 1]``.

    0 where both are empty. For patterns against the classifier, compare only the fields that patterns know.
    """
    one, other = set(first), set(second)
    return 1 - 2 * len(one & other) / (len(one) + len(other)) if one or other else 0.0


def _entropy(probabilities: FloatArray) -> FloatArray:
    logs = np.log(np.where(probabilities > 0, probabilities, 1))
    return np.asarray(-(probabilities * logs).sum(axis=-1))
