"""How well lines are read: character error rate and whole lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.scripts import settled


@dataclass(frozen=True, slots=True)
class LineScore:
    """What one line, or many, came to.

    Attributes:
        edits: Characters to insert, delete or replace.
        characters: Characters of the truth.
        right: Lines without an edit.
        lines: Lines.
    """

    edits: int
    characters: int
    right: int
    lines: int

    @property
    def cer(self) -> float:
        """Edits for each true character, 0 or more; without characters 0."""
        return self.edits / self.characters if self.characters else 0.0

    @property
    def line_accuracy(self) -> float:
        """Share of the lines without an edit, in ``[0, 1]``; without lines 1."""
        return self.right / self.lines if self.lines else 1.0

    def __add__(self, other: LineScore) -> LineScore:
        """Count both together."""
        return LineScore(
            self.edits + other.edits,
            self.characters + other.characters,
            self.right + other.right,
            self.lines + other.lines,
        )


def compare(truth: str, read: str) -> LineScore:
    """Compare one line; white space counts as single spaces."""
    truth, read = " ".join(truth.split()), " ".join(read.split())
    edits = int(Levenshtein.distance(truth, read))
    return LineScore(edits, len(truth), int(edits == 0), 1)


def measure(head: Head, lines: Sequence[FeatureLine]) -> list[LineScore]:
    """Return how each line is read with ``head``, as engines read: each word in one script; :func:`pooled` adds up."""
    read = head.texts([line.features for line in lines])
    return [compare(settled(line.text), settled(text)) for line, text in zip(lines, read, strict=True)]


def pooled(scores: Sequence[LineScore]) -> LineScore:
    """Return the scores of many lines as one."""
    whole = LineScore(0, 0, 0, 0)
    for score in scores:
        whole += score
    return whole
