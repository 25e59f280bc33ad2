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
_SEPARATORS = re.compile(r"\s*[,;|]\s*|\s+/\s+|/(?=\+|\d{6}|\d{1,4}\W*$)|\s+(?=\+\d)")
# Letters and strokes that recognisers read for digits, where no other letter is near.
_MISREAD = re.compile(r"(?<![^\W\d_])[OoIl|](?![^\W\d_])")
_DIGITS = {"O": "0", "o": "0", "I": "1", "l": "1", "|": "1"}
# An area code that a comma parts from its number.
_AREA = re.compile(r"\(?0\d{1,4}\)?")
#: Fewer digits are no two numbers.
_TWO_NUMBERS = 14
#: From the first digit or bracket on.
_FORMS = {
    "US": re.compile(r"(\([2-9]\d\d\)|[2-9]\d\d[-. ])[-. ]?\d{3}[-. ]\d{4}(?!\d)"),
    "IN": re.compile(r"0?[6-9]\d{4}[- ]\d{5}(?!\d)"),
    "RU": re.compile(r"8[- ]?\(?\d{3}\)?[- ]?\d{3}[- ]\d\d[- ]\d\d(?!\d)"),
    "PK": re.compile(r"03\d{2}[- ]\d{7}(?!\d)"),
    "GB": re.compile(r"07\d{3} ?\d{6}(?!\d)"),
    "FR": re.compile(r"0[1-9]([ .]\d\d){4}(?!\d)"),
}
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


def split_numbers(text: str, country: str | None = None) -> list[str]:
    """Return the numbers of a value that holds several.

    One that leaves out what the first begins with ("+91 40 2600 1234, 2600 1270", "6600 1237/8") is completed from it:
    its digits stand for the last ones. Numbers that only spaces part are told apart by what is a valid number in the
    country.

    Args:
        text: The value.
        country: Two letters of the country that a number without a country code belongs to; ``None`` if unknown.
    """
    fixed = _MISREAD.sub(lambda found: _DIGITS[found[0]], text)
    if fixed != text and _read(_without_extension(fixed), country) is not None:
        return [fixed.strip()]
    parts = [part for part in _SEPARATORS.split(text) if any(map(str.isdigit, part))]
    if len(parts) > 1 and _AREA.fullmatch(parts[0]):
        parts[:2] = [f"{parts[0]} {parts[1]}"]
        text = parts[0] if len(parts) == 1 else text
    if len(parts) < 2:
        return _split_at_spaces(text.strip(), country) or [text.strip()]
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


def _split_at_spaces(text: str, country: str | None) -> list[str]:
    """Return the numbers that spaces part, where the whole is none and all of its parts are; empty otherwise."""
    words = text.split()
    if _digits_of(text) < _TWO_NUMBERS or _read(_without_extension(text), country) is not None:
        return []
    for cut in range(1, len(words)):
        first, rest = " ".join(words[:cut]), " ".join(words[cut:])
        number = _read(first, country)
        if number is None:
            continue
        # What follows a number with its country's code leaves it out.
        home = country or phonenumbers.region_code_for_number(number)
        if _read(_without_extension(rest), home) is not None:
            return [first, rest]
        if more := _split_at_spaces(rest, home):
            return [first, *more]
    return []


def country_of_forms(texts: Iterable[str]) -> str | None:
    """Return the country whose way of writing numbers the numbers have; ``None`` for none, or several.

    Only ways that are hardly used elsewhere count, and only for numbers that are valid there: weaker evidence than any
    other.
    """
    found = {
        country
        for text in texts
        for part in split_numbers(text)
        for country in _written_as(part)
        if _read(_without_extension(part), country) is not None
    }
    return found.pop() if len(found) == 1 else None


def _written_as(text: str) -> list[str]:
    """Return the countries whose way of writing a number is."""
    start = next((place for place, c in enumerate(text) if c.isdigit() or c in "+("), 0)
    return [country for country, form in _FORMS.items() if form.match(text, start)]


def _digits_of(text: str) -> int:
    return sum(c.isdigit() for c in text)


def _without_extension(text: str) -> str:
    found = _EXTENSION.search(text)
    return text[: found.start()] if found else text


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
    countries = Counter(countries_of(texts)).most_common(2)
    return countries[0][0] if countries and (len(countries) == 1 or countries[0][1] > countries[1][1]) else None


def countries_of(texts: Iterable[str]) -> Iterator[str]:
    """Give the country of each number that says its own."""
    for text in texts:
        for part in split_numbers(text):
            number = _read(part, None)
            country = phonenumbers.region_code_for_number(number) if number is not None else None
            if country is not None:
                yield country


def _read(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    """Return a valid number; ``None`` where the text is none."""
    # "+49 (0)89": the zero is dialled at home only; in some countries the library takes it for a digit of the number.
    plain = re.sub(r"(?<=\d)\s*\(0\)\s*", " ", _LOST_PLUS.sub("+", text.strip()))
    attempts: list[tuple[str, str | None]] = [(plain, country)]
    if "+" not in plain and not _written_as(plain):
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
