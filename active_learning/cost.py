"""How many corrections a document will need: learned from what documents with such scores really needed.

A weighted sum of the signals, no weight below 0, puts documents into an order; isotonic regression (Barlow et al.,
1972) turns it into corrections. Both keep the direction: a worse signal never lowers the expected cost. Where learned
weights order the documents at hand no better than the models' own expectation does, by cross validation, that one
orders, and only its corrections are learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.stats import spearmanr
from sklearn.isotonic import IsotonicRegression

from active_learning.pool import FloatArray

#: Documents whose corrections are known, below which nothing is learned from them.
LEAST_HISTORY = 30
#: Parts that the history is cut into to see how well learned weights order documents that they were not learned from.
_FOLDS = 5
#: Pull of the weights towards 0, in documents: signals go together, and a short history says little of which counts.
_RIDGE = 5.0
#: By so much the weighted sum orders documents whose corrections are the same.
_HAIR = 1e-6


@dataclass(frozen=True, slots=True)
class Signals:
    """What was known of a document before anybody looked. Higher is worse, always; nothing is below 0.

    Attributes:
        expected_corrections: Words that are probably wrong (:func:`active_learning.uncertainty.expected_corrections`).
        least_confidence: Sum over the words, as of the other two.
        margin: Sum over the words.
        entropy: Sum over the words.
        disagreement: Sum of BALD over the words, or of the committee's.
        reading: Sum over the lines of one minus their confidence.
        reading_margin: Sum over the lines of one minus the margin of their best path through CTC
            (:class:`active_learning.uncertainty.ReadingUncertainty`).
        previous: Sum over the words of how surely the previous champion contradicts.
        missing: Values that are probably lacking (:meth:`active_learning.missing.UsualFields.expected_missing`).
    """

    expected_corrections: float
    least_confidence: float = 0.0
    margin: float = 0.0
    entropy: float = 0.0
    disagreement: float = 0.0
    reading: float = 0.0
    reading_margin: float = 0.0
    previous: float = 0.0
    missing: float = 0.0

    def to_json(self) -> dict[str, float]:
        """Return what :meth:`from_json` reads."""
        return {name: round(float(value), 5) for name, value in asdict(self).items()}

    @staticmethod
    def from_json(raw: Mapping[str, float]) -> Signals:
        """Read what :meth:`to_json` wrote; what it lacks is 0.

        Raises:
            KeyError: If there are no expected corrections.
        """
        return Signals(
            float(raw["expected_corrections"]),
            **{f.name: float(raw.get(f.name, 0.0)) for f in fields(Signals) if f.name != "expected_corrections"},
        )


NAMES = tuple(f.name for f in fields(Signals))
#: What the models themselves expect: the sum of these.
_OWN = ("expected_corrections", "missing")


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What turns signals into corrections.

    Attributes:
        weights: One for each of :data:`NAMES`, 0 or more; none while there is too little history.
        scores: Where the cost's steps stand on the weighted sum, ascending.
        costs: Corrections there, never falling.
        history: Documents it was learned from.
    """

    weights: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    costs: tuple[float, ...] = ()
    history: int = 0

    @property
    def learned(self) -> bool:
        """Whether it knows more than the models' own expectation, be it only how many corrections that stands for."""
        return bool(self.weights)

    @staticmethod
    def fit(signals: Sequence[Signals], costs: Sequence[float]) -> ExpectedCost:
        """Learn from documents whose corrections are known.

        Args:
            signals: What was known before.
            costs: Edits that a person made, 0 or more.

        Returns:
            One that falls back to expected corrections if there are fewer than :data:`LEAST_HISTORY` documents, or
            nothing differs between them; that orders by them where learned weights do not order better (Spearman's
            rank correlation with the real corrections, out of sample).
        """
        real = np.asarray(costs, dtype=np.float64)
        if len(real) < LEAST_HISTORY or np.ptp(real) == 0:
            return ExpectedCost(history=len(real))
        table = _table(signals)
        own = np.array([float(name in _OWN) for name in NAMES])
        weights = _weights(table, real)
        if not weights.any() or _skill(_out_of_sample(table, real), real) <= _skill(table @ own, real):
            weights = own
        if not np.ptp(table @ weights):
            return ExpectedCost(history=len(real))
        scores, corrections = _steps(table @ weights, real)
        return ExpectedCost(tuple(map(float, weights)), scores, corrections, len(real))

    def predict(self, signals: Sequence[Signals]) -> FloatArray:
        """Return the corrections that each document will probably need, shape ``(documents,)``, 0 or more.

        Where steps of the learned cost are flat the weighted sum still orders, by a hair.
        """
        table = _table(signals)
        if not self.learned:
            return np.asarray(sum(table[:, NAMES.index(name)] for name in _OWN))
        raw = table @ np.array(self.weights)
        return np.asarray(np.interp(raw, self.scores, self.costs) + _HAIR * raw)

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return {
            "signals": list(NAMES),
            "weights": list(self.weights),
            "scores": list(self.scores),
            "costs": list(self.costs),
            "history": self.history,
        }

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> ExpectedCost:
        """Read what :meth:`to_json` wrote; one that was learned from other signals is not believed."""
        if list(raw.get("signals", ())) != list(NAMES):
            return ExpectedCost()
        return ExpectedCost(
            tuple(map(float, raw["weights"])),
            tuple(map(float, raw["scores"])),
            tuple(map(float, raw["costs"])),
            int(raw["history"]),
        )


def _table(signals: Sequence[Signals]) -> FloatArray:
    return np.array([[getattr(each, name) for name in NAMES] for each in signals], dtype=np.float64).reshape(
        -1, len(NAMES)
    )


def _weights(table: FloatArray, real: FloatArray) -> FloatArray:
    """Return a weight for each signal, 0 or more, shape ``(signals,)``."""
    # Signals of different size count alike; roots, since a document with a hundred edits says no more than others.
    spread = table.std(axis=0)
    scaled = np.divide(table, spread, out=np.zeros_like(table), where=spread > 0)
    pull = np.sqrt(_RIDGE) * np.eye(len(NAMES))
    rows = np.vstack((np.column_stack((scaled, np.ones(len(real)))), np.column_stack((pull, np.zeros(len(NAMES))))))
    found = nnls(rows, np.concatenate((np.sqrt(real), np.zeros(len(NAMES)))))[0][:-1]
    return np.asarray(np.divide(found, spread, out=np.zeros_like(found), where=spread > 0))


def _steps(scores: FloatArray, real: FloatArray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return where the corrections' steps stand, and how high they are."""
    steps = IsotonicRegression(y_min=0.0, out_of_bounds="clip").fit(scores, real)
    return tuple(map(float, steps.X_thresholds_)), tuple(map(float, steps.y_thresholds_))


def _out_of_sample(table: FloatArray, real: FloatArray) -> FloatArray:
    """Return the corrections that each document would have been expected to need by what the others teach."""
    fold = np.random.default_rng(0).permutation(len(real)) % _FOLDS
    expected = np.zeros(len(real))
    for held in range(_FOLDS):
        others, mine = fold != held, fold == held
        weights = _weights(table[others], real[others])
        raw = table[mine] @ weights
        expected[mine] = np.interp(raw, *_steps(table[others] @ weights, real[others])) + _HAIR * raw
    return expected


def _skill(expected: FloatArray, real: FloatArray) -> float:
    """Return the rank correlation of expected and real corrections; -1 where nothing is told apart."""
    return float(spearmanr(expected, real)[0]) if np.ptp(expected) else -1.0
