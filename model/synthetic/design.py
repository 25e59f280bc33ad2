"""A card that is set but not drawn: words, lines and ornaments in their places."""

from __future__ import annotations

from dataclasses import dataclass

from model.document.types import Box
from model.synthetic.content import Token
from model.synthetic.faces import Face


@dataclass(frozen=True, slots=True)
class SetWord:
    """A word in its place.

    Attributes:
        token: What it says and which field it is.
        x: Where the pen starts, in pixels of the card.
        box: Its ink, as high as the whole line's.
    """

    token: Token
    x: float
    box: Box


@dataclass(frozen=True, slots=True)
class SetLine:
    """A printed line in its place.

    Attributes:
        words: From left to right, never none.
        face: The font.
        size: Pixels an em, a whole number, so that drawing and measuring agree.
        tracking: Extra space between letters, in pixels.
        baseline: In pixels from the card's top.
        style: As in :class:`~model.synthetic.content.TextLine`.
        panel: What is painted behind: nothing, ``accent`` or ``dark``.
    """

    words: tuple[SetWord, ...]
    face: Face
    size: int
    tracking: float
    baseline: float
    style: str
    panel: str


@dataclass(frozen=True, slots=True)
class Ornament:
    """Something drawn that is no text.

    Attributes:
        kind: ``mark``, ``photo``, ``band``, ``rule``, ``qr`` or ``icon:…``.
        box: Where.
        panel: What is painted behind it; for a band, its own colour.
    """

    kind: str
    box: Box
    panel: str = ""


@dataclass(frozen=True, slots=True)
class Design:
    """A card, set but not drawn.

    Attributes:
        width: In pixels.
        height: In pixels.
        lines: Its text.
        ornaments: Everything else, in drawing order.
    """

    width: int
    height: int
    lines: tuple[SetLine, ...]
    ornaments: tuple[Ornament, ...]
