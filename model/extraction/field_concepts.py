"""What a field's name says about its values: which type they are of, and what is printed beside them.

A project names its fields before anybody has annotated a document. ``INVOICE_NUMBER`` is a number with its key printed
to the left or above; ``SUBTOTAL`` an amount; ``Datum`` a date. A name in none of the lists is taken by its last word
("contract date" is a date), and is itself what may be printed beside the value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from model.extraction.value_types import ValueType


@dataclass(frozen=True, slots=True)
class Concept:
    """What is known of a field by its name.

    Attributes:
        types: What its values look like; empty for text.
        keys: What is printed beside or above a value, each as its plain words.
        needs_key: Whether a value of the type alone says little: every price on a receipt is an amount.
    """

    types: frozenset[ValueType] = frozenset()
    keys: tuple[tuple[str, ...], ...] = ()
    needs_key: bool = True


_AMOUNT, _DATE = (ValueType.AMOUNT,), (ValueType.DATE,)
_NUMBER = (ValueType.IDENTIFIER,)

# Types; whether the key is needed; names of fields; what is printed beside the value where that is not the name.
_CONCEPTS: tuple[tuple[tuple[ValueType, ...], bool, str, str], ...] = (
    (
        _AMOUNT,
        True,
        "total, grand total, total amount, amount due, amount, sum, net payable, total price, invoice total, "
        "итого, сумма, всего, "
        "общая сумма, gesamt, gesamtbetrag, summe, betrag, endbetrag, rechnungsbetrag, montant, total ttc, "
        "importe total, importe, totale",
        "total due, total sales, total incl, balance due, balance, to pay, payable, nett total, net total, "
        "total rm, total gst, "
        "к оплате, итог, zu zahlen, a payer, net a payer, total general",
    ),
    (
        _AMOUNT,
        True,
        "subtotal, sub total, net amount, total net, amount before tax, подытог, сумма без ндс, "
        "zwischensumme, nettobetrag, netto, "
        "sous total, total ht, subtotale, imponibile",
        "sub ttl, subttl, sub tot, total excl, excl tax, food total, taxable, item total, merchandise total",
    ),
    (
        _AMOUNT,
        True,
        "tax, vat, tax amount, vat amount, sales tax, gst, налог, ндс, сумма ндс, steuer, mwst, ust, "
        "umsatzsteuer, mehrwertsteuer, "
        "tva, iva, taxe, impuesto, imposta",
        "hst, pst, tax1, tax 1, service tax, gst 6, total tax, state tax, local tax",
    ),
    (
        _AMOUNT,
        True,
        "tip, tips, gratuity, чаевые, trinkgeld, pourboire, propina, mancia",
        "tip amount, service charge",
    ),
    (
        _AMOUNT,
        True,
        "discount, скидка, rabatt, remise, descuento, sconto",
        "you saved, savings, coupon, less",
    ),
    (
        _AMOUNT,
        True,
        "change, change due, сдача, rückgeld, monnaie, cambio",
        "rounding, your change",
    ),
    (
        _AMOUNT,
        True,
        "cash, cash paid, paid, payment, amount paid, наличные, bar, gegeben, especes, efectivo",
        "tendered, cash tendered",
    ),
    (
        _AMOUNT,
        True,
        "shipping, shipping cost, delivery fee, freight, доставка, versand, versandkosten",
        "delivery, postage",
    ),
    (
        _DATE,
        False,
        "date, datum, дата, fecha, data, date of issue, issue date, invoice date, receipt date, order date, "
        "rechnungsdatum, "
        "дата счета, date facture, bill date, document date",
        "dated, dt, issued, belegdatum",
    ),
    (
        _DATE,
        True,
        "due date, payment due, pay by, срок оплаты, fällig, faelligkeitsdatum, zahlbar bis, echeance",
        "due, payable by",
    ),
    (
        _DATE,
        True,
        "birth date, date of birth, birthday, dob, дата рождения, geburtsdatum, geboren, date de naissance",
        "born",
    ),
    (
        _DATE,
        True,
        "expiry, expiry date, expiration date, valid until, действителен до, gültig bis, ablaufdatum",
        "exp, expires, valid thru",
    ),
    ((ValueType.TIME,), False, "time, время, uhrzeit, zeit, heure, hora, ora", ""),
    (
        _NUMBER,
        True,
        "invoice number, invoice no, invoice id, invoice, номер счета, rechnungsnummer, rechnung nr, facture numero",
        "inv no, inv",
    ),
    (
        _NUMBER,
        True,
        "receipt number, receipt no, bill no, check number, номер чека, belegnummer, bon nr",
        "receipt, check, bill, slip, trans",
    ),
    (
        _NUMBER,
        True,
        "order number, order no, order id, purchase order, po number, номер заказа, bestellnummer, auftragsnummer",
        "order, po",
    ),
    (
        _NUMBER,
        True,
        "customer number, customer no, customer id, account number, account no, номер клиента, kundennummer",
        "customer, account, acct",
    ),
    (
        _NUMBER,
        True,
        "tax id, tax number, vat id, vat number, gst number, gst id, ein, инн, ust id, steuernummer, nif, siret",
        "gst reg, vat reg, tin",
    ),
    ((ValueType.IBAN,), False, "iban", "bank account"),
    ((ValueType.PERCENTAGE,), True, "tax rate, vat rate, rate, percentage, percent, ставка, steuersatz", "%"),
    (
        (ValueType.COUNT,),
        True,
        "quantity, qty, count, pieces, количество, кол во, menge, anzahl, quantite, cantidad",
        "pcs, x",
    ),
    (_AMOUNT, True, "price, unit price, item price, цена, preis, einzelpreis, prix, precio, prezzo", ""),
    ((ValueType.POSTCODE,), False, "postcode, postal code, zip, zip code, индекс, plz, postleitzahl, code postal", ""),
)

# What the last word of any other name says.
_HEADS: dict[ValueType, str] = {
    ValueType.DATE: "date datum дата fecha day",
    ValueType.TIME: "time zeit uhrzeit время hora heure",
    ValueType.AMOUNT: "amount total sum price fee cost charge balance betrag summe preis сумма цена montant salary",
    ValueType.IDENTIFIER: "number no nr num id code reference ref номер код nummer numero key serial license",
    ValueType.PERCENTAGE: "rate percent percentage",
    ValueType.COUNT: "count quantity qty pieces anzahl menge количество",
    ValueType.IBAN: "iban",
    ValueType.PHONE: "phone tel telephone mobile fax телефон telefon",
    ValueType.EMAIL: "email mail почта",
    ValueType.URL: "website url site web сайт",
    ValueType.POSTCODE: "postcode zip plz индекс",
}
_ABBREVIATED = {"number": ("no", "nr", "num"), "номер": ("no",), "nummer": ("nr", "no")}


def plain_words(text: str) -> tuple[str, ...]:
    """Return the words of a name or a printed text in lower case, without accents, marks and numbers.

    ``InvoiceNo.`` and ``INVOICE_NO`` become ``("invoice", "no")``.
    """
    parted = re.sub(r"(?<=[a-zа-я])(?=[A-ZА-Я])", " ", text)
    folded = unicodedata.normalize("NFKD", parted.casefold().replace("№", " no ").replace("ё", "е"))
    letters = "".join(c for c in folded if not unicodedata.combining(c))
    return tuple(re.findall(r"[^\W\d_]+|%", letters))


def concept_of(names: Sequence[str]) -> Concept:
    """Return what the names of one field say: its label, what annotators see, aliases, hint.

    The first name that stands in a list decides; else the last words of the names do.
    """
    own = [words for name in names if (words := plain_words(name))]
    for words in own:
        known = _known().get("".join(words))
        if known is not None:
            return Concept(known.types, tuple(dict.fromkeys((*own, *known.keys))), known.needs_key)
    keys = tuple(dict.fromkeys(key for words in own for key in _written(words)))
    for words in own:
        for kind, heads in _HEADS.items():
            if words[-1] in heads.split():
                return Concept(frozenset({kind}), keys, needs_key=True)
    return Concept(frozenset(), keys, needs_key=True)


def _written(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Yield the ways in which a name is printed: in full, abbreviated, without its last word if that is a type."""
    yield words
    for short in _ABBREVIATED.get(words[-1], ()):
        yield (*words[:-1], short)
    if len(words) > 1 and any(words[-1] in heads.split() for heads in _HEADS.values()):
        yield words[:-1]


@cache
def _known() -> dict[str, Concept]:
    found: dict[str, Concept] = {}
    for types, needs_key, names, printed in _CONCEPTS:
        fields = [plain_words(name) for name in names.split(",")]
        keys = [key for words in fields for key in _written(words)]
        keys += [words for phrase in printed.split(",") if (words := plain_words(phrase))]
        concept = Concept(frozenset(types), tuple(dict.fromkeys(keys)), needs_key)
        for words in fields:
            found.setdefault("".join(words), concept)
    return found
