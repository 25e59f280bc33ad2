"""What looks the same in two scripts is of the one that its word is written in."""

import pytest

from model.recognition.scripts import settled


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
