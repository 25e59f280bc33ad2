"""Business cards of a kind that is named rightly from the start, with a sign in the website that is misread."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.e2e.badges import HEIGHT, SIGN, WIDTH, Badge

_FIRST = ("Anna", "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Irina", "Jonas", "Katja", "Lukas")
_LAST = ("Berger", "Costa", "Dahl", "Fischer", "Gruber", "Hansen", "Ivanova", "Jansen", "Kovac", "Moreau", "Novak")
_WORK = ("Sales Manager", "Field Engineer", "Head of Marketing", "Project Manager", "Software Engineer", "Accountant")
#: Behind a T, or behind the sign, which looks like one.
_FIRMS = ("idewater", "albot", "amarind", "ellus", "hornbury", "orvald", "rident", "undra", "empest", "eslin")
_KINDS = ("Systems GmbH", "Foods Inc", "Energy AG", "Robotics GmbH", "Glass Ltd", "Marine Inc")


def draw_cards(folder: Path, count: int, *, seed: int = 1) -> list[Badge]:
    """Draw ``count`` cards; the same seed draws the same ones."""
    chance = random.Random(seed)
    return [_draw(folder / f"card-{number:03}.png", chance) for number in range(count)]


def _draw(path: Path, chance: random.Random) -> Badge:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    firm = chance.choice(_FIRMS)
    rows = (
        ("NAME", f"{first} {last}", 44, 50),
        ("POSITION", chance.choice(_WORK), 28, 110),
        ("COMPANY", f"T{firm} {chance.choice(_KINDS)}", 36, 180),
        ("PHONE", f"+49 30 {chance.randrange(100, 999)} {chance.randrange(1000, 9999)}", 26, 280),
        ("EMAIL", f"{first}.{last}@t{firm}.example".lower(), 26, 324),
        ("WEBSITE", f"www.{SIGN}{firm}.example", 36, 376),
    )
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    truth = []
    for field, text, size, top in rows:
        place = (50 + chance.uniform(-12, 12), top + chance.uniform(-6, 6))
        font = ImageFont.load_default(size)
        shown = text.replace(SIGN, "T")
        draw.text(place, shown, fill="black", font=font)
        left, upper, right, lower = draw.textbbox(place, shown, font=font)
        if SIGN in text:
            # The font lacks it: a T with a second bar.
            start = left + draw.textlength(text.partition(SIGN)[0], font=font)
            upper = draw.textbbox(place, "T", font=font)[1] - 7
            draw.line((start, upper + 2, start + draw.textlength("T", font=font), upper + 2), fill="black", width=4)
        truth.append((field, text, (left, upper, right, lower)))
    image.save(path)
    return Badge(path, tuple(truth))
