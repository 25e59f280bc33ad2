"""A document to a contact, and a contact to what other programs read."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_backend.contacts.contact import contact_of
from ml_backend.contacts.spreadsheet import COLUMNS, to_csv
from ml_backend.contacts.vcard import fold, to_vcard
from tests.ml_backend.api_backend import CARD, document


def unfolded(vcard):
    return vcard.replace("\r\n ", "").split("\r\n")


def test_a_number_without_country_code_takes_that_of_the_cards_other_numbers():
    contact = contact_of(document([("PHONE", "+49 89 1234567"), ("PHONE", "089 7654321")]))
    assert [phone.value.e164 for phone in contact.phones] == ["+49891234567", "+49897654321"]


def test_a_number_without_country_code_takes_that_of_the_cards_address_in_the_net():
    contact = contact_of(document([("PHONE", "089 7654321"), ("EMAIL", "a@acme.de")]))
    assert contact.phones[0].value.e164 == "+49897654321"
    assert contact_of(document([("PHONE", "089 7654321")]), country="DE").phones[0].valid
    assert not contact_of(document([("PHONE", "089 7654321")])).phones[0].valid


def test_a_projects_own_field_is_kept():
    contact = contact_of(document([("VAT_ID", "DE 123456789")]))
    assert [(other.field, other.value) for other in contact.others] == [("VAT_ID", "DE 123456789")]


def test_a_card_as_vcard():
    lines = unfolded(to_vcard(contact_of(document(CARD))))
    assert lines[:2] == ["BEGIN:VCARD", "VERSION:4.0"]
    assert lines[-2:] == ["END:VCARD", ""]
    assert "N:Lovelace;Ada;;Dr.;" in lines
    assert "ORG:Analytical Engines Ltd" in lines
    assert 'TEL;VALUE=uri;TYPE="work,voice":tel:+442079460018' in lines
    assert "TEL;VALUE=uri;TYPE=fax:tel:+442079460019" in lines
    assert "EMAIL:ada@engines.example" in lines
    assert r"""ADR;LABEL="12 St James's Square, London":;;12 St James's Square\, London;;;;""" in lines


def test_a_card_without_a_person_is_its_companys():
    lines = unfolded(to_vcard(contact_of(document([("COMPANY", "Acme; Sons")]))))
    assert "KIND:org" in lines
    assert "FN:Acme; Sons" in lines
    assert r"ORG:Acme\; Sons" in lines


def test_what_is_not_valid_becomes_a_note():
    lines = unfolded(to_vcard(contact_of(document([("NAME", "Ada"), ("PHONE", "12"), ("EMAIL", "ada at acme")]))))
    assert "NOTE:PHONE: 12" in lines
    assert "NOTE:EMAIL: ada at acme" in lines
    assert not any(line.startswith(("TEL", "EMAIL")) for line in lines)


@given(st.text(max_size=400))
@settings(max_examples=50, deadline=None)
def test_folded_lines_are_short_and_unfold_to_themselves(text):
    line = text.replace("\r", "").replace("\n", "")
    folded = fold(line)
    assert all(len(part.encode()) <= 75 for part in folded.split("\r\n"))
    assert folded.replace("\r\n ", "") == line


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc")), min_size=1, max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_value_breaks_out_of_its_line(text):
    lines = unfolded(to_vcard(contact_of(document([("NAME", "Ada"), ("COMPANY", text), ("ADDRESS", text)]))))
    assert lines.count("END:VCARD") == 1
    assert sum(line.startswith("ORG:") for line in lines) == 1
    assert all(line == "" or ":" in line for line in lines)


def test_a_card_as_csv_has_its_values_in_their_columns():
    (row,) = csv.DictReader(io.StringIO(to_csv([contact_of(document(CARD))])))
    assert tuple(row) == COLUMNS
    assert (row["given_name"], row["family_name"]) == ("Ada", "Lovelace")
    assert (row["phone_work"], row["fax"]) == ("+442079460018", "+442079460019")
    assert row["website"] == "https://www.engines.example"


@pytest.mark.parametrize(
    "text",
    ['=cmd|" /C calc"!A0', "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "@SUM(1,1)", "+1+cmd|'!A0", "＝1+1", "+A1"],
)
def test_a_spreadsheet_runs_nothing_of_a_card(text):
    fields = [("COMPANY", text), ("POSITION", text), ("ADDRESS", text), ("NAME", text)]
    (row,) = csv.DictReader(io.StringIO(to_csv([contact_of(document(fields))])))
    assert row["company"] == f"'{text}"
    assert not [cell for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@", "＝"))]


@pytest.mark.parametrize("text", ["+49 30 123", "+49 (30) 12-34", "+4930123"])
def test_a_number_to_dial_stays_one_in_a_spreadsheet(text):
    (row,) = csv.DictReader(io.StringIO(to_csv([contact_of(document([("COMPANY", text)]))])))
    assert row["company"] == text


def test_front_and_back_make_one_contact_and_say_nothing_twice():
    front = [("NAME", "Ada Lovelace"), ("PHONE", "+49 89 1234567")]
    back = [("NAME", "Ada Lovelace"), ("PHONE", "089 7654321"), ("EMAIL", "ada@engines.example")]
    contact = contact_of(document(front), document(back, 800, 500))
    assert [(name.value.full, name.page) for name in contact.names] == [("Ada Lovelace", 1)]
    assert [(phone.value.e164, phone.page) for phone in contact.phones] == [("+49891234567", 1), ("+49897654321", 2)]
    assert [(mail.value.address, mail.page) for mail in contact.emails] == [("ada@engines.example", 2)]
    assert (contact.width, contact.height, contact.sizes) == (640, 400, ((640, 400), (800, 500)))


def test_an_extension_beside_an_address_of_moscow_is_none_of_another_country():
    card = [("PHONE", "8 (495) 123-45-67, доб. 12"), ("ADDRESS", "Москва, ул. Примерная, 1")]
    contact = contact_of(document(card))
    assert [(phone.value.e164, phone.value.extension) for phone in contact.phones] == [("+74951234567", "12")]
    assert 'TEL;VALUE=uri;TYPE="work,voice":tel:+74951234567;ext=12' in unfolded(to_vcard(contact))


def test_a_second_number_is_completed_by_the_prefix_of_the_first():
    contact = contact_of(document([("PHONE", "+49 30 1234567 / 1234568")]))
    assert [phone.value.e164 for phone in contact.phones] == ["+49301234567", "+49301234568"]


def test_a_number_that_cannot_be_validated_is_in_the_contact_as_it_was_read():
    card = [("PHONE", "8 (495) 123-45-6"), ("ADDRESS", "Москва, ул. Примерная, 1")]
    (phone,) = contact_of(document(card)).phones
    assert (phone.text, phone.value.text, phone.value.e164, phone.valid) == (
        "8 (495) 123-45-6",
        "8 (495) 123-45-6",
        None,
        False,
    )
