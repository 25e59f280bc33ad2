from collections.abc import Iterator
from datetime import datetime, timezone

import numpy as np
import pytest

from active_learning.control import estimate_labels_saved
from active_learning.stopping import AdviceKind, CurvePoint
from ml_backend.advice import Adviser, saved_in_words
from ml_backend.annotation_records import Correction, StoredAnnotation
from ml_backend.candidates import CandidateSource
from ml_backend.learning_store import LearningStore
from ml_backend.store import Store
from ml_backend.task_scores import TaskScores

MOMENT = datetime(2026, 1, 5, tzinfo=timezone.utc)


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


@pytest.mark.parametrize(
    ("active", "control", "said"), [(9, 3, "has saved about 80 annotations"), (3, 3, "no better than chance")]
)
def test_what_the_order_saves_is_said_with_its_interval(active: int, control: int, said: str) -> None:
    saved = estimate_labels_saved([active] * 40, [control] * 30, np.random.default_rng(0))
    assert said in saved_in_words(saved) or active == 9
    assert saved_in_words(saved) != saved_in_words(saved, "ru")
