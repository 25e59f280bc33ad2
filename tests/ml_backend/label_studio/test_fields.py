"""Which label stands for which field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_backend.errors import RequestError
from ml_backend.i18n import say
from ml_backend.label_studio.fields import SYNONYMS, match_labels, match_names, own_words, plain_text_label
from ml_backend.label_studio.label_config import Label

FIELDS = ("NAME", "POSITION", "COMPANY", "PHONE", "FAX", "EMAIL", "WEBSITE", "ADDRESS")


def labels(*values):
    return [Label(value, (), value) for value in values]


def test_every_field_finds_the_label_of_its_own_name():
    assert match_labels(FIELDS, labels(*FIELDS)) == {field: field for field in FIELDS}


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ("TITLE", "POSITION"),
        ("JOB", "POSITION"),
        ("Job Title", "POSITION"),
        ("job_title", "POSITION"),
        ("ROLE", "POSITION"),
        ("ORG", "COMPANY"),
        ("Organisation", "COMPANY"),
        ("ORGANIZATION", "COMPANY"),
        ("FIRM", "COMPANY"),
        ("TEL", "PHONE"),
        ("Tel.", "PHONE"),
        ("TELEPHONE", "PHONE"),
        ("Mobile", "PHONE"),
        ("CELL", "PHONE"),
        ("MAIL", "EMAIL"),
        ("E-MAIL", "EMAIL"),
        ("e_mail address", "EMAIL"),
        ("WEB", "WEBSITE"),
        ("URL", "WEBSITE"),
        ("SITE", "WEBSITE"),
        ("FULL NAME", "NAME"),
        ("PERSON", "NAME"),
        ("STREET", "ADDRESS"),
        ("ADDR", "ADDRESS"),
        ("Имя", "NAME"),
        ("Должность", "POSITION"),
        ("Компания", "COMPANY"),
        ("Телефон", "PHONE"),
        ("Почта", "EMAIL"),
        ("Эл. почта", "EMAIL"),
        ("Сайт", "WEBSITE"),
        ("Адрес", "ADDRESS"),
        ("Факс", "FAX"),
        ("Vor- und Nachname", "NAME"),
        ("Firma", "COMPANY"),
        ("E-Mail-Adresse", "EMAIL"),
        ("Straße", "ADDRESS"),
        ("STRASSE", "ADDRESS"),
        ("ＰＨＯＮＥ", "PHONE"),
    ],
)
def test_synonyms_are_understood_and_no_other_field_takes_them(label, field):
    matched = match_labels(FIELDS, labels(label))

    assert matched.pop(field) == label
    assert matched == ({"FAX": label} if field == "PHONE" else {})


def test_synonyms_work_for_a_model_with_other_names_too():
    assert match_labels(["TEL", "JOB_TITLE"], labels("PHONE", "POSITION")) == {"TEL": "PHONE", "JOB_TITLE": "POSITION"}


def test_predicted_values_win_over_names():
    given_labels = [Label("PHONE", (), "PHONE"), Label("Contact no.", ("Phone", "fax"), "Contact no.")]

    assert match_labels(["PHONE", "FAX"], given_labels) == {"PHONE": "Contact no.", "FAX": "Contact no."}


def test_an_exact_name_wins_over_another_case_and_that_over_a_synonym():
    assert match_labels(["PHONE"], labels("TEL", "phone", "PHONE")) == {"PHONE": "PHONE"}
    assert match_labels(["PHONE"], labels("TEL", "phone")) == {"PHONE": "phone"}


def test_an_alias_is_what_comes_back():
    assert match_labels(["PHONE"], [Label("t1", (), "Telephone")]) == {"PHONE": "t1"}


def test_fax_numbers_go_to_the_phone_label_if_there_is_no_other():
    assert match_labels(["PHONE", "FAX"], labels("TEL")) == {"PHONE": "TEL", "FAX": "TEL"}
    assert match_labels(["PHONE", "FAX"], labels("TEL", "TELEFAX")) == {"PHONE": "TEL", "FAX": "TELEFAX"}
    assert match_labels(["PHONE"], labels("FAX")) == {}


def test_names_that_somebody_asks_for_are_matched_like_labels():
    assert match_names(FIELDS, ["TEL", "Firma"]) == {"PHONE": "TEL", "FAX": "TEL", "COMPANY": "Firma"}
    with pytest.raises(RequestError, match="no field for Logo"):
        match_names(FIELDS, ["TEL", "Logo"])


def test_a_label_of_two_meanings_serves_both():
    assert match_labels(FIELDS, labels("Phone / Fax", "E-mail & Web")) == {
        "PHONE": "Phone / Fax",
        "FAX": "Phone / Fax",
        "EMAIL": "E-mail & Web",
        "WEBSITE": "E-mail & Web",
    }


def test_unknown_labels_and_parts_of_a_name_match_nothing():
    assert match_labels(FIELDS, labels("LOGO", "First name", "SLOGAN", "()", "/")) == {}


def test_fields_beyond_business_cards_match_by_name():
    assert match_labels(["INVOICE_NUMBER", "TOTAL"], labels("Invoice number", "VAT")) == {
        "INVOICE_NUMBER": "Invoice number"
    }


def test_no_synonym_stands_for_two_fields():
    names = [name.strip() for listed in SYNONYMS.values() for name in listed.split(",")]

    assert len(names) == len(set(names))


@given(st.lists(st.sampled_from([*FIELDS, "TEL", "e-mail", "Logo", "Phone/Fax", ""]), max_size=8))
def test_every_match_is_one_of_the_labels_and_the_order_of_fields_does_not_matter(values):
    matched = match_labels(FIELDS, labels(*values))

    assert set(matched.values()) <= set(values)
    assert matched == match_labels(FIELDS[::-1], labels(*values))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Text", "Handwriting"], "Text"),
        (["Handwriting", "text"], "text"),
        (["NAME", "Other"], "Other"),
        (["Other", "Text"], "Text"),
        (["O"], "O"),
        (["Строка", "Имя"], "Строка"),
        (["NAME", "PHONE"], None),
        (["Context", "Title text"], None),
        ([], None),
    ],
)
def test_the_label_for_text_of_no_field_is_known_by_its_name(labels, expected):
    assert plain_text_label([Label(name, title=name) for name in labels]) == expected


def test_a_configuration_may_say_which_label_is_for_text():
    assert plain_text_label([Label("x1", title="Line"), Label("y")]) == "x1"
    assert plain_text_label([Label("y"), Label("Zeilen", predicted_values=("text",))]) == "Zeilen"


def test_the_gates_reasons_name_a_field_as_the_project_does():
    labels = [Label("TEL", title="TEL")]
    said = say("{field} changes by {change:+.3f}", field="PHONE", change=-0.5)
    assert own_words(said, labels) == "TEL changes by -0.500"
    assert own_words(say("{field} changes by {change:+.3f}", field="NAME", change=-0.5), labels) == (
        "NAME changes by -0.500"
    )
    assert own_words("PHONE as plain text", labels) == "PHONE as plain text"
