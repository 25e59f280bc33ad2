"""Numbers as they are written on cards, to numbers to dial."""

import pytest

from ml_backend.cards.phones import country_of, parse_phone, split_numbers


@pytest.mark.parametrize(
    ("text", "country", "e164"),
    [
        ("+49 (0)89 1234567", None, "+49891234567"),
        ("0049 89 1234567", None, "+49891234567"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("91 98450 12345", None, "+919845012345"),
        ("Mob: +91 98450-12345", None, "+919845012345"),
        ("12345", None, None),
        ("+49 1", None, None),
        ("", None, None),
    ],
)
def test_a_number_is_dialled_from_anywhere(text, country, e164):
    assert parse_phone(text, country=country).e164 == e164


@pytest.mark.parametrize(
    ("text", "extension"),
    [("(415) 555-2671 x12", "12"), ("+7 495 123-45-67 доб. 12", "12"), ("+1 415 555 2671 ext. 4", "4")],
)
def test_an_extension_is_told_apart(text, extension):
    phone = parse_phone(text, country="US")
    assert phone.extension == extension
    assert phone.e164 is not None


@pytest.mark.parametrize(
    ("text", "field", "label", "kind"),
    [
        ("+91 98450 12345", "PHONE", "", "mobile"),
        ("+49 89 1234567", "PHONE", "", "work"),
        ("+49 89 1234567", "PHONE", "Mob.", "mobile"),
        ("+49 89 1234567", "PHONE", "Tel./Fax:", "fax"),
        ("+49 89 1234567", "FAX", "", "fax"),
        ("M: (415) 555-2671", "PHONE", "", "mobile"),
        ("Факс: +7 495 123-45-67", "PHONE", "", "fax"),
    ],
)
def test_the_words_before_a_number_say_what_it_is(text, field, label, kind):
    assert parse_phone(text, field=field, label=label, country="US").kind == kind


def test_a_value_that_holds_several_numbers_is_split_and_completed():
    assert split_numbers("+91 40 2600 1234, 2600 1270") == ["+91 40 2600 1234", "+914026001270"]
    assert split_numbers("+1 415 555 2671 / +1 415 555 2672") == ["+1 415 555 2671", "+1 415 555 2672"]
    assert split_numbers("(415) 555-2671") == ["(415) 555-2671"]


def test_the_country_of_a_card_is_that_of_most_numbers_that_say_theirs():
    assert country_of(["+91 98450 12345", "+91 40 2600 1234", "+49 89 1234567", "555 2671"]) == "IN"
    assert country_of(["555 2671"]) is None
