"""Naming a project's pages: the network's opinion, what the fields' names say, and what its documents have shown."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.document.bio import spans, tags_of
from model.document.types import Page
from model.errors import WeightsError
from model.extraction.committee import Committee, Proposal
from model.extraction.decoding import Candidate, Decoder, is_right
from model.extraction.doubts import doubts_of
from model.extraction.extraction import Extraction, entities_of, expected_corrections
from model.extraction.project_head import FEW, IGNORED, ProjectFields, ProjectHead, View, fit, zero

FloatArray = NDArray[np.float64]

#: Documents are divided into so many parts to check a head, each named by a head that never saw it; few ones are left
#: out one by one.
_FOLDS, _ONE_BY_ONE = 5, 8
#: A head is used that saves more mistakes than chance would by so many standard deviations (a paired test over pages).
_LEAST_GAIN = 1.0
#: How much of the network's probability of a field outweighs the rule by which its values begin.
_RULE = 0.05


@dataclass(frozen=True)
class ProjectNaming:
    """Names the words of a project's pages; threads may share it.

    Attributes:
        fields: The project's fields.
        head: What its documents have shown; ``None`` before there are any, or where that does not help.
        committee: Says how sure a value is, as cross-fitting over the documents found.
    """

    fields: ProjectFields
    head: ProjectHead | None = None
    committee: Committee = field(default_factory=lambda: Committee({}))

    def apply(self, page: Page, opinion: Extraction, tags: Sequence[str], committee: Committee) -> Extraction:
        """Return what a page says by the project's own fields.

        Args:
            page: Segmented words.
            opinion: The network's.
            tags: The network's, by the columns of its probabilities.
            committee: The network's.
        """
        if not page.words:
            return opinion
        view = self.fields.view(page, opinion.probabilities, tags)
        upright = page.upright()
        speaks = self.head is not None and self.head.speaks_on(upright)
        head = self.head if self.head is not None and speaks else zero(self.fields.fields)
        probabilities = tag_probabilities(head.probabilities(view), view)
        own = tags_of(self.fields.fields)
        judge = self.committee if speaks else committee
        entities = entities_of(page, Decoder(own, judge).decide(upright, probabilities))
        doubts = doubts_of(page, probabilities, probabilities[None], own, entities)
        known = opinion.doubts.disagreement
        doubts = replace(doubts, disagreement=known) if len(known) == len(page.words) else doubts
        score = 1.0 / (1.0 + expected_corrections(page, probabilities, own, entities))
        return Extraction(entities, probabilities, score, opinion.embedding, doubts)

    @staticmethod
    def from_bytes(fields: ProjectFields, data: bytes) -> ProjectNaming | None:
        """Read what :meth:`Learned.to_bytes` wrote; ``None`` if it was about other fields.

        Raises:
            WeightsError: If it is damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as kept:
                said = json.loads(str(kept["said"]))
                if tuple(said["fields"]) != fields.fields or sorted(said["concepts"]) != sorted(fields.concepts):
                    return None
                head = ProjectHead(
                    fields.fields,
                    kept["columns"],
                    kept["weights"].astype(np.float64),
                    tuple(frozenset(lines) for lines in said["anchors"]),
                )
                return ProjectNaming(fields, head, Committee.from_json(said["committee"]))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise WeightsError(f"What a project's documents have shown cannot be read ({error}).") from error


class Namer(Protocol):
    """Names the fields of pages; :class:`model.extraction.extractor.Extractor` is one."""

    def extract(self, page: Page) -> Extraction:
        """Return what a page says."""
        ...


class Network(Namer, Protocol):
    """A namer that says how it came to its opinion."""

    tags: tuple[str, ...]
    committee: Committee


@dataclass(frozen=True, slots=True)
class NamedByProject:
    """A network together with a project's own naming: what is served.

    Attributes:
        network: Names first.
        naming: Has the last word.
    """

    network: Network
    naming: ProjectNaming

    def extract(self, page: Page) -> Extraction:
        """Return what a page says by the project's fields."""
        return self.naming.apply(page, self.network.extract(page), self.network.tags, self.network.committee)


def served(network: Network, fields: ProjectFields, documents: Sequence[Sequence[tuple[Page, Sequence[str]]]]) -> Namer:
    """Return how a project's pages are named with a network, once its documents were learned from.

    Args:
        network: The model version.
        fields: The project's.
        documents: The pages of each, segmented, and a BIO tag for each word; none of which the network was trained on.
    """
    learnable = [[page for page in pages if page[0].words] for pages in documents]
    learnable = [pages for pages in learnable if pages]
    naming = ProjectNaming(fields) if fields.concepts else None
    if learnable and fields.fields:

        def view(page: Page) -> View:
            return fields.view(page, network.extract(page).probabilities, network.tags)

        found = learn(fields, [[(view(page), tags) for page, tags in pages] for pages in learnable], network.committee)
        naming = ProjectNaming(fields, found.head, found.committee) if found.helps else naming
    return network if naming is None else NamedByProject(network, naming)


