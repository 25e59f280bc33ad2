from collections.abc import Iterator
from datetime import datetime, timezone

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ml_backend.store.events import Store
from ml_backend.store.signals import Signals, Spread
from ml_backend.store.task_scores import Ranked, Scored, TaskOrder, TaskScores

NONE = Spread(0.0, 0.0, 0.0)
SIGNALS = Signals(
    words=2,
    line_scores=(0.9, 0.5),
    entities=(("NAME", 0.8),),
    expected_corrections=1.5,
    least_confidence=Spread(0.1, 0.3, 0.4),
    margin=NONE,
    entropy=NONE,
    disagreement=NONE,
    patterns=NONE,
    rivals=(("COMPANY", "NAME", 0.4),),
)


@pytest.fixture
def scores(store_url: str) -> Iterator[TaskScores]:
    store = Store(store_url)
    yield TaskScores(store.engine)
    store.close()


def scored(task_id: int, version: str = "v1", embedding: np.ndarray | None = None) -> Scored:
    return Scored(task_id, version, 0.4, SIGNALS, embedding)


def test_scores_and_embeddings_come_back_as_they_were(scores: TaskScores) -> None:
    scores.remember(3, [scored(1, embedding=np.array([0.5, -0.25], dtype=np.float32)), scored(2)])
    assert scores.scores(3)[1].signals == SIGNALS
    assert scores.scores(3)[2].place is None
    assert_array_equal(scores.embeddings(3, "v1")[1], [0.5, -0.25])
    assert 2 not in scores.embeddings(3, "v1")
    assert scores.scores(4) == {}


def test_another_version_forgets_the_prediction_but_not_the_place(scores: TaskScores) -> None:
    scores.remember(3, [scored(1)])
    scores.shown(3, {1: (77, 0.3)})
    order = TaskOrder(3, "v1", "random", "why", datetime(2026, 1, 1, tzinfo=timezone.utc), 1, 0, 1)
    scores.place(order, [Ranked(1, 1.5, 0, True)])
    kept = scores.scores(3)[1]
    assert (kept.prediction_id, kept.shown_score, kept.acquisition, kept.place, kept.control) == (77, 0.3, 1.5, 0, True)
    assert scores.order(3) == order
    scores.remember(3, [scored(1, "v2")])
    kept = scores.scores(3)[1]
    assert (kept.version, kept.prediction_id, kept.place) == ("v2", None, 0)


def test_task_that_is_not_in_an_order_has_no_place_any_more(scores: TaskScores) -> None:
    scores.remember(3, [scored(1), scored(2)])
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    scores.place(TaskOrder(3, "v1", "random", "", at, 2, 0, 0), [Ranked(1, 1, 0, False), Ranked(2, 1, 1, False)])
    scores.place(TaskOrder(3, "v1", "random", "", at, 1, 1, 0), [Ranked(2, 1, 0, False)])
    assert scores.scores(3)[1].place is None
    assert scores.scores(3)[2].place == 0


def test_newer_embedding_leaves_the_signals_that_people_met(scores: TaskScores) -> None:
    scores.remember(3, [scored(1, embedding=np.ones(2, dtype=np.float32))])
    scores.remember_embeddings(3, "v2", {1: np.zeros(2, dtype=np.float32)})
    assert scores.scores(3)[1].version == "v1"
    assert scores.embeddings(3, "v1") == {}
    assert_array_equal(scores.embeddings(3, "v2")[1], [0, 0])
