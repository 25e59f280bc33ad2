"""What kinds of value words look like: a date, a time, an amount, a percentage, a number that names something.

Together with a field's name this tells where its values may be before anybody has annotated one, and it tells the
small model of a project what words have in common that share no character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from model.document.types import Page
from model.extraction.patterns import kind_of


class ValueType(Enum):
    """A kind of value."""

    DATE = "date"
    TIME = "time"
    AMOUNT = "amount"
    PERCENTAGE = "percentage"
    COUNT = "count"
    IDENTIFIER = "identifier"
    IBAN = "iban"
    PHONE = "phone"
    EMAIL = "email"
    URL = "url"
    POSTCODE = "postcode"


_MONTHS = (
    "jan|feb|mar|m[aä]r|apr|may|mai|mayo|jun|jul|aug|sept?|oct|okt|nov|dec|dez|ene|abr|ago|dic|janv|f[eé]v|avr|juin|juil|"
    "ao[uû]t|d[eé]c|gen|mag|giu|lug|set|ott|янв|фев|мар|апр|ма[йя]|июн|июл|авг|сен|окт|ноя|дек"
)
_DATE = re.compile(
    rf"(?<!\d)(?:(?:19|20)\d\d(?P<a>[./-])(?:0?[1-9]|1[0-2])(?P=a)(?:0?[1-9]|[12]\d|3[01])"
    rf"|(?:0?[1-9]|[12]\d|3[01])\s?(?P<b>[./'-])\s?(?:0?[1-9]|[12]\d|3[01])\s?(?P=b)\s?(?:(?:19|20)\d\d|\d\d(?!\d))"
    rf"|(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?[\s./'-]*(?:of\s)?(?:{_MONTHS})[a-zа-яäé]*[\s.,/'-]*(?:(?:19|20)\d\d|\d\d(?!\d))?"
    rf"|(?:{_MONTHS})[a-zа-яäé]*[\s.,/'-]*(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?[\s.,/'-]+(?:(?:19|20)\d\d|\d\d(?!\d))"
    rf"|(?:19|20)\d\d年\d{{1,2}}月\d{{1,2}}日)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?<![\d.,:])(?:[01]?\d|2[0-3])(?::[0-5]\d(?::[0-5]\d)?\s?(?:[ap]\.?\s?m\b\.?|uhr)?"
    r"|\s?(?:[ap]\.?m\b\.?|uhr)|[.h][0-5]\d\s?(?:[ap]\.?m\b\.?|uhr|h))",
    re.IGNORECASE,
)
_CURRENCY = r"(?:[$€£¥₽₹₴₸]|usd|eur|gbp|chf|rub|руб\.?|р\.|kzt|тг|rm|rs\.?|sgd|s\$|aed|dhs?|cad|aud|inr|kr|zł|pln)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/-])(?:{_CURRENCY}\s?[:=]?\s?-?\d[\d\s,.']*|[-(]?\d{{1,3}}(?:[\s,.']\d{{3}})*[.,]\s?\d{{2}}\)?(?![\d/.:-])"
    rf"|\d+(?:[.,]\d{{2}})?\s?{_CURRENCY})",
    re.IGNORECASE,
)
_PERCENTAGE = re.compile(r"(?<![\w.])\d{1,3}(?:[.,]\d{1,3})?\s?%")
_COUNT = re.compile(r"(?<![\w.,/:$€£-])(?:\d{1,3}\s?[x×]?|[x×]\s?\d{1,3})(?![\w.,/:%-])", re.IGNORECASE)
_IDENTIFIER = re.compile(r"(?<![\w])(?=[\w/#.-]*\d[\w/#.-]*\d)[#]?[A-ZА-Я0-9][\w/#.-]{2,}(?![\w])", re.IGNORECASE)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?(?!\w)")
_POSTCODE = re.compile(
    r"(?<![\w-])(?:[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d|[A-Z]{2}[\s,.]{0,2}\d{5}(?:-\d{4})?|\d{5,6})(?![\w-])"
)

_PATTERNS = (
    (ValueType.DATE, _DATE),
    (ValueType.TIME, _TIME),
    (ValueType.AMOUNT, _AMOUNT),
    (ValueType.PERCENTAGE, _PERCENTAGE),
    (ValueType.COUNT, _COUNT),
    (ValueType.IDENTIFIER, _IDENTIFIER),
    (ValueType.POSTCODE, _POSTCODE),
)
_KINDS = {"mail": ValueType.EMAIL, "host": ValueType.URL}
#: A word is of a kind if at least so much of it is.
_SHARE = 0.5
#: What is a date, a time or an amount is no number to dial, nor the name of anything.
_SPECIFIC = frozenset({ValueType.DATE, ValueType.TIME, ValueType.AMOUNT, ValueType.PERCENTAGE})


def types_of(page: Page) -> list[frozenset[ValueType]]:
    """Return the kinds of value that each word of a page may be, or be part of.

    A word that surely is a date, a time, an amount or a percentage is no telephone number, identifier or postcode.
    """
    return [kinds for line in page.lines for kinds in _of_line([word.text for word in line.words])]


def _of_line(words: list[str]) -> Iterator[frozenset[ValueType]]:
    text = " ".join(words)
    found: list[set[ValueType]] = [set() for _ in words]
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    matches = [(kind, match) for kind, pattern in _PATTERNS for match in pattern.finditer(text)]
    matches += [(ValueType.IBAN, match) for match in _IBAN.finditer(text) if is_iban(match[0])]
    for kind, match in matches:
        for index, word in enumerate(words):
            shared = min(match.end(), starts[index] + len(word)) - max(match.start(), starts[index])
            if shared >= _SHARE * len(word):
                found[index].add(kind)
    first: int | None = None
    for index, word in enumerate([*words, ""]):
        # A telephone number goes over several words: "+49 30 123 45 67".
        if word and re.fullmatch(r"[\d()+./–:-]+", word) and not found[index] & _SPECIFIC:
            first = index if first is None else first
            continue
        if first is not None and kind_of("".join(words[first:index])) == "number":
            for each in range(first, index):
                found[each].add(ValueType.PHONE)
        first = None
        looks_like = kind_of(word) if word else ""
        if looks_like in _KINDS:
            found[index].add(_KINDS[looks_like])
        elif looks_like == "number" and not found[index] & _SPECIFIC:
            found[index].add(ValueType.PHONE)
    for kinds in found:
        if kinds & {ValueType.DATE, ValueType.TIME}:
            kinds.discard(ValueType.AMOUNT)
        yield frozenset(kinds & _SPECIFIC or kinds)


def is_iban(text: str) -> bool:
    """Tell whether the check digits of an IBAN are right (ISO 13616)."""
    tight = "".join(text.split()).upper()
    turned = "".join(str(int(c, 36)) for c in tight[4:] + tight[:4])
    return len(tight) >= 15 and int(turned) % 97 == 1
