"""Lines of text, drawn in many fonts and cut out as a detector would: what a recogniser is taught with.

The words are those of the cards that the package makes, of all their locales, with lines added that cards lack: prices
and dates as on receipts, words with Latin next to Cyrillic, and rare characters, each of which has to be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from model.document.images import RgbImage
from model.errors import SyntheticError
from model.synthetic.chance import Chance
from model.synthetic.compose import compose
from model.synthetic.faces import Face, Use
from model.synthetic.fonts import FontSet
from model.synthetic.locales import LOCALES, is_cyrillic

LONGEST = 60
"""Characters of a line at most; longer ones are cut at a space."""

_KINDS: Mapping[str, float] = {"card": 0.62, "receipt": 0.1, "mixed": 0.08, "rare": 0.12, "words": 0.08}
_USES: Mapping[tuple[Use, ...], float] = {
    ("body",): 0.68,
    ("display",): 0.2,
    ("script",): 0.06,
    ("body", "display"): 0.06,
}


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split("|"))


_RECEIPT_WORDS = _listed(
    "TOTAL|SUBTOTAL|CASH|CHANGE|TAX INVOICE|QTY|AMOUNT|ROUNDING|GST 6%|VISA CARD|INVOICE NO|DATE|TIME|CASHIER|"
    "DISCOUNT|ITEM(S)|THANK YOU PLEASE COME AGAIN|GST REG NO|TEL|FAX|DESCRIPTION|PRICE|TABLE|RECEIPT|MEMBER|"
    "NET TOTAL|ИТОГО|НАЛИЧНЫМИ|СДАЧА|КАССОВЫЙ ЧЕК|НДС 20%|СУММА|СКИДКА|КАССИР|ИНН|СМЕНА|ПРИХОД|БЕЗНАЛИЧНЫМИ|"
    "ЧЕК №|РАЗОМ|ПДВ"
)
_GOODS = _listed(
    "MILK|BREAD|WHITE RICE 5KG|CHICKEN|COFFEE|TEA 100G|EGG|SUGAR 1KG|PAPER A4|PEN BLUE|BATTERY AA|CABLE 2M|"
    "SOAP|OIL|МОЛОКО|ХЛЕБ|РИС 1КГ|КУРИЦА|КОФЕ|ЧАЙ 100Г|ЯЙЦО|САХАР 1КГ|БУМАГА А4|РУЧКА|МЫЛО|МАСЛО|СЫР|ВОДА 0,5Л"
)


@dataclass(frozen=True, slots=True)
class TextLineImage:
    """A drawn line.

    Attributes:
        image: RGB crop as a detector cuts it: the line with a little ground around it.
        text: What it says, without white space at its ends.
        language: Two letters such as ``ru``.
        family: Name of the font family.
    """

    image: RgbImage
    text: str
    language: str
    family: str


def draw_text(chance: Chance, locale: str, charset: Sequence[str], kind: str | None = None) -> str:
    """Draw what a line says; every character of it is in ``charset``.

    Args:
        chance: The line's draws.
        locale: One of :data:`model.synthetic.locales.LOCALES`.
        charset: Characters that may occur; a line with another one is drawn again.
        kind: ``card``, ``receipt``, ``mixed``, ``rare`` or ``words``; by chance if not given.
    """
    known = frozenset(charset)
    for _ in range(20):
        text = _cut(chance, _DRAWN[kind or chance.weigh(_KINDS)](chance, locale, charset))
        if text and known.issuperset(text):
            return text
    return chance.digits("+%# (###) ###-##-##")


def draw_line(
    seed: int,
    *,
    fonts: FontSet,
    charset: Sequence[str],
    locales: Mapping[str, float] = LOCALES,
    kind: str | None = None,
    text: str | None = None,
) -> TextLineImage:
    """Draw a line of text.

    Args:
        seed: Decides everything.
        fonts: What it may be set in.
        charset: Characters that may occur.
        locales: How often each locale comes.
        kind: See :func:`draw_text`.
        text: What it says; drawn if not given.

    Raises:
        SyntheticError: If no font covers the text.
    """
    chance = Chance(np.random.default_rng(seed))
    locale = chance.weigh(locales)
    said = text or draw_text(chance, locale, charset, kind)
    uses = chance.weigh(_USES)
    try:
        family = fonts.choose(said, chance, uses)
    except SyntheticError:
        if text:
            raise
        # The rare characters of one line may stand in no font together.
        said = chance.digits("###-###-## ##:##")
        family = fonts.choose(said, chance, uses)
    face = family.face(said, bold=chance.odds(0.3), italic=chance.odds(0.12))
    return TextLineImage(_draw(chance, said, face), said, locale[:2], family.name)


def cyrillic_share(share: float) -> Mapping[str, float]:
    """Return the locales so weighted that Cyrillic ones come with probability ``share``."""
    cyrillic = sum(weight for locale, weight in LOCALES.items() if is_cyrillic(locale))
    latin = sum(LOCALES.values()) - cyrillic
    # Square roots, so that the small languages are seen often enough.
    flat = {locale: weight**0.6 for locale, weight in LOCALES.items()}
    cyrillic = sum(weight for locale, weight in flat.items() if is_cyrillic(locale))
    latin = sum(flat.values()) - cyrillic
    return {
        locale: weight * (share / cyrillic if is_cyrillic(locale) else (1 - share) / latin)
        for locale, weight in flat.items()
    }


def _draw(chance: Chance, text: str, face: Face) -> RgbImage:
    """Draw the text in two colours on even ground, with the margins that detectors leave."""
    size = chance.between(18, 56)
    font = face.at(size)
    tracking = round(size * chance.real(0.05, 0.35)) if chance.odds(0.12) else 0
    width = int(sum(font.getlength(c) + tracking for c in text)) + 1 if tracking else int(font.getlength(text)) + 1
    canvas = Image.new("L", (width + 2 * size, 3 * size), 0)
    pen = ImageDraw.Draw(canvas)
    if tracking:
        x = float(size)
        for c in text:
            pen.text((x, 2 * size), c, fill=255, font=font, anchor="ls")
            x += font.getlength(c) + tracking
    else:
        pen.text((size, 2 * size), text, fill=255, font=font, anchor="ls")
    ink = canvas.getbbox()
    if ink is None:
        ink = (size, size, size + width, 2 * size)
    # Detectors cut between the ink and half a line around it; never less than the height of small letters.
    top = min(ink[1], 2 * size - round(size * 0.5)) - round(size * chance.real(0.02, 0.3))
    bottom = max(ink[3], 2 * size) + round(size * chance.real(0.02, 0.3))
    left = ink[0] - round(size * chance.real(0.0, 0.4))
    right = ink[2] + round(size * chance.real(0.0, 0.4))
    mask = np.asarray(canvas.crop((left, max(0, top), right, min(3 * size, bottom))), np.float32)[..., None] / 255
    ground, ink_colour = _colours(chance)
    return np.asarray(ground * (1 - mask) + ink_colour * mask, np.uint8)


def _colours(chance: Chance) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw ground and ink far enough apart to be read."""
    if chance.odds(0.5):
        ground, ink = np.array([chance.real(225, 255)] * 3), np.array([chance.real(0, 90)] * 3)
    else:
        for _ in range(50):
            ground, ink = chance.rng.uniform(0, 255, 3), chance.rng.uniform(0, 255, 3)
            if abs(float((ground - ink) @ (0.3, 0.59, 0.11))) > 55:
                break
        else:
            ground, ink = np.array([250.0] * 3), np.array([20.0] * 3)
    return (ink, ground) if chance.odds(0.18) else (ground, ink)


