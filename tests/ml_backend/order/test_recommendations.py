from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from active_learning.criteria import Thresholds
from active_learning.missing import UsualFields
from active_learning.reasons import ReasonCode
from ml_backend.label_studio.label_config import Label
from ml_backend.order.candidates import CandidateSource, arms, cost_signals
from ml_backend.order.recommendations import Recommender
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.records import StoredAnnotation
from ml_backend.store.signals import Signals, Spread
from ml_backend.store.task_scores import Scored, TaskScores

NONE = Spread(0.0, 0.0, 0.0)
FINE = Signals(
    words=8,
    line_scores=(0.95, 0.97, 0.99, 0.96),
    entities=(("NAME", 0.95), ("PHONE", 0.95), ("EMAIL", 0.97)),
    expected_corrections=0.2,
    least_confidence=NONE,
    margin=NONE,
    entropy=NONE,
    disagreement=NONE,
    patterns=NONE,
)
MONDAY = datetime(2026, 1, 5, tzinfo=timezone.utc)


class World:
    def __init__(self, store: Store, labels: tuple[str, ...] = ()) -> None:
        self.scores, self.learning = TaskScores(store.engine), LearningStore(store.engine)
        self.source = CandidateSource(self.scores, self.learning, lambda _: [Label(name) for name in labels])
        self.recommender = Recommender(
            self.source, self.scores, Thresholds(), contact_of=lambda _, tasks: dict.fromkeys(tasks, "c-7")
        )

    def score(self, task: int, signals: Signals = FINE, embedding: np.ndarray | None = None) -> None:
        self.scores.remember(3, [Scored(task, "v1", 0.5, signals, embedding)])

    def annotate(self, task: int, *labels: str, cost: int = 1) -> None:
        result = [{"id": name, "type": "labels", "value": {"labels": [name]}} for name in labels]
        moment = MONDAY + timedelta(minutes=task)
        annotation = StoredAnnotation(
            task, 3, task, 1, result, False, False, moment, moment, {}, {"result": []}, "v1", cost
        )
        self.learning.save([(annotation, ())])


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def test_document_that_is_sure_and_complete_is_not_recommended(store: Store) -> None:
    world = World(store)
    world.score(1)
    assert world.recommender.recommendations(3).total_candidates == 0


def test_most_urgent_document_comes_first_with_its_reasons_in_words(store: Store) -> None:
    world = World(store)
    world.score(1, replace(FINE, entities=(("NAME", 0.9), ("EMAIL", 0.9))))
    world.score(2, replace(FINE, entities=(("EMAIL", 0.9),), rivals=(("COMPANY", "NAME", 0.4),)))
    found = world.recommender.recommendations(3)
    assert [(item.task_id, item.priority) for item in found.items] == [(2, 3), (1, 2)]
    assert found.items[0].words == ("name and phone missing", "company and name hard to tell apart")
    assert found.items[0].contact_id == "c-7"
    assert found.items[1].confidence == pytest.approx(0.9675)


def test_limit_shortens_the_list_but_not_the_count(store: Store) -> None:
    world = World(store)
    for task in range(1, 6):
        world.score(task, replace(FINE, line_scores=()))
    found = world.recommender.recommendations(3, 2)
    assert (found.total_candidates, len(found.items)) == (5, 2)


def test_annotated_documents_are_no_candidates(store: Store) -> None:
    world = World(store)
    world.score(1, replace(FINE, line_scores=()))
    world.annotate(1, "NAME")
    assert world.recommender.recommendations(3).total_candidates == 0


def test_critical_field_that_a_project_has_no_label_for_is_not_missed(store: Store) -> None:
    world = World(store, labels=("Telefon", "TOTAL"))
    world.score(1, replace(FINE, entities=(("PHONE", 0.9),)))
    assert world.recommender.recommendations(3).total_candidates == 0
    world.score(2, replace(FINE, entities=(("TOTAL", 0.9),)))
    (item,) = world.recommender.recommendations(3).items
    assert [(reason.code, reason.fields) for reason in item.reasons] == [(ReasonCode.CRITICAL_MISSING, ("Telefon",))]


def test_field_that_annotated_documents_usually_have_is_missed(store: Store) -> None:
    world = World(store)
    for task in range(1, 9):
        world.annotate(task, "NAME", "WEBSITE")
    world.score(20)
    (item,) = world.recommender.recommendations(3).items
    assert (item.priority, item.words) == (1, ("website missing, which most documents have",))


