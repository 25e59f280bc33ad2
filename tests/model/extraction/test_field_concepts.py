"""What a field's name says about its values."""

from __future__ import annotations

import pytest

from model.extraction.field_concepts import concept_of, plain_words
from model.extraction.value_types import ValueType


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("TOTAL", ValueType.AMOUNT),
        ("Сумма", ValueType.AMOUNT),
        ("Gesamtbetrag", ValueType.AMOUNT),
        ("sub_total", ValueType.AMOUNT),
        ("InvoiceNumber", ValueType.IDENTIFIER),
        ("Rechnungs-Nr.", ValueType.IDENTIFIER),
        ("Datum", ValueType.DATE),
        ("contract date", ValueType.DATE),
        ("Policy number", ValueType.IDENTIFIER),
        ("Delivery time", ValueType.TIME),
        ("IBAN", ValueType.IBAN),
        ("VAT rate", ValueType.PERCENTAGE),
        ("qty", ValueType.COUNT),
    ],
)
def test_a_name_tells_the_type(name, kind):
    assert concept_of([name]).types == {kind}


def test_a_name_that_tells_nothing_is_what_may_be_printed_beside_the_value():
    concept = concept_of(["Diagnosis"])
    assert not concept.types
    assert ("diagnosis",) in concept.keys


def test_keys_are_printed_in_full_and_abbreviated():
    keys = concept_of(["Policy number"]).keys
    assert {("policy", "number"), ("policy", "no"), ("policy",)} <= set(keys)


def test_another_name_of_the_field_tells_where_its_label_does_not():
    assert concept_of(["F7", "due amount"]).types == {ValueType.AMOUNT}


def test_words_of_a_name():
    assert plain_words("InvoiceNo.") == ("invoice", "no")
    assert plain_words("Счёт №") == ("счет", "no")
    assert plain_words("12") == ()
