"""Drawings on cards: logos, icons, codes to scan, pictures of people."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from model.document.types import Box
from model.synthetic.palette import Colour

_Draw = ImageDraw.ImageDraw
_Point = tuple[float, float]
# Shapes are drawn this much larger and shrunk, for smooth edges.
_OVER = 4


def paste_smooth(image: Image.Image, box: Box, draw: Callable[[_Draw, float], None]) -> None:
    """Draw into a square of side ``s`` pixels and paste it, antialiased, into ``box``."""
    side = max(8, round(max(box.width, box.height)))
    layer = Image.new("RGBA", (side * _OVER, side * _OVER), (0, 0, 0, 0))
    draw(ImageDraw.Draw(layer), float(side * _OVER))
    layer = layer.resize((side, side), Image.Resampling.LANCZOS)
    image.paste(layer, (round(box.center[0] - side / 2), round(box.center[1] - side / 2)), layer)


def _polygon(sides: int, s: float, radius: float, turn: float = -90.0) -> list[_Point]:
    angles = np.deg2rad(turn + np.arange(sides) * 360 / sides)
    return [(s / 2 + radius * s * float(np.cos(a)), s / 2 + radius * s * float(np.sin(a))) for a in angles]


def _disc(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.ellipse((0.02 * s, 0.02 * s, 0.98 * s, 0.98 * s), fill=a)


def _ring(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.ellipse((0.03 * s, 0.03 * s, 0.97 * s, 0.97 * s), outline=b, width=round(s * rng.uniform(0.04, 0.1)))
    d.ellipse((0.15 * s, 0.15 * s, 0.85 * s, 0.85 * s), fill=a)


def _hexagon(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.polygon(_polygon(int(rng.choice([4, 5, 6, 8])), s, 0.49), fill=a)


def _shield(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.polygon(
        [(0.1 * s, 0.05 * s), (0.9 * s, 0.05 * s), (0.9 * s, 0.5 * s), (0.5 * s, 0.98 * s), (0.1 * s, 0.5 * s)], fill=a
    )
    d.line([(0.1 * s, 0.24 * s), (0.9 * s, 0.24 * s)], fill=b, width=round(0.03 * s))


def _petals(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    count = int(rng.integers(4, 9))
    for i, (x, y) in enumerate(_polygon(count, s, 0.27)):
        r = 0.21 * s
        d.ellipse((x - r, y - r, x + r, y + r), fill=(*(a if i % 2 else b), 200))


def _bars(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    count = int(rng.integers(3, 6))
    for i in range(count):
        top = s * float(rng.uniform(0.05, 0.7))
        d.rectangle((s * i / count, top, s * (i + 0.75) / count, s * 0.97), fill=a if i % 2 else b)


def _triangle(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.polygon([(0.02 * s, 0.95 * s), (0.5 * s, 0.05 * s), (0.62 * s, 0.95 * s)], fill=a)
    d.polygon([(0.4 * s, 0.95 * s), (0.7 * s, 0.3 * s), (0.98 * s, 0.95 * s)], fill=(*b, 220))


def _globe(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    w = max(2, round(0.025 * s))
    d.ellipse((0.04 * s, 0.04 * s, 0.96 * s, 0.96 * s), outline=a, width=w * 2)
    for k in (0.2, 0.36):
        d.ellipse(((0.5 - k) * s, 0.04 * s, (0.5 + k) * s, 0.96 * s), outline=a, width=w)
    for y in (0.28, 0.5, 0.72):
        d.line((0.08 * s, y * s, 0.92 * s, y * s), fill=a, width=w)


def _swoosh(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.pieslice((0, 0.1 * s, s, 0.9 * s), 150, 330, fill=a)
    d.pieslice((0.1 * s, 0.25 * s, 1.05 * s, 0.85 * s), 150, 330, fill=(0, 0, 0, 0))
    d.ellipse((0.55 * s, 0.5 * s, 0.8 * s, 0.75 * s), fill=b)


def _house(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.polygon([(0.02 * s, 0.5 * s), (0.5 * s, 0.06 * s), (0.98 * s, 0.5 * s)], fill=a)
    d.rectangle((0.18 * s, 0.5 * s, 0.82 * s, 0.95 * s), fill=b)


def _star(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    outer, inner = _polygon(5, s, 0.5), _polygon(5, s, 0.2, -54)
    d.polygon([p for pair in zip(outer, inner, strict=True) for p in pair], fill=a)


def _gear(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    for x, y in _polygon(10, s, 0.42):
        d.ellipse((x - 0.08 * s, y - 0.08 * s, x + 0.08 * s, y + 0.08 * s), fill=a)
    d.ellipse((0.1 * s, 0.1 * s, 0.9 * s, 0.9 * s), fill=a)
    d.ellipse((0.34 * s, 0.34 * s, 0.66 * s, 0.66 * s), fill=b)


def _leaf(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    d.chord((-0.3 * s, 0.02 * s, 0.8 * s, 1.1 * s), 270, 45, fill=a)
    d.chord((0.2 * s, -0.1 * s, 1.3 * s, 0.98 * s), 90, 225, fill=b)


def _squares(d: _Draw, s: float, rng: np.random.Generator, a: Colour, b: Colour) -> None:
    for i in range(2):
        for j in range(2):
            if rng.random() < 0.85:
                d.rectangle(
                    (s * (0.05 + 0.47 * i), s * (0.05 + 0.47 * j), s * (0.47 + 0.47 * i), s * (0.47 + 0.47 * j)),
                    fill=a if (i + j) % 2 else b,
                )


# Logos that have room for letters come first.
LETTERED = (_disc, _ring, _hexagon, _shield)
PLAIN = (_petals, _bars, _triangle, _globe, _swoosh, _house, _star, _gear, _leaf, _squares)


def draw_mark(image: Image.Image, box: Box, rng: np.random.Generator, a: Colour, b: Colour, *, lettered: bool) -> None:
    """Draw a logo into ``box``; one with room for letters if ``lettered``."""
    shapes = LETTERED if lettered else PLAIN + LETTERED[:2]
    shape = shapes[int(rng.integers(len(shapes)))]
    paste_smooth(image, box, lambda d, s: shape(d, s, rng, a, b))


def _icon_phone(d: _Draw, s: float, c: Colour) -> None:
    d.arc((0.1 * s, 0.1 * s, 1.1 * s, 1.1 * s), 180, 270, fill=c, width=round(0.14 * s))
    d.line((0.17 * s, 0.55 * s, 0.17 * s, 0.75 * s), fill=c, width=round(0.2 * s))
    d.line((0.55 * s, 0.17 * s, 0.78 * s, 0.17 * s), fill=c, width=round(0.2 * s))


def _icon_mobile(d: _Draw, s: float, c: Colour) -> None:
    d.rounded_rectangle((0.28 * s, 0.06 * s, 0.72 * s, 0.94 * s), radius=0.08 * s, outline=c, width=round(0.08 * s))
    d.ellipse((0.45 * s, 0.78 * s, 0.55 * s, 0.88 * s), fill=c)


def _icon_mail(d: _Draw, s: float, c: Colour) -> None:
    d.rectangle((0.06 * s, 0.2 * s, 0.94 * s, 0.8 * s), outline=c, width=round(0.08 * s))
    d.line([(0.08 * s, 0.24 * s), (0.5 * s, 0.55 * s), (0.92 * s, 0.24 * s)], fill=c, width=round(0.08 * s))


def _icon_web(d: _Draw, s: float, c: Colour) -> None:
    w = round(0.07 * s)
    d.ellipse((0.06 * s, 0.06 * s, 0.94 * s, 0.94 * s), outline=c, width=w)
    d.ellipse((0.3 * s, 0.06 * s, 0.7 * s, 0.94 * s), outline=c, width=w)
    d.line((0.08 * s, 0.5 * s, 0.92 * s, 0.5 * s), fill=c, width=w)


def _icon_pin(d: _Draw, s: float, c: Colour) -> None:
    d.ellipse((0.22 * s, 0.05 * s, 0.78 * s, 0.6 * s), fill=c)
    d.polygon([(0.26 * s, 0.44 * s), (0.74 * s, 0.44 * s), (0.5 * s, 0.96 * s)], fill=c)
    d.ellipse((0.4 * s, 0.22 * s, 0.6 * s, 0.42 * s), fill=(0, 0, 0, 0))


def _icon_fax(d: _Draw, s: float, c: Colour) -> None:
    d.rectangle((0.08 * s, 0.4 * s, 0.92 * s, 0.85 * s), fill=c)
    d.rectangle((0.25 * s, 0.1 * s, 0.75 * s, 0.38 * s), outline=c, width=round(0.07 * s))


def _icon_share(d: _Draw, s: float, c: Colour) -> None:
    for x, y in ((0.25, 0.5), (0.75, 0.22), (0.75, 0.78)):
        d.line((0.25 * s, 0.5 * s, x * s, y * s), fill=c, width=round(0.06 * s))
        d.ellipse(((x - 0.13) * s, (y - 0.13) * s, (x + 0.13) * s, (y + 0.13) * s), fill=c)


_ICONS: Mapping[str, Callable[[_Draw, float, Colour], None]] = {
    "phone": _icon_phone,
    "mobile": _icon_mobile,
    "mail": _icon_mail,
    "web": _icon_web,
    "pin": _icon_pin,
    "fax": _icon_fax,
    "share": _icon_share,
}


def draw_icon(image: Image.Image, box: Box, kind: str, colour: Colour, disc: Colour | None) -> None:
    """Draw an icon, on a filled disc if a colour for one is given."""
    if disc is None:
        paste_smooth(image, box, lambda d, s: _ICONS[kind](d, s, colour))
        return
    paste_smooth(image, box, lambda d, s: d.ellipse((0, 0, s, s), fill=disc))
    (x, y), r = box.center, box.width * 0.3
    paste_smooth(image, Box(x - r, y - r, x + r, y + r), lambda d, s: _ICONS[kind](d, s, colour))


def draw_code(image: Image.Image, box: Box, rng: np.random.Generator) -> None:
    """Draw something that looks like a QR code and holds nothing."""
    modules = 25
    grid = rng.random((modules, modules)) < 0.5
    for y, x in ((0, 0), (0, modules - 7), (modules - 7, 0)):
        grid[max(y - 1, 0) : y + 8, max(x - 1, 0) : x + 8] = False
        grid[y : y + 7, x : x + 7] = True
        grid[y + 1 : y + 6, x + 1 : x + 6] = False
        grid[y + 2 : y + 5, x + 2 : x + 5] = True
    pixels = np.pad(np.where(grid, 0, 255).astype(np.uint8), 2, constant_values=255)
    side = round(box.width)
    code = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST).convert("RGB")
    image.paste(code, (round(box.x0), round(box.y0)))


def draw_photo(image: Image.Image, box: Box, rng: np.random.Generator) -> None:
    """Draw a picture that could be of a person, or of a place."""
    w, h = max(8, round(box.width)), max(8, round(box.height))
    noise = rng.integers(40, 220, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((w, h), Image.Resampling.BICUBIC)
    d = ImageDraw.Draw(picture)
    if rng.random() < 0.7:
        skin = tuple(int(v) for v in np.array([225, 180, 150]) * rng.uniform(0.4, 1.0))
        cloth = tuple(int(v) for v in rng.integers(10, 160, 3))
        d.ellipse((-0.05 * w, 0.66 * h, 1.05 * w, 1.5 * h), fill=cloth)
        d.rectangle((0.42 * w, 0.5 * h, 0.58 * w, 0.75 * h), fill=skin)
        d.ellipse((0.3 * w, 0.16 * h, 0.7 * w, 0.62 * h), fill=skin)
        d.chord((0.28 * w, 0.1 * h, 0.72 * w, 0.56 * h), 180, 360, fill=tuple(int(v) for v in rng.integers(10, 90, 3)))
    else:
        for _ in range(6):
            x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.1, 0.5) * w
            d.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(v) for v in rng.integers(20, 240, 3)))
    image.paste(picture.filter(ImageFilter.GaussianBlur(max(1.0, w / 90))), (round(box.x0), round(box.y0)))
