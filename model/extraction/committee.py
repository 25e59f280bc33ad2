"""One calibrated decision out of two opinions: the classifier's probabilities and what patterns say.

For every field a logistic regression tells how likely a value is right, given how probable the classifier finds it and
which pattern it fits (Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with a term a pattern). The
patterns' terms also weigh in while values are cut out of a line, as log odds (:func:`model.document.bio.decode`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

#: Fewer values than this, or none of one kind, and a field keeps the classifier's own probabilities.
_LEAST_VALUES = 30
#: Strength of the pull of the patterns' terms towards 0: about so many values are needed to believe a pattern.
_REGULARISATION = 1.0

#: How firmly an earlier opinion is held when it meets new values, as precisions (1 / variance) of what its slope is
#: multiplied by and of what is added to its log odds: some ten values are needed to change it much.
_FIRM_SLOPE, _FIRM_INTERCEPT = 10.0, 1.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value that the classifier would name, with the truth about it.

    Attributes:
        field: Its field.
        probability: The classifier's, in ``[0, 1]``.
        outcome: What the patterns say, as :func:`model.extraction.patterns.outcome` gives it.
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
    """What is known of each field; a field without an opinion, or an outcome never seen, leaves the classifier's word.

    Attributes:
        opinions: By field, learned from many synthetic cards: by these it is decided what is named.
        adjustments: By field, slope and intercept of the log odds as a project's own documents changed them: by these
            it is said how sure that is. A person who leaves a value out without a reason would otherwise teach that
            nothing of its kind is to be named.
    """

    opinions: Mapping[str, Opinion]
    adjustments: Mapping[str, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))

    def evidence(self, field: str, outcome: str) -> float:
        """Return what the patterns add for a value, as a log odds ratio of either sign."""
        opinion = self.opinions.get(field)
        return opinion.evidence.get(outcome, 0.0) if opinion is not None else 0.0

    def adjusted(self, field: str, confidence: float) -> float:
        """Return how likely a value is right in the project's own documents, in ``(0, 1)``."""
        if field not in self.adjustments:
            return confidence
        slope, intercept = self.adjustments[field]
        return 1.0 / (1.0 + math.exp(-(slope * _logit(confidence) + intercept)))

    def confidence(self, field: str, probability: float, outcome: str) -> float:
        """Return how likely a value is right on cards like those that the opinions were learned from, in ``(0, 1)``.

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

    def adapted(self, proposals: Iterable[Proposal]) -> Committee:
        """Return the committee with its confidence fitted to a project's documents; what it names stays the same.

        The fewer values there are, the nearer confidence stays to what it was (Platt scaling, with a prior).

        Args:
            proposals: Of documents that the classifier never learned from.
        """
        by_field: dict[str, list[Proposal]] = defaultdict(list)
        for proposal in proposals:
            by_field[proposal.field].append(proposal)
        adjustments = dict(self.adjustments)
        for name, items in by_field.items():
            said = [_logit(self.confidence(name, item.probability, item.outcome)) for item in items]
            adjustments[name] = _rescaled(np.array(said), np.array([item.right for item in items], dtype=np.float64))
        return Committee(self.opinions, adjustments)

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        opinions: dict[str, dict[str, Any]] = {
            name: {
                "slope": round(opinion.slope, 4),
                "intercept": round(opinion.intercept, 4),
                "evidence": {outcome: round(weight, 4) for outcome, weight in sorted(opinion.evidence.items())},
            }
            for name, opinion in sorted(self.opinions.items())
        }
        for name, (slope, intercept) in sorted(self.adjustments.items()):
            opinions.setdefault(name, {})["adjustment"] = [round(slope, 4), round(intercept, 4)]
        return opinions

    @staticmethod
    def from_json(raw: Mapping[str, Any] | None) -> Committee:
        """Read what :meth:`to_json` wrote into a checkpoint's configuration; nothing where it has none."""
        items = (raw or {}).items()
        return Committee(
            {
                name: Opinion(float(item["slope"]), float(item["intercept"]), dict(item["evidence"]))
                for name, item in items
                if "slope" in item
            },
            {
                name: (float(item["adjustment"][0]), float(item["adjustment"][1]))
                for name, item in items
                if "adjustment" in item
            },
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


def _rescaled(said: NDArray[np.float64], right: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope and intercept that make log odds agree with what was right, near 1 and 0."""

    def loss(parameters: NDArray[np.float64]) -> float:
        odds = parameters[0] * said + parameters[1]
        unlikely = np.logaddexp(0.0, odds) - right * odds
        firm = _FIRM_SLOPE * (parameters[0] - 1.0) ** 2 + _FIRM_INTERCEPT * parameters[1] ** 2
        return float(unlikely.sum() + 0.5 * firm)

    # A slope of 0 or below would make likely what the classifier finds unlikely.
    found = minimize(loss, np.array([1.0, 0.0]), bounds=((0.1, 5.0), (-10.0, 10.0)), method="L-BFGS-B").x
    return float(found[0]), float(found[1])


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1.0 - 1e-6)
    return math.log(clipped / (1.0 - clipped))
