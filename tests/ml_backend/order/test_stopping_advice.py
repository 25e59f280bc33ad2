import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from active_learning.control import LabelsSaved, Winning, estimate_labels_saved
from active_learning.stopping import AdviceKind, CurvePoint
from ml_backend.order.candidates import CandidateSource
from ml_backend.order.stopping_advice import Adviser, saved_in_words
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.records import Correction, StoredAnnotation
from ml_backend.store.signals import Signals, Spread, Votes
from ml_backend.store.task_scores import Ranked, Scored, TaskOrder, TaskScores

MOMENT = datetime(2026, 1, 5, tzinfo=timezone.utc)
NONE = Spread(0.0, 0.0, 0.0)
SIGNALS = Signals(8, (0.9,), (), 1.0, NONE, NONE, NONE, NONE, NONE)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def adviser(store: Store, *curve: tuple[int, float]) -> Adviser:
    scores, learning = TaskScores(store.engine), LearningStore(store.engine)
    points = [CurvePoint(*point) for point in curve]
    return Adviser(CandidateSource(scores, learning), learning, scores, lambda _: points)


def annotate(store: Store, task: int, predicted: tuple[str, ...], wrong: tuple[str, ...] = ()) -> None:
    """What was predicted is kept, but for what was wrong."""

    def result(labels: tuple[str, ...]) -> list[dict]:
        return [{"id": name, "type": "labels", "value": {"labels": [name]}} for name in labels]

    kept = tuple(name for name in predicted if name not in wrong)
    annotation = StoredAnnotation(
        task,
        3,
        task,
        1,
        result(kept),
        False,
        False,
        MOMENT,
        MOMENT,
        {},
        {"result": result(predicted)},
        "v1",
        len(wrong),
    )
    corrections = [Correction("deleted", name, field_before=name) for name in wrong]
    LearningStore(store.engine).save([(annotation, corrections)])


def test_without_versions_it_is_too_early_to_say(store: Store) -> None:
    counsel = adviser(store).advice(3)
    assert counsel.advice.kind is AdviceKind.WAIT
    assert "20 more documents drawn by chance" in counsel.words()[1]
    assert counsel.order is None


def test_flat_learning_curve_says_to_pause(store: Store) -> None:
    counsel = adviser(store, *((n, 0.95) for n in (50, 100, 200, 400, 800))).advice(3)
    assert counsel.advice.kind is AdviceKind.PAUSE or counsel.advice.forecast.gain < 0.01


def test_steep_learning_curve_says_to_go_on(store: Store) -> None:
    counsel = adviser(store, (20, 0.3), (40, 0.5), (60, 0.6), (80, 0.66), (100, 0.71)).advice(3)
    assert counsel.advice.kind is AdviceKind.CONTINUE
    assert counsel.words()[0].startswith("Go on")


def test_field_that_people_keep_deleting_is_pointed_out(store: Store) -> None:
    for task in range(1, 31):
        annotate(store, task, ("NAME", "PHONE", "FAX"), ("FAX",) if task > 5 else ())
    counsel = adviser(store).advice(3)
    assert counsel.fields["NAME"].score == 1
    assert counsel.fields["FAX"].score == pytest.approx(2 * 5 / 35)
    assert (counsel.advice.kind, counsel.advice.field) == (AdviceKind.LOOK_AT_FIELD, "FAX")


def meet(store: Store, costs: dict[bool, list[int]], version: str = "v1") -> None:
    """People annotate pre-labelled documents: by arm (whether chance chose), the corrections that each needed."""
    scores, learning = TaskScores(store.engine), LearningStore(store.engine)
    task = 100
    for control, arm in costs.items():
        for cost in arm:
            task += 1
            scores.remember(3, [Scored(task, version, 0.5, SIGNALS, None)])
            order = TaskOrder(3, version, "margin", "as set", MOMENT, 1, 0, 0)
            scores.place(order, [Ranked(task, 1.0, 0, control)])
            learning.save(
                [(StoredAnnotation(task, 3, task, 1, [], False, False, MOMENT, MOMENT, {}, {}, version, int(cost)), ())]
            )


def test_order_whose_documents_need_more_corrections_has_saved_annotations(store: Store) -> None:
    rng = np.random.default_rng(0)
    meet(store, {False: list(rng.poisson(6, 80)), True: list(rng.poisson(3, 25))})
    counsel = adviser(store).advice(3)
    assert counsel.saved.winning is Winning.YES
    # Twice the corrections a document: as many annotations again would have been needed.
    assert counsel.saved.saved_low < 80 < counsel.saved.saved_high
    said = counsel.words()[1]
    numbers = [int(number) for number in re.findall(r"\d+", said)]
    assert said.startswith("The order has saved about")
    assert numbers == [round(x) for x in (counsel.saved.saved, counsel.saved.saved_low, counsel.saved.saved_high)]
    assert counsel.words("ru")[1].startswith("Порядок сэкономил")


def test_order_that_is_no_better_than_chance_is_said_to_be_so(store: Store) -> None:
    rng = np.random.default_rng(1)
    meet(store, {False: list(rng.poisson(3, 80)), True: list(rng.poisson(3, 25))})
    counsel = adviser(store).advice(3)
    assert counsel.saved.winning is Winning.NO
    assert counsel.saved.saved_low < 0 < counsel.saved.saved_high
    assert "no better than chance" in counsel.words()[1]
    assert f"({counsel.saved.saved_low:.0f} to" in counsel.words()[1]


def test_arms_that_met_different_versions_are_not_compared(store: Store) -> None:
    meet(store, {False: [9] * 60}, "v1")
    assert adviser(store).advice(3).saved.winning is Winning.UNKNOWN
    assert "20 more documents drawn by chance" in adviser(store).advice(3).words()[1]


def test_small_arm_of_the_order_is_said_to_be_small() -> None:
    saved = estimate_labels_saved([([3.0] * 5, [3.0] * 30)], np.random.default_rng(0))
    assert saved_in_words(saved) == (
        "Whether the order saves labels is not known yet: 15 more documents chosen by the order are needed."
    )


@pytest.mark.parametrize(("same", "kind"), [(1000, AdviceKind.PAUSE), (700, AdviceKind.CONTINUE)])
def test_predictions_that_no_longer_change_allow_a_pause(store: Store, same: int, kind: AdviceKind) -> None:
    curve = ((20, 0.8), (30, 0.806), (40, 0.809), (50, 0.811))
    half = {"NAME": 500, "PHONE": 500}
    votes = Votes(same, half, half)
    TaskScores(store.engine).remember(3, [Scored(1, "v2", 0.5, replace(SIGNALS, votes=votes), None)])
    counsel = adviser(store, *curve).advice(3)
    assert counsel.advice.stability == pytest.approx(2 * same / 1000 - 1)
    assert counsel.advice.forecast is not None
    assert counsel.advice.forecast.gain < 0.01 < counsel.advice.forecast.high
    assert counsel.advice.kind is kind
    assert "kappa" in counsel.words()[0]


def test_none_saved_is_not_written_with_a_sign() -> None:
    said = saved_in_words(LabelsSaved(0.8, 0.7, 1.0, -56.2, -81.4, -0.3, 300, 40, Winning.NO))
    assert "-56 annotations saved (-81 to 0)" in said
