"""Which label of a project stands for which field of the model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ml_backend.errors import RequestError
from ml_backend.i18n import Words, say
from ml_backend.label_studio.label_config import Label

#: Names that people give to the fields of a business card. Names of a part of a field, such as "first name", are left
#: out on purpose: the whole must not be filed under the part.
SYNONYMS: dict[str, str] = {
    "name": "name, person, full name, person name, contact name, contact, contact person, employee, holder, "
    "имя, фио, имя фамилия, имя и фамилия, фамилия имя, фамилия имя отчество, полное имя, контактное лицо, персона, "
    "сотрудник, vollständiger name, vor- und nachname, vorname nachname, ansprechpartner, nom, nombre, nome",
    "position": "position, title, job, job title, role, job role, occupation, profession, designation, function, rank, "
    "должность, позиция, профессия, роль, beruf, funktion, stelle, stellung, berufsbezeichnung, jobbezeichnung, titel, "
    "poste, fonction, cargo, puesto",
    "company": "company, company name, org, organisation, organization, organisation name, organization name, firm, "
    "firm name, business, business name, employer, corporation, enterprise, institution, affiliation, brand, "
    "store, store name, shop, shop name, merchant, merchant name, vendor, vendor name, seller, seller name, supplier, "
    "supplier name, issuer, restaurant, магазин, продавец, поставщик, händler, geschäft, verkäufer, lieferant, "
    "компания, фирма, организация, предприятие, название компании, название фирмы, название организации, работодатель, "
    "firma, firmenname, unternehmen, unternehmensname, betrieb, société, entreprise, empresa, azienda",
    "phone": "phone, phone number, phone no, tel, tel no, telephone, telephone number, mobile, mobile number, "
    "mobile phone, mob, cell, cell phone, cellular, gsm, contact number, landline, office phone, work phone, "
    "телефон, тел, номер телефона, номер, мобильный, мобильный телефон, мобильник, моб, сотовый, рабочий телефон, "
    "telefon, telefonnummer, tel nr, telefon nr, rufnummer, handy, handynummer, mobil, mobilnummer, mobiltelefon, "
    "festnetz, téléphone, teléfono, telefono, móvil",
    "fax": "fax, fax number, fax no, telefax, facsimile, факс, номер факса, телефакс, faxnummer, fax nr, "
    "telefaxnummer, télécopie",
    "email": "email, email address, mail, mail address, electronic mail, email id, почта, электронная почта, эл почта, "
    "э-почта, емейл, имейл, мейл, емайл, адрес электронной почты, электронный адрес, "
    "e-mail-adresse, mailadresse, courriel, correo, correo electrónico",
    "website": "website, web, url, site, web page, website url, homepage, www, link, web address, internet, domain, "
    "сайт, веб-сайт, веб, адрес сайта, интернет, ссылка, домашняя страница, веб-страница, "
    "webseite, internetseite, internetadresse, webadresse, site web, sitio web, sito web",
    "address": "address, addr, street, street address, location, postal address, post address, mailing address, "
    "office address, company address, store address, shop address, merchant address, vendor address, seller address, "
    "supplier address, адрес, адрес магазина, улица, почтовый адрес, адрес офиса, адрес компании, местонахождение, "
    "юридический адрес, adresse, anschrift, straße, postanschrift, firmenadresse, standort, postadresse, dirección, "
    "indirizzo",
}

#: Where a field goes that has no label of its own: a fax number is a telephone number of a kind.
FALLBACKS: dict[str, str] = {"fax": "phone"}

#: Labels that say no more than that something is written there: what the official template for OCR calls its lines.
PLAIN_TEXT = (
    "text, line, text line, word, words, print, printed, printed text, typed, typed text, machine print, other, "
    "other text, o, outside, none, "
    "текст, строка, строка текста, слово, печатный текст, печать, прочее, другое, остальное, "
    "zeile, textzeile, wort, gedruckt, druckschrift, sonstiges, anderes, texte, ligne, mot, imprimé, autre, "
    "texto, línea, palabra, impreso, otro, testo, riga, parola, altro"
)

_PARTS = re.compile(r"[/,;|&+()]|\s(?:and|or|und|oder|и|или)\s", re.IGNORECASE)


def match_labels(fields: Iterable[str], labels: Sequence[Label]) -> dict[str, str]:
    """Find the label of each field.

    In this order: the label's ``predicted_values``, its exact name, its name without regard to case, spaces and
    punctuation, a synonym (English, Russian, German, a few others), and at last the label of a related field. One label
    may serve several fields; of several labels that fit equally, the first of the configuration is taken.

    Args:
        fields: Names of the model's fields, such as ``PHONE``.
        labels: The labels of the project.

    Returns:
        Label value by field. A field that no label fits is missing.
    """
    index, matches = _index(tuple(labels)), {}
    for field in fields:
        label = index.find(field)
        if label is not None:
            matches[field] = label.value
    return matches


def plain_text_label(labels: Sequence[Label]) -> str | None:
    """Return the label for text that belongs to no field, such as ``Text``; ``None`` where there is none.

    Of several the first of :data:`PLAIN_TEXT` is taken, so that ``Text`` comes before ``Other``.

    Args:
        labels: The labels of the project.
    """
    ranked = []
    for label in labels:
        names = {_plain(name) for name in (*label.predicted_values, label.value, label.title)}
        ranked += [(_PLAIN_TEXT[name], label.value) for name in names if name in _PLAIN_TEXT]
    return min(ranked, default=(0, None), key=lambda item: item[0])[1]


def label_of(name: str, labels: Sequence[Label]) -> str | None:
    """Return the label that somebody means by a name, such as ``phone`` where the project says ``TEL``.

    A label of exactly that name comes first, then what :func:`match_labels` finds.

    Args:
        name: What somebody calls a field.
        labels: The labels of the project.
    """
    if any(name == label.value for label in labels):
        return name
    return match_labels([name], labels).get(name)


def own_name(field: str, labels: Sequence[Label]) -> str:
    """Return what a project calls a field of the model: its label, or the field's own name where it has none."""
    return label_of(field, labels) or field


