"""What a whole prediction costs and reads, beside PaddleOCR's own pipeline, which only reads.

    python -m benchmarks.against_paddleocr FOLDER [--truth FILE] [--images N] [--half odd|even] [--threads N]

FOLDER holds ``images/``. Both take the path of an image, turn after turn in one process, so that whatever else the
machine does falls on both. Ours decodes it, reads it, names its fields and makes Label Studio's regions, nothing out
of a cache. PaddleOCR runs on ONNX Runtime with its pipeline's defaults, as many threads and the same models as they
come, without the three models that turn and flatten pages.

The truth maps file names to lines, ``{"polygon", "text"}``, or to values, ``{"text"}`` or ``{"texts"}`` with every way
to give it, and perhaps ``"optional"``: such values do not count.

- CER of lines: edit distance over true characters of the lines that match one to one (:mod:`benchmarks.ocr_engines`)
- CER of values: the least edit distance of a value, letters and digits only, to any stretch of the page's text
- word recall: share of true words that were read somewhere on their page, each read word counting once
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paddleocr
from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from benchmarks.ocr_engines import match_lines, plain
from benchmarks.predict_latency import CONFIG
from ml_backend.label_studio.convert import to_prediction
from ml_backend.label_studio.label_config import LabelConfig, PageId, parse_label_config
from model.document.types import Box, Line, Page
from model.ocr import ENGINES
from model.ocr.files import find_models
from model.ocr.paddle import DETECTOR_NAME, RECOGNISER_NAME, _describe_detector, _describe_recogniser, _lay_out
from model.pipeline import Pipeline, build_pipeline, warm_up

Truth = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass
class Quality:
    """How well pages were read so far."""

    characters: int = 0
    edits: int = 0
    true_words: int = 0
    found_words: int = 0

    def add(self, truth: Sequence[Mapping[str, Any]], page: Page) -> None:
        """Count a page."""
        read = Counter(word for line in page.lines for word in plain(line.text).split())
        if truth and "polygon" in truth[0]:
            lines = [(Box.of_polygon(line["polygon"]), str(line["text"])) for line in truth]
            for text, found in match_lines(lines, page):
                self.characters += len(text)
                self.edits += Levenshtein.distance(text, found)
            words = Counter(word for _, text in lines for word in plain(text).split())
            self.true_words += words.total()
            self.found_words += (words & read).total()
            return
        everything = _bare(" ".join(line.text for line in page.lines))
        for value in truth:
            if value.get("optional"):
                continue
            texts = value.get("texts") or [value["text"]]
            edits, text = min((_edits(_bare(text), everything), _bare(text)) for text in texts)
            self.characters += len(text)
            self.edits += edits
            words = max(
                (Counter(plain(text).split()) for text in texts),
                key=lambda words: (words & read).total() / max(1, words.total()),
            )
            self.true_words += words.total()
            self.found_words += (words & read).total()

    def row(self) -> str:
        """Return CER and word recall as cells of a table."""
        if not self.true_words:
            return "– | –"
        return f"{100 * self.edits / max(1, self.characters):.2f} % | {self.found_words / self.true_words:.3f}"


def _bare(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def _edits(value: str, text: str) -> int:
    """Return the least edit distance of a value to a stretch of a text."""
    if len(text) <= len(value):
        return int(Levenshtein.distance(value, text))
    place = fuzz.partial_ratio_alignment(value, text)
    return len(value) if place is None else int(Levenshtein.distance(value, text[place.dest_start : place.dest_end]))


@dataclass
class Tally:
    """What one side did so far."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0
    quality: Quality = field(default_factory=Quality)


class Ours:
    """A prediction, from the file to the regions."""

    def __init__(self, engine: str, threads: int) -> None:
        limits = {"max_image_bytes": 10**9, "max_image_pixels": 10**9}
        self.pipeline: Pipeline = build_pipeline(
            engine=engine, ocr_models_dir=None, extractor_dir=None, threads=threads, **limits
        )
        self._config: LabelConfig = parse_label_config(CONFIG)
        warm_up(self.pipeline)

    def __call__(self, path: Path) -> Page:
        document = self.pipeline.predict(path.read_bytes())
        to_prediction({PageId("image"): document}, self._config, model_version=self.pipeline.version)
        return document.page


