"""What to do next with a project, in words: go on annotating, pause, or look at a field; and what the order saves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from active_learning.control import LEAST_ARM, LabelsSaved, Winning
from active_learning.reasons import Language
from active_learning.stopping import Advice, CurvePoint, FieldState, advise, forecast, in_words, kappa
from ml_backend.label_studio.results import labels_in
from ml_backend.order.candidates import LATEST, CandidateSource
from ml_backend.order.task_order import labels_saved
from ml_backend.store.annotations import LearningStore
from ml_backend.store.records import StoredAnnotation, choose
from ml_backend.store.signals import Votes
from ml_backend.store.task_scores import TaskOrder, TaskScores
from model.registry.versions import Registry

#: Documents that a forecast looks ahead: about an hour of annotating.
AHEAD = 50


@dataclass(frozen=True, slots=True)
class ProjectAdvice:
    """What to do with a project, and what it is based on.

    Attributes:
        advice: In types.
        curve: A point for each version that was measured, the oldest first.
        fields: How well each field is known, by what people made of the predictions.
        saved: What the order saves over chance, measured by the control arm.
        order: How the open tasks were last put into order; ``None`` if they never were.
        annotated: Annotated documents.
    """

    advice: Advice
    curve: tuple[CurvePoint, ...]
    fields: dict[str, FieldState]
    saved: LabelsSaved
    order: TaskOrder | None
    annotated: int

    def words(self, language: Language = "en") -> tuple[str, ...]:
        """Return the advice, and what is known of the order, a sentence or two each."""
        return in_words(self.advice, language), saved_in_words(self.saved, language)


class Adviser:
    """Gives advice; threads may share it.

    Args:
        source: What was learned from annotated documents.
        learning: The annotations.
        scores: How tasks were put into order.
        curve: Asked for a project's learning curve.
    """

    def __init__(
        self,
        source: CandidateSource,
        learning: LearningStore,
        scores: TaskScores,
        curve: Callable[[int], Sequence[CurvePoint]],
    ) -> None:
        self._source = source
        self._learning = learning
        self._scores = scores
        self._curve = curve

    def advice(self, project_id: int) -> ProjectAdvice:
        """Say what to do next with a project.

        Raises:
            StoreError: If the store cannot be read.
            TrackingError: If the registry cannot be read.
        """
        curve = tuple(self._curve(project_id))
        history = self._source.history(project_id)
        fields = self._fields(project_id)
        ahead = forecast(curve, AHEAD, np.random.default_rng(len(curve)))
        return ProjectAdvice(
            advise(ahead, self._stability(project_id), fields),
            curve,
            fields,
            labels_saved(history),
            self._scores.order(project_id),
            history.documents,
        )

    def _stability(self, project_id: int) -> float | None:
        """Return how far the present version and the one before agree on the documents that nobody has annotated."""
        annotated = {head.task_id for head in choose(self._learning.heads(project_id)).values()}
        open_tasks = [task for task in self._scores.scores(project_id).values() if task.task_id not in annotated]
        versions = Counter(task.version for task in open_tasks)
        if not versions:
            return None
        version = versions.most_common(1)[0][0]
        votes = Votes.sum(task.signals.votes for task in open_tasks if task.version == version)
        return kappa(votes.agreed, votes.before, votes.after) if votes.words else None

    def _fields(self, project_id: int) -> dict[str, FieldState]:
        """Count, a label each, what was predicted and what people made of it, for the version that was met last."""
        chosen = sorted(choose(self._learning.heads(project_id)).values(), key=lambda head: head.updated_at)
        annotations = list(self._learning.annotations(head.id for head in chosen[-LATEST:]))
        latest = max(annotations, key=lambda each: each.updated_at, default=None)
        met = [each for each in annotations if latest is not None and each.model_version == latest.model_version]
        return self._counted(met)

    def _counted(self, annotations: Iterable[StoredAnnotation]) -> dict[str, FieldState]:
        given, wanted, lost = Counter[str](), Counter[str](), Counter[str]()
        for annotation in annotations:
            if annotation.prediction is None:
                continue
            given.update(labels_in(annotation.prediction.get("result") or ()))
            wanted.update(labels_in(annotation.result))
            lost.update(
                item.field_before
                for item in self._learning.corrections(annotation.id)
                if item.kind in ("deleted", "field") and item.field_before is not None
            )
        return {
            label: FieldState(
                2 * max(0, given[label] - lost[label]) / (given[label] + wanted[label]),
                wanted[label],
            )
            for label in sorted(wanted)
        }


def learning_curve(registry: Registry) -> Callable[[int], list[CurvePoint]]:
    """Return what gives a project's learning curve: the registry knows how many documents each version had."""

    def curve(project_id: int) -> list[CurvePoint]:
        points = []
        for version in sorted(registry.versions(project_id), key=lambda each: each.number):
            documents, score = version.tags.get("documents", ""), version.tags.get("f1", "")
            if documents.isdigit() and int(documents) and score:
                points.append(CurvePoint(int(documents), float(score)))
        return points

    return curve


def saved_in_words(saved: LabelsSaved, language: Language = "en") -> str:
    """Return what the order saves over chance, as a sentence with its interval of 95 %."""
    if saved.winning is Winning.UNKNOWN:
        by_chance, chosen = max(0, LEAST_ARM - saved.control), max(0, LEAST_ARM - saved.active)
        if language == "ru":
            return (
                "Пока неизвестно, экономит ли порядок разметку: нужно ещё документов, "
                f"выбранных случайно: {by_chance}, выбранных порядком: {chosen}."
            )
        more = " and ".join(
            f"{count} more documents {how}"
            for count, how in ((by_chance, "drawn by chance"), (chosen, "chosen by the order"))
            if count
        )
        return f"Whether the order saves labels is not known yet: {more} are needed."
    # A zero is added so that none is written as "-0".
    count, low, high = (f"{round(value, 0) + 0.0:.0f}" for value in (saved.saved, saved.saved_low, saved.saved_high))
    if saved.winning is Winning.YES:
        if language == "ru":
            return f"Порядок сэкономил около {count} аннотаций (от {low} до {high})."
        return f"The order has saved about {count} annotations ({low} to {high})."
    if language == "ru":
        return (
            "Активное обучение здесь не лучше случайного порядка: "
            f"сэкономлено {count} аннотаций (от {low} до {high}). ACTIVE_LEARNING_FALLBACK вернёт случайный."
        )
    return (
        f"Active learning is no better than chance here: {count} annotations saved ({low} to {high}). "
        "ACTIVE_LEARNING_FALLBACK lets chance order the tasks."
    )
