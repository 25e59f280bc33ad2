"""Annotations are kept as they stand in Label Studio, whatever order they come in."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ml_backend.store.annotations import LearningStore, ProjectState
from ml_backend.store.engine import open_engine
from ml_backend.store.records import AnnotationHead, Correction, StoredAnnotation, choose, fingerprint

NOW = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
RESULT = [{"id": "a", "type": "rectangle", "value": {"x": 1.5}}]


@pytest.fixture
def store(store_url: str) -> LearningStore:
    return LearningStore(open_engine(store_url))


def annotation(number: int = 1, **changes: object) -> StoredAnnotation:
    plain = StoredAnnotation(
        id=number,
        project_id=1,
        task_id=10,
        completed_by=3,
        result=RESULT,
        was_cancelled=False,
        ground_truth=False,
        created_at=NOW,
        updated_at=NOW,
        task_data={"image": "/data/a.png"},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def kept(store: LearningStore, number: int = 1) -> StoredAnnotation:
    (found,) = store.annotations([number])
    return found


def test_an_annotation_comes_back_as_it_was(store: LearningStore) -> None:
    prediction = {"result": RESULT, "model_version": "v1", "score": 0.5}
    sent = annotation(prediction=prediction, model_version="v1", cost=1)
    correction = Correction("text", "a", "NAME", "NAME", "Ivan", "Иван", (1.0, 2.0, 3.0, 4.0))
    assert store.save([(sent, [correction])]) == 1
    assert kept(store) == sent
    assert store.corrections(1) == [correction]
    assert store.predictions_of([1, 2]) == {1: prediction}


def test_the_same_annotation_again_changes_nothing(store: LearningStore) -> None:
    sent = annotation(cost=1), [Correction("added", "a")]
    assert store.save([sent]) == 1
    assert store.save([sent]) == 0
    assert store.corrections(1) == [Correction("added", "a")]


def test_a_later_state_replaces_an_earlier_one_and_not_the_other_way_round(store: LearningStore) -> None:
    later = annotation(result=[], updated_at=NOW + timedelta(seconds=5))
    assert store.save([(annotation(), [Correction("added", "a")])]) == 1
    assert store.save([(later, [])]) == 1
    assert store.save([(annotation(), [Correction("added", "a")])]) == 0
    assert kept(store) == later
    assert store.corrections(1) == []


def test_a_deleted_annotation_does_not_count_but_is_remembered(store: LearningStore) -> None:
    store.save([(annotation(1), []), (annotation(2), [])])
    store.mark_deleted([1])
    assert [head.id for head in store.heads(1)] == [2]
    assert set(store.live_ids(1)) == {2}
    assert kept(store).deleted_at is not None


def test_an_annotation_that_comes_back_counts_again(store: LearningStore) -> None:
    store.save([(annotation(), [])])
    store.mark_deleted([1])
    assert store.save([(annotation(), [])]) == 1
    assert set(store.live_ids(1)) == {1}


def test_a_problem_of_the_page_stays_until_the_annotation_or_its_task_changes(store: LearningStore) -> None:
    store.save([(annotation(), [])])
    store.set_page_problems({1: "the image is gone"})
    assert store.save([(annotation(), [])]) == 0
    assert [head.problem for head in store.heads(1)] == ["the image is gone"]
    store.save([(annotation(task_data={"image": "/data/b.png"}), [])])
    assert [head.problem for head in store.heads(1)] == [None]


def test_a_problem_of_the_regions_is_that_of_the_last_look(store: LearningStore) -> None:
    store.save([(annotation(problem="no region"), []), (annotation(2), [])])
    assert store.unusable(1) == [1]
    store.save([(annotation(), [])])
    assert store.unusable(1) == []


def test_what_comes_from_elsewhere_has_numbers_of_its_own(store: LearningStore) -> None:
    store.save([(annotation(5), [])])
    first = store.add_external(annotation(0, source="import", task_id=-1))
    second = store.add_external(annotation(0, source="import", task_id=-2, project_id=2))
    again = store.add_external(annotation(0, source="import", task_id=-1, result=[]), [Correction("deleted", "a")])
    assert (first.id, second.id, again.id) == (-1, -2, -1)
    assert kept(store, -1).result == []
    assert store.corrections(-1) == [Correction("deleted", "a")]
    assert set(store.live_ids(1)) == {5}


def test_more_annotations_are_kept_than_a_statement_holds(store: LearningStore) -> None:
    assert store.save((annotation(number), []) for number in range(1, 1301)) == 1300
    assert [found.id for found in store.annotations(range(1, 2000))] == list(range(1, 1301))


def test_a_project_is_remembered_part_by_part(store: LearningStore) -> None:
    assert store.project(1) is None
    store.ask_sync(1)
    store.pin(1, 4)
    store.note_synced(1, cursor="2025-05-01T12:00:00Z", compared=False)
    state = store.project(1)
    assert state is not None
    assert (state.sync_asked, state.compared_at, state.pinned_version) == (True, None, 4)
    store.note_synced(1, cursor=None, compared=True)
    store.set_rescored(1, "v1")
    store.pin(1, None)
    state = store.project(1)
    assert state is not None
    assert state.compared_at is not None
    assert (state.sync_asked, state.cursor, state.pinned_version, state.rescored_version) == (False, None, None, "v1")
    store.set_rescored(2, None)
    assert store.projects() == [state, ProjectState(id=2)]


def head(number: int, minute: int = 0, **changes: object) -> AnnotationHead:
    plain = AnnotationHead(number, 10, False, False, NOW + timedelta(minutes=minute), "digest", None)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("heads", "winner"),
    [
        ([head(1, minute=2), head(2, minute=1)], 1),
        ([head(1, ground_truth=True), head(2, minute=1)], 1),
        ([head(1, ground_truth=True), head(2, minute=1, ground_truth=True)], 2),
        ([head(1), head(2)], 2),
        ([head(1), head(2, minute=1, was_cancelled=True)], 1),
        ([head(1), head(2, minute=1, problem="no regions")], 1),
        ([head(1), head(2, ground_truth=True, was_cancelled=True)], 1),
    ],
    ids=["newest", "ground truth", "newest ground truth", "higher number", "skipped", "unusable", "skipped truth"],
)
def test_one_annotation_of_a_task_counts(heads: list[AnnotationHead], winner: int) -> None:
    assert choose(heads)[10].id == winner
    assert choose(heads[::-1])[10].id == winner


def test_a_task_that_was_only_skipped_does_not_count() -> None:
    assert choose([head(1, was_cancelled=True)]) == {}


def test_a_fingerprint_names_the_set_and_not_its_order() -> None:
    assert fingerprint({1: "a", 2: "b"}) == fingerprint({2: "b", 1: "a"})
    assert fingerprint({1: "a"}) != fingerprint({1: "b"})
    assert fingerprint({1: "a", 2: "b"}) != fingerprint({1: "a"})
