"""Numbers as they are written on cards, to numbers to dial."""

import pytest

from ml_backend.contacts.phones import country_of, country_of_forms, parse_phone, split_numbers


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


@pytest.mark.parametrize(
    ("text", "country", "numbers"),
    [
        ("+91 481 2400100 7034000111", None, ["+91 481 2400100", "7034000111"]),
        ("(415) 555-2671 (415) 555-2672", "US", ["(415) 555-2671", "(415) 555-2672"]),
        ("+49 89 1234567", None, ["+49 89 1234567"]),
        ("040 6600 1237/8", "IN", ["040 6600 1237", "04066001238"]),
        ("08672, 224441", "IN", ["08672 224441"]),
        ("+27 (0)|1 236 8601", None, ["+27 (0)11 236 8601"]),
        ("+1-4l5-555-2671", None, ["+1-415-555-2671"]),
    ],
)
def test_numbers_that_spaces_part_or_recognisers_misread_are_told_apart(text, country, numbers):
    assert split_numbers(text, country) == numbers


@pytest.mark.parametrize(
    ("texts", "country"),
    [
        (["(415) 555-2671"], "US"),
        (["415.555.2671", "T 415-555-2672"], "US"),
        (["123-456-7890"], None),
        (["98450 12345"], "IN"),
        (["8 (495) 123-45-67"], "RU"),
        (["0300-8400123"], "PK"),
        (["98450 12345", "415-555-2671"], None),
        (["91 98450 12345"], None),
    ],
)
def test_how_numbers_are_written_tells_a_country_where_hardly_another_writes_so(texts, country):
    assert country_of_forms(texts) == country


def test_a_number_in_brackets_is_not_one_that_lost_its_plus():
    # Without brackets and with a plus it would be an Austrian one.
    assert parse_phone("(435) 797-1429").e164 is None
    assert parse_phone("(435) 797-1429", country="US").e164 == "+14357971429"
