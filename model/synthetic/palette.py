"""Colours of a card that go together and can be read."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

_GROUNDS: tuple[tuple[str, float], ...] = (("white", 0.62), ("tinted", 0.18), ("coloured", 0.06), ("dark", 0.14))


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one card.

    Attributes:
        ground: Of the card.
        ink: Of most text.
        accent: Of bands, logos and some text.
        second: Another colour for some text and logos.
        dark: Of dark panels.
        paper: Of text on bands and panels.
    """

    ground: Colour
    ink: Colour
    accent: Colour
    second: Colour
    dark: Colour
    paper: Colour

    def behind(self, panel: str) -> Colour:
        """Return the colour behind text on ``panel``."""
        return {"accent": self.accent, "dark": self.dark}.get(panel, self.ground)

    def on(self, colour: Colour, panel: str, least: float = 2.6) -> Colour:
        """Return ``colour`` if it can be read on ``panel``, else one that can."""
        behind = self.behind(panel)
        if contrast(colour, behind) >= least:
            return colour
        return max((self.paper, self.ink, (250, 250, 250), (20, 20, 20)), key=lambda c: contrast(c, behind))


def luminance(colour: Colour) -> float:
    """Return the relative luminance of an sRGB colour, in ``[0, 1]`` (WCAG 2)."""
    linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, in ``[1, 21]`` (WCAG 2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(r * 255), round(g * 255), round(b * 255)


def draw_palette(rng: np.random.Generator) -> Palette:
    """Draw the colours of a card."""
    kinds, weights = zip(*_GROUNDS, strict=True)
    kind = str(rng.choice(kinds, p=weights))
    # Blues, reds and greens are what firms like best.
    hue = float(rng.choice([0.6, 0.58, 0.0, 0.33, 0.07, 0.8, 0.5])) + float(rng.normal(0, 0.04))
    if rng.random() < 0.25:
        hue = float(rng.random())
    accent = _hsv(hue, rng.uniform(0.55, 1.0), rng.uniform(0.35, 0.85))
    second = _hsv(hue + float(rng.choice([0.5, 0.08, -0.08, 0.33])), rng.uniform(0.5, 1.0), rng.uniform(0.35, 0.8))
    dark = _hsv(hue, rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3)) if rng.random() < 0.8 else (25, 25, 28)
    grey = int(rng.integers(0, 70))
    ink = (grey, grey, grey) if rng.random() < 0.7 else _hsv(hue, rng.uniform(0.4, 1.0), rng.uniform(0.15, 0.45))
    paper = (255, 255, 255) if rng.random() < 0.8 else _hsv(hue, 0.08, 0.98)
    if kind == "white":
        ground = (255, 255, 255) if rng.random() < 0.6 else (int(rng.integers(244, 255)),) * 3
    elif kind == "tinted":
        ground = _hsv(
            float(rng.random()) if rng.random() < 0.5 else 0.12, rng.uniform(0.02, 0.14), rng.uniform(0.9, 1.0)
        )
    elif kind == "coloured":
        ground = _hsv(hue, rng.uniform(0.25, 0.8), rng.uniform(0.6, 0.95))
        accent, ink = (
            dark,
            ink
            if contrast(ink, ground) > 4
            else (255, 255, 255)
            if contrast((255, 255, 255), ground) > 3.5
            else (10, 10, 10),
        )
    else:
        ground = _hsv(hue, rng.uniform(0.0, 0.8), rng.uniform(0.05, 0.3))
        ink = (int(rng.integers(215, 256)),) * 3
        accent = _hsv(hue + 0.1, rng.uniform(0.3, 0.9), rng.uniform(0.75, 1.0))
        second = _hsv(0.12, rng.uniform(0.4, 0.8), 0.95)
        dark = _hsv(hue, 0.3, 0.45)
    ground = (int(ground[0]), int(ground[1]), int(ground[2]))
    if contrast(ink, ground) < 4.5:
        ink = (15, 15, 15) if luminance(ground) > 0.25 else (250, 250, 250)
    palette = Palette(ground, (int(ink[0]), int(ink[1]), int(ink[2])), accent, second, dark, paper)
    return palette
