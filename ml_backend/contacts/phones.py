"""Telephone numbers as written to numbers to dial."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

PhoneType = Literal["mobile", "work", "fax"]

_MOBILE_LABEL = re.compile(
    r"(?<!\w)(m|c|mob|mobile|mobil|cell|cellular|handy|gsm|whats ?app|hand ?phone|hp|моб|мобильный|сот|сотовый)[\W_]*$",
    re.IGNORECASE,
)
_FAX_LABEL = re.compile(r"(?<!\w)((tele)?fax|facsimile|факс|f)[\W_]*(no)?[\W_]*$", re.IGNORECASE)
# What stands between a number and its extension in the languages of business cards.
_EXTENSION_WORDS = (
    r"extension|extn|ext|доб(?:авочный)?|вн(?:утр(?:енний)?)?|x|х|durchwahl|dw|klappe|kl|interno|int|poste|anexo|ramal|"
    r"wew|linka|toestel|tst|dahili|#"
)
_AND = r"\s+(?:or|and|oder|und|bzw\.?|или|и|або|ou|et|y|o|e|lub|i)\s+"
# An extension, or several, behind a number; brackets and commas before it belong to it.
_EXTENSION = re.compile(
    rf"(?<=[\d)])[\s,;/(–-]*(?:{_EXTENSION_WORDS})[\s.:=№#–-]*(\d{{1,6}}(?:-\d{{1,4}})?)(?![\d-])"
    rf"((?:(?:\s*[,/;]\s*|{_AND})\d{{1,4}}(?!\s*[-\d(]))*)\s*\)?",
    re.IGNORECASE,
)
#: Characters of no alphabet that stand for the extensions of a value while it is taken apart.
_MARKS = range(0xE000, 0xE100)
_SEPARATORS = re.compile(
    rf"\s*[,;|&·•]+\s*|\s*/\s*|(?<=[\d)\ue000-\ue0ff]){_AND}(?=[+(\d])|\s+(?=\(?\+\d)|(?<=[\ue000-\ue0ff])\s*(?=[+(\d])",
    re.IGNORECASE,
)
# Letters and strokes that recognisers read for digits, where no other letter is near.
_MISREAD = re.compile(r"(?<![^\W\d_])(?:[OoIl]|(?<!\s)\||\|(?!\s))(?![^\W\d_])")
_DIGITS = {"O": "0", "o": "0", "I": "1", "l": "1", "|": "1"}
# An area code, or a country's and an area's, that something parts from the rest of its number.
_AREA = re.compile(r"\(?0\d{1,4}\)?")
_AREA_ABROAD = re.compile(r"\(?(?:\+|00)\s?\d{1,3}\)?[\s./-]*(?:\(0\))?[\s./-]*\(?\d{0,4}\)?")
#: More digits without a country's code are no area code.
_LONGEST_AREA = 5
#: A shortened number stands for whole groups of the one before. Where a stroke parts the two it may be as short as
#: this, and stand for the end of a group; where the one before has no groups it has at least so many digits.
_END_OF_GROUP, _SHORTENED = 4, 5
#: The longest group behind a dash that another direct line ("-0 / -15") replaces whole.
_DIRECT_LINE = 3
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


@dataclass(frozen=True, slots=True)
class _Part:
    """One number of a value; ``completed`` by the digits of the one before it, or as it was read."""

    text: str
    completed: bool = False


def split_numbers(text: str, country: str | None = None) -> list[str]:
    """Return the numbers of a value that holds several, each with its extension as it is written.

    One that leaves out what the first begins with ("+91 40 2600 1234, 2600 1270", "6600 1237/8") is completed from it:
    its digits stand for the last ones. That is a guess, and made only where both are valid numbers; otherwise the value
    stays as it was read. Numbers that only spaces part are told apart by what is a valid number in the country.

    Args:
        text: The value.
        country: Two letters of the country that a number without a country code belongs to; ``None`` if unknown.
    """
    return [part.text for part in _parts(text, country)]


def _parts(text: str, country: str | None) -> list[_Part]:
    """Return the numbers of a value; see :func:`split_numbers`."""
    fixed = _MISREAD.sub(lambda found: _DIGITS[found[0]], text)
    if fixed != text and _read(_without_extension(fixed), country) is not None:
        return [_Part(fixed.strip())]
    extensions: list[re.Match[str]] = []

    def hide(found: re.Match[str]) -> str:
        if len(extensions) == len(_MARKS):
            return found[0]
        extensions.append(found)
        return chr(_MARKS[len(extensions) - 1])

    bare = _EXTENSION.sub(hide, "".join(" " if ord(c) in _MARKS else c for c in text))
    parts = _listed(bare.strip(), country)
    return [whole for part in parts for whole in _shown(part, extensions)]


def _shown(part: _Part, extensions: Sequence[re.Match[str]]) -> Iterator[_Part]:
    """Give a part with its extension in place of the mark, once for each where there are several."""
    marks = [c for c in part.text if ord(c) in _MARKS]
    bare = "".join(c for c in part.text if ord(c) not in _MARKS).strip()
    if len(marks) != 1:
        yield replace(part, text="".join(extensions[ord(c) - _MARKS[0]][0] if c in marks else c for c in part.text))
        return
    found = extensions[ord(marks[0]) - _MARKS[0]]
    more = re.findall(r"\d+", found[2])
    first = found[0] if not more else found[0][: found.end(1) - found.start()]
    yield replace(part, text=bare + first.rstrip())
    word = found[0][: found.start(1) - found.start()]
    for digits in more:
        yield _Part(bare + word + digits, completed=True)


def _listed(text: str, country: str | None) -> list[_Part]:
    """Return the numbers of a value without extensions."""
    numbers = _numbers_between_separators(text, country)
    if len(numbers) < 2:
        only = numbers[0] if numbers else text
        return _split_at_spaces(only, country) or [_Part(only)]
    first = numbers[0]
    parts: list[_Part] = []
    for number, separator in zip(numbers, ["", *_separators_between(text, numbers)], strict=True):
        whole = _completed(first, number, country, tight="/" in separator) if parts else None
        if whole is not None:
            parts.append(_Part(whole, completed=True))
        elif not parts or _is_whole(number, first, country):
            parts.extend(_split_at_spaces(number, country) or [_Part(number)])
        elif _read(_unmarked(first), country) is None:
            # Nothing tells how the rest is to be read.
            return [_Part(text)]
        else:
            parts.append(_Part(number))
    return parts


def _numbers_between_separators(text: str, country: str | None) -> list[str]:
    """Return what separators part, where they do not stand within one number ("030/1234567", "08672, 224441")."""
    numbers: list[str] = []
    end = 0
    for start, stop in _pieces(text):
        piece = text[start:stop].strip()
        separator = text[end:start]
        end = stop
        if numbers and _goes_on(numbers[-1], separator, piece, country, begins=len(numbers) == 1):
            numbers[-1] += (separator if "/" in separator else " ") + piece
        else:
            numbers.append(piece)
    return numbers


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Give where the pieces with digits stand between separators."""
    start = 0
    for found in [*_SEPARATORS.finditer(text), None]:
        stop = found.start() if found else len(text)
        if any(map(str.isdigit, text[start:stop])):
            yield start, stop
        start = found.end() if found else stop


