"""What is kept of a document to decide whether a person should see it: some numbers instead of its pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Spread:
    """What one measure says of a document's words; higher where a person is needed more. All 0 without words.

    Attributes:
        mean: Over all words.
        largest: Of the worst word.
        total: Over all words.
    """

    mean: float
    largest: float
    total: float

    @staticmethod
    def of(values: Sequence[NDArray[np.float32]]) -> Spread:
        """Return the spread of a measure over the pages of a task."""
        joined = np.concatenate(values) if values else np.zeros(0)
        if not len(joined):
            return Spread(0.0, 0.0, 0.0)
        return Spread(*(round(float(number), 4) for number in (joined.mean(), joined.max(), joined.sum())))


@dataclass(frozen=True, slots=True)
class Votes:
    """How two versions named the same words.

    Attributes:
        agreed: Words of which both said the same.
        before: Field to the words that the previous version gave it; the empty name stands for no field.
        after: The same of the present one. As many words in all.
    """

    agreed: int = 0
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)

    @property
    def words(self) -> int:
        """How many words both have seen."""
        return sum(self.after.values())

    @staticmethod
    def sum(parts: Iterable[Votes]) -> Votes:
        """Add up documents."""
        agreed, before, after = 0, Counter[str](), Counter[str]()
        for part in parts:
            agreed += part.agreed
            before.update(part.before)
            after.update(part.after)
        return Votes(agreed, dict(before), dict(after))


@dataclass(frozen=True, slots=True)
class Signals:
    """What the models say of one task, in short.

    Attributes:
        words: How many words were read.
        line_scores: The engine's confidence in each line, in ``[0, 1]``; none where nothing was read.
        entities: ``(field, probability that it is right)`` of each value, in reading order.
        expected_corrections: How many words are expected to need one, 0 or more.
        least_confidence: Of the words' tags.
        margin: Of the words' tags.
        entropy: Of the words' tags.
        disagreement: What dropout in the head makes of them, in nats.
        patterns: How surely the classifier contradicts the patterns.
        rivals: Fields that are hard to tell apart, as :class:`model.document.types.Doubts` has them.
        pages: On how many pages something was read, 1 at least.
        line_margins: By how much each line's text led the next best one, in ``[0, 1]``; of the lines of which the
            engine could tell.
        previous: How surely the previous champion contradicts; all 0 where there was none.
        votes: What the two said of the words.
    """

    words: int
    line_scores: tuple[float, ...]
    entities: tuple[tuple[str, float], ...]
    expected_corrections: float
    least_confidence: Spread
    margin: Spread
    entropy: Spread
    disagreement: Spread
    patterns: Spread
    rivals: tuple[tuple[str, str, float], ...] = ()
    pages: int = 1
    line_margins: tuple[float, ...] = ()
    previous: Spread = field(default_factory=lambda: Spread(0.0, 0.0, 0.0))
    votes: Votes = field(default_factory=Votes)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that have a value."""
        return frozenset(field for field, _ in self.entities)

    @property
    def reading_confidence(self) -> float:
        """The engine's confidence, averaged over the lines; 0 where nothing was read."""
        return sum(self.line_scores) / len(self.line_scores) if self.line_scores else 0.0

    @property
    def naming_confidence(self) -> float:
        """How sure the extractor is of the values that it names, on average; 0 where it names none."""
        return sum(score for _, score in self.entities) / len(self.entities) if self.entities else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return asdict(self)

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Signals:
        """Read what :meth:`to_json` wrote; what was written before there were margins or a previous champion has none.

        Raises:
            KeyError: If it is of another form.
        """
        measures = ("least_confidence", "margin", "entropy", "disagreement", "patterns")
        return Signals(
            words=int(raw["words"]),
            line_scores=tuple(float(score) for score in raw["line_scores"]),
            entities=tuple((str(field), float(score)) for field, score in raw["entities"]),
            expected_corrections=float(raw["expected_corrections"]),
            rivals=tuple((str(one), str(other), float(stake)) for one, other, stake in raw["rivals"]),
            # Older ones do not say: they are of one page.
            pages=int(raw.get("pages", 1)),
            line_margins=tuple(float(margin) for margin in raw.get("line_margins", ())),
            previous=Spread(**raw.get("previous", raw.get("former", {"mean": 0.0, "largest": 0.0, "total": 0.0}))),
            votes=Votes(**raw.get("votes", {})),
            **{name: Spread(**raw[name]) for name in measures},
        )
