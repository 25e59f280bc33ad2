"""What Label Studio's API answers with, as far as the backend needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """The user whom the token belongs to."""

    id: int
    email: str


@dataclass(frozen=True, slots=True)
class Project:
    """A project.

    Attributes:
        id: Its number.
        title: Its name.
        label_config: Its labelling configuration, XML.
        model_version: Version whose predictions are shown and order the tasks; empty where none is set.
        sampling: How the next task is chosen, in Label Studio's words.
        task_number: How many tasks it has.
    """

    id: int
    title: str
    label_config: str
    model_version: str
    sampling: str
    task_number: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a project is annotated.

    Attributes:
        title: The project's name.
        tasks: How many tasks it has.
        annotated: How many of them have an annotation.
    """

    title: str
    tasks: int
    annotated: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's result for one task.

    Attributes:
        id: Its number; 0 before Label Studio has stored it.
        task: The task's number.
        model_version: Which model made it.
        result: Regions as Label Studio stores them.
        score: Low where a person is needed most; with a sampling by uncertainty the lowest comes first.
        cluster: Tasks of the cluster that was annotated least come first; ``None`` where there are no clusters.
        mislabeling: How likely the task's annotation is wrong, in ``[0, 1]``.
        is_changed: Whether it was changed more than a second after it was made, as putting tasks into order does with
            scores.
    """

    task: int
    model_version: str
    result: Sequence[Mapping[str, Any]]
    score: float | None = None
    cluster: int | None = None
    mislabeling: float | None = None
    id: int = 0
    is_changed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's result for one task.

    Attributes:
        id: Its number.
        task: The task's number.
        result: Regions as Label Studio stores them.
        was_cancelled: Whether the task was skipped.
        updated_at: ISO 8601 time of the last change.
        prediction: Of the project's model version at that moment, as it was then. Only webhooks bring it.
        completed_by: Number of the person; ``None`` for one who is gone.
        ground_truth: Whether it is marked as the truth.
        created_at: ISO 8601 time.
        parent_prediction: Number of the prediction that the person started from; ``None`` if from nothing, or gone.
    """

    id: int
    task: int
    result: Sequence[Mapping[str, Any]]
    was_cancelled: bool
    updated_at: str
    prediction: Mapping[str, Any] | None
    completed_by: int | None = None
    ground_truth: bool = False
    created_at: str = ""
    parent_prediction: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A task.

    Attributes:
        id: Its number.
        project: Its project's number.
        data: What was imported, image addresses among it.
        is_labeled: Whether it has as many annotations as the project asks for.
        annotations: Its annotations, where they were asked for.
        predictions: Its predictions, where they were asked for.
        written: What people have made of it so far, as ``/predict`` sends it: results of drafts, then of annotations.
    """

    id: int
    project: int
    data: Mapping[str, Any]
    is_labeled: bool
    annotations: tuple[Annotation, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    written: tuple[Sequence[Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class MlBackend:
    """A connection from a project to a backend.

    Attributes:
        state: ``CO`` connected, ``DI`` disconnected, ``ER`` error, and others.
        model_version: The version that the backend announced when it was last asked.
    """

    id: int
    project: int
    url: str
    title: str
    is_interactive: bool
    state: str
    error: str
    model_version: str = ""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that Label Studio sends events to."""

    id: int
    url: str
    headers: Mapping[str, str]
    is_active: bool
    project: int | None


def project_of(raw: Mapping[str, Any]) -> Project:
    """Read a project."""
    return Project(
        id=raw["id"],
        title=raw.get("title") or "",
        label_config=raw.get("label_config") or "",
        model_version=raw.get("model_version") or "",
        sampling=str(raw.get("sampling") or ""),
        task_number=raw.get("task_number") or 0,
    )


def progress_of(raw: Mapping[str, Any]) -> Progress:
    """Read how far a project is annotated."""
    return Progress(
        title=str(raw.get("title") or ""),
        tasks=int(raw.get("task_number") or 0),
        annotated=int(raw.get("num_tasks_with_annotations") or 0),
    )


def task_of(raw: Mapping[str, Any]) -> Task:
    """Read a task."""
    return Task(
        id=raw["id"],
        project=raw.get("project") or 0,
        data=raw.get("data") or {},
        is_labeled=bool(raw.get("is_labeled")),
        annotations=tuple(annotation_of(item, raw["id"]) for item in raw.get("annotations") or ()),
        predictions=tuple(prediction_of(item, raw["id"]) for item in raw.get("predictions") or ()),
    )


def written_in(raw: Mapping[str, Any]) -> tuple[Sequence[Mapping[str, Any]], ...]:
    """Read the results that people have made of a task, drafts first, the latest first; others are passed over."""
    found: list[Sequence[Mapping[str, Any]]] = []
    for name in ("drafts", "annotations"):
        items = raw.get(name)
        own = [item for item in (items if isinstance(items, list) else ()) if isinstance(item, Mapping)]
        own.sort(key=lambda item: str(item.get("updated_at") or ""), reverse=True)
        found += [item["result"] for item in own if isinstance(item.get("result"), list)]
    return tuple(found)


def annotation_of(raw: Mapping[str, Any], task: int = 0) -> Annotation:
    """Read an annotation, whose task may stand around it."""
    person = raw.get("completed_by")
    return Annotation(
        id=raw["id"],
        task=raw.get("task") or task,
        result=raw.get("result") or (),
        was_cancelled=bool(raw.get("was_cancelled")),
        updated_at=str(raw.get("updated_at") or ""),
        prediction=raw.get("prediction") or None,
        completed_by=person.get("id") if isinstance(person, Mapping) else person,
        ground_truth=bool(raw.get("ground_truth")),
        created_at=str(raw.get("created_at") or ""),
        parent_prediction=raw.get("parent_prediction"),
    )


def prediction_of(raw: Mapping[str, Any], task: int = 0) -> Prediction:
    """Read a prediction, whose task may stand around it."""
    return Prediction(
        id=raw["id"],
        task=raw.get("task") or task,
        model_version=raw.get("model_version") or "",
        result=raw.get("result") or (),
        score=raw.get("score"),
        cluster=raw.get("cluster"),
        mislabeling=raw.get("mislabeling"),
        is_changed=_seconds_between(raw.get("created_at"), raw.get("updated_at")) > 1,
    )


def ml_backend_of(raw: Mapping[str, Any]) -> MlBackend:
    """Read a connection to a backend."""
    return MlBackend(
        id=raw["id"],
        project=raw["project"],
        url=raw["url"],
        title=raw.get("title") or "",
        is_interactive=bool(raw.get("is_interactive")),
        state=str(raw.get("state") or ""),
        error=raw.get("error_message") or "",
        model_version=str(raw.get("model_version") or ""),
    )


def webhook_of(raw: Mapping[str, Any]) -> Webhook:
    """Read a webhook."""
    return Webhook(
        id=raw["id"],
        url=raw["url"],
        headers=raw.get("headers") or {},
        is_active=bool(raw.get("is_active")),
        project=raw.get("project"),
    )


def _seconds_between(first: object, second: object) -> float:
    """Return the seconds from one ISO 8601 time to another; 0 where either is missing or is no such time."""
    try:
        start, end = (datetime.fromisoformat(str(time).replace("Z", "+00:00")) for time in (first, second))
        return (end - start).total_seconds()
    except (TypeError, ValueError):  # TypeError: only one of them has a time zone
        return 0.0
