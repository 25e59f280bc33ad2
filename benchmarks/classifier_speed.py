"""How fast fields are named, by torch and by ONNX Runtime: one page at a time, in batches, and what a start costs.

    python -m benchmarks.classifier_speed --pages 60 --rounds 7 --threads 2

Pages are simulated readings of synthetic cards. Each round times all ways, one after the other, so that whatever else
the machine does falls on each; ratios are those of one round. "Documents" are whole extractions, with encoding, values
and doubts; "body" is the model's part that either computes. For the start each is loaded in processes of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from model.extraction.checkpoint import read_config, read_tokenizer
from model.extraction.encoder import Runtime
from model.extraction.extractor import Extractor, build_encoder
from model.extraction.graph import INPUTS
from model.extraction.inputs import Window
from model.extraction.training import collate
from model.pipeline import SHIPPED_WEIGHTS
from model.weights.make_extractor import simulated_card

# What a new process prints: seconds for loading, and its resident and largest memory in MiB, one page named.
_START = """
import json, resource, sys, time
from model.document.types import Box, Line, Page, Word
from model.extraction.extractor import Extractor
from model.pipeline import SHIPPED_WEIGHTS
before = time.perf_counter()
extractor = Extractor.load(SHIPPED_WEIGHTS, threads=int(sys.argv[2]), runtime=sys.argv[1])
seconds = time.perf_counter() - before
words = tuple(Word(t, Box(9.0 + 90 * i, 9.0, 90.0 + 90 * i, 40.0), 1.0) for i, t in enumerate(("Ada", "Lovelace")))
extractor.extract(Page(400, 300, (Line("Ada Lovelace", Box(9.0, 9.0, 180.0, 40.0).polygon(), 1.0, words),)))
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
print(json.dumps([seconds, resident, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    pages = [simulated_card(3_600_000 + i).page for i in range(options.pages)]
    encoder = build_encoder(read_config(SHIPPED_WEIGHTS), read_tokenizer(SHIPPED_WEIGHTS))
    windows = [window for page in pages for window in encoder.encode(page)]
    single = [batch_of([window]) for window in windows]
    # Pages of about one length go together.
    ordered = sorted(windows, key=lambda window: len(window.input_ids))
    batched = [batch_of(ordered[i : i + options.batch]) for i in range(0, len(ordered), options.batch)]
    extractors: dict[str, Extractor] = {
        runtime: Extractor.load(SHIPPED_WEIGHTS, threads=options.threads, runtime=runtime)
        for runtime in get_args(Runtime)
    }
    largest = max(float(np.abs(extractors["torch"].states(p) - extractors["onnx"].states(p)).max()) for p in pages)
    print(f"{len(windows)} windows; hidden states differ by {largest:.1e} at most\n")
    ways: dict[tuple[str, str], Callable[[], object]] = {}
    for runtime, extractor in extractors.items():
        ways["documents, one by one", runtime] = partial(_each, extractor.extract, pages)
        ways["body, one page", runtime] = partial(_each, extractor.body, single)
        ways[f"body, {options.batch} pages", runtime] = partial(_each, extractor.body, batched)
    seconds: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    with torch.inference_mode():
        for _ in range(options.rounds):
            for way, go in ways.items():
                start = time.perf_counter()
                go()
                seconds[way].append(time.perf_counter() - start)
    print("| what | torch, pages a second | ONNX Runtime | its time over torch's: median (quartiles) |")
    print("|---|---:|---:|---:|")
    for what in dict.fromkeys(what for what, _ in ways):
        torchs, onnxs = seconds[what, "torch"], seconds[what, "onnx"]
        low, middle, high = statistics.quantiles([b / a for a, b in zip(torchs, onnxs, strict=True)], n=4)
        rates = " | ".join(f"{len(pages) / statistics.median(times):.1f}" for times in (torchs, onnxs))
        print(f"| {what} | {rates} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    starts: dict[str, list[list[float]]] = {runtime: [] for runtime in extractors}
    for _ in range(options.starts):
        for runtime, found in starts.items():
            found.append(start_of(runtime, options.threads))
    print("\n| start, median of processes | torch | ONNX Runtime |\n|---|---:|---:|")
    for column, what in enumerate(("loading, s", "memory after one page, MiB", "largest memory, MiB")):
        medians = (statistics.median(row[column] for row in starts[runtime]) for runtime in ("torch", "onnx"))
        print(
            f"| {what} | "
            + " | ".join(f"{median:.2f}" if column == 0 else f"{median:.0f}" for median in medians)
            + " |"
        )


def _each(compute: Callable[[Any], object], inputs: Sequence[Any]) -> None:
    for each in inputs:
        compute(each)


def batch_of(windows: Sequence[Window]) -> dict[str, NDArray[Any]]:
    """Return the padded inputs of several windows."""
    stacked = collate([{"input_ids": w.input_ids, "bbox": w.boxes, "token_type_ids": w.token_types} for w in windows])
    return {name: np.ascontiguousarray(stacked[name].numpy()) for name in INPUTS}


def start_of(runtime: str, threads: int) -> list[float]:
    """Load the shipped weights in a process of their own; see :data:`_START`."""
    command = [sys.executable, "-c", _START, runtime, str(threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
