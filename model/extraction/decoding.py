"""From a tag's probability for each word to named values: what is cut out of each line, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.document.bio import decode, spans
from model.document.types import Page
from model.extraction.committee import Committee, Proposal
from model.extraction.patterns import outcome

#: Values less sure than this are not named: to name them would cost a person more corrections than to leave them out.
#: Confidence is fitted to synthetic cards and somewhat too high on real ones, so that even odds lie above one half.
LEAST_CONFIDENCE = 0.6

#: A proposal counts as right if it shares so much of its words with a true value (intersection over union): a person
#: then corrects an edge, not a field.
_SHARED = 0.6

# No tag is quite impossible.
_LEAST_PROBABILITY = 1e-20


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that may stand in a half-open range of a page's words.

    Attributes:
        field: Its field.
        start: Index of the first word.
        stop: Index after the last word.
        probability: The mean of its words' probabilities to be part of the field, in ``[0, 1]``.
        outcome: What the patterns say (:func:`model.extraction.patterns.outcome`).
    """

    field: str
    start: int
    stop: int
    probability: float
    outcome: str


class Decoder:
    """Decides on the values of pages.

    Args:
        tags: The tag of each column of the probabilities.
        committee: Weighs the patterns against the classifier, and calibrates.
    """

    def __init__(self, tags: Sequence[str], committee: Committee) -> None:
        self._tags = tuple(tags)
        self._columns = {tag: index for index, tag in enumerate(tags)}
        self._committee = committee

    def decide(self, page: Page, probabilities: NDArray[np.float64]) -> list[tuple[Candidate, float]]:
        """Return the values of a page in reading order, never overlapping, each with the chance that it is right.

        Args:
            page: Segmented words.
            probabilities: Shape ``(words, tags)``; rows sum to 1.
        """
        named = []
        for candidate in self._cut(page, probabilities, self._committee if self._committee.opinions else None):
            confidence = self._committee.confidence(candidate.field, candidate.probability, candidate.outcome)
            if confidence >= LEAST_CONFIDENCE or candidate.field not in self._committee.opinions:
                named.append((candidate, self._committee.adjusted(candidate.field, confidence)))
        return named

    def proposals(
        self, page: Page, probabilities: NDArray[np.float64], truth: Iterable[tuple[str, int, int]]
    ) -> Iterator[Proposal]:
        """Yield what the classifier alone would name, with the truth about it: what :meth:`Committee.fit` learns from.

        Args:
            page: Segmented words, of a document that the classifier never learned from.
            probabilities: Shape ``(words, tags)``; rows sum to 1.
            truth: ``(field, start, stop)`` of each true value.
        """
        true = list(truth)
        for candidate in self._cut(page, probabilities, None):
            right = any(is_right(candidate, span) for span in true)
            yield Proposal(candidate.field, candidate.probability, candidate.outcome, right)

    def _cut(self, page: Page, probabilities: NDArray[np.float64], committee: Committee | None) -> Iterator[Candidate]:
        judge = _Judge(page)
        lines = page.line_spans()

        def evidence(field: str, start: int, stop: int) -> float:
            return committee.evidence(field, judge.outcome(start, stop)) if committee is not None else 0.0

        log_probabilities = np.log(np.maximum(probabilities, _LEAST_PROBABILITY))
        for field, start, stop in spans(decode(log_probabilities, self._tags, lines, evidence), lines):
            of_field = probabilities[start:stop, [self._columns[f"B-{field}"], self._columns[f"I-{field}"]]]
            mean = min(1.0, float(of_field.sum(axis=1).mean()))
            yield Candidate(field, start, stop, mean, judge.outcome(start, stop))


def is_right(candidate: Candidate, value: tuple[str, int, int]) -> bool:
    """Tell whether a candidate is a true value, given as field, first word and word after the last, up to its edges."""
    field, start, stop = value
    common = min(stop, candidate.stop) - max(start, candidate.start)
    whole = max(stop, candidate.stop) - min(start, candidate.start)
    return field == candidate.field and common >= _SHARED * whole


class _Judge:
    """Asks the patterns about ranges of one page's words, each once."""

    def __init__(self, page: Page) -> None:
        self._texts = [word.text for word in page.words]
        self._lines = {index: line for line in page.line_spans() for index in range(*line)}
        self.outcome = cache(self._outcome)

    def _outcome(self, start: int, stop: int) -> str:
        first, last = self._lines[start]
        return outcome(self._texts[first:last], start - first, stop - first)
