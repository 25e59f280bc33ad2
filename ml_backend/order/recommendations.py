"""Which documents a person should see, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from active_learning.criteria import DocumentFacts, Thresholds, Verdict, should_send_for_annotation
from active_learning.reasons import Reason, ReasonCode, explain
from ml_backend.order.candidates import Candidates, CandidateSource
from ml_backend.settings import Settings
from ml_backend.store.signals import Signals
from ml_backend.store.task_scores import TaskScore, TaskScores


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A document that a person should see.

    Attributes:
        task_id: Label Studio's task.
        contact_id: What the application calls the document; ``None`` where it came from elsewhere.
        priority: 3 for the most urgent, down to 1.
        confidence: Average confidence of the reading, in ``[0, 1]``.
        reasons: The most urgent first, with numbers.
        words: The same in plain English, one for each reason; :func:`active_learning.reasons.explain` knows others.
        expected_cost: Corrections that it will probably need.
        place: Its place in the order that Label Studio serves, from 0; ``None`` before it has one.
    """

    task_id: int
    contact_id: int | str | None
    priority: int
    confidence: float
    reasons: tuple[Reason, ...]
    words: tuple[str, ...]
    expected_cost: float
    place: int | None


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Some of the documents that a person should see.

    Attributes:
        total_candidates: How many there are in all.
        items: The most urgent first; of equal priority, first what will probably need most corrections.
    """

    total_candidates: int
    items: tuple[Recommendation, ...]


class Recommender:
    """Applies the rules to a project's open tasks; threads may share it.

    Args:
        source: Where candidates come from.
        scores: Asked for the fields that a project itself calls critical.
        thresholds: Where the rules draw their lines.
        contact_of: Asked what an application calls the document of a task, by project and task.
    """

    def __init__(
        self,
        source: CandidateSource,
        scores: TaskScores,
        thresholds: Thresholds,
        *,
        contact_of: Callable[[int, Sequence[int]], Mapping[int, int | str]] = lambda _project, _tasks: {},
    ) -> None:
        self._source = source
        self._scores = scores
        self._thresholds = thresholds
        self._contact_of = contact_of

    def recommendations(self, project_id: int, limit: int = 10) -> Recommendations:
        """Return the documents that the rules send to a person.

        Args:
            project_id: The project.
            limit: At most so many; 0 or more.

        Raises:
            StoreError: If the store cannot be read.
        """
        candidates = self._source.candidates(project_id)
        thresholds = self.thresholds(project_id)
        judged = []
        for row, task in enumerate(candidates.tasks):
            verdict = should_send_for_annotation(_facts(candidates, row, task), thresholds)
            if verdict.priority:
                judged.append((verdict, float(candidates.pool.cost[row]), task))
        judged.sort(key=lambda item: (-item[0].priority, -item[1], item[2].task_id))
        chosen = judged[:limit]
        contacts = self._contact_of(project_id, [task.task_id for _, _, task in chosen])
        return Recommendations(
            len(judged), tuple(_recommendation(*item, contacts.get(item[2].task_id)) for item in chosen)
        )

    def verdict(self, project_id: int, signals: Signals) -> Verdict:
        """Apply the rules to one document that is no task yet.

        Raises:
            StoreError: If the store cannot be read.
        """
        usual = self._source.usual(project_id)
        fields = signals.fields | {name for one, other, _ in signals.rivals for name in (one, other) if name}
        facts = replace(facts_of(signals, self._source.names(project_id, fields)), usual=usual)
        return should_send_for_annotation(facts, self.thresholds(project_id))

    def thresholds(self, project_id: int) -> Thresholds:
        """Return the thresholds with the critical fields of a project.

        They are those that it has called so itself, or else those of the settings that it has a label for.
        """
        own = self._scores.critical_fields(project_id)
        if own:
            return replace(self._thresholds, critical_fields=own)
        known = self._source.names(project_id, self._thresholds.critical_fields)
        fields = tuple(known[name] for name in self._thresholds.critical_fields if name in known)
        return replace(self._thresholds, critical_fields=fields)


def facts_of(signals: Signals, names: Mapping[str, str]) -> DocumentFacts:
    """Return what the rules look at.

    Args:
        signals: What the models say of the document.
        names: What the project calls the fields; those that it has no label for do not count.
    """
    confused = next(
        (
            ((names[one], names[other]), stake)
            for one, other, stake in signals.rivals
            if one in names and other in names and names[one] != names[other]
        ),
        None,
    )
    return DocumentFacts(
        signals.line_scores,
        frozenset(names[field] for field in signals.fields if field in names),
        signals.naming_confidence if signals.entities else None,
        min(1.0, max(signals.patterns.largest, signals.disagreement.largest, signals.previous.largest)),
        confused,
        pages=signals.pages,
        block_margins=signals.line_margins,
    )


def thresholds_of(settings: Settings) -> Thresholds:
    """Return the thresholds of the settings."""
    return Thresholds(
        confidence=settings.confidence_threshold,
        very_low_confidence=settings.very_low_confidence_threshold,
        low_block_share=settings.low_block_share,
        fewest_blocks=settings.min_blocks,
        most_blocks=settings.max_blocks,
        classifier_confidence=settings.classifier_confidence_threshold,
        disagreement=settings.disagreement_threshold,
        reading_margin=settings.reading_margin_threshold,
        critical_fields=settings.critical_field_names,
    )


def _facts(candidates: Candidates, row: int, task: TaskScore) -> DocumentFacts:
    novelty = None if candidates.novelty is None else float(candidates.novelty[row])
    return replace(facts_of(task.signals, candidates.names), novelty=novelty, usual=candidates.history.usual)


def _recommendation(verdict: Verdict, cost: float, task: TaskScore, contact: int | str | None) -> Recommendation:
    reasons = verdict.reasons + ((Reason(ReasonCode.CONTROL),) if task.control else ())
    return Recommendation(
        task.task_id,
        contact,
        verdict.priority,
        verdict.confidence,
        reasons,
        tuple(explain(reason) for reason in reasons),
        cost,
        task.place,
    )