@lru_cache(maxsize=64)
def _card_lines(seed: int, locale: str) -> tuple[str, ...]:
    content = compose(Chance(np.random.default_rng(seed)), locale)
    return tuple(line.text for block in content.blocks.values() for line in block.lines)


def _card(chance: Chance, locale: str, charset: Sequence[str]) -> str:
    text = chance.pick(_card_lines(chance.between(0, 1 << 30), locale))
    return text.upper() if chance.odds(0.12) else text


def _receipt(chance: Chance, locale: str, charset: Sequence[str]) -> str:
    price = chance.digits(
        chance.pick(("%.##", "%#.##", "%##.##", "%,###.##", "%# ###,##", "RM %#.##", "$%.##", "%## ₽"))
    )
    words = [w for w in _RECEIPT_WORDS + _GOODS if (max(w) > "\u0400") == is_cyrillic(locale)]
    stamp = chance.digits(
        chance.pick(("##/##/20## ##:##", "##.##.20## ##:##:##", "20##-##-##", "## MAR 20##", "##-##-##"))
    )
    word = chance.pick(words)
    return chance.pick(
        (
            f"{word} {price}",
            f"{word}: {price}",
            price,
            stamp,
            word,
            f"{chance.between(1, 12)} x {price}",
            f"{word} {chance.pick(words)}",
            chance.digits("%######## ###"),
            chance.digits(f"{word} ######-#-##"),
            chance.digits("(%#####-U)"),
            f"{word} {stamp}",
            f"{chance.between(1, 9)} {word} {price} {price} SR",
        )
    )


