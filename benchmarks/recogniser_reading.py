"""Compare the head that ships with the one that PP-OCR came with: on rendered lines, on real ones, and in time.

    python -m benchmarks.recogniser_reading [--lines N] [--receipts FOLDER] [--pages N] [--threads N]
        [--fonts FOLDER]

- rendered lines: drawn in font families that training never saw, CER and share of whole lines a language
- receipts: FOLDER holds ``images/`` and ``lines.json``, file name → list of ``{"polygon", "text"}``; both heads read
  the same crops, the shipped one bare, as engines use it (a script a word), and with Latin alone; compared without
  regard to case and to runs of white space (the truth is all capitals), and once more without any space
- time: both as RapidOCR reads them, the same crops in turns, milliseconds a line
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from model.document.images import RgbImage, crop, load_image
from model.ocr import OcrEngine, build_engine
from model.ocr.files import recogniser_file
from model.recognition.backbone import Backbone
from model.recognition.charset import charset_of
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.measuring import LineScore, compare, measure, pooled
from model.recognition.rendered import rendered_crop
from model.recognition.scripts import is_latin, settled
from model.recognition.shipped import shipped_head
from model.synthetic.fonts import FontSet
from model.weights.make_recogniser import by_language

FIRST_SEED = 5_000_000
"""Beyond all seeds that training or its validation saw."""


def plain(text: str) -> str:
    """Return the text without regard to case and runs of white space."""
    return " ".join(text.casefold().split())


def receipt_lines(folder: Path, pages: int) -> list[tuple[RgbImage, str, int]]:
    """Return the crops and texts of true lines, of pages spread evenly, and the number of the page."""
    truth = json.loads((folder / "lines.json").read_text("utf-8"))
    names = sorted(truth)[:: max(1, len(truth) // pages)]
    found = []
    for number, name in enumerate(names):
        image = load_image((folder / "images" / name).read_bytes(), max_bytes=1 << 30, max_pixels=1 << 28)
        found += [(crop(image, [(x, y) for x, y in line["polygon"]]), line["text"], number) for line in truth[name]]
    return found


def cells(score: LineScore) -> str:
    """Return the figures as cells of a Markdown table."""
    return f"{100 * score.cer:.2f} % | {score.line_accuracy:.3f}"


def seconds_a_line(engines: Sequence[OcrEngine], crops: Sequence[RgbImage], rounds: int = 5) -> list[float]:
    """Return the median over rounds of each engine's mean time for a line, the engines taking turns."""
    times: list[list[float]] = [[] for _ in engines]
    for _ in range(rounds):
        for number, engine in enumerate(engines):
            started = time.perf_counter()
            engine.recognise(crops)
            times[number].append((time.perf_counter() - started) / len(crops))
    return [statistics.median(measured) for measured in times]


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1500)
    parser.add_argument("--receipts", type=Path)
    parser.add_argument("--pages", type=int, default=120)
    parser.add_argument("--timed", type=int, default=100, help="lines that are timed")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--fonts", type=Path, help="folder of fonts; by default where systems keep them")
    options = parser.parse_args()
    onnx_file = recogniser_file(None)
    if onnx_file is None:
        raise SystemExit("rapidocr brings no recogniser")
    backbone = Backbone(onnx_file, options.threads)
    heads: dict[str, Head] = {"original": backbone.original, "shipped": shipped_head()}

    unseen = FontSet.find([options.fonts] if options.fonts else None).split()[1]
    drawn = [rendered_crop(seed, unseen) for seed in range(FIRST_SEED, FIRST_SEED + options.lines)]
    lines = [FeatureLine(backbone.features([image])[0], text, language) for image, text, language in drawn]
    print(
        "| language | lines | original CER | whole lines | shipped CER | whole lines |\n|---|---:|---:|---:|---:|---:|"
    )
    groups = {"all": lines, **by_language(lines)}
    for language, group in groups.items():
        scores = [pooled(measure(head, group)) for head in heads.values()]
        print(f"| {language} | {len(group)} | " + " | ".join(cells(score) for score in scores) + " |")

    if options.receipts:
        real = receipt_lines(options.receipts, options.pages)
        features = backbone.features([image for image, _, _ in real])
        print(f"\n{len(real)} lines of receipts\n\n| head | CER | whole lines | CER without spaces |")
        print("|---|---:|---:|---:|")

        def as_engines(texts: list[str]) -> list[str]:
            pages = [number for _, _, number in real]
            without = {page: is_latin(t for t, own in zip(texts, pages, strict=True) if own == page) for page in pages}
            return [settled(text, latin=without[page]) for text, page in zip(texts, pages, strict=True)]

        latin = heads["shipped"].narrowed(charset_of(["latin"]))
        for name, head, how in (
            ("original", heads["original"], list),
            ("shipped, bare", heads["shipped"], list),
            ("shipped, as engines read", heads["shipped"], as_engines),
            ("shipped, Latin alone", latin, list),
        ):
            read = [plain(text) for text in how(head.texts(features))]
            score = pooled([compare(plain(text), got) for (_, text, _), got in zip(real, read, strict=True)])
            dense = pooled(
                [
                    compare(plain(text).replace(" ", ""), got.replace(" ", ""))
                    for (_, text, _), got in zip(real, read, strict=True)
                ]
            )
            print(f"| {name} | {cells(score)} | {100 * dense.cer:.2f} % |")

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rec").mkdir()
        (Path(folder) / "rec" / "inference.onnx").symlink_to(onnx_file)
        engines = [
            build_engine("rapidocr", models_dir=models, threads=options.threads) for models in (Path(folder), None)
        ]
        taken = seconds_a_line(engines, [image for image, _, _ in drawn[: options.timed]])
    classes = [len(head.bias) for head in heads.values()]
    print("\n| head | classes | ms a line |\n|---|---:|---:|")
    for name, count, seconds in zip(heads, classes, taken, strict=True):
        print(f"| {name} | {count} | {1000 * seconds:.1f} |")


if __name__ == "__main__":
    main()
