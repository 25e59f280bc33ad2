"""What people leave of the pre-labels shows whether they want every line, or values alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from ml_backend.predict.wanted_lines import ENOUGH, FEWEST, SECONDS, WantedLines
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from tests.ml_backend.label_studio.results import region
from tests.ml_backend.store.test_annotations import annotation

VALUE = region("v", (98, 48, 325, 82), "12.50", "TOTAL")
LINES = [part for n in range(5) for part in region(f"l{n}", (98, 100 + 20 * n, 325, 115 + 20 * n), "a line")]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def learning(store_url: str) -> Iterator[LearningStore]:
    store = Store(store_url)
    yield LearningStore(store.engine)
    store.close()


def annotate(learning: LearningStore, numbers: range, left: list, prediction: list = VALUE + LINES) -> None:
    for number in numbers:
        plain = annotation(number, project_id=7, task_id=number, result=VALUE + left, problem=None)
        at = plain.updated_at + timedelta(minutes=number)
        kept = replace(plain, prediction={"result": prediction, "score": 0.5}, updated_at=at)
        learning.save([(kept, ())])


def test_who_deletes_the_lines_of_no_field_wants_values_alone(learning: LearningStore) -> None:
    clock = Clock()
    wanted = WantedLines(learning, clock)
    annotate(learning, range(1, FEWEST), [])
    assert not wanted.values_only(7), "too few to tell"
    annotate(learning, range(FEWEST, FEWEST + 1), [])
    assert not wanted.values_only(7), "looked at a moment ago"
    clock.now += SECONDS
    assert wanted.values_only(7)
    assert not wanted.values_only(8)


def test_who_leaves_them_wants_every_line(learning: LearningStore) -> None:
    annotate(learning, range(1, 12), LINES)
    assert not WantedLines(learning).values_only(7)


def test_what_was_concluded_stays_once_such_lines_are_shown_no_more(learning: LearningStore) -> None:
    annotate(learning, range(1, 10), [])
    annotate(learning, range(10, 60), [], prediction=VALUE)
    assert WantedLines(learning).values_only(7)


def test_the_latest_annotations_count(learning: LearningStore) -> None:
    annotate(learning, range(1, 30), [])
    annotate(learning, range(30, 30 + 2 * ENOUGH), LINES)
    assert not WantedLines(learning).values_only(7)


def test_a_store_that_does_not_answer_changes_nothing(learning: LearningStore) -> None:
    clock = Clock()
    wanted = WantedLines(learning, clock)
    annotate(learning, range(1, 10), [])
    assert wanted.values_only(7)
    learning._engine.dispose()
    with learning._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE corrections")
        connection.exec_driver_sql("ALTER TABLE annotations RENAME TO gone")
    clock.now += 2 * SECONDS
    assert wanted.values_only(7)
    assert not WantedLines(learning).values_only(7)