def test_document_unlike_all_annotated_ones_says_so(store: Store) -> None:
    world = World(store)
    rng = np.random.default_rng(1)
    for task in range(1, 40):
        world.score(task, embedding=np.array([10, *rng.normal(0, 0.3, 3), 0], dtype=np.float32))
    for task in range(1, 13):
        world.annotate(task, "NAME")
    world.score(50, embedding=np.array([0, 0, 0, 0, 10], dtype=np.float32))
    found = {item.task_id: item.words for item in world.recommender.recommendations(3, 50).items}
    assert "unlike anything annotated so far" in found[50]
    assert len(found) < 10


def test_expected_cost_is_learned_from_what_people_corrected(store: Store) -> None:
    world = World(store)
    for task in range(1, 41):
        world.score(task, replace(FINE, expected_corrections=task / 4))
        world.annotate(task, "NAME", cost=task)
    history = world.source.history(3)
    assert history.cost.learned
    low, high = (replace(FINE, expected_corrections=value) for value in (1.0, 9.0))
    predicted = history.cost.predict([cost_signals(each, history.usual, {}) for each in (low, high)])
    assert predicted[0] < 8 < 28 < predicted[1]
    assert arms(history.met) == [(list(range(1, 41)), [])], "no task was drawn by chance"


def test_contradiction_by_the_former_champion_is_a_reason(store: Store) -> None:
    world = World(store)
    world.score(1, replace(FINE, previous=Spread(0.1, 0.8, 0.8)))
    world.score(2, replace(FINE, previous=Spread(0.0, 0.2, 0.2)))
    (item,) = world.recommender.recommendations(3).items
    assert (item.task_id, item.priority, item.words) == (1, 1, ("the models disagree (80 %)",))


def test_lines_that_could_be_read_in_two_ways_are_a_reason(store: Store) -> None:
    world = World(store)
    world.score(1, replace(FINE, line_margins=(0.02, 0.05, 0.9, 0.8)))
    world.score(2, replace(FINE, line_margins=(0.02, 0.5, 0.9, 0.8)))
    (item,) = world.recommender.recommendations(3).items
    assert (item.task_id, item.words) == (1, ("50 % of the lines could be read in two ways",))


def test_cost_goes_by_the_margins_of_lines_or_where_there_are_none_by_their_confidence() -> None:
    usual = UsualFields({}, 0)
    known = cost_signals(replace(FINE, line_margins=(0.5, 0.5, 1.0, 1.0)), usual, {})
    assert known.reading_margin == pytest.approx(1.0)
    assert cost_signals(FINE, usual, {}).reading_margin == pytest.approx(0.13)
    assert cost_signals(replace(FINE, previous=Spread(0.1, 0.5, 0.7)), usual, {}).previous == 0.7


def test_signals_that_were_kept_before_there_were_margins_are_read() -> None:
    old = FINE.to_json()
    for name in ("line_margins", "previous", "votes"):
        del old[name]
    assert Signals.from_json(old) == FINE


def test_what_is_usual_is_counted_from_new_and_changed_annotations_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(store)
    looked_at: list[int] = []
    annotations = world.learning.annotations

    def watched(ids: Iterable[int]) -> Iterator[StoredAnnotation]:
        numbers = list(ids)
        looked_at.extend(numbers)
        return annotations(numbers)

    monkeypatch.setattr(world.learning, "annotations", watched)
    for task in range(1, 5):
        world.annotate(task, "NAME")
    assert world.source.usual(3) == UsualFields({"NAME": 5 / 6}, 4)
    world.annotate(2, "NAME", "PHONE")
    world.annotate(5, "PHONE")
    looked_at.clear()
    assert world.source.usual(3) == world.source.history(3).usual == UsualFields({"NAME": 5 / 7, "PHONE": 3 / 7}, 5)
    assert looked_at[:2] == [2, 5]
    looked_at.clear()
    assert world.source.usual(3).documents == world.source.history(3).documents == 5
    assert looked_at == []


def test_history_is_learned_again_when_an_annotation_or_the_score_of_an_annotated_task_changes(store: Store) -> None:
    world = World(store)
    world.score(1)
    world.annotate(1, "NAME", cost=3)
    first = world.source.history(3)
    assert [each.cost for each in first.met] == [3]
    world.score(9)
    assert world.source.history(3) is first
    world.annotate(1, "NAME", "PHONE", cost=4)
    assert [each.cost for each in world.source.history(3).met] == [4]
    world.scores.remember(3, [Scored(1, "v2", 0.5, FINE, None)])
    assert world.source.history(3).met == ()
