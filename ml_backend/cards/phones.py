"""Telephone numbers as written to numbers to dial."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

PhoneType = Literal["mobile", "work", "fax"]

_MOBILE_LABEL = re.compile(
    r"(?<!\w)(m|c|mob|mobile|mobil|cell|cellular|handy|gsm|whats ?app|hand ?phone|hp|моб|мобильный|сот|сотовый)[\W_]*$",
    re.IGNORECASE,
)
_FAX_LABEL = re.compile(r"(?<!\w)((tele)?fax|facsimile|факс|f)[\W_]*(no)?[\W_]*$", re.IGNORECASE)
_EXTENSION = re.compile(r"\s*(?:ext|extn|extension|доб)\.?\s*[:.]?\s*(\d{1,6})\s*$|\s+x\s?(\d{1,6})\s*$", re.IGNORECASE)
_SEPARATORS = re.compile(r"\s*[,;|]\s*|\s+/\s+|/(?=\+|\d{6})|\s+(?=\+\d)")
# A country code's plus that was lost, or written as zeros.
_LOST_PLUS = re.compile(r"^\(?\s*00\s*(?=[1-9])")


@dataclass(frozen=True, slots=True)
class Phone:
    """One telephone number.

    Attributes:
        text: As it is written.
        e164: As it is dialled from anywhere, such as ``+498912345``; ``None`` where it is no valid number.
        extension: Its digits; empty for none.
        kind: Mobile, work, or fax.
        country: Two letters of its country; ``None`` where it is no valid number, or one of no country.
    """

    text: str
    e164: str | None
    extension: str
    kind: PhoneType
    country: str | None


def split_numbers(text: str) -> list[str]:
    """Return the numbers of a value that holds several.

    One that leaves out what the first begins with («+91 40 2600 1234, 2600 1270») is completed from it: where it has
    fewer digits, and at least two, its digits stand for the last ones.
    """
    parts = [part for part in _SEPARATORS.split(text) if sum(c.isdigit() for c in part) >= 2]
    if len(parts) < 2:
        return [text.strip()]
    whole = [parts[0].strip()]
    first = "".join(c for c in parts[0] if c.isdigit())
    for part in parts[1:]:
        digits = "".join(c for c in part if c.isdigit())
        if "+" not in part and len(digits) <= len(first) - 2:
            sign = "+" if "+" in parts[0] else ""
            whole.append(sign + first[: len(first) - len(digits)] + digits)
        else:
            whole.append(part.strip())
    return whole


def parse_phone(text: str, *, field: str = "PHONE", label: str = "", country: str | None = None) -> Phone:
    """Read one number.

    Args:
        text: As it is written.
        field: ``FAX`` makes it a fax number.
        label: The words before it on its line.
        country: Two letters of the country that a number without a country code belongs to; ``None`` if unknown.
    """
    found = _EXTENSION.search(text)
    extension = next((digits for digits in (found.groups() if found else ()) if digits), "")
    bare = text[: found.start()] if found else text
    number = _read(bare, country)
    kind = _kind(field, label or _letters_before(bare), number)
    if number is None:
        return Phone(text.strip(), None, extension, kind, None)
    if not extension and number.extension:
        extension = number.extension
    number.extension = None
    return Phone(
        text.strip(),
        phonenumbers.format_number(number, PhoneNumberFormat.E164),
        extension,
        kind,
        phonenumbers.region_code_for_number(number),
    )


def country_of(texts: Iterable[str]) -> str | None:
    """Return the country of most of the numbers that say theirs; ``None`` where none does, or as many say another."""
    countries = Counter(_countries(texts)).most_common(2)
    return countries[0][0] if countries and (len(countries) == 1 or countries[0][1] > countries[1][1]) else None


def _countries(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for part in split_numbers(text):
            number = _read(part, None)
            country = phonenumbers.region_code_for_number(number) if number is not None else None
            if country is not None:
                yield country


def _read(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    """Return a valid number; ``None`` where the text is none."""
    # «+49 (0)89»: the zero is dialled at home only; in some countries the library takes it for a digit of the number.
    plain = re.sub(r"(?<=\d)\s*\(0\)\s*", " ", _LOST_PLUS.sub("+", text.strip()))
    attempts: list[tuple[str, str | None]] = [(plain, country)]
    if "+" not in plain:
        # Recognisers lose the plus sign; a number that is not valid at home may be one with it.
        attempts.append(("+" + plain.lstrip("( "), None))
    for attempt, region in attempts:
        try:
            number = phonenumbers.parse(attempt, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return number
    return None


def _kind(field: str, label: str, number: phonenumbers.PhoneNumber | None) -> PhoneType:
    if field == "FAX" or _FAX_LABEL.search(label):
        return "fax"
    if _MOBILE_LABEL.search(label):
        return "mobile"
    if number is not None and phonenumbers.number_type(number) == PhoneNumberType.MOBILE:
        return "mobile"
    return "work"


def _letters_before(text: str) -> str:
    found = re.match(r"[^\d+(]*", text)
    return found[0] if found else ""
