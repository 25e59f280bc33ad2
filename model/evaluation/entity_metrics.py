"""Compare extracted fields with the truth, entity by entity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Indel

FieldTexts = Sequence[tuple[str, str]]

_IGNORED = re.compile(r"[^\w@]|_")


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of one field, or of all.

    Attributes:
        hits: Predicted entities that are right.
        given: Predicted entities.
        wanted: Entities in the truth.
    """

    hits: int
    given: int
    wanted: int

    @property
    def precision(self) -> float:
        """Share of the predicted entities that are right, in ``[0, 1]``; 0 where none was predicted."""
        return self.hits / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        """Share of the true entities that were found, in ``[0, 1]``; 0 where there are none."""
        return self.hits / self.wanted if self.wanted else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in ``[0, 1]``."""
        return 2 * self.hits / (self.given + self.wanted) if self.given + self.wanted else 0.0


def score_fields(
    truth: Mapping[str, FieldTexts],
    predicted: Mapping[str, FieldTexts],
    *,
    similarity: float = 0.8,
    tagged_only: bool = False,
) -> dict[str, Score]:
    """Score predicted entities, a field a row, with a tolerance for truth that was itself read by a machine.

    Two texts of one field match where their letters and digits, in lower case, are at least ``similarity`` alike
    (normalised Indel similarity); one to one, best pairs first.

    Args:
        truth: Document to its ``(field, text)`` pairs. Only fields that occur here are scored.
        predicted: The same from a model; a document that is missing counts as all missed.
        similarity: In ``[0, 1]``.
        tagged_only: Score a field only on documents whose truth has it, for truth in which a missing entity means
            that nobody tagged it.

    Returns:
        A score for each field of the truth, in alphabetical order, and ``"micro"`` over all of them last.
    """
    fields = sorted({field for pairs in truth.values() for field, _ in pairs})
    hits: Counter[str] = Counter()
    given: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for name, pairs in truth.items():
        for field in fields:
            gold = _texts(pairs, field)
            guess = _texts(predicted.get(name, ()), field)
            if tagged_only and not gold:
                continue
            hits[field] += sum(match_texts(gold, guess, similarity))
            given[field] += len(guess)
            wanted[field] += len(gold)
    table = {field: Score(hits[field], given[field], wanted[field]) for field in fields}
    table["micro"] = Score(hits.total(), given.total(), wanted.total())
    return table


def match_texts(gold: Sequence[str], guess: Sequence[str], similarity: float = 0.8) -> list[bool]:
    """Tell of each guess whether a true text of its own is as like it as asked for; one to one, best pairs first.

    Args:
        gold: True texts.
        guess: Predicted ones.
        similarity: Least normalised Indel similarity of their letters and digits, in ``[0, 1]``.
    """
    gold, guess = [_plain(text) for text in gold], [_plain(text) for text in guess]
    pairs = sorted(
        ((Indel.normalized_similarity(g, p), i, j) for i, g in enumerate(gold) for j, p in enumerate(guess)),
        reverse=True,
    )
    used_gold: set[int] = set()
    used_guess: set[int] = set()
    for score, i, j in pairs:
        if score < similarity:
            break
        if i not in used_gold and j not in used_guess:
            used_gold.add(i)
            used_guess.add(j)
    return [index in used_guess for index in range(len(guess))]


def _texts(pairs: FieldTexts, field: str) -> list[str]:
    return [text for f, raw in pairs if f == field and (text := _plain(raw))]


def _plain(text: str) -> str:
    return _IGNORED.sub("", text.lower())


Spans = Sequence[tuple[str, int, int]]
DocumentCounts = Mapping[str, Score]
"""What was found on one document, a field: exact spans, field and words."""


def count_spans(truth: Spans, given: Spans, *, fields: Sequence[str], rename: Mapping[str, str]) -> dict[str, Score]:
    """Compare the entities of one document with its truth; one is right only in field and words.

    Args:
        truth: ``(field, start, stop)`` of each entity that is there.
        given: The same of what a model names.
        fields: The fields that count; what is given for others is passed over.
        rename: Fields of the model that go by another's name, such as ``FAX`` by ``PHONE``.

    Returns:
        A score for each of ``fields``.
    """
    wanted = {span for span in truth if span[0] in fields}
    named = {(field if field in fields else rename.get(field, field), start, stop) for field, start, stop in given}
    named = {span for span in named if span[0] in fields}
    hits = Counter(field for field, _, _ in wanted & named)
    of_given, of_wanted = Counter(field for field, _, _ in named), Counter(field for field, _, _ in wanted)
    return {field: Score(hits[field], of_given[field], of_wanted[field]) for field in fields}


def joined(pages: Sequence[DocumentCounts]) -> dict[str, Score]:
    """Add up the counts of a document's pages, a score for each field."""
    fields = list(dict.fromkeys(field for counts in pages for field in counts))
    return {field: _sum([counts[field] for counts in pages if field in counts]) for field in fields}


def total(documents: Sequence[DocumentCounts]) -> dict[str, Score]:
    """Add up the counts of documents: a score for each field, and ``"micro"`` over all of them last."""
    table = joined(documents)
    return table | {"micro": _sum(list(table.values()))}


def _sum(scores: Sequence[Score]) -> Score:
    return Score(sum(s.hits for s in scores), sum(s.given for s in scores), sum(s.wanted for s in scores))