@dataclass(frozen=True, slots=True)
class Checked:
    """How well values were named on documents that the head had not seen.

    Attributes:
        before: F1 of values without the head, in ``[0, 1]``.
        after: F1 with it.
        documents: How many there were.
        gain: Mistakes that the head saved (below 0: made), over the spread that this sum has by chance.
    """

    before: float
    after: float
    documents: int
    gain: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What a project's documents have shown.

    Attributes:
        head: Fitted to all of them.
        committee: The confidence of its values.
        checked: ``None`` where there were too few documents to tell.
    """

    head: ProjectHead
    committee: Committee
    checked: Checked | None

    def to_bytes(self, fields: ProjectFields) -> bytes:
        """Return what :meth:`ProjectNaming.from_bytes` reads."""
        said = {
            "fields": fields.fields,
            "concepts": list(fields.concepts),
            "anchors": [sorted(lines) for lines in self.head.anchors],
            "committee": self.committee.to_json(),
        }
        file = io.BytesIO()
        weights = self.head.weights.astype(np.float32)
        np.savez_compressed(file, columns=self.head.columns, weights=weights, said=np.array(json.dumps(said)))
        return file.getvalue()

    @property
    def helps(self) -> bool:
        """Whether the head is to be used: where it could be checked, only if it named better than by chance."""
        return self.checked is None or (self.checked.after > self.checked.before and self.checked.gain > _LEAST_GAIN)


def learn(
    fields: ProjectFields, documents: Sequence[Sequence[tuple[View, Sequence[str]]]], network: Committee
) -> Learned:
    """Fit a head to a project's documents, and check it by leaving out some of them in turn.

    A head of few documents that does not show to be better speaks on pages worded like one of these alone. Whether the
    network's opinion of patterns still helps once there is a head is found out in the same way.

    Args:
        fields: The project's.
        documents: The pages of each, at least one with words, and a BIO tag for each word.
        network: The network's committee, which judges values while there is no head.
    """
    names = fields.fields
    pages = [page for document in documents for page in document]
    head = fit(names, [view for view, _ in pages], [tags for _, tags in pages])
    by_template = Learned(head.anchored(view.page for view, _ in pages), network, None)
    if len(documents) < fields.least_checked:
        return by_template
    judges = (network, Committee({})) if network.opinions else (network,)
    before, after = _Counts(), [_Counts() for _ in judges]
    proposals: list[list[Proposal]] = [[] for _ in judges]
    decoders = [Decoder(tags_of(names), judge) for judge in judges]
    folds = len(documents) if len(documents) <= _ONE_BY_ONE else _FOLDS
    for fold in range(folds):
        seen = [page for number, document in enumerate(documents) if number % folds != fold for page in document]
        kept = [page for number, document in enumerate(documents) if number % folds == fold for page in document]
        part = fit(names, [view for view, _ in seen], [tags for _, tags in seen])
        for view, tags in kept:
            truth = spans(tags, view.page.line_spans())
            said = {index for index, tag in enumerate(tags) if tag != IGNORED}
            known, found = (tag_probabilities(each.probabilities(view), view) for each in (zero(names), part))
            before.add(decoders[0].decide(view.page, known), truth, said)
            for counts, decoder, each in zip(after, decoders, proposals, strict=True):
                counts.add(decoder.decide(view.page, found), truth, said)
                each += decoder.proposals(view.page, found, truth)
    best = max(range(len(judges)), key=lambda number: after[number].f1)
    saved = np.array(before.mistakes) - np.array(after[best].mistakes)
    gain = float(saved.sum() / max(1.0, np.sqrt((saved**2).sum())))
    checked = Checked(before.f1, after[best].f1, len(documents), gain)
    learned = Learned(head, judges[best].adapted(proposals[best]), checked)
    return by_template if not learned.helps and gain >= 0 and len(documents) < FEW else learned


class _Counts:
    """Counts values that were named rightly, wrongly, and not at all; a value is right if few of its words are not."""

    def __init__(self) -> None:
        self._right = self._named = self._true = 0
        #: Of each page: values that were named wrongly, or not at all.
        self.mistakes: list[int] = []

    def add(
        self,
        named: Iterable[tuple[Candidate, float]],
        truth: Sequence[tuple[str, int, int]],
        said: Collection[int],
    ) -> None:
        """Count one page.

        Args:
            named: What was decided.
            truth: Fields and ranges of words.
            said: The words of which it is known what they are.
        """
        values = [each for each, _ in named if any(word in said for word in range(each.start, each.stop))]
        right = sum(any(is_right(each, span) for span in truth) for each in values)
        self.mistakes.append(len(values) + len(truth) - 2 * right)
        self._right += right
        self._named += len(values)
        self._true += len(truth)

    @property
    def f1(self) -> float:
        """F1, in ``[0, 1]``; 1 where there was nothing to name, and nothing was named."""
        return 2 * self._right / (self._named + self._true) if self._named + self._true else 1.0


def tag_probabilities(fields: FloatArray, view: View) -> FloatArray:
    """Return the probability of each BIO tag for each word.

    Where the network finds a field, it says whether a value begins with the word. Elsewhere a word goes on with the
    value before it, in its line, as surely as the word before is of its field.

    Args:
        fields: Shape ``(words, fields + 1)``; none comes first.
        view: What is known of the page.
    """
    before = np.roll(fields[:, 1:], 1, axis=0)
    starts = [start for start, stop in view.page.line_spans() if stop > start]
    before[starts] = 0.0
    begins = (view.begin + _RULE * (1.0 - before)) / (view.begin + view.inside + _RULE)
    found = np.empty((len(fields), 2 * fields.shape[1] - 1))
    found[:, 0] = fields[:, 0]
    found[:, 1::2] = fields[:, 1:] * begins
    found[:, 2::2] = fields[:, 1:] * (1.0 - begins)
    return found
