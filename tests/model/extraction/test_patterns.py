import pytest

from model.extraction.patterns import kind_of, label_before, outcome


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ada@example.com", "mail"),
        ("ada @ example.co.uk", "mail"),
        ("ada©example.com", "mail"),
        ("www.example.com", "host"),
        ("example.com/cards", "host"),
        ("https://example.com", "host"),
        ("+44 20 7946 0958", "number"),
        ("(040) 5550 1234,", "number"),
        ("5550 1234 Ext. 12", "number"),
        ("500 0", "code"),
        ("0500", "code"),
        ("+999 12 34 56 78", "code"),
        ("108/25/43,L.I.C", "digits"),
        ("ISO 9001:2008", "digits"),
        ("Ada Lovelace", "text"),
        ("", "text"),
    ],
)
def test_a_text_looks_like_what_it_is(text, kind):
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("before", "label"),
    [
        (["Tel:"], "phone"),
        (["Mob", "."], "phone"),
        (["Ph", "No."], "phone"),
        (["Fax", ":"], "fax"),
        (["Telefax"], "fax"),
        (["F:"], "fax"),
        (["Факс"], "fax"),
        (["PIN", "code"], "other"),
        (["Reg.", "No."], "other"),
        (["Hyderabad", "-"], "none"),
        ([], "none"),
    ],
)
def test_a_label_before_a_number_says_what_the_number_is(before, label):
    assert label_before(before) == label


def test_what_is_said_of_a_number_names_the_label_before_it():
    words = ["Fax", ":", "040", "5550", "1234"]
    assert outcome(words, 2, 5) == "number/fax"
    assert outcome(words, 0, 1) == "text"