def _separators_between(text: str, numbers: Sequence[str]) -> Iterator[str]:
    """Give what stands before each number but the first."""
    pieces = list(_pieces(text))
    counts = [sum(1 for _ in _pieces(number)) for number in numbers]
    place = 0
    for count in counts[:-1]:
        place += count
        yield text[pieces[place - 1][1] : pieces[place][0]] if place < len(pieces) else ""


def _goes_on(before: str, separator: str, piece: str, country: str | None, *, begins: bool) -> bool:
    """Tell whether a separator stands within a number; ``begins``: whether the value begins with what is before it."""
    if piece.lstrip("(").startswith("+") or not separator.strip() or any(map(str.isalpha, separator)):
        return False
    digits = before.lstrip(_letters_before(before))
    if "/" not in separator:
        return "," in separator and _AREA.fullmatch(digits) is not None
    if _AREA_ABROAD.fullmatch(digits):
        return True
    if begins and "+" not in digits and _digits_of(digits) <= _LONGEST_AREA:
        return True
    if _AREA.fullmatch(digits) and _digits_of(piece) >= _END_OF_GROUP:
        return True
    return separator == "/" and _read(before, country) is None and _read(f"{before}/{piece}", country) is not None


def _is_whole(number: str, first: str, country: str | None) -> bool:
    """Tell whether a number can stand without the first one's digits."""
    return (
        "+" in number
        or _digits_of(number) > _digits_of(first) - 2
        or _read(_unmarked(number), country, guess=False) is not None
    )


def _completed(first: str, number: str, country: str | None, *, tight: bool) -> str | None:
    """Return a shortened number with what it leaves out; ``None`` where it is whole, or the result would be no number.

    Args:
        first: The number before it.
        number: As it is written.
        country: Of numbers without a country's code.
        tight: Whether a stroke parts the two, which parts shortened numbers of any length.
    """
    start = _unmarked(first)
    if "+" in number or _read(start, country) is None:
        return None
    # Its word stays with the first number; the zero in brackets is dialled at home only and no digit of it.
    start = start.removeprefix(_letters_before(start)).replace("(0)", " ").strip()
    digits = "".join(c for c in number if c.isdigit())
    groups = re.findall(r"\d+", start)
    before = "".join(groups)
    sign = "+" if "+" in start else ""
    if direct := re.fullmatch(r"[^\d+(]*[-–]\s*(\d{1,5})\W*", _unmarked(number)):
        whole = _direct_line(start, direct[1])
    elif len(digits) > len(before) - 2 or (
        number.lstrip("( ").startswith("0") and _read(_unmarked(number), country, guess=False) is not None
    ):
        return None
    elif _stands_for_whole_groups(groups, digits, tight=tight):
        whole = sign + before[: -len(digits)] + digits
    elif len(groups) > 1 and min(len(digits), len(groups[-1])) >= _SHORTENED and re.search(r"\d{5}", number):
        # Numbers within one area may differ in length.
        whole = sign + before[: -len(groups[-1])] + digits
    else:
        return None
    if _read(whole, country) is None:
        return None
    label = _letters_before(number).rstrip("-– ")
    mark = "".join(c for c in number if ord(c) in _MARKS)
    return (f"{label} " if any(map(str.isalpha, label)) else "") + whole + mark


