"""Finds fonts, says what they cover, and measures words in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

from model.errors import SyntheticError
from model.synthetic.chance import Chance

Use = Literal["body", "display", "script", "native"]

SYSTEM_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
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
    values = (font.getlength(text), *font.getbbox(text, anchor="ls"))
    return Metrics(*(value / REFERENCE_SIZE for value in values))


@dataclass(frozen=True, slots=True)
class Family:
    """The faces of one design.

    Attributes:
        name: As the files call it.
        use: ``body`` for any text, ``display`` for large text, ``script`` for handwriting and ornament, ``native``
            for scripts other than Latin and Cyrillic.
        faces: Its files, regular weights first.
    """

    name: str
    use: Use
    faces: tuple[Face, ...]

    def covers(self, text: str) -> bool:
        """Say whether its first face can draw all of ``text``."""
        return self.faces[0].covers(text)

    def face(self, text: str = "", *, bold: bool = False, italic: bool = False) -> Face:
        """Return the face nearest to what is asked for, among those that can draw ``text`` as far as any can."""
        wanted = 700 if bold else 400
        able = [face for face in self.faces if face.covers(text)] or list(self.faces)
        return min(able, key=lambda face: (face.italic != italic) * 250 + abs(face.weight - wanted))


@dataclass(frozen=True, slots=True)
class FontSet:
    """Font families to set cards in.

    Attributes:
        families: Those that cover Latin, some of them Cyrillic too, in alphabetical order.
        native: Those of other scripts, for the few words in them that cards carry.
    """

    families: tuple[Family, ...]
    native: tuple[Family, ...] = ()

    @staticmethod
    def find(folders: Sequence[Path] | None = None) -> FontSet:
        """Look for TrueType and OpenType fonts that can set business cards.

        Args:
            folders: Searched with all folders below; by default those where systems keep their fonts.

        Raises:
            SyntheticError: If there is none.
        """
        searched = SYSTEM_FOLDERS if folders is None else tuple(folders)
        files = sorted(
            {p for f in searched if f.is_dir() for p in f.rglob("*") if p.suffix.lower() in {".ttf", ".otf"}}
        )
        found: dict[str, list[tuple[Face, Use]]] = {}
        for path in files:
            read = _read(path)
            if read is not None:
                name, face, use = read
                found.setdefault(name, []).append((face, use))
        families = [
            Family(name, members[0][1], tuple(sorted((f for f, _ in members), key=_plainness)))
            for name, members in sorted(found.items())
        ]
        latin = tuple(family for family in families if family.use != "native")
        if not latin:
            looked = ", ".join(str(f) for f in searched if f.is_dir()) or "no existing folder"
            raise SyntheticError(
                f"no usable font in {looked}: install some, on Debian for example `apt-get install fonts-dejavu "
                "fonts-liberation2 fonts-open-sans fonts-paratype`"
            )
        return FontSet(latin, tuple(family for family in families if family.use == "native"))

    def split(self, unseen: float = 0.2, seed: int = 0) -> tuple[FontSet, FontSet]:
        """Part the families into those to train on and those to test on.

        A family's side depends on its name and the seed alone, so that it stays there when others come.

        Args:
            unseen: Share that goes to the second set, in ``[0, 1]``.
            seed: Another seed parts them differently.
        """

        def position(family: Family) -> float:
            # "Roboto Condensed" goes with "Roboto": a sibling would give the unseen design away.
            stem = (
                " ".join(family.name.split()[:2])
                if family.name.startswith(("Noto", "PT", "GFS"))
                else family.name.split()[0]
            )
            return int.from_bytes(hashlib.sha256(f"{seed}:{stem}".encode()).digest()[:8], "big") / 2**64

        train = tuple(f for f in self.families if position(f) >= unseen)
        test = tuple(f for f in self.families if position(f) < unseen)
        return FontSet(train, self.native), FontSet(test, self.native)

    def choose(self, text: str, chance: Chance, uses: Iterable[Use] = ("body",)) -> Family:
        """Return a family for one of ``uses`` that can draw all of ``text``.

        Raises:
            SyntheticError: If no family of the set covers the text.
        """
        allowed = frozenset(uses)
        candidates = [f for f in self.families if f.use in allowed]
        # Trying at random is quicker than asking all: nearly every family covers nearly every card.
        for _ in range(12):
            if candidates and (family := chance.pick(candidates)).covers(text):
                return family
        return chance.pick(self.covering(text))

    def covering(self, text: str) -> tuple[Family, ...]:
        """Return the families that can draw all of ``text``.

        Raises:
            SyntheticError: If there is none.
        """
        covering = tuple(f for f in self.families if f.covers(text))
        if not covering:
            missing = (
                "".join(sorted({c for c in text if not any(f.covers(c) for f in self.families)})) or "this mixture"
            )
            raise SyntheticError(
                f"no font covers {missing!r}: install one that does, on Debian for example `apt-get install "
                "fonts-dejavu fonts-noto-core fonts-paratype`"
            )
        return covering


def _plainness(face: Face) -> tuple[int, bool, str]:
    return abs(face.weight - 400), face.italic, face.path.name


def _read(path: Path) -> tuple[str, Face, Use] | None:
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
