"""Search annotated documents for labels that are probably wrong.

A model doubts a label only if it never learned from it. The states of the weights that ship are therefore read out by
heads of their own, each fitted to other documents than those it is asked about (cross validation). What two people have
annotated differently is in doubt as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from active_learning.label_errors import Annotated, find_label_errors
from ml_backend.label_studio.label_config import LabelConfig
from ml_backend.label_studio.outlines import TooComplexError
from ml_backend.learn.annotation_diff import diff
from ml_backend.learn.dataset import Collected, LabelledDocument
from ml_backend.observability.logs import get_logger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.label_errors import Doubt, LabelSuspect
from ml_backend.store.records import choose
from model.document.bio import field_of
from model.document.types import Page

_log = get_logger(__name__)

FOLDS = 5
#: Documents that are looked at, the latest, and those below which nothing is said.
LATEST, FEWEST = 400, 20
#: Pull of the heads towards 0, as scikit-learn's ``C``: there are as many states as words of ten documents.
_FREEDOM = 0.05

#: Stands for a word of no field.
_NONE = ""


class StateReader(Protocol):
    """Gives what a classifier's head is given; :class:`model.extraction.extractor.Extractor` is one."""

    @property
    def version(self) -> str: ...  # noqa: D102

    def states(self, page: Page) -> NDArray[np.float32]:
        """Return a row for each word of a page."""
        ...


@dataclass(frozen=True, slots=True)
class LabelErrorSearch:
    """Finds what should be looked at again.

    Attributes:
        learning: The annotations.
        reader: Weights that never learned from them.
    """

    learning: LearningStore
    reader: StateReader

    def search(
        self,
        project_id: int,
        collected: Collected,
        config: LabelConfig,
        *,
        limit: int | None = None,
        on_progress: Callable[[], object] = lambda: None,
    ) -> list[LabelSuspect]:
        """Return the annotated tasks that should be looked at again, the worst first.

        Args:
            project_id: The project.
            collected: Its annotated documents.
            config: Its labelling configuration.
            limit: Most tasks that a model may doubt; a fifth of the documents by default.
            on_progress: Called after each document.

        Raises:
            StoreError: If the store cannot be read.
        """
        found: dict[int, list[tuple[float, tuple[Doubt, ...]]]] = defaultdict(list)
        for task_id, suspicion, doubts in self._doubted(collected, limit, on_progress):
            found[task_id].append((suspicion, doubts))
        for task_id, suspicion, doubts in self._contradicted(project_id, config):
            found[task_id].append((suspicion, doubts))
        heads = {head.task_id: head for head in choose(self.learning.heads(project_id)).values()}
        now = datetime.now(timezone.utc)
        suspects = [
            LabelSuspect(
                task_id,
                heads[task_id].id,
                heads[task_id].digest,
                self.reader.version,
                max(suspicion for suspicion, _ in opinions),
                tuple(doubt for _, doubts in opinions for doubt in doubts),
                now,
            )
            for task_id, opinions in found.items()
            if task_id in heads
        ]
        return sorted(suspects, key=lambda each: (-each.suspicion, each.task_id))

    def _doubted(
        self, collected: Collected, limit: int | None, on_progress: Callable[[], object]
    ) -> Iterator[tuple[int, float, tuple[Doubt, ...]]]:
        documents = [each for each in collected.examples if each.tags and each.task_id > 0][-LATEST:]
        if len(documents) < FEWEST:
            return
        fields = sorted({field_of(tag) or _NONE for each in documents for tag in each.tags})
        columns = {field: column for column, field in enumerate(fields)}
        names = [collected.names.labels.get(field, field) for field in fields]
        targets = [np.array([columns[field_of(tag) or _NONE] for tag in each.tags]) for each in documents]
        if len(fields) < 2:
            # There is nothing that a word could be taken for instead.
            return
        states = []
        for document in documents:
            states.append(self.reader.states(document.page))
            on_progress()
        annotated = [
            Annotated(target, rows)
            for target, rows in zip(targets, out_of_sample(states, targets, len(fields)), strict=True)
        ]
        for suspect in find_label_errors(annotated, limit):
            document = documents[suspect.document]
            doubts = tuple(
                _doubt(document, item.word, names[item.given], names[item.suggested], item.probability)
                for item in suspect.suspicions
                if item.given != item.suggested
            )
            if doubts:
                yield document.task_id, suspect.score, doubts

    def _contradicted(self, project_id: int, config: LabelConfig) -> Iterator[tuple[int, float, tuple[Doubt, ...]]]:
        """Give the tasks that two people have annotated with different labels."""
        by_task: defaultdict[int, list[int]] = defaultdict(list)
        for head in self.learning.heads(project_id):
            if not head.was_cancelled and head.id > 0:
                by_task[head.task_id].append(head.id)
        chosen = {head.task_id: head.id for head in choose(self.learning.heads(project_id)).values()}
        for task_id, numbers in by_task.items():
            if len(numbers) < 2 or task_id not in chosen:
                continue
            annotations = {each.id: each for each in self.learning.annotations(numbers)}
            mine = annotations.pop(chosen[task_id], None)
            for other in annotations.values():
                if mine is None or other.completed_by == mine.completed_by:
                    continue
                try:
                    found = diff(mine.result, other.result, config.for_task(mine.task_data))
                except TooComplexError as error:
                    _log.warning("annotations_not_compared", task=task_id, error=str(error))
                    continue
                # One that has a value more has labelled what the other left without a label.
                changes = [
                    item
                    for item in found
                    if item.kind in ("field", "added", "deleted") and (item.field_before or item.field_after)
                ]
                if changes:
                    yield (
                        task_id,
                        1.0,
                        tuple(
                            Doubt(
                                item.text_before or item.text_after or "",
                                item.field_before or "",
                                item.field_after or "",
                                0.5,
                                "annotator",
                                item.box,
                                item.item_index,
                            )
                            for item in changes
                        ),
                    )


