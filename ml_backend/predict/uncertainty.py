"""How unsure the models are of a task, summed up; the previous champion is heard too.

Where the champion and the version before it are both sure and contradict each other, one of them is wrong, and a
person's answer tells which (Seung et al., "Query by Committee", 1992). How often they agree says how much predictions
still change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_backend.observability.logs import get_logger
from ml_backend.store.signals import Signals, Spread, Votes
from model.document.types import Document, Page
from model.errors import ModelError

#: Kept of the fields that are hard to tell apart.
_RIVALS = 3
#: Stands for a word of no field.
_NONE = ""

_log = get_logger(__name__)


class Namer(Protocol):
    """Names the fields of pages that were read; :class:`model.pipeline.Pipeline` is one."""

    def extract(self, page: Page) -> Document:
        """Return what a page says.

        Raises:
            ModelError: If it cannot be told from the page alone.
        """
        ...


@dataclass(frozen=True, slots=True)
class PreviousOpinion:
    """The previous champion's word on one page.

    Attributes:
        against: Shape ``(words,)``: how surely it contradicts, in ``[0, 1]``: 0 where both name the same field, else
            the product of how sure each is of its tag; higher where a person is needed more.
        votes: The same counted.
    """

    against: NDArray[np.float32]
    votes: Votes


def ask_previous(previous: Namer | None, documents: Sequence[Document]) -> tuple[PreviousOpinion, ...]:
    """Return what the previous champion says of pages; nothing where there is none, or it cannot say.

    Args:
        previous: The version that served before; it is shown the present reading, so that only naming differs.
        documents: As the present version named them.
    """
    if previous is None:
        return ()
    try:
        return tuple(_opinion(document, previous.extract(document.page)) for document in documents)
    except ModelError as error:
        # A second opinion that is lacking must not cost the first.
        _log.debug("former_not_asked", error=str(error))
        return ()


def _opinion(present: Document, previous: Document) -> PreviousOpinion:
    now, then = _fields(present), _fields(previous)
    if len(now) != len(then):
        # It cuts words elsewhere, so that nothing can be compared.
        return PreviousOpinion(np.zeros(len(now), dtype=np.float32), Votes())
    differ = np.array([one != other for one, other in zip(now, then, strict=True)], dtype=np.float32)
    against = differ * _sureness(present) * _sureness(previous)
    agreed = len(now) - int(differ.sum())
    return PreviousOpinion(against.astype(np.float32), Votes(agreed, dict(Counter(then)), dict(Counter(now))))


def _fields(document: Document) -> list[str]:
    fields = [_NONE] * len(document.page.words)
    for entity in document.entities:
        fields[entity.start : entity.stop] = [entity.field] * (entity.stop - entity.start)
    return fields


def _sureness(document: Document) -> NDArray[np.float32]:
    if document.doubts is None:
        return np.ones(len(document.page.words), dtype=np.float32)
    return np.asarray(1.0 - document.doubts.least_confidence, dtype=np.float32)


def signals_of(documents: Iterable[Document], second: Sequence[PreviousOpinion] = ()) -> Signals:
    """Sum up the documents of one task.

    Args:
        documents: Its pages.
        second: What the previous champion says of them.
    """
    pages = list(documents)
    doubts = [document.doubts for document in pages if document.doubts is not None]
    rivals = sorted((rival for each in doubts for rival in each.rivals), key=lambda rival: -rival[2])
    return Signals(
        words=sum(len(document.page.words) for document in pages),
        line_scores=tuple(round(float(line.score), 3) for document in pages for line in document.page.lines),
        entities=tuple((entity.field, round(entity.score, 3)) for document in pages for entity in document.entities),
        # A document's score is 1 / (1 + expected corrections); one without words has 0.
        expected_corrections=round(sum(1.0 / document.score - 1.0 for document in pages if document.score > 0), 4),
        least_confidence=Spread.of([each.least_confidence for each in doubts]),
        margin=Spread.of([each.margin for each in doubts]),
        entropy=Spread.of([each.entropy for each in doubts]),
        disagreement=Spread.of([each.disagreement for each in doubts]),
        patterns=Spread.of([each.patterns for each in doubts]),
        rivals=tuple(rivals[:_RIVALS]),
        pages=max(1, sum(bool(document.page.words) for document in pages)),
        line_margins=tuple(
            round(float(line.margin), 3)
            for document in pages
            for line in document.page.lines
            if line.margin is not None
        ),
        previous=Spread.of([each.against for each in second]),
        votes=Votes.sum(each.votes for each in second),
    )


def embedding_of(documents: Iterable[Document]) -> NDArray[np.float32] | None:
    """Return the embedding of a task: the mean of its pages', each as heavy as it has words.

    Returns:
        ``None`` where no page has words.
    """
    found = [
        (each.embedding, len(each.page.words))
        for each in documents
        if each.embedding is not None and each.embedding.any() and each.page.words
    ]
    if not found:
        return None
    if len(found) == 1:
        return found[0][0]
    weights = np.array([words for _, words in found], np.float32)
    rows = np.stack([embedding for embedding, _ in found])
    return np.asarray(weights @ rows / weights.sum(), np.float32)
