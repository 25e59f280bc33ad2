"""Numbers as they are written on cards, to numbers to dial."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.contacts.phones import countries_of, country_of, country_of_forms, parse_phone, split_numbers


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


def dialled(text, country=None):
    phones = [parse_phone(part, country=country) for part in split_numbers(text, country)]
    return [(phone.e164, phone.extension) for phone in phones]


@pytest.mark.parametrize(
    ("text", "country", "numbers"),
    [
        ("+7 (495) 123-45-67, доб. 12", None, [("+74951234567", "12")]),
        ("8 (495) 123-45-67, доб. 12", "RU", [("+74951234567", "12")]),
        ("+7 495 123-45-67 (доб. 12)", None, [("+74951234567", "12")]),
        ("+7 495 123-45-67, вн. 12-34", None, [("+74951234567", "1234")]),
        ("+7 495 123-45-67; добавочный 12", None, [("+74951234567", "12")]),
        ("+33 1 23 45 67 89, poste 12", None, [("+33123456789", "12")]),
        ("+39 06 1234567 int. 12", None, [("+39061234567", "12")]),
        ("+49 30 1234567 DW 15", None, [("+49301234567", "15")]),
        ("+49 30 1234567, Durchwahl -15", None, [("+49301234567", "15")]),
        ("415-555-2671 #12", "US", [("+14155552671", "12")]),
        ("415-555-2671, ext 12", "US", [("+14155552671", "12")]),
        ("415-555-2671x12", "US", [("+14155552671", "12")]),
        ("+7 495 123-45-67 доб. 12, 15", None, [("+74951234567", "12"), ("+74951234567", "15")]),
        (
            "+7 495 123-45-67, доб. 12, +7 495 123-45-68, доб. 13",
            None,
            [("+74951234567", "12"), ("+74951234568", "13")],
        ),
        ("+7 495 123-45-67 доб. 12 8 (495) 765-43-21", "RU", [("+74951234567", "12"), ("+74957654321", "")]),
    ],
)
def test_an_extension_is_no_number_of_its_own(text, country, numbers):
    assert dialled(text, country) == numbers


@pytest.mark.parametrize(
    ("text", "country", "numbers"),
    [
        ("+49 30 1234567 / 1234568", None, ["+49301234567", "+49301234568"]),
        ("+49 30 1234567 1234568", None, ["+49301234567", "+49301234568"]),
        ("+49 (0)30 1234567 / 68", None, ["+49301234567", "+49301234568"]),
        ("+49 30 1234567-0 / -15", None, ["+493012345670", "+4930123456715"]),
        ("+49 30 1234567-0, Fax: -15", None, ["+493012345670", "+4930123456715"]),
        ("+49 30 1234567 / 12345678", None, ["+49301234567", "+493012345678"]),
        ("+91 40 2600 1234/35/36", None, ["+914026001234", "+914026001235", "+914026001236"]),
        ("+49 30 1234567 / -15", None, ["+49301234567", "+4930123456715"]),
        ("+7 495 123-45-67 / -68", None, ["+74951234567", "+74951234568"]),
        ("030/1234567", "DE", ["+49301234567"]),
        ("030 / 1234567", "DE", ["+49301234567"]),
        ("+49/30/1234567", None, ["+49301234567"]),
        ("+49 30 / 1234567", None, ["+49301234567"]),
        ("415/555/2671", "US", ["+14155552671"]),
        ("030/1234567/68", "DE", ["+49301234567", "+49301234568"]),
        ("030/1234567, 1234568", "DE", ["+49301234567", "+49301234568"]),
        ("030/1234567 oder 0171/1234567", "DE", ["+49301234567", "+491711234567"]),
        ("+7 495 123-45-67 и 123-45-68", None, ["+74951234567", "+74951234568"]),
        ("8 (495) 123-45-67; 123-45-68", "RU", ["+74951234567", "+74951234568"]),
        ("+44 20 7946 0018 or 7946 0019", None, ["+442079460018", "+442079460019"]),
        ("+49 30 1234567 / Fax 1234568", None, ["+49301234567", "+49301234568"]),
    ],
)
def test_separators_within_a_number_are_told_from_those_of_a_list(text, country, numbers):
    assert [e164 for e164, _ in dialled(text, country)] == numbers


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("8 (495) 123-45-6", "RU"),
        ("030/1234567", None),
        ("84951234567", None),
        ("8 495 1234567", None),
        ("6600 1237/8", None),
        ("919845012345", "RU"),
    ],
)
def test_a_number_that_cannot_be_validated_stays_as_it_was_read(text, country):
    assert split_numbers(text, country) == [text]
    phone = parse_phone(text, country=country)
    assert (phone.text, phone.e164, phone.country) == (text, None, None)


def test_what_does_not_stand_for_whole_groups_completes_nothing():
    assert dialled("+7 495 123-45-67, 12345") == [("+74951234567", ""), (None, "")]
    assert dialled("+49 30 1234567, 12") == [("+49301234567", ""), (None, "")]


def test_what_was_guessed_or_completed_is_no_evidence_of_a_country():
    assert list(countries_of(["84951234567", "91 98450 12345"])) == []
    assert list(countries_of(["+49 30 1234567 / 1234568", "0044 20 7946 0018"])) == ["DE", "GB"]


def test_the_word_at_a_number_goes_before_that_at_the_value():
    kinds = [parse_phone(part, label="Tel.").kind for part in split_numbers("+49 30 1234567 / Fax 1234568")]
    assert kinds == ["work", "fax"]


@given(
    st.sampled_from(["RU", "DE", "GB", "FR", "US", "IN", "IT"]),
    st.sampled_from([", ", " ", "; ", " / ", " ("]),
    st.sampled_from(["доб. ", "доб.", "вн. ", "ext. ", "ext ", "x", "DW ", "Durchwahl ", "int. ", "poste ", "#"]),
    st.integers(1, 99999),
    st.booleans(),
)
def test_no_extension_changes_what_is_dialled(country, between, word, extension, abroad):
    number = phonenumbers.example_number(country)
    written = phonenumbers.format_number(
        number, phonenumbers.PhoneNumberFormat.INTERNATIONAL if abroad else phonenumbers.PhoneNumberFormat.NATIONAL
    )
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    text = f"{written}{between}{word}{extension}"
    assert dialled(text, country) == [(e164, str(extension))]
    assert [part.strip() for part in split_numbers(text, country)] == [text]


@given(st.text(alphabet="0123456789+()-/ ,;.#xдобDWи", max_size=40), st.sampled_from([None, "RU", "DE", "US", "IN"]))
def test_any_text_keeps_its_digits_and_dials_only_digits_that_were_read(text, country):
    parts = split_numbers(text, country)
    digits = {c for c in text if c.isdigit()}
    assert parts
    for part in parts:
        assert {c for c in part if c.isdigit()} <= digits
        phone = parse_phone(part, country=country)
        if phone.e164 is not None:
            read = "".join(c for c in part if c.isdigit())
            national = str(phonenumbers.parse(phone.e164).national_number)
            assert national in read