class Theirs:
    """PaddleOCR's own pipeline."""

    def __init__(self, threads: int) -> None:
        models = find_models(None)
        if models is None:
            sys.exit("the models of the rapidocr wheel are needed")
        with tempfile.TemporaryDirectory() as folder:
            detector = _lay_out(Path(folder), models.detector, DETECTOR_NAME, _describe_detector)
            recogniser = _lay_out(Path(folder), models.recogniser, RECOGNISER_NAME, _describe_as_it_comes)
            self._pipeline = paddleocr.PaddleOCR(
                engine="onnxruntime",
                engine_config={"intra_op_num_threads": threads, "log_severity_level": 3},
                text_detection_model_name=DETECTOR_NAME,
                text_detection_model_dir=detector.folder,
                text_recognition_model_name=RECOGNISER_NAME,
                text_recognition_model_dir=recogniser.folder,
                use_doc_orientation_classify=False,
                use_doc_unwarping=False,
                use_textline_orientation=False,
            )

    def __call__(self, path: Path) -> Page:
        (result,) = self._pipeline.predict(str(path))
        height, width = result["doc_preprocessor_res"]["output_img"].shape[:2]
        lines = []
        for polygon, text, score in zip(result["rec_polys"], result["rec_texts"], result["rec_scores"], strict=True):
            corners = tuple((float(x), float(y)) for x, y in polygon)
            if text.strip():
                lines.append(Line(text, corners, float(score), ()))
        return Page(width, height, tuple(lines))


def _describe_as_it_comes(files: Any, name: str) -> dict[str, Any]:
    """Describe the recogniser with the least width of PaddleOCR's own file in place of ours."""
    description = _describe_recogniser(files, name)
    for step in description["PreProcess"]["transform_ops"]:
        if "RecResizeImg" in step:
            step["RecResizeImg"]["image_shape"] = [3, 48, 320]
    return description


def chosen(folder: Path, truth: Truth, count: int | None, half: str | None) -> list[Path]:
    """Return the images to measure on, those of one half alone where that is asked for."""
    paths = sorted(path for path in (folder / "images").iterdir() if not truth or path.name in truth)
    if half:
        paths = paths[half == "odd" :: 2]
    if count and count < len(paths):
        paths = [paths[i * len(paths) // count] for i in range(count)]
    return paths


def main() -> int:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--truth", type=Path, help="JSON; only images in it are taken")
    parser.add_argument("--images", type=int, help="take only so many, spread evenly")
    parser.add_argument("--half", choices=("odd", "even"), help="take every second image")
    parser.add_argument("--engine", default=ENGINES[0], choices=ENGINES)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()

    truth: Truth = json.loads(arguments.truth.read_text("utf-8")) if arguments.truth else {}
    paths = chosen(arguments.folder, truth, arguments.images, arguments.half)
    sides = {"ours": Ours(arguments.engine, arguments.threads), "PaddleOCR": Theirs(arguments.threads)}
    tallies = {name: Tally() for name in sides}
    for side in sides.values():
        side(paths[0])
    for number, path in enumerate(paths):
        for name in sorted(sides, reverse=bool(number % 2)):
            start, cpu = time.perf_counter(), time.process_time()
            page = sides[name](path)
            tallies[name].seconds.append(time.perf_counter() - start)
            tallies[name].cpu_seconds += time.process_time() - cpu
            tallies[name].quality.add(truth.get(path.name, []), page)
        print(f"\r{number + 1}/{len(paths)}", end="", file=sys.stderr)
    print(file=sys.stderr)

    print("| side | median s | CER | word recall |\n|---|---:|---:|---:|")
    for name, tally in tallies.items():
        print(f"| {name} | {statistics.median(tally.seconds):.3f} | {tally.quality.row()} |")
    ours, theirs = (tally.seconds for tally in tallies.values())
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    line = f"\n{len(paths)} images, ours over PaddleOCR: median {statistics.median(ratios):.2f}"
    if len(ratios) > 3:
        low, _, high = statistics.quantiles(ratios, n=4)
        line += f", quartiles {low:.2f} to {high:.2f}"
    cpu = tallies["ours"].cpu_seconds / tallies["PaddleOCR"].cpu_seconds
    print(f"{line}; of all seconds {sum(ours) / sum(theirs):.2f}, of the CPU's {cpu:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
