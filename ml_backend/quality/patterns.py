"""What corrections have in common: which characters are misread, which fields confused, forgotten or invented.

Counts, and nothing else: they say what to train on.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rapidfuzz.distance import Levenshtein

from ml_backend.label_studio.fields import label_of, own_name
from ml_backend.label_studio.label_config import Label
from ml_backend.quality.scripts import script_of
from ml_backend.store.annotations import LearningStore
from ml_backend.store.feedback import FeedbackStore
from ml_backend.store.records import Correction
from model.document.bio import FIELDS

#: Texts that have less in common than this were typed again, not misread: their characters do not pair.
LEAST_ALIKE = 0.5
_NO_FIELD = ""


@dataclass(frozen=True, slots=True)
class Misreading:
    """Characters that were read as others.

    Attributes:
        read: What was read; empty where something was left out.
        meant: What stands there; empty where something was read that does not.
        field: The field; empty for none.
        script: Of the text: ``latin``, ``cyrillic``, ``digits`` and so on.
        count: How often.
    """

    read: str
    meant: str
    field: str
    script: str
    count: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """A field taken for another; empty stands for none."""

    named: str
    meant: str
    count: int


@dataclass(frozen=True, slots=True)
class FieldCount:
    """How often something happened to a field; empty stands for none."""

    field: str
    count: int


@dataclass(frozen=True, slots=True)
class Period:
    """The corrections of a version, or of a week.

    Attributes:
        name: The version, or the Monday of the week.
        documents: Documents that people looked at, those without a correction among them.
        corrections: By kind.
    """

    name: str
    documents: int
    corrections: Mapping[str, int]

    @property
    def cost(self) -> float:
        """Corrections per document."""
        return sum(self.corrections.values()) / self.documents if self.documents else 0.0


@dataclass(frozen=True, slots=True)
class PatternReport:
    """What corrections have in common; every list begins with the commonest.

    Attributes:
        documents: Documents that people looked at.
        kinds: Corrections by kind.
        misreadings: Character by character, by field and script.
        misread_texts: Share of the text corrections whose characters pair, in ``[0, 1]``; 1 where there is none.
        confusions: Fields taken for one another.
        added: Fields that were overlooked.
        deleted: Fields that were seen where there is none.
        by_version: Newest last.
        by_week: Newest last.
    """

    documents: int
    kinds: Mapping[str, int]
    misreadings: tuple[Misreading, ...]
    misread_texts: float
    confusions: tuple[Confusion, ...]
    added: tuple[FieldCount, ...]
    deleted: tuple[FieldCount, ...]
    by_version: tuple[Period, ...]
    by_week: tuple[Period, ...]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One document that a person or an application looked at.

    Attributes:
        version: Who had made what they began with; empty where nobody said.
        at: When.
        corrections: What they changed; none where all was well.
    """

    version: str
    at: datetime
    corrections: tuple[Correction, ...]


class Patterns:
    """Finds what corrections have in common; threads may share it.

    Args:
        learning: What people corrected in Label Studio.
        feedback: What applications corrected.
        labels: Asked for the labels of a project; none where they are not known.
    """

    def __init__(
        self,
        learning: LearningStore,
        feedback: FeedbackStore,
        labels: Callable[[int], Sequence[Label]] = lambda _project: (),
    ) -> None:
        self._learning = learning
        self._feedback = feedback
        self._labels = labels

    def analyse(
        self,
        project_id: int,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        version: str | None = None,
        field: str | None = None,
        limit: int = 50,
    ) -> PatternReport:
        """Return what a project's corrections have in common.

        Args:
            project_id: The project.
            since: Only what was looked at then or later.
            until: Only what was looked at before.
            version: Only what began with this version's predictions.
            field: Only corrections of this field, by the project's name for it or the model's.
            limit: Longest list.

        Raises:
            StoreError: If the store cannot be read.
        """
        reviewed = [
            one
            for one in self.reviewed(project_id)
            if (since is None or one.at >= since)
            and (until is None or one.at < until)
            and (version is None or one.version == version)
        ]
        return analyse(reviewed, field=field and own_name(field, self._labels(project_id)), limit=limit)

    def reviewed(self, project_id: int) -> Iterator[Reviewed]:
        """Go through the documents that somebody looked at, from a prediction on.

        Lines without a field that were deleted are left out where the project has fields: nobody wants them, and the
        model did not say that anybody would.
        """
        labels = self._labels(project_id)
        heads = [head.id for head in self._learning.heads(project_id) if head.id > 0 and not head.was_cancelled]
        for annotation in self._learning.annotations(heads):
            if annotation.prediction is not None:
                corrections = _of_the_model(self._learning.corrections(annotation.id), labels)
                yield Reviewed(annotation.model_version or "", annotation.updated_at, corrections)
        for said in self._feedback.latest(project_id):
            corrections = tuple(_spelt(each, labels) for each in _of_the_model(said.corrections, labels))
            yield Reviewed(said.model_version or "", said.received_at, corrections)


