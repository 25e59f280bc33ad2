"""How much is read again with a new recogniser, and what is missed by not reading the rest?

    python -m benchmarks.rereading RECEIPTS CARDS

RECEIPTS holds ``images/`` and ``lines.json`` (file name → list of ``{"polygon", "text"}``), CARDS holds ``images/``. A
head learns from the lines of a few receipts. Other receipts, and cards, are read whole by the engine that ships; each
of their lines is then read by the new head as well. Told are the share of the lines that the rule has read again, the
share of the other lines that the new head would have read otherwise, and the share of the pages whose image is not
needed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from ml_backend.learn.recogniser_training import all_of, read_twice
from model.document.images import RgbImage, crop, load_image
from model.document.types import Page
from model.evaluation.recogniser_gate import LineGate
from model.ocr import build_engine
from model.ocr.files import recogniser_file
from model.ocr.incremental_reread import Step, learn_step
from model.recognition.backbone import Backbone
from model.recognition.charset import charset_of, readable
from model.recognition.finetune import Lesson, learn
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.replay import RenderedLines
from model.recognition.shipped import shipped_head
from model.recognition.training import HeadPlan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipts", type=Path)
    parser.add_argument("cards", type=Path)
    parser.add_argument("--taught", type=int, default=12, help="receipts to learn from")
    parser.add_argument("--pages", type=int, default=20, help="other receipts, and twice as many cards")
    parser.add_argument("--kept", type=Path, help="folder for what the backbone makes of the rendered lines")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    onnx = recogniser_file(None)
    if onnx is None:
        raise SystemExit("rapidocr brings no recogniser")
    backbone, old = Backbone(onnx, options.threads), shipped_head()
    with tempfile.TemporaryDirectory() as folder:
        rendered = RenderedLines(options.kept or Path(folder))(backbone)
    truth = json.loads((options.receipts / "lines.json").read_text("utf-8"))
    names = sorted(truth)
    lines = []
    for name in names[: options.taught]:
        image = opened(options.receipts / "images" / name)
        for entry in truth[name]:
            polygon = tuple((float(x), float(y)) for x, y in entry["polygon"])
            if text := readable(entry["text"]):
                lines.append(FeatureLine(backbone.features([crop(image, polygon)])[0], text))
    wide = old.widened(charset_of((), texts=[line.text for line in lines]), source=backbone.original)
    lesson = Lesson(lines, lambda _: (), rendered.ordinary, rendered.rare)
    margin = LineGate().forgetting_margin / 2
    new = learn(old, wide, lesson, HeadPlan(), margin, np.random.default_rng(0)).head
    every = [*lines, *all_of(rendered)]
    step = learn_step("shipped", read_twice(old, new, every, every))
    print(f"{len(lines)} lines taught; read again: below {step.sure:.3f}, or with {''.join(sorted(step.characters))}")
    engine = build_engine("paddleocr", models_dir=None, threads=options.threads)
    print("| pages | lines | read again | of the others changed | changed at all | pages without their image |")
    print("|---|---:|---:|---:|---:|---:|")
    others = [options.receipts / "images" / name for name in names[options.taught :][: options.pages]]
    cards = sorted((options.cards / "images").iterdir())[: 2 * options.pages]
    for title, paths in (("receipts", others), ("cards", cards)):
        rows = []
        for path in paths:
            image = opened(path)
            rows.append(compare(image, engine.read(image), backbone, (old, new), step))
        every = [line for page in rows for line in page]
        skipped = [changed for again, changed in every if not again]
        print(
            f"| {len(paths)} {title} | {len(every)} | {share([again for again, _ in every])} | {share(skipped)} "
            f"| {share([changed for _, changed in every])} "
            f"| {share([not any(again for again, _ in page) for page in rows])} |",
            flush=True,
        )


def compare(
    image: RgbImage, page: Page, backbone: Backbone, heads: tuple[Head, Head], step: Step
) -> list[tuple[bool, bool]]:
    """Return of each line whether it is read again, and whether the new head reads it otherwise."""
    found = []
    for line in page.lines:
        seen = backbone.features([crop(image, line.polygon)])[0]
        old, new = (readable(head.read(seen).text) for head in heads)
        found.append((step.concerns(line.text, line.score), old != new))
    return found


def opened(path: Path) -> RgbImage:
    return load_image(path.read_bytes(), max_bytes=100_000_000, max_pixels=100_000_000)


def share(flags: list[bool]) -> str:
    return f"{100 * sum(flags) / len(flags):.2f} %" if flags else "–"


if __name__ == "__main__":
    main()