def out_of_sample(
    states: Sequence[NDArray[np.float32]], targets: Sequence[NDArray[np.int64]], labels: int
) -> list[NDArray[np.float64]]:
    """Return each word's probabilities by a head that was fitted to other documents.

    Args:
        states: A document each, shape ``(words, hidden)``.
        targets: A document each, shape ``(words,)``: the column of each word's label.
        labels: How many columns there are.

    Returns:
        A document each, shape ``(words, labels)``; rows sum to 1.

    Raises:
        ValueError: If there are too few documents with words for each to be asked about by a head of the others.
    """
    fold = np.random.default_rng(0).permutation(len(states)) % FOLDS
    result: dict[int, NDArray[np.float64]] = {}
    for held in range(FOLDS):
        learn = [place for place in range(len(states)) if fold[place] != held and len(targets[place])]
        wanted = np.concatenate([targets[i] for i in learn])
        known = np.unique(wanted)
        head = make_pipeline(StandardScaler(), LogisticRegression(C=_FREEDOM, max_iter=1000))
        if len(known) > 1:
            head.fit(np.concatenate([states[i] for i in learn]), wanted)
        for place in np.flatnonzero(fold == held):
            table = np.zeros((len(targets[place]), labels))
            if len(table):
                # Where the others have one label only, it is all that could be said.
                table[:, known] = head.predict_proba(states[place]) if len(known) > 1 else 1.0
            result[int(place)] = table
    return [result[place] for place in range(len(states))]


def _doubt(document: LabelledDocument, word: int, given: str, suggested: str, probability: float) -> Doubt:
    read = document.page.words[word]
    box = (read.box.x0, read.box.y0, read.box.x1, read.box.y1)
    return Doubt(read.text, given, suggested, round(probability, 3), "model", box, document.item_index)