def analyse(reviewed: Iterable[Reviewed], *, field: str | None = None, limit: int = 50) -> PatternReport:
    """Count what corrections have in common; see :meth:`Patterns.analyse`."""
    documents = list(reviewed)
    kinds: Counter[str] = Counter()
    misread: Counter[tuple[str, str, str, str]] = Counter()
    confused: Counter[tuple[str, str]] = Counter()
    added: Counter[str] = Counter()
    deleted: Counter[str] = Counter()
    texts = paired = 0
    for document in documents:
        for correction in _of_field(document.corrections, field):
            kinds[correction.kind] += 1
            before, after = correction.field_before or _NO_FIELD, correction.field_after or _NO_FIELD
            if correction.kind == "text":
                texts += 1
                pairs = character_pairs(correction.text_before or "", correction.text_after or "")
                paired += pairs is not None
                script = script_of(correction.text_after or "")
                misread.update((read, meant, after, script) for read, meant in pairs or ())
            elif correction.kind == "field":
                confused[(before, after)] += 1
            elif correction.kind == "added":
                added[after] += 1
            elif correction.kind == "deleted":
                deleted[before] += 1
    return PatternReport(
        len(documents),
        dict(kinds.most_common()),
        tuple(Misreading(*key, count) for key, count in misread.most_common(limit)),
        paired / texts if texts else 1.0,
        tuple(Confusion(*key, count) for key, count in confused.most_common(limit)),
        tuple(FieldCount(*each) for each in added.most_common(limit)),
        tuple(FieldCount(*each) for each in deleted.most_common(limit)),
        _periods(documents, field, lambda one: one.version or "unknown"),
        _periods(documents, field, lambda one: _monday(one.at)),
    )


def character_pairs(read: str, meant: str) -> list[tuple[str, str]] | None:
    """Pair what was read with what stands there, run by run, by the fewest edits (Levenshtein, 1966).

    Neighbouring differences stay together: ``rn`` for ``m`` is one misreading, not two.

    Returns:
        The runs that differ; ``None`` where the texts have too little in common to have been the same line.
    """
    read, meant = (" ".join(unicodedata.normalize("NFC", text).split()) for text in (read, meant))
    if Levenshtein.normalized_similarity(read, meant) < LEAST_ALIKE:
        return None
    pairs: list[tuple[str, str]] = []
    ends = (-1, -1)
    for code in Levenshtein.opcodes(read, meant):
        if code.tag == "equal":
            continue
        one = (read[code.src_start : code.src_end], meant[code.dest_start : code.dest_end])
        if pairs and ends == (code.src_start, code.dest_start):
            pairs[-1] = (pairs[-1][0] + one[0], pairs[-1][1] + one[1])
        else:
            pairs.append(one)
        ends = (code.src_end, code.dest_end)
    return pairs


def _of_the_model(corrections: Iterable[Correction], labels: Sequence[Label]) -> tuple[Correction, ...]:
    return tuple(each for each in corrections if not (labels and each.kind == "deleted" and each.field_before is None))


def _spelt(correction: Correction, labels: Sequence[Label]) -> Correction:
    """Spell fields as the project does, else as the models do: applications may write them in lower case."""

    def spelt(field: str | None) -> str | None:
        if field is None:
            return None
        return label_of(field, labels) or (field.upper() if field.upper() in FIELDS else field)

    return replace(correction, field_before=spelt(correction.field_before), field_after=spelt(correction.field_after))


def _of_field(corrections: Iterable[Correction], field: str | None) -> Iterator[Correction]:
    for correction in corrections:
        if field is None or field in (correction.field_before, correction.field_after):
            yield correction


def _periods(documents: Iterable[Reviewed], field: str | None, name: Callable[[Reviewed], str]) -> tuple[Period, ...]:
    groups: defaultdict[str, list[Reviewed]] = defaultdict(list)
    latest: dict[str, datetime] = {}
    for one in documents:
        key = name(one)
        groups[key].append(one)
        latest[key] = max(one.at, latest.get(key, one.at))
    return tuple(
        Period(
            key,
            len(groups[key]),
            dict(Counter(c.kind for one in groups[key] for c in _of_field(one.corrections, field)).most_common()),
        )
        for key in sorted(groups, key=latest.__getitem__)
    )


def _monday(moment: datetime) -> str:
    year, week, _ = moment.isocalendar()
    return datetime.fromisocalendar(year, week, 1).date().isoformat()
