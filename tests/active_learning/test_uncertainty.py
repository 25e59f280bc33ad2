"""How unsure a model is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_learning.uncertainty import (
    Aggregate,
    ReadingUncertainty,
    confused_fields,
    entity_scores,
    entropy,
    expected_corrections,
    least_confidence,
    margin,
)

TOKENS = [least_confidence, margin, entropy]
SURE, TORN, LOST = [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25] * 4


@pytest.mark.parametrize("score", TOKENS)
def test_a_sure_token_scores_0_and_one_left_to_chance_1(score):
    assert score(np.array([SURE, LOST])) == pytest.approx([0, 1])


@pytest.mark.parametrize("score", TOKENS)
@given(logits=st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=1, max_size=5))
def test_scores_stay_between_0_and_1(score, logits):
    odds = np.exp(np.array(logits) - np.max(logits, axis=1, keepdims=True))
    scores = score(odds / odds.sum(axis=1, keepdims=True))
    assert ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("score", TOKENS)
def test_a_document_without_tokens_has_no_scores(score):
    assert score(np.zeros((0, 4))).shape == (0,)


def test_only_the_margin_finds_two_equal_labels_as_bad_as_many():
    torn = np.array([TORN])
    assert margin(torn) == pytest.approx(1)
    assert least_confidence(torn) == pytest.approx(2 / 3)
    assert entropy(torn) == pytest.approx(0.5)


def test_a_document_is_scored_by_mean_worst_and_sum():
    assert Aggregate.of([0.1, 0.2, 0.6]) == Aggregate(pytest.approx(0.3), 0.6, pytest.approx(0.9))


def test_a_page_on_which_nothing_was_read_is_for_a_person():
    assert Aggregate.of([]) == Aggregate(1, 1, 0)
    assert ReadingUncertainty.of([], 0.7) == ReadingUncertainty(1, 1, 0, 1)


def test_an_entity_is_as_unsure_as_its_worst_token():
    assert entity_scores(np.array([0.1, 0.8, 0.2]), [(0, 2), (2, 3)]).tolist() == [0.8, 0.2]


def test_corrections_are_expected_where_the_field_or_the_reading_is_unsure():
    assert expected_corrections(np.array([1.0, 0.5]), [0.9, 1.0]) == pytest.approx(0.6)


def test_reading_is_summed_up_line_by_line():
    found = ReadingUncertainty.of([0.9, 0.5, 1.0, 0.6], 0.7, margins=[0.8, 0.4, 1.0, 0.2])
    assert found == ReadingUncertainty(pytest.approx(0.25), 0.5, 0.5, pytest.approx(0.4))
    assert ReadingUncertainty.of([0.9, 0.5], 0.7).margin == pytest.approx(0.3)


def test_fields_that_a_word_is_torn_between_are_named():
    mass = {"NAME": np.array([0.9, 0.45]), "COMPANY": np.array([0.05, 0.4]), "PHONE": np.array([0.0, 0.1])}
    assert confused_fields(mass) == (("COMPANY", "NAME"), pytest.approx(0.4))
    assert confused_fields(mass, least=0.41) is None
    assert confused_fields({"NAME": np.array([0.5])}) is None
    assert confused_fields({}) is None
