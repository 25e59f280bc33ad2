"""What the former champion says of a document that its successor has named: a member of the committee.

Where both are sure and contradict each other, one of them is wrong, and a person's answer tells which (Seung et al.,
«Query by Committee», 1992). How often they agree says how much predictions still change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml_backend.observability.logs import get_logger
from model.document.types import Document, Page
from model.errors import ModelError

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
class Votes:
    """How two versions named the same words.

    Attributes:
        agreed: Words of which both said the same.
        before: Field to the words that the former version gave it; the empty name stands for no field.
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
class FormerOpinion:
    """The former champion's word on one page.

    Attributes:
        against: Shape ``(words,)``: how surely it contradicts, in ``[0, 1]``: 0 where both name the same field, else
            the product of how sure each is of its tag; higher where a person is needed more.
        votes: The same counted.
    """

    against: NDArray[np.float32]
    votes: Votes


def ask_former(former: Namer | None, documents: Sequence[Document]) -> tuple[FormerOpinion, ...]:
    """Return what the former champion says of pages; nothing where there is none, or it cannot say.

    Args:
        former: Who served before; it is shown the present reading, so that only naming differs.
        documents: As the present version named them.
    """
    if former is None:
        return ()
    try:
        return tuple(_opinion(document, former.extract(document.page)) for document in documents)
    except ModelError as error:
        # A second opinion that is lacking must not cost the first.
        _log.debug("former_not_asked", error=str(error))
        return ()


def _opinion(present: Document, former: Document) -> FormerOpinion:
    now, then = _fields(present), _fields(former)
    if len(now) != len(then):
        # It cuts words elsewhere, so that nothing can be compared.
        return FormerOpinion(np.zeros(len(now), dtype=np.float32), Votes())
    differ = np.array([one != other for one, other in zip(now, then, strict=True)], dtype=np.float32)
    against = differ * _sureness(present) * _sureness(former)
    agreed = len(now) - int(differ.sum())
    return FormerOpinion(against.astype(np.float32), Votes(agreed, dict(Counter(then)), dict(Counter(now))))


def _fields(document: Document) -> list[str]:
    fields = [_NONE] * len(document.page.words)
    for entity in document.entities:
        fields[entity.start : entity.stop] = [entity.field] * (entity.stop - entity.start)
    return fields


def _sureness(document: Document) -> NDArray[np.float32]:
    if document.doubts is None:
        return np.ones(len(document.page.words), dtype=np.float32)
    return np.asarray(1.0 - document.doubts.least_confidence, dtype=np.float32)