def own_words(text: str, labels: Sequence[Label]) -> str:
    """Return a sentence that names a field, as the gate's reasons do, with the project's name for it."""
    field = text.values.get("field") if isinstance(text, Words) else None
    if not isinstance(text, Words) or not isinstance(field, str):
        return text
    return say(text.template, **{**text.values, "field": own_name(field, labels)})


def match_names(fields: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Find which of some names each field goes by, as :func:`match_labels` does.

    Args:
        fields: Names of the model's fields.
        names: What somebody calls the fields that they want, such as ``TEL``.

    Returns:
        Name by field; fields that no name fits are missing.

    Raises:
        RequestError: If a name fits no field.
    """
    matches = match_labels(fields, [Label(name, title=name) for name in names])
    unknown = [name for name in names if name not in matches.values()]
    if unknown:
        raise RequestError(
            f"The model has no field for {', '.join(unknown)}.", f"It knows {', '.join(fields)}, and synonyms of these."
        )
    return matches


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Which field of the model each label of a project stands for.

    Attributes:
        of_labels: Field by label. A label that fits no field of the model is a new field, named like the label.
        rename: Fields of the model that a project has no label of their own for, and the field that they are part of
            there: a fax number is filed under the label for telephone numbers.
        plain: The label that says "text", and no more: its words are of no field.
    """

    of_labels: Mapping[str, str]
    rename: Mapping[str, str]
    plain: str | None = None

    @property
    def known(self) -> Mapping[str, str | None]:
        """Field by label, ``None`` for the label that says "text"."""
        return self.of_labels if self.plain is None else {**self.of_labels, self.plain: None}

    @property
    def labels(self) -> Mapping[str, str]:
        """Label by field: what people call it."""
        return {field: label for label, field in reversed(list(self.of_labels.items()))}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the project, in the order of its labels."""
        return tuple(dict.fromkeys(self.of_labels.values()))


def name_fields(fields: Sequence[str], labels: Sequence[Label]) -> FieldNames:
    """Find the field that each label of a project stands for: what pre-labels do, backwards.

    Args:
        fields: Fields of the model; of several that fit a label the first is taken.
        labels: Labels of the project.
    """
    plain = plain_text_label(labels)
    labels = [label for label in labels if label.value != plain]
    matches = match_labels(fields, labels)
    of_labels: dict[str, str] = {}
    for field in fields:
        if field in matches:
            of_labels.setdefault(matches[field], field)
    ordered = {label.value: of_labels.get(label.value, label.value) for label in labels}
    rename = {field: of_labels[label] for field, label in matches.items() if of_labels[label] != field}
    return FieldNames(ordered, rename, plain)


class _Index:
    """Finds the label of a field, however many labels there are."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self._predicted: dict[str, Label] = {}
        self._exact: dict[str, Label] = {}
        self._plain: dict[str, Label] = {}
        self._meant: dict[str, Label] = {}
        # Of several that fit equally the first is taken.
        for label in labels:
            for name in label.predicted_values:
                self._predicted.setdefault(_plain(name), label)
            for name in (label.value, label.title):
                self._exact.setdefault(name, label)
                self._plain.setdefault(_plain(name), label)
            for meaning in _meanings(label):
                self._meant.setdefault(meaning, label)

    def find(self, field: str) -> Label | None:
        plain, meaning = _plain(field), _meaning(field)
        found = self._predicted.get(plain) or self._exact.get(field) or self._plain.get(plain)
        found = found or self._meant.get(meaning)
        return found or (self._meant.get(FALLBACKS[meaning]) if meaning in FALLBACKS else None)


@lru_cache(maxsize=32)
def _index(labels: tuple[Label, ...]) -> _Index:
    return _Index(labels)


def _meanings(label: Label) -> Iterator[str]:
    """Give every field that a label may stand for; "Phone / Fax" stands for two."""
    for name in (*label.predicted_values, label.value, label.title):
        yield _meaning(name)
        yield from (_meaning(part) for part in _PARTS.split(name))


def _meaning(name: str) -> str:
    plain = _plain(name)
    return _CANONICAL.get(plain, plain)


def _plain(name: str) -> str:
    """Fold case and width, and drop everything but letters and digits: ``E-Mail`` and ``e_mail`` become ``email``."""
    folded = unicodedata.normalize("NFKC", name).casefold().replace("ё", "е")
    return "".join(character for character in folded if character.isalnum())


_CANONICAL = {_plain(name): field for field, names in SYNONYMS.items() for name in names.split(",")}
_PLAIN_TEXT = {_plain(name): place for place, name in reversed(list(enumerate(PLAIN_TEXT.split(","))))}
