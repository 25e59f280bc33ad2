from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest

from ml_backend.label_studio.fields import FieldNames
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.records import Prediction
from ml_backend.learn.dataset import Collected, LabelledDocument
from ml_backend.quality.label_errors import LabelErrorSearch, out_of_sample
from ml_backend.quality.mislabeling import show_mislabeling
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from ml_backend.store.label_errors import LabelErrors
from ml_backend.store.records import StoredAnnotation
from model.document.types import Box, Line, Page, Word
from tests.ml_backend.backend import RECTANGLES

MOMENT = datetime(2026, 1, 5, tzinfo=timezone.utc)
CONFIG = parse_label_config(RECTANGLES)
WORDS = {"ann": "B-NAME", "+49": "B-PHONE", "the": "O"}


class States:
    """Words of one kind have like states."""

    version = "cards-1"

    def states(self, page: Page) -> np.ndarray:
        rng = np.random.default_rng(len(page.lines[0].text))
        kinds = list(WORDS)
        rows = [np.eye(3)[kinds.index(word.text)] for word in page.words]
        return (np.array(rows) + rng.normal(0, 0.05, (len(rows), 3))).astype(np.float32)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def document(task: int, *, wrong: bool = False) -> LabelledDocument:
    texts = ["ann", "+49", "the", "ann", "+49", "the"]
    words = tuple(Word(text, Box(20 * i, 0, 20 * i + 10, 10), 1.0) for i, text in enumerate(texts))
    page = Page(200, 20, (Line(" ".join(texts), Box(0, 0, 110, 10).polygon(), 1.0, words),))
    tags = [WORDS[text] for text in texts]
    if wrong:
        tags[1] = "B-NAME"
    return LabelledDocument(task, task, "image", "key", page, tuple(tags), ())


def annotation(number: int, task: int, label: str = "NAME", person: int = 1) -> StoredAnnotation:
    value = {"x": 10, "y": 10, "width": 20, "height": 10, "rotation": 0}
    common = {"id": "r1", "from_name": "label", "to_name": "image", "original_width": 100, "original_height": 100}
    result = [common | {"type": "rectanglelabels", "value": value | {"rectanglelabels": [label]}}]
    return StoredAnnotation(number, 3, task, person, result, False, False, MOMENT, MOMENT, {}, None)


def searched(store: Store, documents: list[LabelledDocument]) -> list:
    learning = LearningStore(store.engine)
    learning.save([(annotation(each.task_id, each.task_id), ()) for each in documents])
    collected = Collected(tuple(documents), (), {}, FieldNames({}, {}))
    return LabelErrorSearch(learning, States()).search(3, collected, CONFIG)


def test_label_that_the_other_documents_contradict_is_found(store: Store) -> None:
    suspects = searched(store, [document(task, wrong=task == 7) for task in range(1, 41)])
    assert suspects[0].task_id == 7
    (doubt,) = suspects[0].doubts
    assert (doubt.text, doubt.given, doubt.suggested) == ("+49", "NAME", "PHONE")
    assert '"+49" is NAME' in doubt.words


def test_doubts_are_said_in_the_projects_own_names(store: Store) -> None:
    documents = [document(task, wrong=task == 7) for task in range(1, 41)]
    learning = LearningStore(store.engine)
    learning.save([(annotation(each.task_id, each.task_id), ()) for each in documents])
    collected = Collected(tuple(documents), (), {}, FieldNames({"TEL": "PHONE", "Wer": "NAME"}, {}))
    (doubt,) = LabelErrorSearch(learning, States()).search(3, collected, CONFIG)[0].doubts
    assert (doubt.given, doubt.suggested) == ("Wer", "TEL")


def test_queue_forgets_what_was_annotated_again(store: Store) -> None:
    suspects = searched(store, [document(task, wrong=task in (7, 9)) for task in range(1, 41)])
    learning = LearningStore(store.engine)
    errors = LabelErrors(store.engine, learning)
    errors.save(3, suspects)
    assert {each.task_id for each in errors.queue(3)} == {7, 9}
    learning.save([(annotation(7, 7, "EMAIL"), ())])
    assert [each.task_id for each in errors.queue(3)] == [9]
    assert errors.queue(3)[0].doubts == next(each.doubts for each in suspects if each.task_id == 9)


