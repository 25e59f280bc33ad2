"""What active learning sees of a project: its open tasks, and what was learned from the annotated ones."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_learning import cost
from active_learning.cost import ExpectedCost
from active_learning.geometry import nearest_distance, placed
from active_learning.missing import UsualFields
from active_learning.pool import Labelled, Pool
from active_learning.uncertainty import ReadingUncertainty
from ml_backend.label_studio.fields import match_labels
from ml_backend.label_studio.label_config import Label
from ml_backend.label_studio.results import labels_in
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import AnnotationHead, choose
from ml_backend.store.signals import Signals
from ml_backend.store.task_scores import TaskScore, TaskScores

#: Annotated documents that are looked at, the latest: what was usual a year ago says little.
LATEST = 1000
#: Annotated documents below which nothing is said to be unlike them.
_FEWEST_KNOWN = 10
#: Projects of which is kept what was learned, those asked for last.
_KEPT_PROJECTS = 64


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """What became of one pre-labelled document.

    Attributes:
        task_id: The task.
        version: The model version that pre-labelled it.
        control: Whether the task was put into the order by chance.
        cost: Corrections that it needed.
        signals: What the version had said.
    """

    task_id: int
    version: str
    control: bool
    cost: int
    signals: Signals


@dataclass(frozen=True, slots=True)
class History:
    """What was learned from a project's annotated documents.

    Attributes:
        documents: How many there are.
        usual: How often they have each label.
        met: Those of them that people began with a prediction whose signals are known, the oldest first.
        cost: What signals cost in corrections.
    """

    documents: int
    usual: UsualFields
    met: tuple[SeenDocument, ...]
    cost: ExpectedCost


@dataclass(frozen=True, slots=True)
class Candidates:
    """A project's open tasks, a row each.

    Attributes:
        version: The model version that has scored most of them; empty without tasks.
        tasks: What is kept of them, in order of their numbers.
        pool: The same in numbers.
        labelled: What was annotated already, as that version sees it.
        names: What the project calls the model's fields; a field that it has no label for is missing.
        novelty: Distance of each from the nearest annotated document, as a multiple of the median; ``None`` where too
            little is annotated to say.
        history: What was learned from annotated documents.
    """

    version: str
    tasks: tuple[TaskScore, ...]
    pool: Pool
    labelled: Labelled
    names: Mapping[str, str]
    novelty: NDArray[np.floating[Any]] | None
    history: History


@dataclass(frozen=True, slots=True)
class _Known:
    """What a history is learned from: another one of these gives another history."""

    documents: int
    annotations: tuple[tuple[int, str], ...]
    scored: datetime | None
    labels: tuple[Label, ...]


@dataclass(slots=True)
class _Kept:
    """What is kept of a project: the labels of its annotations, and its history with what that was learned from."""

    labels: Mapping[tuple[int, str], frozenset[str]] = field(default_factory=dict)
    known: _Known | None = None
    history: History | None = None


class CandidateSource:
    """Brings together what the store knows; threads may share it.

    Every method raises :class:`ml_backend.store.engine.StoreError` if the store cannot be read.

    Args:
        scores: What the models say of tasks.
        learning: What people have annotated.
        labels: Asked for the labels of a project; none where they are not known.
    """

    def __init__(
        self, scores: TaskScores, learning: LearningStore, labels: Callable[[int], Sequence[Label]] = lambda _: ()
    ) -> None:
        self._scores = scores
        self._learning = learning
        self._labels = labels
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def names(self, project_id: int, fields: Iterable[str]) -> dict[str, str]:
        """Return what a project calls the model's fields; a field that it has no label for is missing.

        Where its labels are not known, all fields are taken to be labels.
        """
        labels = self._labels(project_id)
        wanted = sorted(fields)
        return match_labels(wanted, labels) if labels else {field: field for field in wanted}

    def usual(self, project_id: int) -> UsualFields:
        """Return how often the latest annotated documents have each label; only those that are new are looked at."""
        heads = self._annotated(project_id)
        seen = self._of(project_id).labels
        keys = {head.id: (head.id, head.digest) for head in heads}
        labels = {key: seen[key] for key in keys.values() if key in seen}
        for annotation in self._learning.annotations(number for number, key in keys.items() if key not in labels):
            labels[keys[annotation.id]] = frozenset(labels_in(annotation.result))
        self._of(project_id).labels = labels
        return UsualFields.of(labels.values())

    def history(self, project_id: int) -> History:
        """Learn from the latest annotated documents; what was learned is kept until they or their scores change."""
        chosen = choose(self._learning.heads(project_id))
        heads = _latest(chosen)
        tasks = [head.task_id for head in heads]
        known = _Known(
            len(chosen),
            tuple((head.id, head.digest) for head in heads),
            self._scores.newest(project_id, tasks),
            tuple(self._labels(project_id)),
        )
        kept = self._of(project_id)
        if kept.history is None or kept.known != known:
            kept.history, kept.known = self._learned(project_id, len(chosen), heads), known
        return kept.history

    def _of(self, project_id: int) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(project_id, _Kept())
            self._kept.move_to_end(project_id)
            while len(self._kept) > _KEPT_PROJECTS:
                self._kept.popitem(last=False)
            return kept

    def _learned(self, project_id: int, documents: int, heads: Sequence[AnnotationHead]) -> History:
        scores = self._scores.scores(project_id, [head.task_id for head in heads])
        fields, met = [], []
        for annotation in self._learning.annotations(head.id for head in heads):
            fields.append(set(labels_in(annotation.result)))
            score = scores.get(annotation.task_id)
            if score is not None and annotation.cost is not None and score.version == annotation.model_version:
                met.append(
                    SeenDocument(annotation.task_id, score.version, score.control, annotation.cost, score.signals)
                )
        usual = UsualFields.of(fields)
        names = self.names(project_id, _fields(each.signals for each in met))
        signals = [cost_signals(each.signals, usual, names) for each in met]
        return History(documents, usual, tuple(met), ExpectedCost.fit(signals, [each.cost for each in met]))

    def candidates(self, project_id: int, *, among: Iterable[int] | None = None) -> Candidates:
        """Return the open tasks that were scored.

        Args:
            project_id: The project.
            among: The tasks that are open, as Label Studio says; where it was not asked, all that nobody has annotated.
        """
        scores = self._scores.scores(project_id, among)
        annotated = {head.task_id for head in choose(self._learning.heads(project_id)).values()}
        tasks = tuple(scores[task] for task in sorted(scores) if task not in annotated)
        version = Counter(task.version for task in tasks).most_common(1)[0][0] if tasks else ""
        history = self.history(project_id)
        known = self._scores.embeddings(project_id, version, [head.task_id for head in self._annotated(project_id)])
        own = self._scores.embeddings(project_id, version, [task.task_id for task in tasks])
        names = self.names(project_id, _fields(task.signals for task in tasks))
        pool = _pool(tasks, own, history, names)
        labelled = Labelled(_table(list(known), known))
        return Candidates(version, tasks, pool, labelled, names, _novelty(pool, labelled), history)

    def unplaced(self, project_id: int, version: str) -> list[int]:
        """Return the annotated tasks, of the latest, that a version has no embedding of."""
        latest = [head.task_id for head in self._annotated(project_id)]
        known = self._scores.embeddings(project_id, version, latest)
        there = self._scores.scores(project_id, latest)
        return [task for task in latest if task not in known and task in there]

    def _annotated(self, project_id: int) -> list[AnnotationHead]:
        return _latest(choose(self._learning.heads(project_id)))


def _latest(chosen: Mapping[int, AnnotationHead]) -> list[AnnotationHead]:
    return sorted(chosen.values(), key=lambda head: head.updated_at)[-LATEST:]


def cost_signals(signals: Signals, usual: UsualFields, names: Mapping[str, str]) -> cost.Signals:
    """Return what the expected cost is worked out from.

    Args:
        signals: What the models say of a document.
        usual: How often annotated documents have each label.
        names: What the project calls the model's fields.
    """
    reading = ReadingUncertainty.of(signals.line_scores, 0.0, signals.line_margins)
    return cost.Signals(
        expected_corrections=signals.expected_corrections,
        least_confidence=signals.least_confidence.total,
        margin=signals.margin.total,
        entropy=signals.entropy.total,
        disagreement=signals.disagreement.total,
        reading=sum(1.0 - score for score in signals.line_scores),
        reading_margin=reading.margin * len(signals.line_scores),
        previous=signals.previous.total,
        missing=usual.expected_missing({names[field] for field in signals.fields if field in names}),
    )


def arms(met: Iterable[SeenDocument]) -> list[tuple[list[int], list[int]]]:
    """Return, by version, the corrections of the strategy's documents and of those drawn by chance."""
    by_version: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for each in met:
        by_version[each.version][each.control].append(each.cost)
    return list(by_version.values())


