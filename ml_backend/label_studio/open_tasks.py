"""The tasks that nobody has annotated yet: which of them lack a version's prediction, and what versions there are.

Label Studio finds a version by a part of its name, so that this works only while no version's name is part of another's
(:mod:`ml_backend.predict.serving_models` sees to it). Skipped tasks count as open, as they do in Label Studio's own
order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import records
from ml_backend.label_studio.records import Task
from ml_backend.label_studio.session import Session
from model.errors import say

#: Tasks in one answer: with numbers alone a thousand take a quarter of a second.
IDS_PAGE = 1000
_ACTION, _COUNTING = say("list the open tasks"), say("count the predictions")
#: Numbers in one question, which travels in an address.
NUMBERS = 100


def open_ids(session: Session, project_id: int, *, lacking: str | None = None) -> Iterator[int]:
    """Go through the numbers of a project's open tasks, in order; of those alone that lack a version's prediction.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    after = 0
    while True:
        beyond = _condition("id", "greater", "Number", after)
        found = _ask(session, project_id, [beyond, *_open(lacking)], IDS_PAGE, include="id")
        yield from (raw["id"] for raw in found)
        if len(found) < IDS_PAGE:
            return
        after = max(raw["id"] for raw in found)


def open_count(session: Session, project_id: int, *, lacking: str | None = None) -> int:
    """Return how many open tasks a project has; of those alone that lack a version's prediction.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    answer = _asked(session, project_id, _open(lacking), 1, include="id")
    total = answer.get("total")
    if not isinstance(total, int):
        raise LabelStudioError(say("Label Studio did not count the open tasks: its answer is not what it sends."))
    return total


def open_tasks(
    session: Session, project_id: int, task_ids: Sequence[int], *, lacking: str | None = None
) -> Iterator[Task]:
    """Go through those of the given tasks that are still open, with their data; see :func:`open_ids`.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    for start in range(0, len(task_ids), NUMBERS):
        among = _condition("id", "in_list", "Number", list(task_ids[start : start + NUMBERS]))
        for raw in _ask(session, project_id, [among, *_open(lacking)], NUMBERS, include="id,data"):
            with session.explained(_ACTION):
                task = records.task_of({"project": project_id} | raw)
            yield task


def version_counts(session: Session, project_id: int) -> dict[str, int]:
    """Return how many predictions of a project each version has.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    path = f"api/projects/{project_id}/model-versions/"
    answer = session.read(_COUNTING, lambda: session.request("GET", path))
    if not isinstance(answer, dict):
        raise LabelStudioError(say("Label Studio did not count the predictions: its answer is not what it sends."))
    with session.explained(_COUNTING):
        return {str(version): int(count) for version, count in answer.items()}


def delete_version(session: Session, project_id: int, version: str) -> None:
    """Delete all predictions of a version, in one request.

    Annotations keep their copy of the prediction that they started from. A page that somebody has open does not: what
    was begun with a prediction that is gone can no longer be submitted.

    Raises:
        BackendError: If Label Studio does not answer or refuses.
    """
    with session.explained(say("delete the predictions of {version}", version=version)):
        session.request("DELETE", f"api/projects/{project_id}/model-versions/", json={"model_version": version})


def _open(lacking: str | None) -> list[dict[str, Any]]:
    unsolved = _condition("total_annotations", "equal", "Number", 0)
    if lacking is None:
        return [unsolved]
    return [unsolved, _condition("predictions_model_versions", "not_contains", "List", [lacking])]


def _ask(
    session: Session, project_id: int, conditions: list[dict[str, Any]], size: int, *, include: str
) -> list[dict[str, Any]]:
    found = _asked(session, project_id, conditions, size, include=include)["tasks"]
    if not all(isinstance(task, dict) and isinstance(task.get("id"), int) for task in found):
        raise LabelStudioError(say("Label Studio did not list the open tasks: its answer is not what it sends."))
    return list(found)


def _asked(
    session: Session, project_id: int, conditions: list[dict[str, Any]], size: int, *, include: str
) -> dict[str, Any]:
    query = json.dumps({"filters": {"conjunction": "and", "items": conditions}, "ordering": ["tasks:id"]})
    # The address of an image is wanted as it was imported, not resolved to one that expires.
    options = {"fields": "task_only", "include": include, "page_size": size, "page": 1, "resolve_uri": "false"}
    asked = {"project": project_id, "query": query, **options}
    answer = session.read(_ACTION, lambda: session.request("GET", "api/tasks/", params=asked))
    if not isinstance(answer, dict) or not isinstance(answer.get("tasks"), list):
        raise LabelStudioError(say("Label Studio did not list the open tasks: its answer is not what it sends."))
    return answer


def _condition(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
