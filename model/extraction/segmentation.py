"""Cut what an OCR engine glued together where a field may begin: ``Email:name@host`` is a label and an address.

Recognisers lose spaces, above all after colons and around numbers. A classifier names whole words, so a glued word
can only be right in part. The cuts follow the marks that stand between a label and a value, or between two values;
they never change a character, and each piece keeps its share of the word's box.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from model.document.types import Box, Line, Page, Word

# Labels that stand before a number without any mark. Longer ones first, so that "Mobile" is not read as "Mob" + "ile".
_NUMBER_LABELS = (
    "telephone|telefon|telefax|mobile|office|direct|hotline|phone|mobil|cell|handy|teléfono|"
    "телефон|моб|тел|факс|mob|tel|fax|off|res|ph|p|t|m|f|c|o|d"
)

_CUTS = (
    # a label with its colon before a value, but neither a time of day nor the scheme of an address
    re.compile(r"(?<=[^\W\d_])[.)]?\s*:(?!//)()(?=[\w+(@])"),
    # a colon that sticks to the value behind it
    re.compile(r"^[:;|•·]()(?=[\w+(])"),
    # a label directly before an international number, or before the brackets of an area code
    re.compile(r"(?<=[^\W\d_])[.:-]?()(?=\+\s?\d)"),
    re.compile(rf"^(?:{_NUMBER_LABELS})[.:-]*()(?=[+(]?\d[\d\s()./-]{{4,}})", re.IGNORECASE),
    re.compile(rf"^(?:{_NUMBER_LABELS})[.:][.:-]*()(?=[+(]?\d)", re.IGNORECASE),
    # a number directly before another one's country code or area code, before the next label, or before an address
    re.compile(r"(?<=\d{6})[/,;&.]*()(?=\+\s?\d)"),
    re.compile(r"(?<=\d)[/,;&]()(?=\+\d|\(\d{2,5}\))"),
    # a number, with its comma, directly before a word
    re.compile(r"(?<=\d{2})[,;]()(?=[^\W\d_]{3})"),
    re.compile(
        r"(?<=\d{6})[/,;&.]*()(?=(?:telefax|fax|mobile|mob|telephone|tel|phone|e-?mail|факс|моб|тел)\b)", re.IGNORECASE
    ),
    re.compile(r"(?<=\d{9})()(?=[^\W\d_][\w.+-]*@)"),
    # two numbers, or two addresses, with a mark between them
    re.compile(r"(?<=\d{6})[/,;&]()(?=[+(]?\d{6})"),
    re.compile(r"(?:\d[().–-]*){7,}[/,;&|]()(?=[+(]?\d{3})"),
    re.compile(r"(?:(?<=[^\W\d])|(?<=\d{6}))[|•·;]()(?=\w)|(?<=\d)[|•·;]()(?=[^\W\d])"),
    re.compile(r"(?<=\w)[/,]()(?=[\w.+-]+@[\w-]+\.)"),
    # an address directly behind its label or another address
    re.compile(r"(?<=\w)[.:-]*()(?=www\.)", re.IGNORECASE),
    re.compile(r"^(?:e-?mail[.:]+|mail[.:]+|e-mail)-?()(?=[\w.+-]+@)", re.IGNORECASE),
)


def cut_points(text: str) -> tuple[int, ...]:
    """Return where ``text`` is cut, as ascending offsets strictly inside it; empty for a word that stays whole."""
    return tuple(sorted({m.end() for pattern in _CUTS for m in pattern.finditer(text)} - {0, len(text)}))


def split_word(word: Word) -> tuple[Word, ...]:
    """Return the pieces of ``word``, in order; the word itself where nothing is to be cut.

    The texts joined give the word's text, the boxes tile its box from left to right in proportion to the usual widths
    of their characters, and each piece keeps the word's score.
    """
    points = cut_points(word.text)
    if not points:
        return (word,)
    bounds = (0, *points, len(word.text))
    widths = [sum(_width(c) for c in word.text[start:stop]) for start, stop in pairwise(bounds)]
    step = word.box.width / sum(widths)
    edges = [word.box.x0, *(word.box.x0 + step * sum(widths[: i + 1]) for i in range(len(points))), word.box.x1]
    return tuple(
        Word(word.text[start:stop], Box(left, word.box.y0, right, word.box.y1), word.score)
        for (start, stop), (left, right) in zip(pairwise(bounds), pairwise(edges), strict=True)
    )


def _width(character: str) -> float:
    """Return about how wide a character is in a proportional typeface, in widths of a digit."""
    if character in "iIjl.,:;'|!()[]/·":
        return 0.5
    if character in "mwMWШЩЮЖшщюж@%&":
        return 1.5
    return 1.2 if character.isupper() else 1.0


def segment(page: Page) -> Page:
    """Return ``page`` with glued words cut into pieces; a line's text then shows a space at each cut."""
    upright = page.upright()
    return replace(upright, lines=tuple(_segment_line(line) for line in upright.lines)).turned(-page.turn)


def _segment_line(line: Line) -> Line:
    words = tuple(piece for word in line.words for piece in split_word(word))
    if len(words) == len(line.words):
        return line
    return replace(line, text=" ".join(word.text for word in words), words=words)
