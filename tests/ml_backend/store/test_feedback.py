"""What applications have said is kept as it was said, and so is what was set for a project."""

from collections.abc import Iterator

import pytest

from ml_backend.store.events import Store
from ml_backend.store.feedback import FeedbackStore
from ml_backend.store.options import CustomField, ProjectOptions
from ml_backend.store.records import Correction

BLOCK = {"block_id": "a", "text": "Żółw", "bbox": [1.5, 2, 3, 4], "field": None}
CORRECTION = Correction("text", "a", text_before="Zolw", text_after="Żółw", box=(1.5, 2, 3, 4))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


def test_feedback_comes_back_as_it_was_said(store: Store) -> None:
    feedback = FeedbackStore(store.engine)
    said = feedback.add(3, "c-1", [BLOCK], [], [CORRECTION], model_version="v1", image="imported:3/a.png")
    assert feedback.get(said.id) == said
    assert (said.original, said.corrected, said.corrections) == ([BLOCK], [], (CORRECTION,))
    assert said.received_at.tzinfo is not None


def test_feedback_waits_until_something_was_made_of_it(store: Store) -> None:
    feedback = FeedbackStore(store.engine)
    first, second, third = (feedback.add(3, "c-1", [], [], []) for _ in range(3))
    feedback.settle(first.id, annotation_id=-7)
    feedback.settle(second.id, problem="There is no image.")
    assert [each.id for each in feedback.waiting(3)] == [third.id]


def test_pages_of_feedback_and_the_last_of_each_contact(store: Store) -> None:
    feedback = FeedbackStore(store.engine)
    numbers = [feedback.add(3, contact, [], [], []).id for contact in ("a", "b", "a", "c")]
    assert [each.id for each in feedback.page(3, limit=2)] == numbers[:1:-1]
    assert [each.id for each in feedback.page(3, before=numbers[2])] == numbers[1::-1]
    assert [each.id for each in feedback.latest(3)] == numbers[1:]
    assert (feedback.count(3), feedback.count(3, "a"), feedback.count(4)) == (4, 2, 0)


def test_what_is_set_for_a_project_stays_until_it_is_set_anew(store: Store) -> None:
    options = ProjectOptions(store.engine)
    assert (options.label_config(3), options.challenger_share(3), options.fields(3)) == (None, None, ())
    options.remember_label_config(3, "<View/>")
    options.set_challenger_share(3, 0.25)
    options.save_fields(3, [CustomField("VAT_ID", ("ИНН",)), CustomField("IBAN", critical=True)])
    options.save_fields(3, [CustomField("VAT_ID", critical=True)])
    assert (options.label_config(3), options.challenger_share(3)) == ("<View/>", 0.25)
    assert options.fields(3) == (CustomField("IBAN", critical=True), CustomField("VAT_ID", critical=True))
    options.set_challenger_share(3, None)
    assert options.challenger_share(3) is None
