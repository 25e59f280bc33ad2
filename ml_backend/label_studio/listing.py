"""Going through the annotated tasks of a project, page by page, without missing any while it changes.

Pages by number shift when a task before them goes, and what stood at their edge is then never seen. So each page is
"the next tasks after this number", which nothing can shift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import records
from ml_backend.label_studio.records import Task
from ml_backend.label_studio.session import Session
from model.errors import say

#: Tasks in one answer. With regions a task takes some 100 kB: its annotations, and its predictions.
RESULTS_PAGE = 50
IDS_PAGE = 500

_ACTION = say("list the annotated tasks")
_Filter = dict[str, Any]


def annotated_tasks(session: Session, project_id: int, since: str | None = None) -> Iterator[Task]:
    """Go through the tasks that have annotations, skipped ones among them, with all annotations and predictions.

    Args:
        session: With Label Studio.
        project_id: The project.
        since: ISO 8601 time, as Label Studio writes it: only tasks on which anything has changed since then. A task
            changes with its annotations and predictions, but not when an annotation is deleted.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    changed = [] if since is None else [_filter("updated_at", "greater_or_equal", "Datetime", since)]
    for raw in _pages(session, project_id, changed, size=RESULTS_PAGE, fields="all"):
        with session.explained(_ACTION):
            task = records.task_of({"project": project_id} | dict(raw))
        yield task


def annotation_ids(session: Session, project_id: int) -> dict[int, int]:
    """Return the task of each annotation of a project, by the annotation's number.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    found: dict[int, int] = {}
    for raw in _pages(session, project_id, [], size=IDS_PAGE, fields="task_only"):
        numbers = raw.get("annotations_ids")
        if not isinstance(numbers, str) or not numbers:
            # To go on would mean to take every annotation for deleted.
            raise LabelStudioError(
                say("Label Studio did not list the numbers of the annotations of an annotated task.")
            )
        with session.explained(_ACTION):
            found |= {int(number): int(raw["id"]) for number in numbers.split(",")}
    return found


def _pages(
    session: Session, project_id: int, filters: list[_Filter], *, size: int, fields: str
) -> Iterator[Mapping[str, Any]]:
    after = 0
    while True:
        # Skipped annotations count here too, unlike in Label Studio's own number of annotations.
        items = [
            _filter("id", "greater", "Number", after),
            _filter("annotations_ids", "empty", "Number", "False"),
            *filters,
        ]
        tasks = _page(session, project_id, items, size, fields)
        # A task with several annotations may be listed several times.
        yield from {task["id"]: task for task in tasks}.values()
        if len(tasks) < size:
            return
        after = max(task["id"] for task in tasks)


def _page(session: Session, project_id: int, items: list[_Filter], size: int, fields: str) -> list[dict[str, Any]]:
    query = json.dumps({"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]})
    # The address of an image is wanted as it was imported, not resolved to one that expires.
    arguments = {"project": project_id, "fields": fields, "page_size": size, "page": 1, "resolve_uri": "false"}
    answer = session.read(
        _ACTION,
        lambda: session.request("GET", "api/tasks/", params=arguments | {"query": query}),
    )
    if not isinstance(answer, dict) or not isinstance(answer.get("tasks"), list):
        raise LabelStudioError(say("Label Studio did not list the annotated tasks: its answer is not what it sends."))
    if not all(isinstance(task, dict) and isinstance(task.get("id"), int) for task in answer["tasks"]):
        raise LabelStudioError(say("Label Studio did not list the annotated tasks: its answer is not what it sends."))
    return list(answer["tasks"])


def _filter(column: str, operator: str, kind: str, value: object) -> _Filter:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
