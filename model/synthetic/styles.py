"""Chooses the typefaces and sizes of one card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.synthetic.chance import Chance
from model.synthetic.content import Content
from model.synthetic.faces import Face, Metrics
from model.synthetic.fonts import Family, FontSet

# Size of each style in body sizes, from and to.
_SIZES: Mapping[str, tuple[float, float]] = {
    "name": (1.05, 2.0),
    "title": (0.88, 1.15),
    "company": (1.2, 3.1),
    "company_small": (0.9, 1.5),
    "subhead": (1.0, 1.2),
    "heading": (0.9, 1.1),
    "slogan": (0.82, 1.15),
    "body": (1.0, 1.0),
    "small": (0.78, 1.0),
    "native": (0.9, 1.2),
    "handwriting": (1.2, 1.9),
    "scanner": (0.7, 0.9),
    "mark": (1.0, 1.0),
}
_BOLD: Mapping[str, float] = {
    "name": 0.6,
    "company": 0.65,
    "company_small": 0.4,
    "subhead": 0.7,
    "heading": 0.7,
    "mark": 0.8,
}
_ITALIC: Mapping[str, float] = {"slogan": 0.4, "title": 0.15, "name": 0.08, "company": 0.05}
_TRACKED: Mapping[str, float] = {"company": 0.12, "name": 0.1, "company_small": 0.15, "slogan": 0.12, "title": 0.06}


@dataclass(frozen=True, slots=True)
class TypeStyle:
    """How one kind of line is set on this card.

    Attributes:
        face: The font.
        size: Pixels an em before fitting.
        tracking: Extra space between letters, in em.
        known: What was measured before: fitting asks again and again.
    """

    face: Face
    size: float
    tracking: float
    known: dict[str, Metrics] = field(default_factory=dict, compare=False)

    def measure(self, word: str) -> Metrics:
        """Return how far ``word`` reaches, in em, without tracking."""
        metrics = self.known.get(word)
        if metrics is None:
            metrics = self.known[word] = self.face.measure(word)
        return metrics

    def width(self, word: str, size: float) -> float:
        """Return the width of ``word`` in pixels at ``size``, with tracking."""
        return (self.measure(word).advance + self.tracking * (len(word) - 1)) * size


def choose_styles(chance: Chance, content: Content, fonts: FontSet, body_size: float) -> dict[str, TypeStyle]:
    """Choose how each style that ``content`` uses is set: one family for most, perhaps others for large lines.

    Raises:
        SyntheticError: If no font covers the text.
    """
    texts: dict[str, str] = {}
    for block in content.blocks.values():
        for line in block.lines:
            texts[line.style] = texts.get(line.style, "") + line.text
    plain = "".join(text for style, text in texts.items() if style not in ("native", "handwriting", "scanner"))
    body = fonts.choose(plain, chance)
    display = body if chance.odds(0.45) else fonts.choose(plain, chance, ("body", "display"))
    fancy = fonts.choose(plain, chance, ("script", "display")) if chance.odds(0.15) else display
    styles = {}
    for style, text in texts.items():
        low, high = _SIZES[style]
        size = body_size * chance.real(low, high)
        if style == "native":
            styles[style] = TypeStyle(_native_face(fonts, text), size, 0.0)
            continue
        family: Family = body
        if style in ("name", "company", "company_small", "mark"):
            family = fancy if style == "company" or chance.odds(0.3) else display
        elif style == "handwriting":
            family = fonts.choose(text, chance, ("script",))
        elif style == "scanner":
            family = fonts.choose(text, chance)
        elif style == "slogan" and chance.odds(0.2):
            family = fonts.choose(plain, chance, ("script", "body"))
        bold, italic = chance.odds(_BOLD.get(style, 0.12)), chance.odds(_ITALIC.get(style, 0.03))
        tracking = chance.real(0.03, 0.3) if chance.odds(_TRACKED.get(style, 0.01)) else 0.0
        styles[style] = TypeStyle(family.face(text, bold=bold, italic=italic), size, tracking)
    return styles


def _native_face(fonts: FontSet, text: str) -> Face:
    """Return any face that covers ``text``; where none does, one whose boxes will hold the missing-glyph sign."""
    return next((f.faces[0] for f in fonts.native if f.covers(text)), fonts.families[0].faces[0])
