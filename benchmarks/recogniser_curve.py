"""How much a few corrected lines teach, in domains made hard on purpose, and what is forgotten meanwhile.

    python -m benchmarks.recogniser_curve [--domains kazakh signs dots] [--sizes 0 10 25 50 100 200] [--seeds 0 1 2 3 4]
        [--budget S] [--passes N] [--fonts FOLDER] [--kept FOLDER] [--trains head|neck]

For each seed, lines of the domain (:mod:`benchmarks.hard_lines`) are drawn, and so many of them are "corrected". They
are learned from as a training run does it, with changed copies and rendered lines, and as much is taken over as these
bear. Printed are the CER of other lines of the domain, by how many points the CER of ordinary rendered lines rose and
by how many at most (95 %), that of lines with rare characters, and seconds: as a clock tells them, and of the
processor; what the backbone makes of the lines and their copies is counted in.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.hard_lines import DOMAINS
from ml_backend.learn.recogniser_training import forgetting_of
from model.document.images import RgbImage
from model.evaluation.recogniser_gate import upper_bound
from model.ocr.files import recogniser_file
from model.recognition.augmentation import augment_crop
from model.recognition.backbone import Backbone, LineFeatures
from model.recognition.charset import DEFAULT_LANGUAGES, charset_of
from model.recognition.finetune import Lesson, learn
from model.recognition.head import Head
from model.recognition.lines import FeatureLine
from model.recognition.lower import Lower
from model.recognition.measuring import measure, pooled
from model.recognition.replay import RenderedLines
from model.recognition.shipped import shipped_head
from model.recognition.training import HeadPlan
from model.synthetic.fonts import FontSet

#: Changed copies, in all and of a line, as in a training run.
COPIES, MOST_COPIES = 240, 8

Drawn = Sequence[tuple[RgbImage, str]]


def main() -> None:
    """Train and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), choices=DOMAINS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[0, 10, 25, 50, 100, 200])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--tested", type=int, default=150, help="other lines to measure with")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds of training")
    parser.add_argument("--passes", type=float, default=HeadPlan().passes, help="times that each line is seen")
    parser.add_argument("--trains", default="head", choices=("head", "neck", "all"))
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--fonts", type=Path, help="folder of fonts; by default where systems keep them")
    parser.add_argument("--kept", type=Path, help="folder for what the backbone makes of the rendered lines")
    options = parser.parse_args()
    onnx_file = recogniser_file(None)
    if onnx_file is None:
        raise SystemExit("rapidocr brings no recogniser")
    backbone = Backbone(onnx_file, options.threads)
    fonts = FontSet.find([options.fonts] if options.fonts else None)
    head = shipped_head()
    lower = None if options.trains == "head" else Lower(backbone, options.trains)
    sight = backbone if lower is None else lower.sight
    with tempfile.TemporaryDirectory() as folder:
        rendered = RenderedLines(options.kept or Path(folder))(sight)

    def by(head: Head, lines: Sequence[FeatureLine]) -> Sequence[FeatureLine]:
        return lines if lower is None else lower.seen(lines, head)

    def taught_by(drawn: Drawn, seed: int) -> Head:
        lines = seen(sight, drawn)
        wide = head.widened(
            charset_of(DEFAULT_LANGUAGES, texts=[line.text for line in lines]), source=backbone.original
        )
        lesson = Lesson(lines, lambda numbers: changed(sight, drawn, numbers), rendered.ordinary, rendered.rare)
        plan = HeadPlan(budget_seconds=options.budget, passes=options.passes)
        return learn(head, wide, lesson, plan, 0.0005, np.random.default_rng(seed), lower=lower).head

    print("| domain | corrected lines | runs | CER | ordinary, in points | at most | rare | seconds | processor |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in options.domains:
        results: dict[int, list[tuple[float, ...]]] = {size: [] for size in options.sizes}
        for seed in options.seeds:
            count = options.tested + max(options.sizes)
            drawn = [DOMAINS[name](600_000 + 1000 * seed + n, fonts) for n in range(count)]
            tested = seen(sight, drawn[: options.tested])
            for size in options.sizes:
                clock, worked = time.monotonic(), time.process_time()
                taught = taught_by(drawn[options.tested :][:size], seed) if size else head
                seconds, processor = time.monotonic() - clock, time.process_time() - worked
                both = forgetting_of(head, taught, rendered, by)
                rises = [100 * (pooled(new).cer - pooled(old).cer) for old, new in (both.ordinary, both.rare)]
                bound = 100 * upper_bound(*both.ordinary, 2000, np.random.default_rng(0))
                cer = 100 * pooled(measure(taught, by(taught, tested))).cer
                results[size].append((cer, rises[0], bound, rises[1], seconds, processor))
        for size, rows in results.items():
            mean = [statistics.mean(column) for column in zip(*rows, strict=True)]
            low, high = min(row[0] for row in rows), max(row[0] for row in rows)
            print(
                f"| {name} | {size} | {len(rows)} | {mean[0]:.2f} % ({low:.2f}–{high:.2f}) | {mean[1]:+.2f} "
                f"| {mean[2]:+.2f} | {mean[3]:+.2f} | {mean[4]:.1f} | {mean[5]:.1f} |",
                flush=True,
            )


def seen(sight: LineFeatures, drawn: Drawn) -> list[FeatureLine]:
    """Return lines as the backbone, or what learns with it, sees them."""
    return [FeatureLine(sight.features([image])[0], text) for image, text in drawn]


def changed(sight: LineFeatures, drawn: Drawn, numbers: Sequence[int]) -> list[FeatureLine]:
    """Return changed copies of some lines."""
    copies = min(MOST_COPIES, COPIES // len(numbers))
    return seen(
        sight,
        [
            (augment_crop(drawn[number][0], np.random.default_rng((number, copy)), 0.5), drawn[number][1])
            for number in numbers
            for copy in range(copies)
        ],
    )


if __name__ == "__main__":
    main()