def test_few_documents_are_not_searched(store: Store) -> None:
    assert searched(store, [document(task, wrong=task == 7) for task in range(1, 10)]) == []


def test_what_two_people_label_differently_is_in_doubt(store: Store) -> None:
    learning = LearningStore(store.engine)
    learning.save([(annotation(1, 5, "NAME", 1), ()), (annotation(2, 5, "EMAIL", 2), ())])
    collected = Collected((), (), {}, FieldNames({}, {}))
    (suspect,) = LabelErrorSearch(learning, States()).search(3, collected, CONFIG)
    assert suspect.task_id == 5
    assert suspect.doubts[0].by == "annotator"


def test_value_that_only_one_of_two_people_labelled_is_in_doubt(store: Store) -> None:
    learning = LearningStore(store.engine)
    nothing = replace(annotation(2, 5, "NAME", 2), result=[])
    learning.save([(annotation(1, 5, "NAME", 1), ()), (nothing, ())])
    collected = Collected((), (), {}, FieldNames({}, {}))
    (suspect,) = LabelErrorSearch(learning, States()).search(3, collected, CONFIG)
    (doubt,) = suspect.doubts
    assert {doubt.given, doubt.suggested} == {"", "NAME"}
    assert doubt.by == "annotator"


def test_people_who_agree_are_not_in_doubt_nor_is_one_who_changed_their_mind(store: Store) -> None:
    learning = LearningStore(store.engine)
    learning.save([(annotation(1, 5, "NAME", 1), ()), (annotation(2, 5, "NAME", 2), ())])
    learning.save([(annotation(3, 6, "NAME", 1), ()), (annotation(4, 6, "EMAIL", 1), ())])
    collected = Collected((), (), {}, FieldNames({}, {}))
    assert LabelErrorSearch(learning, States()).search(3, collected, CONFIG) == []


def test_probabilities_are_those_of_a_head_that_never_saw_the_document() -> None:
    rng = np.random.default_rng(0)
    states = [rng.normal(0, 1, (4, 8)).astype(np.float32) for _ in range(30)]
    targets = [rng.integers(0, 2, 4) for _ in range(30)]
    rows = np.concatenate(out_of_sample(states, targets, 2))
    right = rows[np.arange(120), np.concatenate(targets)]
    assert rows.sum(axis=1) == pytest.approx(np.ones(120))
    assert right.mean() == pytest.approx(0.5, abs=0.1), "labels by chance cannot be guessed"


def test_doubt_is_shown_on_the_newest_prediction_once(store: Store) -> None:
    class Board:
        def __init__(self):
            self.made = [Prediction(7, "v1", (), id=1), Prediction(7, "v2", (), id=2)]
            self.marked = {}

        def predictions(self, *, project_id=None, task_id=None):
            return [item for item in self.made if item.task == task_id]

        def mark_mislabeling(self, prediction_id, mislabeling):
            self.marked[prediction_id] = mislabeling

    suspects = searched(store, [document(task, wrong=task == 7) for task in range(1, 41)])
    board = Board()
    assert show_mislabeling(board, suspects[:1]) == 1
    assert board.marked == {2: suspects[0].suspicion}


def test_documents_of_one_label_only_are_read_out_as_that_label():
    rng = np.random.default_rng(0)
    states = [rng.normal(size=(3, 4)).astype(np.float32) for _ in range(10)]
    # Only the last document has another label: the heads that it is asked about never saw that one.
    targets = [np.zeros(3, dtype=np.int64) for _ in states]
    targets[-1] = np.array([0, 0, 1])
    for table in out_of_sample(states, targets, 2):
        np.testing.assert_allclose(table.sum(axis=1), 1.0)
    np.testing.assert_allclose(out_of_sample(states, targets, 2)[-1], [[1.0, 0.0]] * 3)
