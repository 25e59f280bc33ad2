"""What looks the same in two scripts is of the one that its word is written in."""

import pytest

from model.recognition.scripts import absent_scripts, bears, is_latin, settled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WAVEARCHIT\u0415KTEN", "WAVEARCHITEKTEN"),
        ("\u0054ЕЛЕФОН", "ТЕЛЕФОН"),
        ("\u041c. Mustermann", "M. Mustermann"),
        ("\u0041. Иванов", "А. Иванов"),
        ("Siemens \u0410\u0412 Россия", "Siemens АВ Россия"),
        ("МОСКВА", "МОСКВА"),
        ("HOTEL", "HOTEL"),
        ("Їжак", "Їжак"),
        ("+7 495 123", "+7 495 123"),
        ("", ""),
    ],
)
def test_a_word_is_of_one_script(text, expected):
    assert settled(text) == expected


def test_settling_twice_changes_nothing_more():
    for text in ("Аbс Где", "T-банк", "A B В"):
        assert settled(settled(text)) == settled(text)


def test_on_a_page_without_cyrillic_words_that_could_be_of_either_script_are_latin():
    page = ["Grand Hotel Berlin", "Lindenallee 5", "САМЕРА", "Wi-Fi: ТОР", "Single room"]
    assert is_latin(page)
    assert [settled(line, latin=True) for line in page[2:4]] == ["CAMEPA", "Wi-Fi: TOP"]
    assert settled("САМЕРА") == "САМЕРА"
    assert not is_latin(["Grand Hotel Berlin", "Lindenallee 5", "Гостиница"])
    assert not is_latin(["12.50", "TEA"])


def test_scripts_that_documents_do_not_bear_are_absent_once_there_is_enough_to_tell():
    rendered = ["Мария Петрова", "Jane Doe", "Ωmega 12", "№ 7"]
    english = ["Thank you for shopping with us"] * 10
    assert absent_scripts(english, rendered) == {"CYRILLIC", "GREEK"}
    assert absent_scripts(english[:2], rendered) == frozenset()
    assert absent_scripts([*english, "Спасибо"], rendered) == {"GREEK"}
    # Single letters are misprints.
    assert absent_scripts([*english, "С"], rendered) == {"CYRILLIC", "GREEK"}
    assert [bears(text, {"CYRILLIC"}) for text in rendered] == [True, False, False, False]
