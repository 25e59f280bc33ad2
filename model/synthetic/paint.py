"""Draws a planned card: ground, ornaments, text."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from model.document.images import RgbImage
from model.document.types import Box
from model.synthetic.design import Design, Ornament, SetLine
from model.synthetic.faces import needs_shaping
from model.synthetic.ornaments import draw_code, draw_icon, draw_mark, draw_photo
from model.synthetic.palette import Colour, Palette, draw_palette

_PEN = ((25, 40, 140), (20, 20, 30), (150, 25, 30))
_COLOURED = ("name", "company", "company_small", "title", "slogan", "heading", "subhead")


def paint_card(design: Design, rng: np.random.Generator) -> RgbImage:
    """Draw a card.

    Args:
        design: What stands where.
        rng: Chooses colours and shapes.

    Returns:
        RGB image of ``design.height`` × ``design.width`` pixels.
    """
    palette = draw_palette(rng)
    image = _ground(design, palette, rng)
    d = ImageDraw.Draw(image)
    solid = rng.random() < 0.5
    for ornament in design.ornaments:
        _ornament(image, d, ornament, design, palette, rng, solid)
    colours = {
        style: (palette.accent, palette.ink, palette.second)[int(rng.choice(3, p=(0.45, 0.4, 0.15)))]
        for style in _COLOURED
    }
    shadow = "company" if rng.random() < 0.05 else ""
    pen = _PEN[int(rng.integers(len(_PEN)))]
    for line in design.lines:
        if line.style == "scanner":
            colour: Colour = palette.on((150, 150, 150), line.panel, 1.8)
        elif line.style == "handwriting":
            colour = palette.on(pen, line.panel)
        else:
            colour = palette.on(colours.get(line.style, palette.ink), line.panel)
        if line.style == "mark":
            colour = (
                palette.paper
                if sum(abs(a - b) for a, b in zip(palette.paper, palette.accent, strict=True)) > 150
                else palette.ink
            )
        if line.style == shadow:
            faint = tuple((c + g) // 2 for c, g in zip(colour, palette.behind(line.panel), strict=True))
            _text(d, line, (faint[0], faint[1], faint[2]), 2.0)
        _text(d, line, colour, 0.0)
    return np.asarray(image).copy()


def _text(d: ImageDraw.ImageDraw, line: SetLine, colour: Colour, shift: float) -> None:
    y = line.baseline + shift
    for word in line.words:
        text, x = word.token.text, word.x + shift
        if needs_shaping(text):
            d.text((x, y), text, font=line.face.at(line.size, shaping=True), fill=colour, anchor="ls")
            continue
        font = line.face.at(line.size)
        for c in text:
            d.text((x, y), c, font=font, fill=colour, anchor="ls")
            x += line.face.measure(c).advance * line.size + line.tracking


def _ground(design: Design, palette: Palette, rng: np.random.Generator) -> Image.Image:
    w, h = design.width, design.height
    kind = float(rng.random())
    base = np.empty((h, w, 3), np.float32)
    base[:] = palette.ground
    if kind < 0.14:
        # A gradient towards a lighter or darker ground.
        t = np.linspace(0, 1, w if rng.random() < 0.5 else h, dtype=np.float32)
        t = t[None, :, None] if len(t) == w and kind < 0.07 else np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        base += t * float(rng.uniform(-28, 28))
    elif kind < 0.22:
        # Laid or linen paper.
        base += rng.normal(0, 1, (h, 1, 1)).astype(np.float32) * 3 + rng.normal(0, 1, (1, w, 1)).astype(np.float32) * 3
    elif kind < 0.28:
        base += rng.normal(0, float(rng.uniform(1, 5)), (h, w, 1)).astype(np.float32)
    image = Image.fromarray(np.clip(base, 0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        image = _watermark(image, palette, rng)
    if rng.random() < 0.25:
        _corner(image, design, palette, rng)
    if rng.random() < 0.12:
        inset = int(rng.integers(4, 16))
        ImageDraw.Draw(image).rectangle(
            (inset, inset, w - inset, h - inset), outline=palette.accent, width=int(rng.integers(1, 5))
        )
    return image


def _watermark(image: Image.Image, palette: Palette, rng: np.random.Generator) -> Image.Image:
    """Lay large pale shapes under everything."""
    w, h = image.size
    layer = Image.new("RGBA", (w, h), (0, 0, 0, 0))
    d = ImageDraw.Draw(layer)
    for _ in range(int(rng.integers(1, 4))):
        tone = palette.accent if rng.random() < 0.6 else palette.second
        alpha = int(rng.integers(10, 38))
        x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.2, 0.8) * h
        if rng.random() < 0.5:
            d.ellipse((x - r, y - r, x + r, y + r), fill=(*tone, alpha))
        else:
            d.polygon([(float(rng.uniform(0, w)), float(rng.uniform(0, h))) for _ in range(4)], fill=(*tone, alpha))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def _corner(image: Image.Image, design: Design, palette: Palette, rng: np.random.Generator) -> None:
    """Paint a solid shape in a corner or along an edge where no text stands."""
    w, h = design.width, design.height
    texts = [word.box for line in design.lines for word in line.words]
    texts += [ornament.box for ornament in design.ornaments if ornament.kind not in ("band", "rule")]
    d = ImageDraw.Draw(image)
    for _ in range(4):
        sx, sy = rng.uniform(0.1, 0.5) * w, rng.uniform(0.1, 0.6) * h
        right, low = rng.random() < 0.5, rng.random() < 0.5
        box = Box(w - sx if right else 0.0, h - sy if low else 0.0, float(w) if right else sx, float(h) if low else sy)
        if any(box.overlap(text) for text in texts):
            continue
        tone = palette.accent if rng.random() < 0.7 else palette.second
        x, y = (w if right else 0, h if low else 0)
        if rng.random() < 0.5:
            d.polygon([(x, y), (box.x0 if right else box.x1, y), (x, box.y0 if low else box.y1)], fill=tone)
        else:
            d.ellipse((x - sx, y - sy, x + sx, y + sy), fill=tone)


def _ornament(
    image: Image.Image,
    d: ImageDraw.ImageDraw,
    ornament: Ornament,
    design: Design,
    palette: Palette,
    rng: np.random.Generator,
    solid: bool,
) -> None:
    box = ornament.box
    if ornament.kind == "band":
        d.rectangle((box.x0, box.y0, box.x1, box.y1), fill=palette.behind(ornament.panel))
    elif ornament.kind == "rule":
        d.rectangle((box.x0, box.y0, box.x1, box.y1), fill=palette.on(palette.accent, ornament.panel, 1.5))
    elif ornament.kind == "mark":
        a, b = palette.on(palette.accent, ornament.panel, 1.6), palette.on(palette.second, ornament.panel, 1.6)
        if ornament.panel:
            a = b = palette.on(palette.paper, ornament.panel, 1.6)
        lettered = any(line.style == "mark" for line in design.lines)
        draw_mark(image, box, rng, palette.accent if lettered and not ornament.panel else a, b, lettered=lettered)
    elif ornament.kind == "qr":
        draw_code(image, box, rng)
    elif ornament.kind == "photo":
        draw_photo(image, box, rng)
    else:
        tone = palette.on(palette.accent, ornament.panel)
        inner = palette.behind(ornament.panel)
        draw_icon(image, box, ornament.kind.removeprefix("icon:"), inner if solid else tone, tone if solid else None)
