"""Amounts are known by how they hang together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.extraction.amounts import Role, amount_roles, cents
from model.extraction.value_types import types_of
from tests.model.extraction.pages import line, page


def roles(*texts):
    made = page(*(line(20 * (i + 1), 40, text) for i, text in enumerate(texts)))
    return [set(each) for each in amount_roles(made, types_of(made))]


def test_a_total_is_the_largest_amount_and_the_sum_of_two_others():
    found = roles("Milk", "7.50", "0.75", "8.25", "8.25", "0.00")
    assert found == [
        set(),
        {Role.SECOND, Role.LARGE_PART},
        {Role.SMALL_PART},
        {Role.LARGEST, Role.REPEATED, Role.SUM},
        {Role.LARGEST, Role.REPEATED, Role.SUM},
        {Role.NOUGHT},
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("$8.25", 825), ("8,25", 825), ("1,234.50", 123450), ("1.234,50 EUR", 123450), ("1 234", 123400), ("none", None)],
)
def test_amounts_are_read_in_any_notation(text, value):
    assert cents(text) == value


@given(st.text(max_size=40))
def test_no_text_is_trouble(text):
    value = cents(text)
    assert value is None or 0 <= value < 10**17


def test_a_page_without_words_has_no_amounts():
    assert amount_roles(page(), []) == []
