"""Compare the OCR engines on a folder of annotated pages: what they read, and how long it takes.

    python benchmarks/ocr_engines.py FOLDER [--pages N] [--engines paddleocr rapidocr] [--threads N]

FOLDER holds ``images/`` and, for the accuracy, ``lines.json``: file name → list of ``{"polygon", "text"}``. Without it
only the time is taken. The engines read each page one after the other, in alternating order, so that whatever else the
machine does falls on both.

- matched: share of true lines for which a read line overlaps by half (intersection over union of the boxes), one to one
- CER: edit distance over true characters of the matched lines, without regard to case and to runs of white space
- word recall: share of true words that were read somewhere on their page, each read word counting once
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from model.document.images import load_image
from model.document.types import Box, Page
from model.ocr import ENGINES, build_engine

TrueLine = tuple[Box, str]


@dataclass
class Tally:
    """What one engine did on all pages so far."""

    true_lines: int = 0
    matched_lines: int = 0
    read_lines: int = 0
    characters: int = 0
    edits: int = 0
    true_words: int = 0
    found_words: int = 0
    broken_joins: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(self, truth: list[TrueLine], page: Page) -> None:
        """Count one page."""
        self.read_lines += len(page.lines)
        self.broken_joins += sum(line.text != " ".join(word.text for word in line.words) for line in page.lines)
        self.true_lines += len(truth)
        for text, read in match_lines(truth, page):
            self.matched_lines += 1
            self.characters += len(text)
            self.edits += Levenshtein.distance(text, read)
        true_words = Counter(word for _, text in truth for word in plain(text).split())
        self.true_words += true_words.total()
        self.found_words += (true_words & Counter(plain(word.text) for word in page.words)).total()

    def row(self) -> str:
        """Return the figures as cells of a Markdown table."""
        median, accuracy = statistics.median(self.seconds), "– | – | – "
        if self.true_lines:
            accuracy = (
                f"{self.matched_lines / self.true_lines:.3f} | {100 * self.edits / max(1, self.characters):.2f} % | "
                f"{self.found_words / self.true_words:.3f} "
            )
        return f"{accuracy}| {median:.2f} | {self.read_lines} | {self.broken_joins}"


def plain(text: str) -> str:
    """Return the text without regard to case and runs of white space."""
    return " ".join(text.casefold().split())


def match_lines(truth: list[TrueLine], page: Page) -> list[tuple[str, str]]:
    """Pair true and read lines one to one, best overlap first; return their plain texts."""
    overlaps = [
        (box.iou(line.box), i, j) for i, (box, _) in enumerate(truth) for j, line in enumerate(page.lines)
    ]  # fmt: skip
    pairs, used_true, used_read = [], set[int](), set[int]()
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap < 0.5:
            break
        if i not in used_true and j not in used_read:
            used_true.add(i)
            used_read.add(j)
            pairs.append((plain(truth[i][1]), plain(page.lines[j].text)))
    return pairs


def load_truth(folder: Path) -> dict[str, list[TrueLine]]:
    """Return the true lines of each page; nothing where the folder has none."""
    path = folder / "lines.json"
    if not path.is_file():
        return {}
    pages = json.loads(path.read_text("utf-8"))
    return {
        name: [(Box.of_polygon(line["polygon"]), line["text"]) for line in lines] for name, lines in pages.items()
    }  # fmt: skip


def main() -> int:
    """Run the comparison and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, help="take only so many pages, spread evenly")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=ENGINES)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    arguments = parser.parse_args()

    truth = load_truth(arguments.folder)
    paths = sorted(path for path in (arguments.folder / "images").iterdir() if not truth or path.name in truth)
    if arguments.pages and arguments.pages < len(paths):
        paths = [paths[i * len(paths) // arguments.pages] for i in range(arguments.pages)]
    engines = {}
    for name in arguments.engines:
        before = time.perf_counter()
        engines[name] = build_engine(name, models_dir=None, threads=arguments.threads)
        print(f"{engines[name].version} loaded in {time.perf_counter() - before:.1f} s", file=sys.stderr)
    tallies: dict[str, Tally] = defaultdict(Tally)
    for number, path in enumerate(paths):
        image = load_image(path.read_bytes(), max_bytes=10**9, max_pixels=10**9)
        order = arguments.engines if number % 2 else arguments.engines[::-1]
        for name in order:
            if number == 0:
                engines[name].read(image)  # the first page pays for warming up
            before = time.perf_counter()
            page = engines[name].read(image)
            tallies[name].seconds.append(time.perf_counter() - before)
            tallies[name].add(truth.get(path.name, []), page)
        print(f"\r{number + 1}/{len(paths)}", end="", file=sys.stderr)
    print(file=sys.stderr)

    print("| engine | matched | CER | word recall | median s | lines | broken joins |\n|---|---|---|---|---|---|---|")
    for name in arguments.engines:
        print(f"| {name} | {tallies[name].row()} |")
    first, *others = arguments.engines
    for other in others:
        ratios = [a / b for a, b in zip(tallies[first].seconds, tallies[other].seconds, strict=True)]
        if len(ratios) > 3:
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(f"time {first} / {other} per page: median {middle:.2f}, quartiles {low:.2f} to {high:.2f}")
    print(f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
