"""One calibrated decision out of two opinions: the classifier's probabilities and what patterns say.

For every field a logistic regression tells how likely a value is right, given how probable the classifier finds it and
which pattern it fits (Platt, «Probabilistic Outputs for Support Vector Machines», 1999, with a term a pattern). The
patterns' terms also weigh in while values are cut out of a line, as log odds (:func:`model.bio.decode`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

#: Fewer values than this, or none of one kind, and a field keeps the classifier's own probabilities.
_LEAST_VALUES = 30
#: Strength of the pull of the patterns' terms towards 0: about so many values are needed to believe a pattern.
_REGULARISATION = 1.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value that the classifier would name, with the truth about it.

    Attributes:
        field: Its field.
        probability: The classifier's, in ``[0, 1]``.
        outcome: What the patterns say, as :func:`model.patterns.outcome` gives it.
        right: Whether the truth has it.
    """

    field: str
    probability: float
    outcome: str
    right: bool


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was learned of one field: ``log odds = slope × logit(probability) + intercept + evidence[outcome]``."""

    slope: float
    intercept: float
    evidence: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Committee:
    """The opinions, a field; a field without one, or an outcome never seen, leaves the classifier's word as it is."""

    opinions: Mapping[str, Opinion]

    def evidence(self, field: str, outcome: str) -> float:
        """Return what the patterns add for a value, as a log odds ratio of either sign."""
        opinion = self.opinions.get(field)
        return opinion.evidence.get(outcome, 0.0) if opinion is not None else 0.0

    def confidence(self, field: str, probability: float, outcome: str) -> float:
        """Return how likely a value is right, in ``(0, 1)``.

        Args:
            field: Its field.
            probability: The classifier's, in ``[0, 1]``.
            outcome: What the patterns say.
        """
        opinion = self.opinions.get(field)
        if opinion is None:
            return probability
        odds = opinion.slope * _logit(probability) + opinion.intercept + opinion.evidence.get(outcome, 0.0)
        return 1.0 / (1.0 + math.exp(-odds))

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return {
            field: {
                "slope": round(opinion.slope, 4),
                "intercept": round(opinion.intercept, 4),
                "evidence": {name: round(weight, 4) for name, weight in sorted(opinion.evidence.items())},
            }
            for field, opinion in sorted(self.opinions.items())
        }

    @staticmethod
    def from_json(raw: Mapping[str, Any] | None) -> Committee:
        """Read the opinions out of a checkpoint's configuration; none where it has none."""
        return Committee(
            {
                field: Opinion(float(item["slope"]), float(item["intercept"]), dict(item["evidence"]))
                for field, item in (raw or {}).items()
            }
        )

    @staticmethod
    def fit(proposals: Iterable[Proposal]) -> Committee:
        """Learn the opinions from values whose truth is known, of documents that the classifier never learned from."""
        by_field: dict[str, list[Proposal]] = defaultdict(list)
        for proposal in proposals:
            by_field[proposal.field].append(proposal)
        return Committee({field: opinion for field, items in by_field.items() if (opinion := _fit(items)) is not None})


def _fit(proposals: Sequence[Proposal]) -> Opinion | None:
    right = np.array([proposal.right for proposal in proposals])
    if len(proposals) < _LEAST_VALUES or right.all() or not right.any():
        return None
    outcomes = sorted({proposal.outcome for proposal in proposals})
    logits = np.array([_logit(proposal.probability) for proposal in proposals])
    seen = np.array([[proposal.outcome == name for name in outcomes] for proposal in proposals], dtype=np.float64)
    model = LogisticRegression(C=1.0 / _REGULARISATION, max_iter=1000)
    model.fit(np.column_stack((logits, seen)), right)
    slope, *weights = (float(weight) for weight in model.coef_[0])
    return Opinion(slope, float(model.intercept_[0]), dict(zip(outcomes, weights, strict=True)))


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1.0 - 1e-6)
    return math.log(clipped / (1.0 - clipped))
