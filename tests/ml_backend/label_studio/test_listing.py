"""Annotated tasks are listed without a gap, however the project changes meanwhile."""

from __future__ import annotations

import json

import pytest

from ml_backend.errors import LabelStudioError
from ml_backend.label_studio import listing
from ml_backend.label_studio.session import Session
from tests.ml_backend.label_studio.local_server import Answer, LocalServer, Request, as_json


def annotation(number: int, task: int) -> dict[str, object]:
    return {"id": number, "task": task, "result": [], "completed_by": 1, "updated_at": "2025-05-01T12:00:00Z"}


class Tasks:
    """Answers as Label Studio does: filtered by number, as many as asked for."""

    def __init__(self, annotations: dict[int, list[int]]) -> None:
        self.annotations = annotations
        self.queries: list[dict[str, object]] = []

    def __call__(self, request: Request) -> Answer:
        query = json.loads(request.query["query"])
        filters = {item["filter"].removeprefix("filter:tasks:"): item for item in query["filters"]["items"]}
        self.queries.append({name: item["value"] for name, item in filters.items()})
        wanted = sorted(task for task in self.annotations if task > filters["id"]["value"])
        page = wanted[: int(request.query["page_size"])]
        if page and page[0] == min(self.annotations):
            # While the first page is on its way, somebody deletes its first task.
            del self.annotations[page[0]]
        return as_json({"tasks": [self.task(number) for number in page], "total": len(wanted)})

    def task(self, number: int) -> dict[str, object]:
        annotations = self.annotations.get(number, [number * 10])
        return {
            "id": number,
            "data": {"image": "a.png"},
            "annotations": [annotation(a, number) for a in annotations],
            "annotations_ids": ",".join(map(str, annotations)),
        }


@pytest.fixture
def tasks(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Tasks:
    monkeypatch.setattr(listing, "RESULTS_PAGE", 2)
    monkeypatch.setattr(listing, "IDS_PAGE", 2)
    answers = Tasks({number: [number * 10] for number in (1, 2, 3, 4, 5)})
    server.routes["/api/tasks/"] = answers
    return answers


def test_no_task_is_missed_when_one_before_it_goes(session: Session, tasks: Tasks) -> None:
    assert [task.id for task in listing.annotated_tasks(session, 1)] == [1, 2, 3, 4, 5]
    assert [query["id"] for query in tasks.queries] == [0, 2, 4]


def test_numbers_of_all_annotations_are_listed(session: Session, tasks: Tasks) -> None:
    tasks.annotations[3] = [30, 31]
    assert listing.annotation_ids(session, 1) == {10: 1, 20: 2, 30: 3, 31: 3, 40: 4, 50: 5}


def test_only_what_has_changed_is_asked_for(session: Session, tasks: Tasks) -> None:
    list(listing.annotated_tasks(session, 1, since="2025-05-01T12:00:00.000000Z"))
    assert {query["updated_at"] for query in tasks.queries} == {"2025-05-01T12:00:00.000000Z"}


def test_a_task_that_is_listed_twice_counts_once(session: Session, server: LocalServer, tasks: Tasks) -> None:
    server.routes["/api/tasks/"] = lambda request: as_json(
        {"tasks": [tasks.task(7), tasks.task(7)] if '"value": 0' in request.query["query"] else []}
    )
    assert [task.id for task in listing.annotated_tasks(session, 1)] == [7]


@pytest.mark.parametrize("answer", [[], {"detail": "?"}, {"tasks": [{"id": 1, "data": {}}]}])
def test_an_answer_without_numbers_is_an_error_and_not_a_deletion(
    session: Session, server: LocalServer, answer: object
) -> None:
    server.routes["/api/tasks/"] = as_json(answer)
    with pytest.raises(LabelStudioError, match="did not list"):
        listing.annotation_ids(session, 1)
