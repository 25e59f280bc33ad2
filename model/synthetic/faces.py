"""Font files: what they cover, what they suit, and how far words reach in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

Use = Literal["body", "display", "script", "native"]

LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@&.,:;/-+()#'"
CYRILLIC = "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюяЄІЇєії"
# A letter of each of the other scripts that cards carry: Devanagari, Telugu, Tamil, Kannada.
_NATIVE = "\u0915\u0c24\u0ba4\u0c95"
# Widths are measured once at this size and scaled: outlines scale, and so the fast path needs no second measuring.
REFERENCE_SIZE = 128
_COVERED_UP_TO = 0x2C00
_NOT_FOR_CARDS = (
    "math",
    "symbol",
    "keyboard",
    "sign",
    "nushu",
    "tgagyre",
    "d050000l",
    "pcfont",
    "emoji",
    "typewriter",
    "ocr",
)
_SCRIPT_NAMES = (
    "script",
    "chorus",
    "z003",
    "kaushan",
    "dancing",
    "lobster",
    "rufscript",
    "breip",
    "comic",
    "ecolier",
    "humor",
)
_DISPLAY_NAMES = (
    "bebas",
    "spartan",
    "adventor",
    "play",
    "jura",
    "kaffeesatz",
    "goudy",
    "condensed",
    "narrow",
    "display",
    "oldania",
)


def needs_shaping(text: str) -> bool:
    """Say whether the letters of ``text`` change with their neighbours, so that it is measured and drawn whole."""
    return any("\u0590" <= c < "\u1e00" for c in text)


class Metrics(NamedTuple):
    """How far a word reaches, in em, from the start of its baseline; y grows downwards.

    Attributes:
        advance: Where the next letter would start.
        left: Left edge of its ink.
        top: Upper edge of its ink, below 0.
        right: Right edge of its ink.
        bottom: Lower edge of its ink.
    """

    advance: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Face:
    """One font file.

    Attributes:
        path: The file.
        weight: 100 (thin) to 900 (black); 400 is regular.
        italic: Whether it slants.
        coverage: A bit for each code point below U+2C00 that it can draw.
    """

    path: Path
    weight: int
    italic: bool
    coverage: bytes

    def covers(self, text: str) -> bool:
        """Say whether every character of ``text`` can be drawn; white space always can."""
        for c in set(text):
            code = ord(c)
            if code > 32 and (code >= _COVERED_UP_TO or not self.coverage[code >> 3] >> (code & 7) & 1):
                return False
        return True

    def at(self, size: int, *, shaping: bool = False) -> ImageFont.FreeTypeFont:
        """Return the font at ``size`` pixels an em.

        Args:
            size: Pixels an em.
            shaping: Whether letters join and reorder, as Indic scripts need.
        """
        return _load(self.path, size, ImageFont.Layout.RAQM if shaping else ImageFont.Layout.BASIC)

    def measure(self, word: str) -> Metrics:
        """Return how far ``word`` reaches, in em."""
        if needs_shaping(word):
            return _measure(self.path, word)
        # Letter by letter, as it will be drawn: every letter is measured once only, and kerning is done without.
        parts = [_measure(self.path, c) for c in word]
        advance, left, top, right, bottom = 0.0, parts[0].left, 0.0, 0.0, 0.0
        for part in parts:
            top, bottom = min(top, part.top), max(bottom, part.bottom)
            right = max(right, advance + part.right)
            advance += part.advance
        return Metrics(advance, left, top, right, bottom)


@lru_cache(maxsize=512)
def _load(path: Path, size: int, layout: ImageFont.Layout = ImageFont.Layout.BASIC) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size, layout_engine=layout)


@lru_cache(maxsize=100_000)
def _measure(path: Path, text: str) -> Metrics:
    font = _load(path, REFERENCE_SIZE, ImageFont.Layout.BASIC if len(text) == 1 else ImageFont.Layout.RAQM)
    # The box that Pillow gives is as wide as the advance: the ink itself shows on the mask.
    mask, (dx, dy) = font.getmask2(text, "L", anchor="ls")
    ink = mask.getbbox() or (0, 0, 0, 0)
    values = (font.getlength(text), ink[0] + dx, ink[1] + dy, ink[2] + dx, ink[3] + dy)
    return Metrics(*(value / REFERENCE_SIZE for value in values))


def read_face(path: Path) -> tuple[str, Face, Use] | None:
    """Return family name, face and use of a font file, or nothing where it cannot set Latin text."""
    try:
        with TTFont(path, lazy=True, fontNumber=0) as font:
            name = font["name"].getBestFamilyName() or ""
            os2 = font["OS/2"]
            weight, italic = int(os2.usWeightClass), bool(os2.fsSelection & 1)
            kind = int(os2.panose.bFamilyType)
            # Glyph names do not matter here, and decoding them takes most of the time.
            font.setGlyphOrder([str(number) for number in range(font["maxp"].numGlyphs)])
            cmap = font.getBestCmap() or {}
            fixed = any(font.reader["post"][12:16])
            codes = [code for code in cmap if code < _COVERED_UP_TO]
    except (TTLibError, KeyError, OSError, AssertionError, AttributeError):
        return None
    bits = bytearray(_COVERED_UP_TO // 8)
    for code in codes:
        bits[code >> 3] |= 1 << (code & 7)
    # Some files count weights from 1 to 9.
    face = Face(path, weight * 100 if weight < 10 else weight, italic, bytes(bits))
    lower = name.lower()
    if not name.isprintable() or any(part in lower for part in _NOT_FOR_CARDS):
        return None
    if not face.covers(LATIN):
        return (name, face, "native") if any(face.covers(c) for c in _NATIVE) and "ui" not in lower.split() else None
    hinted: Callable[[Sequence[str]], bool] = lambda parts: any(part in lower for part in parts)  # noqa: E731
    if kind == 3 or hinted(_SCRIPT_NAMES):
        return name, face, "script"
    return name, face, "display" if kind in (4, 5) or fixed or hinted(_DISPLAY_NAMES) else "body"
