"""Annotated documents whose labels a model contradicts that never learned from them.

Token by token, as in Wang and Mueller, "Detecting Label Errors in Token Classification Data" (2022): suspicious is a
word for which the model names another label, and the worst is the one whose own label is least likely. The stricter
filters of confident learning (Northcutt, Jiang and Chuang, JAIR 2021) found no more in ``benchmarks/label_errors.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from active_learning.errors import ShapeError
from active_learning.pool import FloatArray, IntArray

#: Documents in the queue, unless another number is asked for, as a share of those that were looked at.
DEFAULT_SHARE = 0.2
#: Fewer tokens than this say too little of how sure the model usually is of each label.
LEAST_TOKENS = 50


@dataclass(frozen=True, slots=True)
class Annotated:
    """A document's labels, and what a model says that learned from other documents.

    Attributes:
        labels: Shape ``(words,)``: the column of each word's label.
        probabilities: Shape ``(words, labels)``; rows sum to 1.

    Raises:
        ShapeError: If the shapes disagree.
    """

    labels: IntArray
    probabilities: FloatArray

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or len(self.labels) != len(self.probabilities):
            raise ShapeError(f"{len(self.labels)} labels for probabilities of shape {self.probabilities.shape}")


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A label that is probably wrong.

    Attributes:
        word: Place of the word in its document.
        given: Column of its label.
        suggested: Column of the label that the model finds likelier.
        probability: Of the suggested label, in ``[0, 1]``.
    """

    word: int
    given: int
    suggested: int
    probability: float


@dataclass(frozen=True, slots=True)
class Suspect:
    """A document whose labels a person should look at again.

    Attributes:
        document: Its place among the documents that were looked at.
        score: How surely something is wrong, in ``[0, 1]``, higher for worse: one minus the probability of the least
            likely of its suspicious labels. Goes to Label Studio as ``mislabeling``.
        suspicions: Its suspicious words, the worst first; never none.
    """

    document: int
    score: float
    suspicions: tuple[Suspicion, ...]


def find_label_errors(documents: Sequence[Annotated], limit: int | None = None) -> tuple[Suspect, ...]:
    """Find the documents whose labels are contradicted, the worst first.

    Args:
        documents: Probabilities must be out of sample: of a model that did not learn from the document (cross
            validation, held-out documents, or the version before the annotation).
        limit: Most documents of the queue; a fifth of ``documents`` by default, one at least.

    Returns:
        At most ``limit`` documents; none where there are too few words to tell.
    """
    there = [i for i, document in enumerate(documents) if len(document.labels)]
    words = sum(len(documents[i].labels) for i in there)
    if words < LEAST_TOKENS:
        return ()
    # It brings pandas along, which takes seconds that only this queue needs.
    from cleanlab.token_classification.filter import find_label_issues

    # Labels that nobody gave would have no threshold; they stay possible as suggestions of no one.
    given = np.unique(np.concatenate([documents[i].labels for i in there]))
    if len(given) < 2:
        return ()
    narrow = {int(column): place for place, column in enumerate(given)}
    issues = find_label_issues(
        [[narrow[int(label)] for label in documents[i].labels] for i in there],
        [_renormalised(documents[i].probabilities[:, given]) for i in there],
        n_jobs=1,
        filter_by="predicted_neq_given",
    )
    found: dict[int, list[int]] = {}
    for place, word in issues:
        found.setdefault(there[place], []).append(int(word))
    suspects = [_suspect(i, documents[i], found[i]) for i in found]
    suspects.sort(key=lambda suspect: (-suspect.score, suspect.document))
    return tuple(suspects[: max(1, round(DEFAULT_SHARE * len(documents))) if limit is None else limit])


def mislabeling(document: Annotated) -> float:
    """Return how surely some label of one document is wrong, in ``[0, 1]``: one minus the least likely label.

    0 for a document without words. Unlike :func:`find_label_errors` this needs no other documents, and so does not know
    how sure the model usually is.
    """
    if not len(document.labels):
        return 0.0
    return float(1 - document.probabilities[np.arange(len(document.labels)), document.labels].min())


def _suspect(number: int, document: Annotated, words: Sequence[int]) -> Suspect:
    suspicions = []
    for word in words:
        row = document.probabilities[word]
        suspicions.append(Suspicion(word, int(document.labels[word]), int(row.argmax()), float(row.max())))
    suspicions.sort(key=lambda s: (float(document.probabilities[s.word, s.given]), s.word))
    worst = suspicions[0]
    return Suspect(number, float(1 - document.probabilities[worst.word, worst.given]), tuple(suspicions))


def _renormalised(rows: FloatArray) -> FloatArray:
    rows = np.maximum(np.asarray(rows, dtype=np.float64), 1e-9)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))
