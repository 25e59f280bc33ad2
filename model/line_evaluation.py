"""How well lines are read: edits of characters, and lines that are right as a whole."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What was read wrongly, on one line or on many.

    Attributes:
        edits: Characters inserted, deleted or replaced.
        characters: Characters of the truth.
        right: Lines without an edit.
        lines: All lines.
    """

    edits: int = 0
    characters: int = 0
    right: int = 0
    lines: int = 0

    @property
    def cer(self) -> float:
        """Edits a character of the truth: 0 is perfect, above 1 is possible; 0 where there is no truth."""
        return self.edits / self.characters if self.characters else 0.0

    @property
    def accuracy(self) -> float:
        """Share of the lines that are right, in ``[0, 1]``; 0 where there are none."""
        return self.right / self.lines if self.lines else 0.0


def plain_line(text: str) -> str:
    """Return a line as it is compared and learned: NFC, any white space one plain space.

    A non-breaking space looks like another on paper, so that no recogniser could tell them apart.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def count_line(truth: str, read: str) -> LineCounts:
    """Compare one line with the truth (Levenshtein distance of :func:`plain_line`)."""
    truth, read = plain_line(truth), plain_line(read)
    edits = Levenshtein.distance(truth, read)
    return LineCounts(edits, len(truth), int(edits == 0), 1)


def count_lines(truths: Sequence[str], readings: Sequence[str]) -> LineCounts:
    """Compare lines with the truth, each with its own.

    Raises:
        ValueError: If there are not as many readings as truths.
    """
    return add_counts(count_line(truth, read) for truth, read in zip(truths, readings, strict=True))


def add_counts(counts: Iterable[LineCounts]) -> LineCounts:
    """Add counts up."""
    edits = characters = right = lines = 0
    for each in counts:
        edits, characters = edits + each.edits, characters + each.characters
        right, lines = right + each.right, lines + each.lines
    return LineCounts(edits, characters, right, lines)


def differing_characters(truth: str, read: str) -> frozenset[str]:
    """Return the characters on either side of each edit between two readings of a line."""
    truth, read = plain_line(truth), plain_line(read)
    found: set[str] = set()
    for edit in Levenshtein.editops(truth, read):
        if edit.tag != "insert":
            found.add(truth[edit.src_pos])
        if edit.tag != "delete":
            found.add(read[edit.dest_pos])
    return frozenset(found)
