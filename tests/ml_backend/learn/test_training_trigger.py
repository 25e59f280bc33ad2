"""A run is due when enough is annotated and enough of it is new, or when a person asks."""

from datetime import datetime, timezone

import pytest

from ml_backend.learn.training_trigger import TrainingTrigger
from ml_backend.store.annotations import LearningStore
from ml_backend.store.engine import open_engine
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.runs import Run, RunStore

NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)


class Project:
    """One project, its annotations and its runs."""

    def __init__(self, url: str, *, min_documents: int = 4, retrain_after: int = 3) -> None:
        engine = open_engine(url)
        self.learning, self.runs = LearningStore(engine), RunStore(engine)
        self.due = TrainingTrigger(self.learning, self.runs, min_documents=min_documents, retrain_after=retrain_after)

    def annotate(self, *tasks: int, text: str = "first", problem: str | None = None) -> None:
        self.learning.save(
            (
                StoredAnnotation(
                    id=task,
                    project_id=1,
                    task_id=task,
                    completed_by=1,
                    result=[{"id": "a", "text": text}],
                    was_cancelled=False,
                    ground_truth=False,
                    created_at=NOW,
                    updated_at=NOW,
                    task_data={},
                    problem=problem,
                ),
                [],
            )
            for task in tasks
        )

    def check(self, **wishes: bool) -> Run | None:
        return self.due.check(1, **wishes)

    def train(self, state: str = "finished") -> None:
        (due,) = self.runs.due_runs()
        self.runs.claim_run(due.id)
        self.runs.record_learned(due.id, self.due.standing(1).digests)
        self.runs.finish(due.id, state)  # type: ignore[arg-type]


@pytest.fixture
def project(store_url: str) -> Project:
    return Project(store_url)


def test_the_first_run_waits_for_enough_documents(project: Project) -> None:
    project.annotate(1, 2, 3)
    assert project.check() is None
    project.annotate(4)
    run = project.check()
    assert run is not None
    assert (run.reason, run.documents, run.asked) == ("4 changed documents", 4, False)
    assert run.learned_up_to == project.due.standing(1).fingerprint
    assert project.check() is None, "one is due already"


def test_the_first_run_does_not_wait_for_as_many_as_the_next_ones(store_url: str) -> None:
    project = Project(store_url, min_documents=2, retrain_after=5)
    project.annotate(1)
    assert project.check() is None
    project.annotate(2)
    assert project.check() is not None
    project.train()
    project.annotate(3, 4, 5, 6)
    assert project.check() is None
    project.annotate(7)
    assert project.check() is not None


def test_documents_that_cannot_be_used_do_not_count(project: Project) -> None:
    project.annotate(1, 2, 3)
    project.annotate(4, problem="it has no region")
    assert project.check() is None


def test_the_next_run_waits_for_enough_changes(project: Project) -> None:
    project.annotate(1, 2, 3, 4, 5, 6)
    project.check()
    project.train()
    assert project.check() is None
    project.annotate(7)
    project.annotate(1, text="corrected")
    assert project.check() is None
    project.learning.mark_deleted([2])
    run = project.check()
    assert run is not None
    assert run.reason == "3 changed documents"


def test_who_asks_gets_a_run_from_the_first_document_on(project: Project) -> None:
    assert project.check(asked=True) is None
    project.annotate(1)
    run = project.check(asked=True)
    assert run is not None
    assert (run.reason, run.asked) == ("asked for", True)


def test_a_hint_needs_something_new_and_enough_documents(project: Project) -> None:
    project.annotate(1, 2, 3)
    assert project.check(hinted=True) is None
    project.annotate(4)
    assert project.check(hinted=True) is not None
    project.train()
    assert project.check(hinted=True) is None
    project.annotate(5)
    assert project.check(hinted=True) is not None


def test_what_comes_during_a_run_is_looked_at_when_it_ends(project: Project) -> None:
    project.annotate(1, 2, 3, 4)
    first = project.check()
    assert first is not None
    project.runs.claim_run(first.id)
    project.runs.record_learned(first.id, project.due.standing(1).digests)
    project.annotate(5, 6, 7)
    assert project.check() is None
    project.runs.finish(first.id, "finished", "kept")
    run = project.check()
    assert run is not None
    assert run.reason == "3 changed documents"


def test_a_wish_during_a_run_is_kept(project: Project) -> None:
    project.annotate(1, 2, 3, 4)
    first = project.check()
    assert first is not None
    project.runs.claim_run(first.id)
    assert project.check(asked=True) is not None


def test_what_has_failed_is_not_tried_again_until_something_changes(project: Project) -> None:
    project.annotate(1, 2, 3, 4)
    project.check()
    project.train("failed")
    assert project.check() is None
    assert project.check(hinted=True) is None
    project.annotate(1, text="corrected")
    assert project.check() is not None


def test_what_has_failed_is_tried_again_for_who_asks(project: Project) -> None:
    project.annotate(1, 2, 3, 4)
    project.check()
    project.train("failed")
    assert project.check(asked=True) is not None
