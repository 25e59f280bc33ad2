"""Each rule finds what it is for, leaves alone what is right, and changes nothing by itself."""

import unicodedata

import pytest

from model.ocr.text_suggestions import RULES, apply, script_of, suggestions

FOUND = [
    ("composed", "Андре\u0438\u0306", "Андрей"),
    ("composed", "Мюллер Mu\u0308ller", "Мюллер Müller"),
    ("spaces", "+7\u00a0495\u202f123", "+7 495 123"),
    ("look-alikes", "Мoсквa", "Москва"),
    ("look-alikes", "Аndrew", "Andrew"),
    ("look-alikes", "ООO", "ООО"),
    ("look-alikes", "Фëдоровский", "Фёдоровский"),
    ("strangers", "OOO «Ромашка»", "ООО «Ромашка»"),
    ("digits", "М0СКВА", "МОСКВА"),
    ("digits", "те3ис", "тезис"),
    ("digits", "he1lo", "hello"),
    ("number-sign", "офис No 12", "офис № 12"),
    ("number-sign", "N°7", "№7"),
    ("dash", "Иванов - директор", "Иванов – директор"),
    ("dash", "9:00-18:00", "9:00–18:00"),
    ("dash", "2019-2024", "2019–2024"),
    ("yo", "Артем КОРОЛЕВ", "Артём КОРОЛЁВ"),
]


@pytest.mark.parametrize(("rule", "text", "right"), FOUND)
def test_a_rule_finds_what_it_is_for(rule: str, text: str, right: str) -> None:
    found = suggestions(text)
    assert {suggestion.rule for suggestion in found} == {rule}
    assert apply(text, found) == right


@pytest.mark.parametrize(
    "text",
    [
        "Москва, ул. Ленина, д. 5",
        "Andrew Miller",
        "+7 (495) 123-45-67",
        "2019-12-24",
        "SAP R/3 A0B1",
        "No 5 High Street",
        'Сеть "Wi-Fi" и Bluetooth',
        "ivan@почта.рф",
        "CTO",
        "B2B-маркетинг",
        "Санкт-Петербург",
        "",
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert suggestions(text) == ()


@pytest.mark.parametrize(("text", "right"), [(text, right) for _, text, right in FOUND])
def test_what_was_put_right_gives_no_further_suggestion(text: str, right: str) -> None:
    assert suggestions(right) == ()
    assert unicodedata.is_normalized("NFC", apply(text, suggestions(text)))


def test_single_suggestions_can_be_accepted() -> None:
    text = "Мoсквa - центр"
    first, *_, dash = suggestions(text)
    assert apply(text, [first]) == "Москвa - центр"
    assert apply(text, [dash]) == "Мoсквa – центр"
    with pytest.raises(ValueError, match="another text"):
        apply("Paris", [dash])


def test_every_rule_says_what_it_is_about_and_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.reason.endswith(".") for rule in RULES)
    assert {rule.name for rule in RULES} == {rule for rule, _, _ in FOUND}


def test_the_earlier_of_two_overlapping_rules_wins() -> None:
    only = [rule for rule in RULES if rule.name == "dash"]
    assert [suggestion.rule for suggestion in suggestions("a - b", only)] == ["dash"]


@pytest.mark.parametrize(("character", "script"), [("ё", "cyrillic"), ("é", "latin"), ("5", None), ("λ", None)])
def test_scripts_are_told_apart(character: str, script: str | None) -> None:
    assert script_of(character) == script
