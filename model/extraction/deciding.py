"""From a tag's probability for each word to named values: what is cut out of each line, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.bio import decode, field_of, spans
from model.document import Page
from model.extraction.committee import Committee
from model.patterns import outcome

#: A value that is more likely wrong than right is not named: to name it would cost a person a correction more often
#: than to leave it out.
LEAST_CONFIDENCE = 0.5

#: Words of the longest value that is proposed besides those decided on, and the least probability of one.
_LONGEST = 12
_LEAST_PROBABILITY = 0.05


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that may stand in a half-open range of a page's words.

    Attributes:
        field: Its field.
        start: Index of the first word.
        stop: Index after the last word.
        probability: The classifier's, in ``[0, 1]``: that of the least certain of its tags, the end included.
        outcome: What the patterns say (:func:`model.patterns.outcome`).
    """

    field: str
    start: int
    stop: int
    probability: float
    outcome: str


class Decider:
    """Decides on the values of pages.

    Args:
        tags: The tag of each column of the probabilities.
        committee: Weighs the patterns against the classifier, and calibrates.
    """

    def __init__(self, tags: Sequence[str], committee: Committee) -> None:
        self._tags = tuple(tags)
        self._columns = {tag: index for index, tag in enumerate(tags)}
        self._fields = tuple(dict.fromkeys(tag[2:] for tag in tags if field_of(tag) is not None))
        self._committee = committee

    def decide(self, page: Page, probabilities: NDArray[np.float64]) -> list[tuple[Candidate, float]]:
        """Return the values of a page in reading order, never overlapping, each with the chance that it is right.

        Args:
            page: Segmented words.
            probabilities: Shape ``(words, tags)``; rows sum to 1.
        """
        judge = _Judge(page)
        lines = page.line_spans()

        def evidence(field: str, start: int, stop: int) -> float:
            return self._committee.evidence(field, judge.outcome(start, stop))

        with np.errstate(divide="ignore"):
            log_probabilities = np.maximum(np.log(probabilities), -50.0)
        decoded = decode(log_probabilities, self._tags, lines, evidence if self._committee.opinions else None)
        named = []
        for field, start, stop in spans(decoded, lines):
            candidate = self._candidate(field, start, stop, probabilities, judge)
            confidence = self._committee.confidence(field, candidate.probability, candidate.outcome)
            if confidence >= LEAST_CONFIDENCE or not self._committee.opinions:
                named.append((candidate, confidence))
        return named

    def propose(self, page: Page, probabilities: NDArray[np.float64]) -> Iterator[Candidate]:
        """Yield all values that the classifier finds possible: what :meth:`Committee.fit` learns from."""
        judge = _Judge(page)
        for first, last in page.line_spans():
            for field in self._fields:
                begins = probabilities[:, self._columns[f"B-{field}"]]
                goes_on = probabilities[:, self._columns[f"I-{field}"]]
                for start in range(first, last):
                    if begins[start] < _LEAST_PROBABILITY:
                        continue
                    for stop in range(start + 1, min(last, start + _LONGEST) + 1):
                        if stop - 1 > start and goes_on[stop - 1] < _LEAST_PROBABILITY:
                            break
                        candidate = self._candidate(field, start, stop, probabilities, judge)
                        if candidate.probability >= _LEAST_PROBABILITY:
                            yield candidate

    def _candidate(
        self, field: str, start: int, stop: int, probabilities: NDArray[np.float64], judge: _Judge
    ) -> Candidate:
        goes_on = probabilities[:, self._columns[f"I-{field}"]]
        least = float(min(probabilities[start, self._columns[f"B-{field}"]], *goes_on[start + 1 : stop], 1.0))
        if stop < judge.line_end(start):
            least = min(least, 1.0 - float(goes_on[stop]))
        return Candidate(field, start, stop, least, judge.outcome(start, stop))


class _Judge:
    """Asks the patterns about ranges of one page's words, each once."""

    def __init__(self, page: Page) -> None:
        self._texts = [word.text for word in page.words]
        self._lines = {index: line for line in page.line_spans() for index in range(*line)}
        self.outcome = cache(self._outcome)

    def line_end(self, index: int) -> int:
        """Return the index after the last word of the line that word ``index`` stands in."""
        return self._lines[index][1]

    def _outcome(self, start: int, stop: int) -> str:
        first, last = self._lines[start]
        return outcome(self._texts[first:last], start - first, stop - first)
