"""Annotations and corrections as the store gives them, and which of a task's annotations counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Source = Literal["label_studio", "api", "import"]
CorrectionKind = Literal["text", "field", "added", "deleted", "moved"]


@dataclass(frozen=True, slots=True)
class Correction:
    """One difference between an annotation and the prediction that it started from.

    Attributes:
        kind: What a person did: another text, another field, a region added, deleted or moved.
        region_id: The region of the annotation, or, where it was deleted, of the prediction.
        field_before: Label in the prediction; ``None`` where there was none.
        field_after: Label in the annotation.
        text_before: Text in the prediction; ``None`` where there was none.
        text_after: Text in the annotation.
        box: ``x0, y0, x1, y1`` of that region in pixels of the original image.
        item_index: Which page of the task it is on, from 0.
    """

    kind: CorrectionKind
    region_id: str
    field_before: str | None = None
    field_after: str | None = None
    text_before: str | None = None
    text_after: str | None = None
    box: tuple[float, float, float, float] | None = None
    item_index: int = 0


@dataclass(frozen=True, slots=True)
class StoredAnnotation:
    """A person's result for one task.

    Attributes:
        id: Label Studio's number; below 0 for what came from elsewhere.
        completed_by: Label Studio's number of the person.
        result: Regions as Label Studio stores them.
        was_cancelled: Whether the person skipped the task.
        ground_truth: Whether it is marked as the truth.
        created_at: In UTC.
        updated_at: In UTC, by Label Studio's clock.
        prediction: What the person started from (``result``, ``model_version``, ``score``); ``None`` for nothing.
        model_version: That prediction's.
        cost: How many corrections it needed; ``None`` where the person started from nothing.
        problem: Why its regions cannot be used; ``None`` where they can.
        page_problem: Why the page below them could not be read when that was last tried.
        source: Where it came from.
        task_data: The task's data, image addresses among it.
        deleted_at: When it was found deleted; ``None`` while it stands.
    """

    id: int
    project_id: int
    task_id: int
    completed_by: int | None
    result: Sequence[Mapping[str, Any]]
    was_cancelled: bool
    ground_truth: bool
    created_at: datetime
    updated_at: datetime
    task_data: Mapping[str, Any]
    prediction: Mapping[str, Any] | None = None
    model_version: str | None = None
    cost: int | None = None
    problem: str | None = None
    page_problem: str | None = None
    source: Source = "label_studio"
    deleted_at: datetime | None = None

    @property
    def digest(self) -> str:
        """Changes when anything changes that can be learned: the regions, or the task's data."""
        content = json.dumps([self.result, self.task_data], sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AnnotationHead:
    """What decides which annotation of a task counts, without its regions; ``problem`` is that of regions or page."""

    id: int
    task_id: int
    was_cancelled: bool
    ground_truth: bool
    updated_at: datetime
    digest: str
    problem: str | None


def choose(heads: Iterable[AnnotationHead]) -> dict[int, AnnotationHead]:
    """Choose the annotation of each task that counts.

    Skipped ones never do. One marked as ground truth wins, then the one changed last; of two changed in the same moment
    the one with the higher number. One from which nothing can be learned is passed over where the task has another.

    Args:
        heads: Annotations that were not deleted.

    Returns:
        By task; a task whose annotations were all skipped is missing.
    """
    chosen: dict[int, AnnotationHead] = {}
    for head in heads:
        if head.was_cancelled:
            continue
        best = chosen.get(head.task_id)
        if best is None or _rank(head) > _rank(best):
            chosen[head.task_id] = head
    return chosen


def fingerprint(digests: Mapping[int, str]) -> str:
    """Name a set of documents by what is annotated on them: 64 hex digits.

    Args:
        digests: By task, the digest of the annotation that counts.
    """
    lines = (f"{task} {digest}\n" for task, digest in sorted(digests.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _rank(head: AnnotationHead) -> tuple[bool, bool, datetime, int]:
    return head.problem is None, head.ground_truth, head.updated_at, head.id
