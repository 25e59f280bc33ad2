"""Tells lines in a script that the recogniser does not know: what it reads there is look-alikes of its own letters.

It has no way to say so itself: Devanagari, Arabic or Chinese come out as Latin and Cyrillic letters, signs and accents
in disorder, at scores between 0.3 and 0.8, or as next to nothing on a long strip. Ordinary print scores above 0.9, and
where it is so blurred that it does not, letters still keep their company. Thresholds are measured on rendered lines of
sixteen scripts, and on 1,453 lines of scanned cards and receipts: 1.2 % of these are taken for unknown, all of them
misread, and none that scores above 0.8.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import replace
from itertools import pairwise

from model.document.types import Line, Page, PageNote, Polygon

LONG = 2.5
"""Shorter lines, in heights, are only doubted on a page that has others."""

_HOPELESS = 0.6
_POOR, _ODD, _SPARSE = 0.82, 0.25, 0.55
_COMPANY_SHARE = 0.1
# In such company a line is taken for one with less evidence.
_HOPELESS_THERE = 0.72
_POOR_AND_ODD_THERE, _ODD_THERE = 0.9, 0.12
_POOR_AND_SPARSE_THERE, _SPARSE_THERE = 0.85, 0.7

_PLAIN = frozenset(".,:;-/()@&+'\"#%$*!?_=|~<>[]{}")
_LOOKALIKES = frozenset("АВЕКМНОРСТХаеосрухІіЈјЅѕ")


def marked(page: Page, unread: int = 0) -> Page:
    """Return a page on which lines in unknown scripts are marked, with a note of how many there are.

    Args:
        page: As it was read.
        unread: How many long lines were found on it of which nothing was read.
    """
    alone = [heights_long(line.polygon) >= LONG and _is_unknown(line) for line in page.lines]
    long = sum(heights_long(line.polygon) >= LONG for line in page.lines) + unread
    count = sum(alone) + unread
    if count and count >= _COMPANY_SHARE * long:
        alone = [known or _is_unknown_in_company(line) for known, line in zip(alone, page.lines, strict=True)]
    lines = tuple(
        line if line.readable is not unknown else replace(line, readable=not unknown)
        for line, unknown in zip(page.lines, alone, strict=True)
    )
    notes = tuple(note for note in page.notes if note.kind != "unknown_script")
    count = sum(alone) + unread
    return replace(page, lines=lines, notes=(*notes, PageNote("unknown_script", count)) if count else notes)


def unread_lines(page: Page) -> int:
    """Return how many lines without any text the note of a marked page counts."""
    noted = sum(note.amount for note in page.notes if note.kind == "unknown_script")
    return max(0, noted - sum(not line.readable for line in page.lines))


def heights_long(outline: Polygon) -> float:
    """Return how many times as long as high a line is, whichever way it runs."""
    sides = [math.dist(outline[i], outline[(i + 1) % len(outline)]) for i in range(len(outline))]
    along, across = max(sides[::2]), max(sides[1::2])
    return max(along, across) / max(1e-6, min(along, across))


def oddity(text: str) -> float:
    """Return how little a text looks like one: 0 for usual words and numbers, around 0.4 for letters in disorder.

    Counted are signs and letters that are rare, letters of two scripts beside one another, and letters among digits or
    capitals within words; as a share of all characters. Scripts that stand alone, Chinese or Greek, are nothing rare.
    """
    characters = [c for c in text if not c.isspace()]
    if not characters:
        return 0.0
    latin = sum(c.isascii() and c.isalpha() for c in characters)
    russian = sum(_is_russian(c) and c not in _LOOKALIKES for c in characters)
    rare = sum(_is_rare(c) for c in characters)
    jumps = sum(_is_jump(a, b) for word in text.split() for a, b in pairwise(word))
    return (rare + min(latin, russian) + jumps / 2) / len(characters)


def _is_unknown(line: Line) -> bool:
    return line.score < _HOPELESS or (line.score < _POOR and (oddity(line.text) > _ODD or _density(line) < _SPARSE))


def _is_unknown_in_company(line: Line) -> bool:
    return (
        line.score < _HOPELESS_THERE
        or (line.score < _POOR_AND_ODD_THERE and oddity(line.text) > _ODD_THERE)
        or (line.score < _POOR_AND_SPARSE_THERE and _density(line) < _SPARSE_THERE)
    )


def _density(line: Line) -> float:
    """Return how many characters were read on as much of a line as it is high."""
    return sum(len(word.text) for word in line.words) / heights_long(line.polygon)


def _is_russian(character: str) -> bool:
    return "А" <= character <= "я" or character in "Ёё"


def _is_rare(character: str) -> bool:
    if character.isascii():
        return not (character.isalnum() or character in _PLAIN)
    if _is_russian(character) or unicodedata.east_asian_width(character) in "WF":
        return False
    return not "Ͱ" <= character <= "Ͽ"


def _is_jump(one: str, other: str) -> bool:
    return (
        (one.isalpha() and other.isdigit())
        or (one.isdigit() and other.isalpha())
        or (one.islower() and other.isupper())
    )
