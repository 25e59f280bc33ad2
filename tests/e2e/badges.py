"""Visitors' badges: a design of cards that the shipped weights never saw, with a field that they do not know."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 720, 440
LABELS = ("NAME", "COMPANY", "EMAIL", "TICKET", "VALID", "STAND")

LABEL_CONFIG = """<View>
<Labels name="label" toName="image">{}</Labels>
<Image name="image" value="$image"/>
<Rectangle name="box" toName="image"/>
<TextArea name="text" toName="image" perRegion="true" editable="true" maxSubmissions="1"/>
</View>""".format("".join(f'<Label value="{label}"/>' for label in LABELS))

_FIRST = ("Anna", "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Irina", "Jonas", "Katja", "Lukas")
_LAST = ("Berger", "Costa", "Dahl", "Fischer", "Gruber", "Hansen", "Ivanova", "Jansen", "Kovac", "Moreau", "Novak")
_FIRMS = ("Northwind", "Bluestone", "Halden", "Meridian", "Ostara", "Pinewood", "Redcliff", "Silvanus", "Tidewater")
_KINDS = ("Systems", "Textiles", "Foods", "Energy", "Robotics", "Glass", "Marine")


@dataclass(frozen=True)
class Badge:
    """A badge's image and what stands where: field, text, box in pixels ``(left, top, right, bottom)``."""

    path: Path
    truth: tuple[tuple[str, str, tuple[float, float, float, float]], ...]


#: The sign of the tenge, which the recogniser that ships does not know.
SIGN = "₸"


def draw_badges(folder: Path, count: int, *, seed: int = 1, sign: bool = False) -> list[Badge]:
    """Draw ``count`` badges; the same seed draws the same ones.

    Args:
        folder: Where to.
        count: How many.
        seed: Chooses what stands on them.
        sign: Whether the stand has a price behind :data:`SIGN` instead of a row.
    """
    chance = random.Random(seed)
    return [_draw(folder / f"badge-{number:03}.png", chance, sign) for number in range(count)]


def _draw(path: Path, chance: random.Random, sign: bool) -> Badge:
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    firm = f"{chance.choice(_FIRMS)} {chance.choice(_KINDS)}"
    ticket = f"VX-{chance.randrange(1000, 9999)}-{chance.choice('ABCDEFGHKM')}{chance.randrange(10, 99)}"
    mail = f"{first}.{last}@{firm.split()[0]}.example".lower()
    day = f"{chance.randrange(1, 29):02}.{chance.randrange(1, 13):02}.2026"
    stand = f"{chance.choice('ABCDEFGH')}{chance.randrange(1, 12)} row {chance.randrange(10, 60)}"
    if sign:
        stand = f"{SIGN} {chance.randrange(100, 990)}"
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    truth = []

    def write(text: str, left: float, top: float, size: int, field: str | None = None) -> None:
        place = (left + chance.uniform(-12, 12), top + chance.uniform(-6, 6))
        font = ImageFont.load_default(size)
        draw.text(place, text.replace(SIGN, "T"), fill="black", font=font)
        if text.startswith(SIGN):
            # The font lacks it: a T with a second bar.
            box = draw.textbbox(place, "T", font=font)
            draw.line((box[0], box[1] - 5, box[2], box[1] - 5), fill="black", width=3)
        if field:
            left, top, right, bottom = draw.textbbox(place, text.replace(SIGN, "T"), font=font)
            truth.append((field, text, (left, top - 7 * text.startswith(SIGN), right, bottom)))

    # Upside down compared with a card: the number is the largest, and the words before the values mislead.
    write("VISITOR PASS", 40, 30, 26)
    write(ticket, 40, 80, 54, "TICKET")
    write("Host", 40, 180, 22)
    write(firm, 140, 178, 28, "COMPANY")
    write("Badge", 40, 250, 22)
    write(f"{first} {last}", 140, 248, 28, "NAME")
    write("Until", 40, 314, 22)
    write(day, 140, 312, 28, "VALID")
    write("Stand", 400, 314, 22)
    write(stand, 500, 312, 28, "STAND")
    write(mail, 40, 380, 24, "EMAIL")
    image.save(path)
    return Badge(path, tuple(truth))