def _mixed(chance: Chance, locale: str, charset: Sequence[str]) -> str:
    """Join a word of one script to one of the other, as brands stand in sentences."""
    other = chance.pick([name for name in LOCALES if is_cyrillic(name) != is_cyrillic(locale)])
    words = f"{_card(chance, locale, charset)} {_card(chance, other, charset)}".split()
    chosen = chance.some(words, chance.between(2, 4))
    text = chance.pick((" ", " ", " ", " / ", " – ", "-")).join(chosen)
    return chance.pick((text, text, f"{chosen[0]} «{chosen[-1]}»", f"{chosen[0]} ({chosen[-1]})", text.title()))


def _rare(chance: Chance, locale: str, charset: Sequence[str]) -> str:
    """Set characters of any rank among letters and digits, each as likely as another."""
    out = []
    for _ in range(chance.between(1, 3)):
        style = chance.odds(0.5)
        word = "".join(chance.pick(charset) for _ in range(chance.between(2, 5)))
        base = chance.pick(_card(chance, locale, charset).split() or ["A"])
        cut = chance.between(0, len(base))
        out.append(base[:cut] + word[0] + base[cut:] if style else word)
    return " ".join(out)


def _words(chance: Chance, locale: str, charset: Sequence[str]) -> str:
    """Shuffle letters into words that do not exist, in capitals or not: nothing but the shape tells them apart."""
    letters = [c for c in _card(chance, locale, charset) if c.isalnum()] or ["a"]
    words = ["".join(chance.pick(letters) for _ in range(chance.between(1, 9))) for _ in range(chance.between(1, 3))]
    text = " ".join(words)
    return chance.pick((text.upper(), text.lower(), text.title(), text))


_DRAWN: Mapping[str, Callable[[Chance, str, Sequence[str]], str]] = {
    "card": _card,
    "receipt": _receipt,
    "mixed": _mixed,
    "rare": _rare,
    "words": _words,
}


def _cut(chance: Chance, text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= LONGEST:
        return text
    words, length = text.split(), 0
    first = chance.between(0, len(words) - 1)
    kept = []
    for word in words[first:]:
        length += len(word) + 1
        if length > LONGEST:
            break
        kept.append(word)
    return " ".join(kept)


def resized(image: RgbImage, scale: float) -> RgbImage:
    """Return the image at another size, at least 4 × 4 pixels."""
    size = max(4, round(image.shape[1] * scale)), max(4, round(image.shape[0] * scale))
    return np.asarray(
        cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8
    )
