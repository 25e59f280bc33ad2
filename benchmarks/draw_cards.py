"""Draws synthetic cards on a contact sheet, with their fields outlined, for looking at.

python benchmarks/draw_cards.py --out sheet.png --count 12 --first 0 [--locale en_IN] [--feature shop] [--boxes]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

from model.synthetic import FontSet, make_card

COLOURS = {
    "NAME": "#d00000",
    "POSITION": "#e08000",
    "COMPANY": "#008000",
    "PHONE": "#0000d0",
    "FAX": "#8000d0",
    "EMAIL": "#00a0a0",
    "WEBSITE": "#d000a0",
    "ADDRESS": "#806000",
    "": "#b0b0b0",
}


def main() -> None:
    """Draw one sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="PNG or JPEG file to write")
    parser.add_argument("--first", type=int, default=0, help="seed of the first card")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--cell", type=int, default=600, help="width of a cell in pixels")
    parser.add_argument("--locale", action="append", help="only these locales")
    parser.add_argument("--layout", action="append", help="only these layouts")
    parser.add_argument("--feature", action="append", default=[], help="features that every card must have")
    parser.add_argument("--boxes", action="store_true", help="outline every word in its field's colour")
    options = parser.parse_args()
    fonts = FontSet.find()
    height = round(options.cell * 0.66)
    rows = -(-options.count // options.columns)
    sheet = Image.new("RGB", (options.columns * options.cell, rows * height), "#808080")
    for number in range(options.count):
        card = make_card(
            options.first + number,
            fonts=fonts,
            locales=options.locale,
            layouts=options.layout,
            features=options.feature,
        )
        image = Image.fromarray(card.image)
        if options.boxes:
            draw = ImageDraw.Draw(image)
            for word, tag in zip(card.page.words, card.tags, strict=True):
                box = word.box
                draw.rectangle((box.x0, box.y0, box.x1, box.y1), outline=COLOURS[tag[2:]], width=2)
        image.thumbnail((options.cell - 8, height - 8))
        sheet.paste(image, (number % options.columns * options.cell + 4, number // options.columns * height + 4))
        print(options.first + number, card.locale, card.layout, *card.features)
    sheet.save(options.out)


if __name__ == "__main__":
    main()