def _direct_line(start: str, digits: str) -> str:
    """Return a number with another direct line ("-0 / -15")."""
    last = re.search(r"[-–]\s*(\d+)\W*$", start)
    if last is None:
        return f"{start}-{digits}"
    if len(last[1]) <= _DIRECT_LINE or len(last[1]) <= len(digits):
        return start[: last.start(1)] + digits
    return start[: last.end(1) - len(digits)] + digits


def _stands_for_whole_groups(groups: Sequence[str], digits: str, *, tight: bool) -> bool:
    """Tell whether digits may stand for the last ones of a number that is written in groups."""
    if tight and len(digits) <= min(_END_OF_GROUP, len(groups[-1])):
        return True
    if len(groups) == 1:
        return len(digits) >= _SHORTENED
    return len(digits) in set(accumulate(len(group) for group in reversed(groups)))


def _unmarked(text: str) -> str:
    return "".join(c for c in text if ord(c) not in _MARKS)


def _split_at_spaces(text: str, country: str | None) -> list[_Part]:
    """Return the numbers that spaces part, where the whole is none and all of its parts are; empty otherwise."""
    words = text.split()
    if _digits_of(text) < _TWO_NUMBERS or _read(_unmarked(text), country) is not None:
        return []
    for cut in range(1, len(words)):
        first, rest = " ".join(words[:cut]), " ".join(words[cut:])
        number = _read(_unmarked(first), country)
        if number is None:
            continue
        # What follows a number with its country's code leaves it out.
        home = country or phonenumbers.region_code_for_number(number)
        if _read(_unmarked(rest), home) is not None:
            return [_Part(first), _Part(rest)]
        if _digits_of(rest) >= _SHORTENED and (whole := _completed(first, rest, home, tight=False)) is not None:
            return [_Part(first), _Part(whole, completed=True)]
        if more := _split_at_spaces(rest, home):
            return [_Part(first), *more]
    return []


def country_of_forms(texts: Iterable[str]) -> str | None:
    """Return the country whose way of writing numbers the numbers have; ``None`` for none, or several.

    Only ways that are hardly used elsewhere count, and only for numbers that are valid there: weaker evidence than any
    other.
    """
    found = {
        country
        for text in texts
        for country in _FORMS
        for part in _parts(text, country)
        if not part.completed
        and country in _written_as(part.text)
        and _read(_without_extension(part.text), country) is not None
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
    extension = found[1].replace("-", "") if found else ""
    bare = text[: found.start()] if found else text
    number = _read(bare, country)
    own = _letters_before(bare)
    kind = _kind(field, own if any(map(str.isalpha, own)) else label, number)
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
    """Give the country of each number that says its own; what was guessed or completed says nothing."""
    for text in texts:
        for part in _parts(text, None):
            number = None if part.completed else _read(_without_extension(part.text), None, guess=False)
            country = phonenumbers.region_code_for_number(number) if number is not None else None
            if country is not None:
                yield country


def _read(text: str, country: str | None, *, guess: bool = True) -> phonenumbers.PhoneNumber | None:
    """Return a valid number; ``None`` where the text is none.

    Args:
        text: Without its extension.
        country: Of a number without a country's code.
        guess: Whether a number that is none at home may be one whose plus sign was lost.
    """
    # "+49 (0)89": the zero is dialled at home only; in some countries the library takes it for a digit of the number.
    plain = re.sub(r"(?<=\d)\s*\(0\)\s*", " ", _LOST_PLUS.sub("+", text.strip()))
    attempts: list[tuple[str, str | None]] = [(plain, country)]
    if guess and "+" not in plain and not _written_as(plain):
        attempts.append(("+" + plain.lstrip("( "), None))
    for attempt, region in attempts:
        try:
            number = phonenumbers.parse(attempt, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number) and (attempt == plain or _lost_its_plus(plain, number, country)):
            return number
    return None


def _lost_its_plus(text: str, number: phonenumbers.PhoneNumber, country: str | None) -> bool:
    """Tell whether a number that begins with a country's code is likely to have lost the plus sign before it.

    The code is a group of its own ("91 98450 12345"). Without any groups a number of a known country is no other's, and
    "8" and ten digits are rather one of Russia.
    """
    groups = re.findall(r"\d+", text)
    if groups[0] == str(number.country_code):
        return True
    return len(groups) == 1 and country is None and re.fullmatch(r"8\d{10}", groups[0]) is None


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