def _pool(
    tasks: Sequence[TaskScore],
    embeddings: Mapping[int, NDArray[np.float16]],
    history: History,
    names: Mapping[str, str],
) -> Pool:
    signals = [task.signals for task in tasks]
    expected = history.cost.predict([cost_signals(each, history.usual, names) for each in signals])

    def column(name: str) -> NDArray[np.float64]:
        # Sums, as benchmarks/active_learning.py has them: the default was chosen by these.
        return np.array([getattr(each, name).total for each in signals], dtype=np.float64)

    return Pool(
        _table([task.task_id for task in tasks], embeddings),
        least_confidence=column("least_confidence"),
        margin=column("margin"),
        entropy=column("entropy"),
        disagreement=column("disagreement"),
        cost=np.asarray(expected, dtype=np.float64),
    )


def _fields(signals: Iterable[Signals]) -> set[str]:
    """Return all fields that are named or in doubt."""
    found: set[str] = set()
    for each in signals:
        found |= each.fields | {name for one, other, _ in each.rivals for name in (one, other) if name}
    return found


def _novelty(pool: Pool, labelled: Labelled) -> NDArray[np.floating[Any]] | None:
    if len(labelled) < _FEWEST_KNOWN or not len(pool):
        return None
    rows, known = placed(pool.embeddings, labelled.embeddings)
    distances = np.sqrt(nearest_distance(rows, known))
    usual = float(np.median(distances))
    return distances / usual if usual > 0 else None


def _table(tasks: Sequence[int], embeddings: Mapping[int, NDArray[np.float16]]) -> NDArray[np.float32]:
    """Return a row for each task, of zeros where there is no embedding."""
    size = next((len(row) for row in embeddings.values()), 1)
    table = np.zeros((len(tasks), size), dtype=np.float32)
    for row, task in enumerate(tasks):
        if task in embeddings:
            table[row] = embeddings[task]
    return table
