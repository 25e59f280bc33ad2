"""The country of a project's cards, by the numbers that people confirmed."""

import pytest

from ml_backend.contacts.usual_country import UsualCountry
from ml_backend.store.annotations import LearningStore
from ml_backend.store.events import Store
from tests.ml_backend.store.test_annotations import annotation


@pytest.fixture
def learning(make_settings):
    store = Store(make_settings().store_url)
    yield LearningStore(store.engine)
    store.close()


def confirm(learning, *numbers):
    for place, number in enumerate(numbers, start=1):
        result = [{"id": "a", "type": "textarea", "value": {"text": [number]}}]
        learning.save([(annotation(place, project_id=7, task_id=place, problem=None, result=result), ())])


def test_cards_that_agree_tell_the_country_of_those_that_say_none(learning):
    confirm(learning, *[f"+91 98450 1234{n}" for n in range(5)], "98450 12345")
    country = UsualCountry(learning, "DE")
    assert country.of(7) == "IN"
    assert country.of(8) == country.of(None) == "DE"


def test_few_cards_or_cards_of_several_countries_leave_it_to_the_setting(learning):
    confirm(learning, *[f"+91 98450 1234{n}" for n in range(4)], "+49 89 1234567", "+49 89 1234568")
    assert UsualCountry(learning).of(7) is None
    assert UsualCountry(learning, "DE").of(7) == "DE"
