"""Fields that documents usually have."""

import pytest

from active_learning.missing import UsualFields

MANY = UsualFields.of([{"NAME", "PHONE"}] * 18 + [{"NAME"}] * 2)


def test_fields_that_most_documents_have_are_missed_likeliest_first():
    assert [name for name, _ in MANY.missing(set())] == ["NAME", "PHONE"]
    assert [name for name, _ in MANY.missing({"NAME"})] == ["PHONE"]
    assert MANY.missing({"NAME"}, least=0.9) == ()


def test_two_documents_make_no_law():
    assert UsualFields.of([{"FAX"}, {"FAX"}]).shares["FAX"] == 0.75
    assert UsualFields.of([]).missing(set()) == ()


def test_as_many_values_are_probably_missing_as_documents_have_them():
    assert MANY.expected_missing({"NAME"}) == pytest.approx(19 / 22)
    assert MANY.expected_missing({"NAME", "PHONE"}) == 0
