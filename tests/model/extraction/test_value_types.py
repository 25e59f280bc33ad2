"""What kinds of value words look like."""

from __future__ import annotations

import pytest

from model.extraction.value_types import ValueType, is_iban, types_of
from tests.model.extraction.pages import line, page


def kinds(text: str) -> list[set[str]]:
    return [{kind.value for kind in each} for each in types_of(page(line(10, 10, text)))]


@pytest.mark.parametrize(
    "text",
    [
        "07/05/2017",
        "2026-11-30",
        "30.11.26",
        "12 Jan 2016",
        "Nov 30, 2026",
        "3rd of May 2020",
        "5 мая 2021",
        "1. März 2024",
    ],
)
def test_dates(text):
    assert all("date" in each for each in kinds(text) if each), text
    assert kinds(text)[0] == {"date"}


@pytest.mark.parametrize("text", ["10:44AM", "21:52", "9:58 PM", "14.30 Uhr", "08:05:59"])
def test_times(text):
    assert kinds(text)[0] == {"time"}


@pytest.mark.parametrize("text", ["$28.12", "9,90", "1,234.56", "Eur154,40", "RM 12.50", "12.00", "-3.50", "1 200,00"])
def test_amounts(text):
    assert all(each == {"amount"} for each in kinds(text))


@pytest.mark.parametrize("text", ["+49 30 1234567", "702-431-0004", "(030) 123 45 67", "8 (495) 123-45-67"])
def test_telephone_numbers(text):
    assert all("phone" in each for each in kinds(text))


@pytest.mark.parametrize("text", ["07/05/2017", "21:52", "1,234.56", "19.0%", "30.11.2026 21:52"])
def test_what_surely_is_something_else_is_no_telephone_number_and_no_identifier(text):
    assert not any({"phone", "identifier", "postcode"} & each for each in kinds(text))


def test_others():
    assert kinds("19%") == [{"percentage"}]
    assert "count" in kinds("2x")[0]
    assert "identifier" in kinds("INV-2024/17")[0]
    assert kinds("maria@northwind.example") == [{"email"}]
    assert kinds("www.northwind.example") == [{"url"}]
    assert kinds("Thank you") == [set(), set()]
    assert types_of(page()) == []


@pytest.mark.parametrize(
    ("text", "valid"), [("DE89 3704 0044 0532 0130 00", True), ("DE89 3704 0044 0532 0130 01", False)]
)
def test_an_iban_has_right_check_digits(text, valid):
    assert is_iban(text) is valid
    assert all((ValueType.IBAN.value in each) is valid for each in kinds(text))
