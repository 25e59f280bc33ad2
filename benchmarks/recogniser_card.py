"""Draw what a synthetic Russian card is read as, by PP-OCR's own head and by the one that ships, side by side.

python -m benchmarks.recogniser_card OUT.png [--seed N]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from model.document.types import Page
from model.ocr import build_engine
from model.ocr.files import recogniser_file
from model.synthetic import Card, FontSet, make_card
from model.synthetic.chance import Chance

_BAR, _RIGHT, _WRONG = 40, (20, 120, 40), (190, 30, 30)


def panel(card: Card, page: Page, title: str, fonts: FontSet) -> Image.Image:
    """Return the card in grey with what was read over it, words that stand on the card in green, others in red."""
    height, width = card.image.shape[:2]
    sheet = Image.new("RGB", (width, height + _BAR), "white")
    faded = Image.blend(Image.fromarray(card.image), Image.new("RGB", (width, height), "white"), 0.75)
    sheet.paste(faded, (0, _BAR))
    pen = ImageDraw.Draw(sheet)
    face = fonts.choose("Жя Az", Chance(np.random.default_rng(3)), ("body",)).face("Жя Az")
    pen.text((10, 8), title, fill="black", font=face.at(22))
    printed = {word.text for word in card.page.words}
    for word in page.words:
        size = max(9, int(min(word.box.height * 0.7, 1.7 * word.box.width / max(1, len(word.text)))))
        place = word.box.x0, _BAR + word.box.y0
        pen.text(place, word.text, fill=_RIGHT if word.text in printed else _WRONG, font=face.at(size))
    return sheet


def main() -> None:
    """Read and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    onnx_file = recogniser_file(None)
    if onnx_file is None:
        raise SystemExit("rapidocr brings no recogniser")
    fonts = FontSet.find()
    card = make_card(options.seed, fonts=fonts.split()[1], locales=["ru_RU"], shot="flat")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rec").mkdir()
        (Path(folder) / "rec" / "inference.onnx").symlink_to(onnx_file)
        pages = [build_engine("rapidocr", models_dir=models).read(card.image) for models in (Path(folder), None)]
    panels = [
        panel(card, page, title, fonts)
        for page, title in zip(pages, ("PP-OCRv6's own head", "the head that ships"), strict=True)
    ]
    original = Image.new("RGB", panels[0].size, "white")
    original.paste(Image.fromarray(card.image), (0, _BAR))
    sheet = Image.new("RGB", (sum(part.width for part in (original, *panels)), panels[0].height), "white")
    left = 0
    for part in (original, *panels):
        sheet.paste(part, (left, 0))
        left += part.width
    sheet.save(options.out)


if __name__ == "__main__":
    main()
