"""A document to a contact: each value checked, split, with how sure it is and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ml_backend.contacts.countries import country_of_addresses, country_of_net
from ml_backend.contacts.names import PersonName, split_name
from ml_backend.contacts.net import EmailAddress, WebAddress, parse_email, parse_website
from ml_backend.contacts.phones import Phone, country_of, country_of_forms, parse_phone, split_numbers
from model.document.types import Box, Document, score_of_pages
from model.document.values import FieldValue, field_values

Value = TypeVar("Value")

#: Fields that have a type of their own; all others are plain text.
_TYPED = frozenset({"NAME", "PHONE", "FAX", "EMAIL", "WEBSITE"})


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """One value of a card.

    Attributes:
        value: Checked and split.
        field: The field that it is of.
        text: As it was read.
        confidence: Probability that its field is right, in ``[0, 1]``.
        boxes: Where its lines stand, in pixels of the upright image, from top to bottom.
        valid: Whether it is what its field should be: a number that exists, an address that can be written to.
        page: Which page of the document it is on, from 1.
    """

    value: Value
    field: str
    text: str
    confidence: float
    boxes: tuple[Box, ...]
    valid: bool = True
    page: int = 1


@dataclass(frozen=True, slots=True)
class _Seen:
    """A value, and where it was read."""

    value: FieldValue
    document: Document
    page: int

    @property
    def field(self) -> str:
        return self.value.field

    @property
    def text(self) -> str:
        return self.value.text


@dataclass(frozen=True, slots=True)
class Contact:
    """What a card says of its owner.

    Attributes:
        width: Width of the upright image in pixels, the first one where there are pages.
        height: Its height.
        names: Names of persons; the first is the card's owner.
        positions: What they do.
        companies: Where.
        phones: Telephone and fax numbers.
        emails: Mail addresses.
        websites: Pages of the web.
        addresses: Postal addresses.
        others: Values of a project's own fields.
        confidence: How sure the models are of the whole card, in ``[0, 1]``.
        model_version: The version that named the fields.
        sizes: Width and height of each page.
    """

    width: int
    height: int
    names: tuple[Found[PersonName], ...]
    positions: tuple[Found[str], ...]
    companies: tuple[Found[str], ...]
    phones: tuple[Found[Phone], ...]
    emails: tuple[Found[EmailAddress], ...]
    websites: tuple[Found[WebAddress], ...]
    addresses: tuple[Found[str], ...]
    others: tuple[Found[str], ...]
    confidence: float
    model_version: str
    sizes: tuple[tuple[int, int], ...] = ()


def contact_of(*pages: Document, country: str | None = None, usual: str | None = None) -> Contact:
    """Return what a card says of its owner. What a page before has said is not said again.

    Args:
        pages: What was read, a page each, one at least.
        country: Two letters of the country that numbers without a country code belong to; ``None`` to take that of the
            card's other numbers, else that of its addresses, of its addresses in the net, or of the way in which its
            numbers are written.
        usual: The country of those numbers where nothing on the card tells one; ``None`` if unknown.
    """
    values = [_Seen(value, page, number) for number, page in enumerate(pages, 1) for value in field_values(page)]
    of_field = {field: [value for value in values if value.field == field] for field in {v.field for v in values}}
    numbers = [value for value in values if value.field in ("PHONE", "FAX")]
    emails = [found for value in of_field.get("EMAIL", ()) for found in _emails(value)]
    websites = [_website(value) for value in of_field.get("WEBSITE", ())]
    home = (
        country
        or country_of(value.text for value in numbers)
        or country_of_addresses(value.text for value in of_field.get("ADDRESS", ()))
        or country_of_net(_hosts(emails, websites))
        or country_of_forms(value.text for value in numbers)
        or usual
    )
    phones = _each_number_once(found for value in numbers for found in _phones(value, home))
    plain = {field: _texts(of_field.get(field, ())) for field in ("POSITION", "COMPANY", "ADDRESS")}
    others = [value for value in values if value.field not in _TYPED and value.field not in plain]
    first = pages[0]
    return Contact(
        first.page.width,
        first.page.height,
        _once(_found(value, split_name(value.text)) for value in of_field.get("NAME", ())),
        _once(plain["POSITION"]),
        _once(plain["COMPANY"]),
        phones,
        _once(emails),
        _once(websites),
        _once(plain["ADDRESS"]),
        _once(_texts(others)),
        score_of_pages(pages),
        first.model_version,
        tuple((page.page.width, page.page.height) for page in pages),
    )


def _once(found: Iterable[Found[Value]]) -> tuple[Found[Value], ...]:
    """Leave out what an earlier page says as well."""
    kept: list[Found[Value]] = []
    for each in found:
        if not any(same.page < each.page and (same.field, same.value) == (each.field, each.value) for same in kept):
            kept.append(each)
    return tuple(kept)


def _found(seen: _Seen, content: Value, *, valid: bool = True) -> Found[Value]:
    value = seen.value
    return Found(content, value.field, value.text, value.score, value.boxes, valid, seen.page)


def _texts(values: Iterable[_Seen]) -> tuple[Found[str], ...]:
    return tuple(_found(value, " ".join(value.text.split())) for value in values)


def _phones(seen: _Seen, country: str | None) -> Sequence[Found[Phone]]:
    label = _label_before(seen.value, seen.document)
    parsed = [
        parse_phone(part, field=seen.field, label=label, country=country) for part in split_numbers(seen.text, country)
    ]
    return [_found(seen, phone, valid=phone.e164 is not None) for phone in parsed]


def _each_number_once(phones: Iterable[Found[Phone]]) -> tuple[Found[Phone], ...]:
    """Leave out numbers that were there before: front and back of a card, or a value that repeats itself."""
    kept: dict[tuple[str, str, str], Found[Phone]] = {}
    for phone in phones:
        number = phone.value.e164 or "".join(c for c in phone.value.text if c.isdigit())
        kept.setdefault((number, phone.value.extension, phone.value.kind), phone)
    return tuple(kept.values())


def _emails(value: _Seen) -> Sequence[Found[EmailAddress]]:
    parts = [part for part in re.split(r"[,;|]|\s/\s|\s+(?=\S+@)", value.text) if part.strip()] or [value.text]
    found = [parse_email(part) for part in parts]
    return [_found(value, email, valid=email.address is not None) for email in found]


def _website(value: _Seen) -> Found[WebAddress]:
    found = parse_website(value.text)
    return _found(value, found, valid=found.url is not None)


def _label_before(value: FieldValue, document: Document) -> str:
    """Return the two words before a value on its line: "Mob." says what the number is."""
    for (start, stop), line in zip(document.page.line_spans(), document.page.lines, strict=True):
        for entity in document.entities:
            if entity.field == value.field and entity.box == value.boxes[0] and start <= entity.start < stop:
                return " ".join(
                    word.text for word in line.words[max(0, entity.start - start - 2) : entity.start - start]
                )
    return ""


def _hosts(emails: Iterable[Found[EmailAddress]], websites: Iterable[Found[WebAddress]]) -> Iterator[str]:
    yield from (each.value.address.rpartition("@")[2] for each in emails if each.value.address)
    yield from (each.value.host for each in websites if each.value.host)
